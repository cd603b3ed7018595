"""Pictures: they are drawn, they show what they are given, and they leave no global state behind."""

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from helpers.made_sequences import CLASSES, sequences
from jtss.inference import portraits
from jtss.metrics import classification
from jtss.reports import figures
from jtss.reports.stamps import GAP, NO_DATA, mosaic, portrait_picture, sheet_picture, stretch


def pixels(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG")
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def has_colour(png: bytes, colour: str) -> bool:
    return bool((np.abs(pixels(png) / 255 - to_rgb(colour)).max(axis=-1) < 0.01).any())


def shown(n=2, index=0, **changes):
    made = sequences((n, n))
    return portraits.portrait(made, index, CLASSES, np.array([0.9, 0.05, 0.05]), n, true_class="SN")._replace(**changes)


@pytest.mark.parametrize("confusion", [np.diag([5, 3, 0]), np.zeros((3, 3), int), np.full((3, 3), 10**6)])
def test_confusion_is_drawn_with_or_without_objects(confusion):
    assert pixels(figures.confusion_figure(confusion, CLASSES)).std() > 5


def test_confusion_colours_follow_the_rates_not_the_counts():
    one, many = np.array([[9, 1], [1, 9]]), np.array([[9, 1], [1000, 9000]])
    dark = [pixels(figures.confusion_figure(matrix, ("AGN", "SN"))).mean() for matrix in (one, many)]
    assert dark[0] == pytest.approx(dark[1], abs=1.0)


def test_reliability_is_drawn_with_empty_bins_and_with_none_filled():
    p = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    png = figures.reliability_figure(classification.reliability(p, np.zeros(50, int)))
    assert has_colour(png, figures.BLUE)
    figures.reliability_figure(classification.reliability(np.zeros((0, 3)), np.zeros(0, int)))


def test_learning_curve_with_validation_at_some_steps_only():
    step = np.arange(1, 101)
    seldom = np.where(step % 25 == 0, 0.5, np.nan)
    png = figures.learning_figure(step, 1 / step, seldom, seldom, 50)
    assert has_colour(png, figures.BLUE)
    assert has_colour(png, figures.VERMILION)


def test_portraits_of_one_to_five_detections():
    heights = [pixels(portrait_picture(shown(n))).shape[0] for n in (1, 3, 5)]
    assert heights == sorted(set(heights))
    assert has_colour(portrait_picture(shown()), figures.CLASS_COLOURS["AGN"])


def test_mosaic_puts_every_stamp_in_its_place():
    stamps = np.zeros((2, 5, 5, 3))
    stamps[1, 0, 4, 2] = 1  # the second detection, difference, the right end of the bottom row
    picture = mosaic(stamps)
    assert picture.shape == (2 * 5 + GAP, 3 * 5 + 2 * GAP, 3)
    bright = np.argwhere(picture[..., 0] > 0.9)
    inside = [tuple(at) for at in bright if at[0] >= 5 + GAP and at[1] >= 2 * (5 + GAP)]
    assert inside == [(picture.shape[0] - 1, picture.shape[1] - 1)]


def test_missing_pixels_are_tinted():
    stamps = shown().stamps
    assert not has_colour(portrait_picture(shown()), NO_DATA)
    stamps[:, :, :20] = np.nan
    assert has_colour(portrait_picture(shown(stamps=stamps)), NO_DATA)


@pytest.mark.parametrize(
    "stamp",
    [
        np.full((9, 9), np.nan),
        np.zeros((9, 9)),
        np.eye(9),
        np.where(np.arange(81).reshape(9, 9) == 40, 1.0, 0.0),  # one bright pixel on a flat sky
        np.where(np.eye(9) > 0, np.nan, np.random.default_rng(0).random((9, 9))),
    ],
)
def test_stretch_stays_between_0_and_1_and_keeps_nan(stamp):
    stretched = stretch(stamp)
    np.testing.assert_array_equal(np.isnan(stretched), np.isnan(stamp))
    seen = stretched[np.isfinite(stretched)]
    assert ((seen >= 0) & (seen <= 1)).all()


def test_stretch_keeps_the_order_and_shows_faint_and_bright():
    rng = np.random.default_rng(1)
    stamp = rng.normal(0, 1, (63, 63))
    stamp[31, 31], stamp[10, 10] = 5000, 30
    stretched = stretch(stamp)
    assert stretched[31, 31] >= stretched[10, 10] > 0.6 > np.median(stretched) > 0.05


def test_sheet_of_one_and_of_many():
    one = pixels(sheet_picture([shown()], "one"))
    nine = pixels(sheet_picture([shown(index=i % 2) for i in range(9)], "nine"))
    assert nine.shape[1] > 3 * one.shape[1] > 0
    with pytest.raises(ValueError, match="at least one"):
        sheet_picture([], "none")


def test_awkward_text_is_drawn_as_text():
    """A dollar sign is matplotlib's mathematics."""
    portrait_picture(shown(object_id=r"$\frac{$", note=r"$x_$"))


def test_pyplot_is_never_imported():
    code = "import sys, jtss.reports.figures, jtss.reports.stamps; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_same_picture_has_the_same_bytes():
    assert portrait_picture(shown()) == portrait_picture(shown())
