"""Stamps: edges and scaling by their properties."""

import csv

import fastavro
import numpy as np
import pytest

from data_prep.packets.stamps import (
    IMAGE_SIDES_PIX,
    StampError,
    decode_cutout,
    decode_stamps,
    is_full,
    pad_to_side,
    scale,
)
from data_prep.simulate.packets import encode_cutout
from helpers.make_packets import images
from jtss.schema import STAMP_SIDE

FLT_MAX = np.finfo(np.float32).max
IMAGE = images(seed=3)[0]


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.astype("<f4").tobytes() == other.astype("<f4").tobytes()


def test_three_stamps_belong_together():
    blobs = [encode_cutout(image) for image in images(seed=1)]
    for stamp, image in zip(decode_stamps(tuple(blobs)), images(seed=1), strict=True):
        assert same_bits(stamp, image)
    for replacement, reason, words in (
        (None, "missing_stamp", "template"),
        (encode_cutout(np.full((63, 63), np.nan)), "all_nan_stamp", "template"),
        (encode_cutout(np.full((63, 63), -FLT_MAX)), "all_nan_stamp", "template"),
        (encode_cutout(IMAGE[:50]), "stamp_shape", "differ"),
    ):
        with pytest.raises(StampError, match=words) as caught:
            decode_stamps((blobs[0], replacement, blobs[2]))
        assert caught.value.reason == reason


# Scaling


def wild_images(rng: np.random.Generator) -> np.ndarray:
    sizes = 10 ** rng.uniform(-30, 25, (8, 1, 1, 3))
    batch = (rng.normal(100, 30, (8, 63, 63, 3)) * sizes).astype(np.float32)
    batch[1, ..., 0] = 7.5
    batch[2, ..., 1] = np.nan
    batch[3, :20] = np.nan
    batch[4, 5, 5] = FLT_MAX
    batch[4, 6, 6] = -FLT_MAX
    batch[5, 0, 0] = [np.inf, -np.inf, np.nan]
    batch[6, ..., 2] = [[9.9e29 if row % 2 else -9.9e29] for row in range(63)]  # the widest range that counts as light
    batch[7, 0, 0].view(np.uint32)[:] = 0x7F800001  # a signalling NaN
    return batch


def scale_slowly(image: np.ndarray) -> np.ndarray:
    """One channel in float64, by the definition."""
    pixels = image.astype(np.float64)
    light = np.isfinite(pixels) & (np.abs(pixels) <= 1e30)
    if not light.any():
        return np.full(pixels.shape, np.nan)
    low, high = pixels[light].min(), pixels[light].max()
    return np.where(light, (pixels - low) / (high - low) if high > low else 0.0, np.nan)


@pytest.mark.filterwarnings("error")
def test_scale_is_min_max_without_fills():
    batch = wild_images(np.random.default_rng(7))
    untouched = batch.tobytes()
    scaled = scale(batch)
    assert batch.tobytes() == untouched
    assert scaled.dtype == np.float32
    for image in range(len(batch)):
        for channel in range(3):
            with np.errstate(all="ignore"):
                expected = scale_slowly(batch[image, ..., channel])
            np.testing.assert_allclose(scaled[image, ..., channel], expected, atol=1e-6)
    assert (scaled[1, ..., 0] == 0).all()
    assert np.isnan(scaled[2, ..., 1]).all()
    assert np.nanmin(scaled) == 0
    assert np.nanmax(scaled) == 1


def test_scale_does_not_depend_on_the_batch():
    batch = wild_images(np.random.default_rng(8))
    together = scale(batch)
    assert scale(batch[::-1])[::-1].tobytes() == together.tobytes()
    assert scale(batch.reshape(2, 4, 63, 63, 3)).tobytes() == together.tobytes()
    for image, expected in zip(batch, together, strict=True):
        assert scale(image).tobytes() == expected.tobytes()
        assert scale(image[..., :1]).tobytes() == expected[..., :1].tobytes()


def test_scale_does_not_see_gain_and_offset():
    image = np.stack(images(seed=2), axis=-1)
    np.testing.assert_allclose(scale(image * np.float32(3.7) + np.float32(250)), scale(image), atol=2e-6)


# Edges


def cut_from_image(x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """A stamp around pixel (x, y) of an image whose pixels say where they are: as cut at the edges, and with NaN."""
    columns, rows = x + np.arange(-31, 32), y + np.arange(-31, 32)
    inside_x, inside_y = (columns >= 1) & (columns <= IMAGE_SIDES_PIX[0]), (rows >= 1) & (rows <= IMAGE_SIDES_PIX[1])
    whole = (rows[:, None] * 4096.0 + columns).astype(np.float32)
    stamp = whole[np.ix_(inside_y, inside_x)]
    whole[~inside_y] = np.nan
    whole[:, ~inside_x] = np.nan
    return stamp, whole


@pytest.mark.parametrize("x", [1, 12, 31, 32, 1500, 3041, 3042, 3072])
@pytest.mark.parametrize("y", [1, 20, 32, 1500, 3049, 3050, 3080])
def test_padding_puts_the_source_in_the_middle(x, y):
    stamp, whole = cut_from_image(x, y)
    for offset in (-0.49, 0.0, 0.49):
        padded = pad_to_side(stamp, x + offset, y - offset)
        assert same_bits(padded, whole)
    assert padded[31, 31] == y * 4096 + x


@pytest.mark.parametrize(
    ("shape", "position"),
    [
        ((63, 41), (1500.0, 1500.0)),  # no edge near
        ((63, 41), (20.0, 1500.0)),  # would leave 51 columns
        ((64, 63), (1500.0, 1500.0)),  # larger than a stamp
        ((63, 41), (float("nan"), 1500.0)),
        ((41, 63), (1500.0, float("nan"))),
    ],
)
def test_padding_refuses_what_the_position_does_not_explain(shape, position):
    with pytest.raises(StampError) as caught:
        pad_to_side(np.zeros(shape, np.float32), *position)
    assert caught.value.reason == "stamp_shape"


def test_a_full_stamp_is_left_alone():
    assert is_full(IMAGE)
    assert pad_to_side(IMAGE, 2.0, float("nan")) is IMAGE


def test_real_edge_alerts_have_their_source_in_the_middle(ztf_dir):
    """The difference stamp, on which ZTF's sources are always bright, shows one at the centre."""
    n_edge = 0
    with (ztf_dir / "labels.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["shape"] != "63x63"]
    for row in rows:
        with (ztf_dir / row["file"]).open("rb") as file:
            record = next(fastavro.reader(file))
        stamp = decode_cutout(record["cutoutDifference"]["stampData"])
        assert "x".join(map(str, stamp.shape)) == row["shape"]
        padded = pad_to_side(stamp, record["candidate"]["xpos"], record["candidate"]["ypos"])
        assert padded.shape == (STAMP_SIDE, STAMP_SIDE)
        noise = 1.48 * np.nanmedian(np.abs(padded - np.nanmedian(padded)))
        assert np.nanmean(padded[30:33, 30:33]) > 1.5 * noise, row["file"]
        n_edge += 1
    assert n_edge == 16
