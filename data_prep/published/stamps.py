"""Stamps in a .npy file of any size: checked before they are read, and read a few at a time.

BTSbot (Rehemtulla et al. 2024) divides each image by its norm, writes zeros for pixels that are missing, and fills up
what the edge of the detector cut off. Min-max scaling undoes the norm; the other two are found again here.
"""

from pathlib import Path

import numpy as np

from data_prep.packets.fits import StampError
from jtss.errors import InputError
from jtss.schema import CHANNEL_NAMES, FILL_LIMIT, STAMP_SIDE

SHAPE = (STAMP_SIDE, STAMP_SIDE, len(CHANNEL_NAMES))
EXPECTED = f"expected stamps in one array [N, {', '.join(map(str, SHAPE))}] of float32 or float64"


def count(path: Path) -> int:
    """How many triplets a file holds.

    Raises:
        FileNotFoundError, InputError: as `read`.
    """
    return len(_mapped(path))


def read(path: Path, first: int, last: int) -> np.ndarray:
    """Some triplets of a file. It is mapped for this call only: mapped pages would count as the process's memory.

    Returns:
        [last - first, 63, 63, 3] float32, as they are stored: science, template, difference.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: a pickle, an archive of arrays, a file that is cut short, or an array of another shape, dtype or
            order; names the file, what is there and what was expected.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which counts as missing
        return np.array(_mapped(path)[first:last], np.float32, order="C")


def _mapped(path: Path) -> np.memmap:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (stamps)")
    try:
        stamps = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy on any bytes: ValueError, EOFError, OverflowError, BadZipFile, and more to come
        size = path.stat().st_size
        raise InputError(f"{path}: {size} bytes that are no complete array of numbers ({error}); {EXPECTED}") from error
    if not isinstance(stamps, np.memmap):
        stamps.close()
        raise InputError(f"{path}: an archive of arrays; {EXPECTED}, as np.save writes it")
    if stamps.shape[1:] != SHAPE or stamps.dtype.kind != "f" or stamps.itemsize not in (4, 8):
        raise InputError(f"{path}: shape {list(stamps.shape)} of {stamps.dtype}; {EXPECTED}")
    if not stamps.flags.c_contiguous:
        raise InputError(f"{path}: stored column by column; {EXPECTED}, row by row: np.ascontiguousarray does it")
    return stamps


def restore(images: np.ndarray) -> tuple[np.ndarray, list[StampError | None]]:
    """Pixels that are missing as NaN, and what is wrong with triplets that cannot be used.

    Of the 17 million pixels of 1,421 real alerts two are exactly zero, so that a zero is a missing pixel. What lies
    beyond the edge of the detector has one value, in BTSbot's code 1e-9 after the division, in the last rows or
    columns; the source is not in the middle of such a stamp if it was cut at the other side.

    Args:
        images: [k, 63, 63, 3] float32, changed in place.

    Returns:
        images: as given, NaN = missing.
        faults: for each triplet None, stamp_shape where it was filled up, as `build` rejects stamps at the edge, or
            all_nan_stamp.
    """
    filled_up = _filled_up(images).any(axis=1)
    images[images == 0] = np.nan
    without_light = ~(np.abs(images) <= FILL_LIMIT).any(axis=(1, 2))
    return images, [_fault(*of_row) for of_row in zip(filled_up, without_light, strict=True)]


def _filled_up(images: np.ndarray) -> np.ndarray:
    """[k, 3] bool: channels whose last row or column has one value, which is not zero, while the others have more."""
    row, column = images[:, -1], images[:, :, -1]
    lines = [(line == line[:, :1]).all(axis=1) & (line[:, 0] != 0) for line in (row, column)]
    result = lines[0] | lines[1]
    few = images[result.any(axis=1)]
    result[result.any(axis=1)] &= (few != few[:, :1, :1]).any(axis=(1, 2))
    return result


def _fault(filled_up: bool, without_light: np.ndarray) -> StampError | None:
    if filled_up:
        return StampError("stamp_shape", "filled up with one value, at the edge of the detector")
    if without_light.any():
        channels = ", ".join(np.array(CHANNEL_NAMES)[without_light])
        return StampError("all_nan_stamp", f"{channels}: every pixel is zero, NaN, infinite or a fill value")
    return None
