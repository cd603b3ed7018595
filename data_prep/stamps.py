"""Cutouts to stamps: gzipped FITS bytes to arrays, edges padded, brightness scaled.

A cutout comes from outside, so it is decoded here by the one layout that a stamp has, with every size bounded; anything
else is a `StampError`. What astropy.io.fits makes of the same bytes is the yardstick.
"""

import re
import zlib
from functools import lru_cache

import numpy as np

from jtss.schema import CHANNEL_NAMES, FILL_LIMIT, STAMP_SIDE

MAX_FITS_BYTES = 1 << 20  # a 63 x 63 stamp takes 20,160 bytes; 1 MB of gzip can inflate to 1 GB
FITS_BLOCK = 2880
MAX_HEADER_BYTES = 8 * FITS_BLOCK  # ZTF's take one block
CARD = 80
END_CARD = "END".ljust(CARD)

IMAGE_SIDES_PIX = (3072, 3080)  # x, y of one ZTF readout channel, in the 1-based coordinates of xpos and ypos
CENTRE = STAMP_SIDE // 2

STRUCTURE = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2")
TRIVIAL = {"BSCALE": 1, "BZERO": 0, "PCOUNT": 0, "GCOUNT": 1}  # with other values, pixels are not what is stored
FOREIGN = ("GROUPS", "BLANK")  # have no place in the header of a float image
SIGNATURE = re.compile(r"SIMPLE\s*=\s*T")
INTEGER = re.compile(r"[+-]? *\d+")
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([ED][+-]?\d+)?")


class StampError(ValueError):
    """A cutout that is no usable stamp.

    Attributes:
        reason: a short fixed name for the ledger.
        detail: what was found and what was expected.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decode_cutout(blob: bytes | None) -> np.ndarray:
    """Decode one cutout.

    Args:
        blob: `stampData` of a cutout record: one gzip member that holds a FITS file whose primary image is the stamp.

    Returns:
        [H, W] float32, native byte order, pixel values as stored; rows run along +y, as astropy gives them.

    Raises:
        StampError: missing_stamp, bad_gzip, stamp_too_large, bad_fits_header, bad_bitpix, bad_naxis, scaled_pixels,
            short_data or trailing_data.

    ZTF alert schema; FITS standard 4.0, §4.4.1.
    """
    if not blob:
        raise StampError("missing_stamp", "no stampData in the packet")
    data = _gunzip(blob)
    for header_size in range(FITS_BLOCK, min(len(data), MAX_HEADER_BYTES) + 1, FITS_BLOCK):
        shape = _image_shape(data[:header_size])
        if shape is not None:
            return _pixels(data, header_size, shape)
    raise StampError("bad_fits_header", f"no END card in {min(len(data), MAX_HEADER_BYTES)} bytes")


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
    scaled = np.array(images, np.float32)
    scaled[~(np.abs(scaled) <= FILL_LIMIT)] = np.nan
    height, width, channels = scaled.shape[-3:]
    rows = scaled.reshape(-1, height, width * channels)  # a view whose inner axis is long: eight times as fast
    low = _extreme(np.fmin, rows, channels)
    span = _extreme(np.fmax, rows, channels) - low
    rows -= low
    rows /= np.where(span > 0, span, np.float32(1))
    return scaled


def _extreme(pick: np.ufunc, rows: np.ndarray, channels: int) -> np.ndarray:
    """[B, 1, W * C]: each channel's extreme, repeated along the row; fmin and fmax pass over NaN in silence."""
    by_column = pick.reduce(rows, axis=1).reshape(len(rows), -1, channels)
    return np.tile(pick.reduce(by_column, axis=1), by_column.shape[1])[:, None]


