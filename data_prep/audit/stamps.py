"""Stamps of one split that are near-duplicates of stamps of another: the same bytes, or nearly the same image.

Stars of one brightness have the same image but for the noise, so what tells one image from another is the noise: pixels
less the mean of their neighbours, cut at three standard deviations. Of two different images it correlates like that of
random numbers, of near-duplicates strongly, also when they were scaled, rounded or made slightly noisier. A duplicate
that is shifted is not known again; means of blocks would know it, but also take any two bright stars for duplicates.
"""

import hashlib
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from data_prep.audit.columns import Columns
from data_prep.audit.finding import LEAK, NOTE, Finding, counted
from jtss.dataset import DataFile, StoredColumn
from jtss.schema import CHANNEL_NAMES, NO_SPLIT, SPLIT_NAMES, STAMP_SIDE

ROWS_PER_READ = 256  # 6 MB, some 30 MB while they are looked at
SCIENCE = CHANNEL_NAMES.index("science")  # an exposure of its own; two objects may share a template
RADIUS = 0.3  # between fingerprints of near-duplicates: a correlation of 0.95; those of others are 1.4 apart
LEAST_CORRELATION = 0.8  # of near-duplicates; that of others is 0.5 at most, of bright stars
MOST_VERIFIED = 2_000  # pairs; each is read from the file
TRAIN = SPLIT_NAMES.index("train")

N_NUMBERS = 16  # more make a search in a tree slow, fewer let chance in
SIDE = STAMP_SIDE - 2  # a pixel at the edge lacks neighbours
CUT = 3.0  # standard deviations
LEAST_BUSY = 0.25  # of the pixels must differ from the next
SIGMA_OF_MEDIAN = 1.4826  # standard deviation over median of absolute values, for a normal distribution
N_TURNS = 8  # orientations of a square


class Prints(NamedTuple):
    """What is kept of the stamps that belong to a split.

    Attributes:
        rows: [R] int64, alerts in a split, ascending.
        split: [R] int8.
        hashes: [R, 3] uint64 of each channel; 0 for a stamp that holds nothing.
        busy: [R] bool: whether the science stamp holds something.
        numbers: [R, 16] float32, its fingerprint.
        held_out: [H] int64, the places in `rows` of those not for training.
        turned: [8, H, 16] float32, the fingerprints of these in every orientation.
    """

    rows: np.ndarray
    split: np.ndarray
    hashes: np.ndarray
    busy: np.ndarray
    numbers: np.ndarray
    held_out: np.ndarray
    turned: np.ndarray


def stamps(file: DataFile, columns: Columns) -> list[Finding]:
    """Near-duplicates across splits; memory grows by 100 bytes a stamp, and 640 more for one that is held out.

    Args:
        file: the data set.
        columns: of its alerts.
    """
    if len(np.unique(columns.split[columns.split != NO_SPLIT])) < 2:
        return []
    prints = collect(file["stamps"], columns)
    findings, identical = _exact(prints, columns)
    return [*findings, *_similar(prints, columns, file["stamps"], identical)]


def collect(dataset: StoredColumn, columns: Columns) -> Prints:
    """Read every stamp that belongs to a split, once."""
    split_of_row = columns.split[columns.owner]
    rows = np.flatnonzero(split_of_row != NO_SPLIT)
    parts = []
    for first in range(0, len(dataset), ROWS_PER_READ):
        here = split_of_row[first : first + ROWS_PER_READ]
        chosen = np.flatnonzero(here != NO_SPLIT)
        if chosen.size:
            parts.append(_look(dataset[first : first + ROWS_PER_READ][chosen], here[chosen] != TRAIN))
    hashed, busy, numbers, turned = zip(*parts, strict=True)
    split = split_of_row[rows]
    return Prints(
        rows=rows,
        split=split,
        hashes=np.concatenate(hashed),
        busy=np.concatenate(busy),
        numbers=np.concatenate(numbers),
        held_out=np.flatnonzero(split != TRAIN),
        turned=np.concatenate(turned, axis=1),
    )


