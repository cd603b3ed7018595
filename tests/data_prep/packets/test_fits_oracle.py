"""Our decoder of cutouts against astropy.io.fits: on mutated files both refuse, or both agree bit for bit."""

import io
import warnings
import zlib

import fastavro
import numpy as np
import pytest
from astropy.io import fits

from data_prep.packets.avro import CUTOUT_FIELDS
from data_prep.packets.fits import COUNTS, FOREIGN, SCALING, STRUCTURE, StampError, decode_cutout
from data_prep.simulate.packets import encode_cutout
from helpers.make_packets import gzip, images

PLAIN = zlib.decompress(encode_cutout(images(seed=3)[0]), 31)
AS_ZTF = b"SIMPLE  =  T".ljust(80) + PLAIN[80:]  # ZTF writes this card in free format
N_CARDS = 7
TRIVIAL = SCALING | COUNTS


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.astype("<f4").tobytes() == other.astype("<f4").tobytes()


def ours(data: bytes) -> np.ndarray | None:
    try:
        return decode_cutout(gzip(data))
    except StampError:
        return None


# Warnings that leave no doubt about the pixels; with any other, astropy has repaired or guessed something.
HARMLESS = (
    "Found a SIMPLE card but its format doesn't",
    "non-ASCII characters are present",
    "The following header keyword is invalid",  # if it was a structural one, it is missing now
)


def astropys(data: bytes) -> np.ndarray | None:
    """The image as astropy reads it, None where it refuses, or warns, or where two readings are possible.

    The file must be one unscaled two-dimensional float32 image and nothing else. A structural card given twice has two
    readings: astropy takes the last one for the shape and shows the first one in the header.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with fits.open(io.BytesIO(data)) as file:
                header, image, n_hdus = file[0].header.copy(), file[0].data, len(file)
        except Exception:  # astropy raises anything, too
            return None
    if any(not str(warning.message).startswith(HARMLESS) for warning in caught):
        return None
    names = [keyword.strip().upper() for keyword in header]
    if any(names.count(name) > 1 for name in (*STRUCTURE, *TRIVIAL)) or any(name in names for name in FOREIGN):
        return None
    if any(header.get(name, value) != value or isinstance(header.get(name), bool) for name, value in TRIVIAL.items()):
        return None
    if n_hdus != 1 or image is None or image.ndim != 2 or image.dtype != ">f4":
        return None
    return image


def split_cards(data: bytes) -> list[bytes]:
    return [data[start : start + 80] for start in range(0, 2880, 80)]


def join_cards(cards: list[bytes], rest: bytes) -> bytes:
    return b"".join(cards)[:2880].ljust(2880) + rest


def flip_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, 80 * N_CARDS, rng.integers(1, 3)):
        changed[place] = rng.integers(256)
    return bytes(changed)


def flip_bit(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    changed[rng.integers(0, 2880)] ^= 1 << rng.integers(8)
    return bytes(changed)


def swap_cards(data: bytes, rng: np.random.Generator) -> bytes:
    cards = split_cards(data)
    one, other = rng.integers(0, N_CARDS, 2)
    cards[one], cards[other] = cards[other], cards[one]
    return join_cards(cards, data[2880:])


VALUES = (
    "63 -32 2 62 64 61 32 0 -1 1 3 16 8 -64 5000 063 +63 63.0 -32.0 6E1 - 32 '63' T F NaN 63/x 63:/:x 63:x 6:3 1.0 0.0"
)
KEYWORDS = (*STRUCTURE, *TRIVIAL, *FOREIGN, "BUNIT", "NAXIS3", "XTENSION", "COMMENT", "naxis1", " NAXIS1")


def change_value(data: bytes, rng: np.random.Generator) -> bytes:
    cards = split_cards(data)
    name, value = str(rng.choice(KEYWORDS)), str(rng.choice(VALUES.split())).replace(":", " ")
    card = f"{name:<8}= {value.rjust(20 * int(rng.integers(2)))}".ljust(80).encode()
    places = [i for i, old in enumerate(cards) if old[:8].strip() == name.encode()]
    if places:
        cards[places[0]] = card
    else:
        cards.insert(int(rng.integers(1, N_CARDS)), card)
    return join_cards(cards, data[2880:])


def repeat_card(data: bytes, rng: np.random.Generator) -> bytes:
    cards = split_cards(data)
    cards.insert(int(rng.integers(0, N_CARDS)), cards[rng.integers(0, N_CARDS - 1)])
    return join_cards(cards, data[2880:])


def delete_card(data: bytes, rng: np.random.Generator) -> bytes:
    cards = split_cards(data)
    del cards[rng.integers(0, N_CARDS)]  # END among them
    return join_cards(cards, data[2880:])


def shift_card(data: bytes, rng: np.random.Generator) -> bytes:
    cards = split_cards(data)
    place, by = rng.integers(0, N_CARDS), rng.integers(1, 5)
    cards[place] = (cards[place][by:] if rng.integers(2) else b" " * by + cards[place])[:80].ljust(80)
    return join_cards(cards, data[2880:])


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(0, len(data))]


def append(data: bytes, rng: np.random.Generator) -> bytes:
    return data + rng.bytes(rng.integers(1, 6000)) + bytes(rng.integers(0, 2) * 2880)


MUTATIONS = (
    flip_bytes,
    flip_bit,
    swap_cards,
    change_value,
    repeat_card,
    delete_card,
    shift_card,
    truncate,
    append,
)


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_decoder_agrees_with_astropy_on_mutated_files(mutate):
    rng = np.random.default_rng(MUTATIONS.index(mutate))
    for trial in range(170):  # 1,530 in all
        data = mutate(AS_ZTF if trial % 2 else PLAIN, rng)
        expected, found = astropys(data), ours(data)
        assert (expected is None) == (found is None), (trial, split_cards(data)[:9])
        assert expected is None or same_bits(found, expected), (trial, split_cards(data)[:9])


def test_mutations_reach_both_outcomes():
    outcomes = [ours(flip_bytes(AS_ZTF, np.random.default_rng(seed))) is None for seed in range(100)]
    assert 5 < sum(outcomes) < 95


def test_decoder_keeps_every_bit_pattern():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 2**32, (63, 63), dtype=np.uint32).view(np.float32)  # NaN of all kinds
    image[0, :3] = [np.nan, np.inf, -0.0]
    data = zlib.decompress(encode_cutout(image), 31)
    assert decode_cutout(gzip(data)).tobytes() == image.tobytes()
    assert same_bits(decode_cutout(gzip(data)), astropys(data))


@pytest.mark.slow
def test_real_cutouts_are_what_astropy_reads(ztf_dir):
    n_cutouts = 0
    for path in sorted((ztf_dir / "alerts").glob("*.avro")):
        with path.open("rb") as file:
            for record in fastavro.reader(file):
                for field in CUTOUT_FIELDS:
                    blob = record[field]["stampData"]
                    assert same_bits(decode_cutout(blob), astropys(zlib.decompress(blob, 31))), (path.name, field)
                    n_cutouts += 1
    assert n_cutouts == 3 * 1421
