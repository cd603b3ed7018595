"""Cutouts: each fault by its name, bombs, damage. Against astropy: test_cutouts_oracle."""

import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest

from data_prep.packets import fits
from data_prep.packets.fits import MAX_FITS_BYTES, StampError, decode_cutout
from data_prep.simulate.packets import encode_cutout
from helpers.make_packets import gzip, images

IMAGE = images(seed=3)[0]
PLAIN = zlib.decompress(encode_cutout(IMAGE), 31)


def with_card(name: str, value: str) -> bytes:
    """The plain file with one card replaced, or added after the first."""
    cards = [PLAIN[start : start + 80] for start in range(0, 2880, 80)]
    cards = [card for card in cards if card[:8].strip() != name.encode()]
    cards.insert(1, f"{name:<8}= {value:>20}".ljust(80).encode())
    return b"".join(cards)[:2880].ljust(2880) + PLAIN[2880:]


CORRUPT_CRC = bytearray(encode_cutout(IMAGE))
CORRUPT_CRC[-5] ^= 1
FAULTS = {
    "none": (None, "missing_stamp"),
    "no bytes": (b"", "missing_stamp"),
    "not gzip": (b"\x89PNG", "bad_gzip"),
    "plain and cut": (PLAIN[:-2880], "short_data"),
    "plain and cut in the header": (PLAIN[:1000], "bad_fits_header"),
    "plain, two megabytes": (PLAIN + bytes(2 << 20), "stamp_too_large"),
    "wrong CRC": (bytes(CORRUPT_CRC), "bad_gzip"),
    "cut gzip": (encode_cutout(IMAGE)[:-9], "bad_gzip"),
    "cut before the length": (encode_cutout(IMAGE)[:-2], "bad_gzip"),
    "two gzip members": (encode_cutout(IMAGE) * 2, "bad_gzip"),
    "no FITS": (gzip(b"x" * 20160), "bad_fits_header"),
    "nothing inside": (gzip(b""), "bad_fits_header"),
    "SIMPLE = F": (gzip(b"SIMPLE  =                    F".ljust(80) + PLAIN[80:]), "bad_fits_header"),
    "no END": (gzip(PLAIN.replace(b"END", b"   ")), "bad_fits_header"),
    "endless header": (gzip(PLAIN[:80].ljust(1 << 20)), "bad_fits_header"),
    "BITPIX 16": (gzip(with_card("BITPIX", "16")), "bad_bitpix"),
    "BITPIX -64": (gzip(with_card("BITPIX", "-64")), "bad_bitpix"),
    "NAXIS 3": (gzip(with_card("NAXIS", "3")), "bad_naxis"),
    "NAXIS1 0": (gzip(with_card("NAXIS1", "0")), "bad_naxis"),
    "NAXIS2 -63": (gzip(with_card("NAXIS2", "-63")), "bad_naxis"),
    "absurd NAXIS1": (gzip(with_card("NAXIS1", "9" * 18)), "short_data"),
    "absurd NAXIS": (gzip(with_card("NAXIS", "9" * 18)), "bad_naxis"),
    "NAXIS1 70": (gzip(with_card("NAXIS1", "70")), "short_data"),
    "NAXIS1 33": (gzip(with_card("NAXIS1", "33")), "trailing_data"),
    "cut data": (gzip(PLAIN[:-2880]), "short_data"),
    "BSCALE 2": (gzip(with_card("BSCALE", "2.0")), "scaled_pixels"),
    "BZERO 32768": (gzip(with_card("BZERO", "32768")), "scaled_pixels"),
    "BLANK": (gzip(with_card("BLANK", "-1")), "bad_fits_header"),
    "two megabytes": (gzip(PLAIN + bytes(2 << 20)), "stamp_too_large"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_reason(fault):
    blob, reason = FAULTS[fault]
    with pytest.raises(StampError) as caught:
        decode_cutout(blob)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("name", "value"), [("BSCALE", "1.0"), ("BZERO", "0.0D0"), ("EXTEND", "T"), ("PCOUNT", "0")])
def test_trivial_cards_are_accepted(name, value):
    assert decode_cutout(gzip(with_card(name, value))).tobytes() == IMAGE.tobytes()


def test_a_plain_file_is_the_same_image():
    assert decode_cutout(PLAIN).tobytes() == decode_cutout(encode_cutout(IMAGE)).tobytes() == IMAGE.tobytes()


def test_a_bomb_does_not_grow_memory():
    mebibyte = zlib.compressobj(9, wbits=-15)
    zeros = mebibyte.compress(bytes(1 << 20)) + mebibyte.flush(zlib.Z_FULL_FLUSH)
    bomb = gzip(b"")[:10] + 1024 * zeros + b"\x03\x00" + bytes(8)  # 1 GiB
    assert len(bomb) < 2 << 20
    tracemalloc.start()
    with pytest.raises(StampError, match="stamp_too_large"):
        decode_cutout(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_damaged_cutout_is_refused_or_right():
    """gzip's CRC: whatever is flipped, no wrong pixel comes through; cut anywhere, nothing comes through."""
    good, rng = encode_cutout(IMAGE), np.random.default_rng(5)
    for _ in range(500):
        damaged = bytearray(good)
        damaged[rng.integers(len(good))] ^= 1 << rng.integers(8)
        with suppress(StampError):
            assert decode_cutout(bytes(damaged)).tobytes() == IMAGE.tobytes()
    for end in rng.integers(1, len(good), 200):
        with pytest.raises(StampError):
            decode_cutout(good[:end])


def gunzipped_by_zlib(blob: bytes) -> bytes | str:
    """What zlib makes of one gzip member, or why it is refused."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        data = inflater.decompress(blob, MAX_FITS_BYTES + 1)
    except zlib.error:
        return "bad_gzip"
    if len(data) > MAX_FITS_BYTES:
        return "stamp_too_large"
    return data if inflater.eof and not inflater.unused_data else "bad_gzip"


def gunzipped(blob: bytes) -> bytes | str:
    try:
        return fits._gunzip(blob)
    except StampError as error:
        return error.reason


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gzip_is_refused_where_zlib_refuses_it(level):
    """Each bit turned, cut at each place, more after it; and each header that there may be."""
    deflater = zlib.compressobj(level, wbits=31)
    good = deflater.compress(b"SIMPLE  =  T " * 9 + bytes(range(256))) + deflater.flush()
    turned = [good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :] for at in range(len(good)) for bit in range(8)]
    cut = [good[:size] for size in range(len(good))]
    longer = [good + more for more in (b"\0", b"x", bytes(8), good, good[:5])]
    extras = {4: b"\3\0abc", 8: b"name\0", 16: b"comment\0"}
    heads = [good[:3] + bytes([flags]) + good[4:10] for flags in range(256)]
    heads = [head + b"".join(extra for flag, extra in extras.items() if head[3] & flag) for head in heads]
    sums = [zlib.crc32(head).to_bytes(4, "little")[:2] if head[3] & 2 else b"" for head in heads]
    headed = [head + end + good[10:] for head, sum_ in zip(heads, sums, strict=True) for end in (sum_, sum_[::-1])]
    sizes = [gzip(bytes(MAX_FITS_BYTES + beyond)) for beyond in (-1, 0, 1, 2)]
    outcomes = [gunzipped_by_zlib(blob) for blob in (*turned, *cut, *longer, *headed, *sizes)]
    assert [gunzipped(blob) for blob in (*turned, *cut, *longer, *headed, *sizes)] == outcomes
    assert sum(isinstance(outcome, bytes) for outcome in outcomes) > 32