def _gunzip(blob: bytes) -> bytes:
    """Inflate one gzip member, CRC and length checked, to at most MAX_FITS_BYTES."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        data = inflater.decompress(blob, MAX_FITS_BYTES + 1)
    except zlib.error as error:
        raise StampError("bad_gzip", str(error)) from None
    if len(data) > MAX_FITS_BYTES:
        raise StampError("stamp_too_large", f"inflates to more than {MAX_FITS_BYTES} bytes")
    if not inflater.eof:
        raise StampError("bad_gzip", f"cut short: {len(blob)} bytes without an end")
    if inflater.unused_data:
        raise StampError("bad_gzip", f"{len(inflater.unused_data)} bytes after the end")
    return data


@lru_cache(maxsize=256)  # nearly all stamps share one header
def _image_shape(header: bytes) -> tuple[int, int] | None:
    """(rows, columns) from whole header blocks; None where no END card is among them."""
    cards = _structural_cards(header)
    if cards is None:
        return None
    for name in STRUCTURE:
        if name not in cards:
            raise StampError("bad_fits_header", f"no {name} card")
    if cards["SIMPLE"] != "T":
        raise StampError("bad_fits_header", f"SIMPLE = {cards['SIMPLE']!r}, expected T")
    for name in FOREIGN:
        if name in cards:
            raise StampError("bad_fits_header", f"a float image has no {name} card")
    for name in TRIVIAL.keys() & cards.keys():
        if not NUMBER.fullmatch(cards[name]) or float(cards[name].replace("D", "E")) != TRIVIAL[name]:
            raise StampError("scaled_pixels", f"{name} = {cards[name]!r}, expected {TRIVIAL[name]}")
    if _integer(cards, "BITPIX") != -32:
        raise StampError("bad_bitpix", f"BITPIX = {cards['BITPIX']}, expected -32")
    if _integer(cards, "NAXIS") != 2:
        raise StampError("bad_naxis", f"NAXIS = {cards['NAXIS']}, expected 2")
    columns, rows = _integer(cards, "NAXIS1"), _integer(cards, "NAXIS2")
    if min(columns, rows) < 1:
        raise StampError("bad_naxis", f"{rows} rows x {columns} columns")
    return rows, columns


def _structural_cards(header: bytes) -> dict[str, str] | None:
    """Values, comments cut off, of the cards that say how pixels are stored; None without an END card.

    Bytes that are not ASCII are read as a mark that no value matches: astropy, too, minds them only where they matter.
    A card given twice is refused: astropy takes the last for the shape and shows the first in the header.
    """
    text = header.decode("ascii", errors="replace")
    if not SIGNATURE.match(text[:CARD]):
        raise StampError("bad_fits_header", f"starts with {header[:30]!r}, expected 'SIMPLE  =  T'")
    cards: dict[str, str] = {}
    for start in range(0, len(text), CARD):
        card = text[start : start + CARD]
        if card == END_CARD:
            return cards
        # The value indicator stands in columns 9 and 10; like astropy, take it further left as well.
        indicator = 8 if card[8:10] == "= " else card.find("= ", 0, 8)
        name = card[:8].strip().upper() if indicator == 8 else card[: max(indicator, 0)].upper()
        if name in STRUCTURE or name in TRIVIAL or name in FOREIGN:
            if name in cards:
                raise StampError("bad_fits_header", f"{name} is given twice")
            cards[name] = card[indicator + 2 :].partition("/")[0].strip()
    return None


def _integer(cards: dict[str, str], name: str) -> int:
    if not INTEGER.fullmatch(cards[name]):
        raise StampError("bad_fits_header", f"{name} = {cards[name]!r} is not an integer")
    return int(cards[name].replace(" ", ""))


def _pixels(data: bytes, offset: int, shape: tuple[int, int]) -> np.ndarray:
    count = shape[0] * shape[1]
    end = offset + -(-4 * count // FITS_BLOCK) * FITS_BLOCK
    if len(data) != end:  # a shape that leaves data over is as wrong as one that wants more
        reason = "short_data" if len(data) < end else "trailing_data"
        raise StampError(reason, f"{len(data)} bytes, expected {end} for {shape[0]} x {shape[1]} pixels")
    return np.frombuffer(data, ">f4", count, offset).reshape(shape).astype(np.float32)


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
