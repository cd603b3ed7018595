"""Parts of `Sequences`: some of the objects, or one detection of each; and one of several parts."""

from collections.abc import Sequence

import numpy as np

from jtss import schema
from jtss.schema import Sequences


def take(sequences: Sequences, objects: np.ndarray) -> Sequences:
    """The given objects [B] with all their detections, in the given order."""
    counts = sequences.n_detections[objects]
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.arange(start[-1]) + np.repeat(sequences.object_start[objects] - start[:-1], counts)
    return _cut(sequences, objects, rows, start)


def join(parts: Sequence[Sequences]) -> Sequences:
    """One for the objects of all parts (one or more), in their order."""
    counts = np.concatenate([part.n_detections for part in parts])
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    names = [name for name, column in schema.COLUMNS.items() if column.axis != "edge"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Sequences(object_start=start, **columns)


def detection(sequences: Sequences, objects: np.ndarray, which: int) -> Sequences:
    """Detection `which` (0: the first) of the given objects [B], as objects of one detection.

    Raises:
        ValueError: one of them has no such detection.
    """
    counts = sequences.n_detections[objects]
    if np.any(counts <= which):
        at = int(np.argmax(counts <= which))
        oid = sequences.object_id[objects[at]]
        raise ValueError(f"object {oid} has {counts[at]} detections, asked for number {which + 1}")
    return _cut(sequences, objects, sequences.object_start[objects] + which, np.arange(len(objects) + 1))


def _cut(sequences: Sequences, objects: np.ndarray, rows: np.ndarray, start: np.ndarray) -> Sequences:
    columns = {
        name: getattr(sequences, name)[rows if column.axis == "detection" else objects]
        for name, column in schema.COLUMNS.items()
        if column.axis != "edge"
    }
    return Sequences(object_start=start, **columns)
