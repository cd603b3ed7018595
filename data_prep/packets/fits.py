"""FITS bytes, gzipped or plain, to an array.

A cutout comes from outside, so it is decoded here by the one layout that it has, with every size bounded; anything else
is a `StampError`. What astropy.io.fits makes of the same bytes is the yardstick.
"""

import re
from functools import lru_cache

import numpy as np

try:
    from isal import isal_zlib as zlib  # takes 0.6 times as long
except ImportError:  # on a machine that only trains
    import zlib

MAX_FITS_BYTES = 1 << 20  # a 63 x 63 stamp takes 20,160 bytes; 1 MB of gzip can inflate to 1 GB
FITS_BLOCK = 2880
GZIP_FLAGS_AT, UNKNOWN_GZIP_FLAGS = 3, 0xE0  # of a header, RFC 1952
PLAIN = b"SIMPLE"  # how a FITS file begins that is not gzipped
MAX_HEADER_BYTES = 8 * FITS_BLOCK  # ZTF's take one block
CARD = 80
END_CARD = "END".ljust(CARD)

STRUCTURE = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2")
SCALING = {"BSCALE": 1, "BZERO": 0}  # with other values, pixels are not what is stored
COUNTS = {"PCOUNT": 0, "GCOUNT": 1}  # with other values, an image is not all there is
FOREIGN = ("GROUPS", "BLANK")  # have no place in the header of a float image
MEANINGFUL = {*STRUCTURE, *SCALING, *COUNTS, *FOREIGN}
SIGNATURE = re.compile(r"SIMPLE\s*=\s*T", re.ASCII)
INTEGER = re.compile(r"[+-]? *\d+")
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([ED][+-]?\d+)?")


class StampError(ValueError):
    """A cutout that is no usable stamp.

    Attributes:
        reason: a short fixed name for the ledger.
        detail: what was there and what was expected.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decode_cutout(blob: bytes | None) -> np.ndarray:
    """Decode one cutout.

    Args:
        blob: a FITS file whose primary image is the stamp, in one gzip member as ZTF writes it, or plain.

    Returns:
        [H, W] float32, native byte order, pixel values as stored; rows run along +y, as astropy gives them.

    Raises:
        StampError: missing_stamp, bad_gzip, stamp_too_large, bad_fits_header, bad_bitpix, bad_naxis, scaled_pixels,
            short_data or trailing_data.

    ZTF alert schema; FITS standard 4.0, §4.4.1.
    """
    if not blob:
        raise StampError("missing_stamp", "no stampData in the packet")
    data = blob if blob.startswith(PLAIN) else _gunzip(blob)
    if len(data) > MAX_FITS_BYTES:
        raise StampError("stamp_too_large", f"{len(data)} bytes, expected at most {MAX_FITS_BYTES}")
    for header_size in range(FITS_BLOCK, min(len(data), MAX_HEADER_BYTES) + 1, FITS_BLOCK):
        shape = _image_shape(data[:header_size])
        if shape is not None:
            return _pixels(data, header_size, shape)
    raise StampError("bad_fits_header", f"no END card in {min(len(data), MAX_HEADER_BYTES)} bytes")


def _gunzip(blob: bytes) -> bytes:
    """Inflate one gzip member, CRC and length checked, to at most MAX_FITS_BYTES.

    ISA-L refuses what zlib does, but for flags that nobody knows.
    """
    if len(blob) > GZIP_FLAGS_AT and blob[GZIP_FLAGS_AT] & UNKNOWN_GZIP_FLAGS:
        raise StampError("bad_gzip", f"unknown flags {blob[GZIP_FLAGS_AT]:#x}")
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
    for name in SCALING.keys() & cards.keys():
        if not NUMBER.fullmatch(cards[name]) or float(cards[name].replace("D", "E")) != SCALING[name]:
            raise StampError("scaled_pixels", f"{name} = {cards[name]!r}, expected {SCALING[name]}")
    for name in COUNTS.keys() & cards.keys():
        if _integer(cards, name) != COUNTS[name]:
            raise StampError("bad_fits_header", f"{name} = {cards[name]}, expected {COUNTS[name]}")
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
        if name in MEANINGFUL:
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
