"""Stamps: the three images of an alert, whole at the edges of the sky's images, and scaled in brightness."""

import numpy as np

from data_prep.packets.fits import StampError, decode_cutout
from jtss.scaling import min_max
from jtss.schema import CHANNEL_NAMES, FILL_LIMIT, STAMP_SIDE

IMAGE_SIDES_PIX = (3072, 3080)  # x, y of one ZTF readout channel, in the 1-based coordinates of xpos and ypos
CENTRE = STAMP_SIDE // 2


def decode_stamps(cutouts: tuple[bytes | None, ...]) -> list[np.ndarray]:
    """Decode the science, template and difference cutouts of one alert.

    Returns:
        Three [H, W] float32 of one shape, each with at least one pixel that is light.

    Raises:
        StampError: as `decode_cutout`; stamp_shape where the three differ, all_nan_stamp where only fills are left.

    ZTF alert schema.
    """
    stamps = []
    for channel, blob in zip(CHANNEL_NAMES, cutouts, strict=True):
        try:
            stamps.append(decode_cutout(blob))
        except StampError as error:
            raise StampError(error.reason, f"{channel}: {error.detail}") from None
        if not np.any(np.abs(stamps[-1]) <= FILL_LIMIT):
            raise StampError("all_nan_stamp", f"{channel}: every pixel is NaN, infinite or a fill value")
    if len({stamp.shape for stamp in stamps}) > 1:
        raise StampError("stamp_shape", f"shapes differ: {[stamp.shape for stamp in stamps]}")
    return stamps


def is_full(stamp: np.ndarray) -> bool:
    """Whether a stamp has all its 63 x 63 pixels: the source is not at the edge of the image."""
    return stamp.shape == (STAMP_SIDE, STAMP_SIDE)


def pad_to_side(stamp: np.ndarray, xpos: float, ypos: float) -> np.ndarray:
    """Fill up with NaN what the edge of the image cut off, so that the source lies on pixel (31, 31).

    Args:
        stamp: [H, W] with H, W <= 63.
        xpos, ypos: position of the source in the image [pix], 1-based: the centre of the first pixel is (1, 1).

    Returns:
        [63, 63] of the same dtype.

    Raises:
        StampError: stamp_shape, where the position does not explain the shape to within a pixel.

    ZTF alert schema; sides and rounding from the edge alerts of 2018 to 2021.
    """
    if is_full(stamp):
        return stamp
    before_x = _missing_before(stamp.shape[1], xpos, IMAGE_SIDES_PIX[0], "xpos")
    before_y = _missing_before(stamp.shape[0], ypos, IMAGE_SIDES_PIX[1], "ypos")
    padded = np.full((STAMP_SIDE, STAMP_SIDE), np.nan, stamp.dtype)
    padded[before_y : before_y + stamp.shape[0], before_x : before_x + stamp.shape[1]] = stamp
    return padded


def scale(images: np.ndarray) -> np.ndarray:
    """Scale each channel of each image to [0, 1] by its own extremes.

    Fill values (|x| > 1e30, infinities) become NaN and NaN stays; a constant channel becomes 0 where it is finite. The
    result for an image does not depend on what else is in the batch, and nothing overflows: the range is at most 2e30.

    Args:
        images: [..., 63, 63, C] pixel values.

    Returns:
        float32 of the same shape; the input is left alone.

    SC21 (min-max per image and channel); the limit for fills is ours.
    """
    light = np.array(images, np.float32)
    light[~(np.abs(light) <= FILL_LIMIT)] = np.nan
    return min_max(light)


def _missing_before(size: int, position: float, image_side: int, name: str) -> int:
    """How many of the 63 - `size` missing pixels lie before the stamp along one axis: all or none."""
    missing = STAMP_SIDE - size
    if missing < 0:
        raise StampError("stamp_shape", f"{size} pixels along {name}, expected at most {STAMP_SIDE}")
    if position is None or not np.isfinite(position):
        if missing:
            raise StampError("stamp_shape", f"{size} pixels along {name}, which is not given")
        return 0
    before, after = CENTRE + 1 - position, position + CENTRE - image_side
    if abs(max(before, after, 0) - missing) > 1:
        raise StampError("stamp_shape", f"{size} pixels at {name} = {position:.1f} of an image of {image_side}")
    return missing if before > after else 0
