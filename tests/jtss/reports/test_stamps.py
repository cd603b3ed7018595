"""Portraits show the stamps that they are given, all of them, and what is missing as missing."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, sequences
from helpers.read_pictures import has_colour, pixels
from jtss.inference import portraits
from jtss.reports import colours, stamps
from jtss.reports.stamps import GAP, NO_DATA, mosaic, portrait_picture, sheet_picture, stretch


def shown(n=2, index=0, **changes):
    made = sequences((n, n))
    return portraits.portrait(made, index, CLASSES, np.array([0.9, 0.05, 0.05]), n, true_class="SN")._replace(**changes)


def test_portraits_of_one_to_five_detections():
    heights = [pixels(portrait_picture(shown(n))).shape[0] for n in (1, 3, 5)]
    assert heights == sorted(set(heights))
    assert has_colour(portrait_picture(shown()), colours.CLASS_COLOURS["AGN"])


def test_mosaic_puts_every_stamp_in_its_place():
    stamps = np.zeros((2, 5, 5, 3))
    stamps[1, 0, 4, 2] = 1  # the second detection, difference, the right end of the bottom row
    picture = mosaic(stamps)
    assert picture.shape == (2 * 5 + GAP, 3 * 5 + 2 * GAP, 3)
    bright = np.argwhere(picture[..., 0] > 0.9)
    inside = [tuple(at) for at in bright if at[0] >= 5 + GAP and at[1] >= 2 * (5 + GAP)]
    assert inside == [(picture.shape[0] - 1, picture.shape[1] - 1)]


def test_missing_pixels_are_tinted():
    pixels_of = shown().stamps
    assert not has_colour(portrait_picture(shown()), NO_DATA)
    pixels_of[:, :, :20] = np.nan
    assert has_colour(portrait_picture(shown(stamps=pixels_of)), NO_DATA)


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


def test_the_same_picture_has_the_same_bytes():
    assert portrait_picture(shown()) == portrait_picture(shown())


def test_the_picture_of_a_table_is_written_where_there_is_something_to_show(tmp_path):
    path = tmp_path / "objects.png"
    assert stamps.draw(path, SimpleNamespace(shown=[]), "model") == "no object was classified, so there is no picture"
    assert not path.exists()
    assert stamps.draw(path, SimpleNamespace(shown=[shown()]), "model") == f"picture: {path}"
    assert path.read_bytes().startswith(b"\x89PNG")