def _look(images: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hashes, busy and fingerprints of stamps [B, 63, 63, 3], and of those held out in every orientation."""
    channels = np.ascontiguousarray(np.moveaxis(images, -1, 0))
    there = np.stack([busy(channel) for channel in channels], axis=-1)
    rough = noise(channels[SCIENCE])
    turned = turned_fingerprints(rough[held_out])
    return hashes(channels) * there, there[:, SCIENCE], fingerprints(rough), turned


def _exact(prints: Prints, columns: Columns) -> tuple[list[Finding], np.ndarray]:
    """Stamps whose very bytes occur in another split, and for which rows it is the science stamp, [R] bool."""
    findings = []
    for channel, name in enumerate(CHANNEL_NAMES):
        values = prints.hashes[:, channel]
        shared = _in_two_splits(values, prints.split) & (values != 0)
        if channel == SCIENCE:
            identical = shared
        objects = np.unique(columns.owner[prints.rows[shared]])
        text = f"objects with a {name} stamp that also occurs, byte for byte, in another split"
        findings += counted(LEAK, "stamps", text, map(columns.name, objects))
    return findings, identical


def _in_two_splits(values: np.ndarray, split: np.ndarray) -> np.ndarray:
    """[R] bool: whether the value of a row occurs in rows of another split."""
    _, group = np.unique(values, return_inverse=True)
    lowest, highest = np.full(group.max() + 1, 127, np.int8), np.full(group.max() + 1, -1, np.int8)
    np.minimum.at(lowest, group, split)
    np.maximum.at(highest, group, split)
    return (lowest < highest)[group]


def _similar(prints: Prints, columns: Columns, dataset: StoredColumn, identical: np.ndarray) -> list[Finding]:
    """Science stamps that are nearly, but not byte for byte, one of another split.

    Of 400 simulated stamps to which noise was added, 399 were recognised where it had a fifth of the deviation of their
    own noise, 257 with three tenths, 12 with a half.
    """
    usable = prints.busy & ~identical
    findings = []
    for one, other in combinations(range(len(SPLIT_NAMES)), 2):
        known = np.flatnonzero(usable & (prints.split == one))
        asked = np.flatnonzero((usable & (prints.split == other))[prints.held_out])
        if not (known.size and asked.size):
            continue
        pairs = _candidates(prints, known, asked)
        cases = {}
        for row, other_row, value in _verified(dataset, pairs[:MOST_VERIFIED]):
            owner, other_owner = columns.owner[[row, other_row]]
            case = f"{columns.name(owner)} and {columns.name(other_owner)}, correlation {value:.2f}"
            cases[owner] = max(case, cases.get(owner, ""))
        text = f"objects of {SPLIT_NAMES[other]} whose science stamp is a near-duplicate of one of {SPLIT_NAMES[one]}"
        findings += counted(LEAK, "stamps", text, cases.values())
        if len(pairs) > MOST_VERIFIED:
            text = f"of {len(pairs)} pairs of similar stamps only the {MOST_VERIFIED} most similar were compared"
            findings.append(Finding(NOTE, "stamps", text, len(pairs)))
    return findings


def _candidates(prints: Prints, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Pairs of alerts [P, 2], asked and nearest known, whose fingerprints are close; the closest first."""
    tree = cKDTree(prints.numbers[known])
    best, partner = np.full(len(asked), np.inf), np.zeros(len(asked), int)
    for way in prints.turned:
        distance, nearest = tree.query(way[asked], distance_upper_bound=RADIUS)
        closer = distance < best
        best[closer], partner[closer] = distance[closer], nearest[closer]
    close = np.flatnonzero(np.isfinite(best))
    close = close[np.argsort(best[close], kind="stable")]
    return np.stack([prints.rows[prints.held_out[asked[close]]], prints.rows[known[partner[close]]]], axis=-1)


def _verified(dataset: StoredColumn, pairs: np.ndarray) -> list[tuple[int, int, float]]:
    """Those of the pairs whose images correlate, and how much."""
    kept = []
    for pair in pairs:
        one, other = (noise(dataset[row : row + 1, :, :, SCIENCE])[0] for row in pair)
        value = correlation(one, other)
        if value >= LEAST_CORRELATION:
            kept.append((*map(int, pair), value))
    return kept


def busy(images: np.ndarray) -> np.ndarray:
    """Which images [B, S, S] hold something: not constant, nor empty, nor mostly NaN.

    Returns:
        [B] bool: at least `LEAST_BUSY` of the pixels are there and differ from the next one.
    """
    some = images[:, ::4]  # rows; as good, and four times as fast
    one, other = some[:, :, 1:], some[:, :, :-1]
    return ((one < other) | (one > other)).mean(axis=(1, 2)) >= LEAST_BUSY  # neither holds of NaN


def noise(images: np.ndarray) -> np.ndarray:
    """What is left of images [B, S, S] without all that is smooth or bright, with mean square 1.

    Returns:
        [B, S - 2, S - 2] float32; 0 where a pixel or a neighbour is NaN.
    """
    images = images.astype(np.float32)
    around = images[:, :-2, 1:-1] + images[:, 2:, 1:-1] + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
    rough = images[:, 1:-1, 1:-1] - around / 4
    rough[np.isnan(rough)] = 0
    # of every third pixel: as good, and three times as fast
    sigma = SIGMA_OF_MEDIAN * np.median(np.abs(rough.reshape(len(rough), -1)[:, ::3]), axis=1)[:, None, None]
    cut = np.clip(rough, -CUT * sigma, CUT * sigma)
    power = np.sqrt(np.mean(cut**2, axis=(1, 2), keepdims=True))
    return cut / np.where(power > 0, power, 1)


def turned(images: np.ndarray) -> np.ndarray:
    """[8, B, S, S]: images in all orientations of a square, turned and mirrored; the first is as it was."""
    quarter_turns = [np.rot90(images, k, axes=(1, 2)) for k in range(4)]
    return np.stack([*quarter_turns, *(image[:, :, ::-1] for image in quarter_turns)])


@cache
def _signs() -> np.ndarray:
    """[8, S², 16] random signs, for an image in each orientation; to turn them spares turning the images.

    The distance of two images is that of their 16 sums with random signs, but for chance (Johnson & Lindenstrauss
    1984). They are fixed, so that two runs agree.
    """
    signs = np.random.default_rng(0).choice(np.float32([-1, 1]), (SIDE * SIDE, N_NUMBERS))
    places = turned(np.arange(SIDE * SIDE).reshape(1, SIDE, SIDE)).reshape(N_TURNS, -1)
    return np.stack([signs[np.argsort(place)] for place in places]) / np.float32(SIDE * N_NUMBERS**0.5)


def fingerprints(rough: np.ndarray) -> np.ndarray:
    """[B, 16] float32 of what `noise` gives; about of length 1."""
    return rough.reshape(-1, SIDE * SIDE) @ _signs()[0]


def turned_fingerprints(rough: np.ndarray) -> np.ndarray:
    """[8, B, 16]: the fingerprints of `turned` images."""
    numbers = rough.reshape(-1, SIDE * SIDE) @ np.concatenate(_signs(), axis=-1)
    return np.moveaxis(numbers.reshape(len(rough), N_TURNS, N_NUMBERS), 1, 0)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two images that `noise` gave, [S - 2, S - 2], the second in whichever orientation it is highest."""
    return float(max((one * way[0]).mean() for way in turned(other[None])))


def hashes(channels: np.ndarray) -> np.ndarray:
    """A hash of the bytes of each image.

    Of a million different images two share one by chance in 1 of 18 million data sets.

    Args:
        channels: [C, B, S, S], contiguous.

    Returns:
        [B, C] uint64, never 0.
    """
    digests = [[hashlib.blake2b(image.data, digest_size=8).digest() for image in images] for images in channels]
    joined = b"".join(digest for row in digests for digest in row)
    return np.frombuffer(joined, "<u8").reshape(channels.shape[:2]).T | np.uint64(1)
