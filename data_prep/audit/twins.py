"""Stamps of one split that are copies of stamps of another: the same bytes, or nearly the same image."""

from itertools import combinations
from typing import NamedTuple

import h5py
import numpy as np
from scipy.spatial import cKDTree

from data_prep.audit import fingerprints
from data_prep.audit.columns import Columns
from data_prep.audit.finding import LEAK, NOTE, Finding, found
from data_prep.audit.hashes import hashes
from jtss.schema import CHANNEL_NAMES, NO_SPLIT, SPLIT_NAMES

ROWS_PER_READ = 256  # 6 MB, some 30 MB while they are looked at
SCIENCE = CHANNEL_NAMES.index("science")  # an exposure of its own; two objects may share a template
RADIUS = 0.3  # between fingerprints of copies: a correlation of 0.95; those of others are 1.4 apart
LEAST_CORRELATION = 0.8  # of copies; that of others is 0.5 at most, of bright stars
MOST_VERIFIED = 2_000  # pairs; each is read from the file
TRAIN = SPLIT_NAMES.index("train")


class Prints(NamedTuple):
    """What is kept of the stamps that belong to a split.

    Attributes:
        rows: [R] int64, detections in a split, ascending.
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


def stamps(file: h5py.File, columns: Columns) -> list[Finding]:
    """Copies across splits; memory does not grow but for 100 bytes a stamp, 640 more for one that is held out."""
    if len(np.unique(columns.split[columns.split != NO_SPLIT])) < 2:
        return []
    prints = collect(file["stamps"], columns)
    copies, copied = _exact(prints, columns)
    return [*copies, *_similar(prints, columns, file["stamps"], copied)]


def collect(dataset: h5py.Dataset, columns: Columns) -> Prints:
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
    busy = np.stack([fingerprints.busy(channel) for channel in channels], axis=-1)
    rough = fingerprints.noise(channels[SCIENCE])
    turned = fingerprints.turned_fingerprints(rough[held_out])
    return hashes(channels) * busy, busy[:, SCIENCE], fingerprints.fingerprints(rough), turned


def _exact(prints: Prints, columns: Columns) -> tuple[list[Finding], np.ndarray]:
    """Stamps whose very bytes occur in another split, and for which rows it is the science stamp, [R] bool."""
    findings = []
    for channel, name in enumerate(CHANNEL_NAMES):
        values = prints.hashes[:, channel]
        shared = _in_two_splits(values, prints.split) & (values != 0)
        if channel == SCIENCE:
            copied = shared
        objects = np.unique(columns.owner[prints.rows[shared]])
        text = f"objects with a {name} stamp that is also, byte for byte, in another split"
        findings += found(LEAK, "stamps", text, map(columns.name, objects))
    return findings, copied


def _in_two_splits(values: np.ndarray, split: np.ndarray) -> np.ndarray:
    """[R] bool: whether the value of a row occurs in rows of another split."""
    _, group = np.unique(values, return_inverse=True)
    lowest, highest = np.full(group.max() + 1, 127, np.int8), np.full(group.max() + 1, -1, np.int8)
    np.minimum.at(lowest, group, split)
    np.maximum.at(highest, group, split)
    return (lowest < highest)[group]


def _similar(prints: Prints, columns: Columns, dataset: h5py.Dataset, copied: np.ndarray) -> list[Finding]:
    """Science stamps that are nearly, but not byte for byte, one of another split.

    Of 400 simulated stamps to which noise was added, 399 were found where it had a fifth of the deviation of their own
    noise, 257 with three tenths, 12 with a half.
    """
    usable = prints.busy & ~copied
    findings = []
    for one, other in combinations(range(len(SPLIT_NAMES)), 2):
        known = np.flatnonzero(usable & (prints.split == one))
        asked = np.flatnonzero((usable & (prints.split == other))[prints.held_out])
        if not (known.size and asked.size):
            continue
        pairs = _candidates(prints, known, asked)
        cases = {}
        for row, twin, value in _verified(dataset, pairs[:MOST_VERIFIED]):
            owner, twin_owner = columns.owner[[row, twin]]
            case = f"{columns.name(owner)} and {columns.name(twin_owner)}, correlation {value:.2f}"
            cases[owner] = max(case, cases.get(owner, ""))
        text = f"objects of {SPLIT_NAMES[other]} with nearly the science stamp of one of {SPLIT_NAMES[one]}"
        findings += found(LEAK, "stamps", text, cases.values())
        if len(pairs) > MOST_VERIFIED:
            text = f"of {len(pairs)} pairs that look alike only the {MOST_VERIFIED} most alike were compared"
            findings.append(Finding(NOTE, "stamps", text, len(pairs)))
    return findings


def _candidates(prints: Prints, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Pairs of detections [P, 2], asked and nearest known, whose fingerprints are close; the closest first."""
    tree = cKDTree(prints.numbers[known])
    best, twin = np.full(len(asked), np.inf), np.zeros(len(asked), int)
    for way in prints.turned:
        distance, nearest = tree.query(way[asked], distance_upper_bound=RADIUS)
        closer = distance < best
        best[closer], twin[closer] = distance[closer], nearest[closer]
    close = np.flatnonzero(np.isfinite(best))
    close = close[np.argsort(best[close], kind="stable")]
    return np.stack([prints.rows[prints.held_out[asked[close]]], prints.rows[known[twin[close]]]], axis=-1)


def _verified(dataset: h5py.Dataset, pairs: np.ndarray) -> list[tuple[int, int, float]]:
    """Those of the pairs whose images correlate, and how much."""
    kept = []
    for pair in pairs:
        one, other = (fingerprints.noise(dataset[row : row + 1, :, :, SCIENCE])[0] for row in pair)
        value = fingerprints.correlation(one, other)
        if value >= LEAST_CORRELATION:
            kept.append((*map(int, pair), value))
    return kept
