"""What a model reads of an object's rows, as pure functions of `Sequences`: nothing is stored twice."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from jtss.schema import (
    ALERT,
    COLUMNS,
    COUNTS,
    GAP_TOLERANCE_DAYS,
    LIMIT,
    METADATA_NAMES,
    MIN_GAP_DAYS,
    TOLD_DAYS,
    Sequences,
    select_rows,
)

COUNTER_PLACES = [METADATA_NAMES.index(name) for name in COUNTS]


def alerts(sequences: Sequences) -> Sequences:
    """The paper's view: the alerts with stamps alone, which a data set holds 6 hours apart; row i has stamp i.

    Whoever reads alerts takes this view first. It costs next to nothing: no stamp is copied.

    TSC §IV-A.
    """
    rows = np.flatnonzero(sequences.kind == ALERT)
    if len(rows) == len(sequences.kind):
        return sequences
    columns = {name: getattr(sequences, name)[rows] for name, column in COLUMNS.items() if column.axis == "row"}
    start = np.concatenate([[0], np.cumsum(sequences.n_alerts)]).astype(np.int64)
    return replace(sequences, object_start=start, **columns)


def first(sequences: Sequences, objects: np.ndarray, which: int | np.ndarray) -> Sequences:
    """Alert `which` (0: the first; or [B]) of the given objects [B], as objects of one alert.

    Raises:
        ValueError: one of them has no such alert.
    """
    seen = alerts(sequences)
    counts = seen.n_rows[objects]
    if np.any(counts <= which):
        at = int(np.argmax(counts <= which))
        oid, asked = sequences.object_id[objects[at]], np.broadcast_to(which, counts.shape)[at] + 1
        raise ValueError(f"object {oid} has {counts[at]} alerts, asked for number {asked}")
    return select_rows(seen, objects, seen.object_start[objects] + which, np.arange(len(objects) + 1))


def packet(sequences: Sequences, objects: np.ndarray, which: np.ndarray) -> Sequences:
    """The packet's view: one alert of each given object with the earlier rows of 30 days, which its packet may tell.

    The file does not say which packet told a row. A few, 1 % in real alerts, were told by a later packet alone.

    Args:
        objects: [B]. which: [B] number of the alert among the object's alerts, from 0.

    Returns:
        Objects whose last row is the alert; earlier rows are as stored, alerts with their stamps among them.

    Raises:
        ValueError: one of them has no such alert.

    ZTF alert schema, prv_candidates.
    """
    begin, end = packet_rows(sequences, objects, which)
    start = np.concatenate([[0], np.cumsum(end - begin)]).astype(np.int64)
    rows = np.arange(start[-1]) + np.repeat(begin - start[:-1], end - begin)
    return select_rows(sequences, objects, rows, start)


def packet_rows(sequences: Sequences, objects: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows of `packet` begin and end, [B] int64 each: the alert is the row before the end."""
    alert_rows = np.flatnonzero(sequences.kind == ALERT)
    edges = np.concatenate([[0], np.cumsum(sequences.n_alerts)])
    counts = sequences.n_alerts[objects]
    if np.any(which >= counts) or np.any(which < 0):
        at = int(np.argmax((which >= counts) | (which < 0)))
        raise ValueError(
            f"object {sequences.object_id[objects[at]]}: {counts[at]} alerts, asked for number {which[at] + 1}"
        )
    last = alert_rows[edges[objects] + which]
    first = sequences.object_start[objects]
    too_old = [
        np.searchsorted(sequences.jd[begin:end], sequences.jd[end] - TOLD_DAYS, side="right")
        for begin, end in zip(first, last, strict=True)
    ]
    return first + np.array(too_old, np.int64), last + 1


def recent(sequences: Sequences, objects: np.ndarray, which: np.ndarray, n: int) -> tuple[np.ndarray, Sequences]:
    """The latest n detections that a packet tells, its alert among them, 6 hours apart: a sequence without waiting.

    Going back from the alert, each is the latest that is 6 hours or more before the one taken last; limits are passed
    over.

    Args:
        objects: [B]. which: [B] number of the alert among the object's alerts, from 0.
        n: detections wanted.

    Returns:
        [C] int64, which of the B packets tell so many; and their n rows each, in time order, the alert last. Only the
        rows of alerts have stamps.

    TSC §IV-A, for the gap.
    """
    packets = packet(sequences, objects, which)
    index, parts = [], []
    for i, (begin, end) in enumerate(pairwise(packets.object_start)):
        rows = [end - 1]
        for row in range(end - 2, begin - 1, -1):
            gap = packets.jd[rows[-1]] - packets.jd[row]
            if len(rows) < n and packets.kind[row] != LIMIT and gap >= MIN_GAP_DAYS - GAP_TOLERANCE_DAYS:
                rows.append(row)
        if len(rows) == n:
            index.append(i)
            parts.append(rows[::-1])
    chosen = np.array(index, np.int64)
    rows = np.array(parts, np.int64).reshape(-1)
    return chosen, select_rows(packets, chosen, rows, n * np.arange(len(chosen) + 1, dtype=np.int64))


def recounted(sequences: Sequences, since_jd: np.ndarray, lone: np.ndarray) -> Sequences:
    """The same rows, whose alerts have the counters of a survey that began at some time.

    Args:
        since_jd: [K] [day]; of the object's rows, those from then on are counted, and the alert itself. -inf leaves the
            counters as they are, unless the alert is lone.
        lone: [K] bool; earlier detections are counted as exposures that missed it, as if the alert were the first.
            Counters that an alert lacks it lacks still.

    ZTF alert schema: ndethist, ncovhist.
    """
    told_anew = np.flatnonzero((since_jd > -np.inf) | lone)
    rows = np.flatnonzero(sequences.kind == ALERT)[told_anew]
    begins = sequences.object_start[np.searchsorted(sequences.object_start, rows, side="right") - 1]
    first = [
        begin + np.searchsorted(sequences.jd[begin:row], since)
        for begin, row, since in zip(begins, rows, since_jd[told_anew], strict=True)
    ]
    first = np.array(first, np.int64)
    n_before = np.concatenate([[0], np.cumsum(sequences.kind != LIMIT)])
    ndethist = np.where(lone[told_anew], 1, n_before[rows + 1] - n_before[first])
    ncovhist = rows + 1 - first
    counters = np.stack([ndethist, ncovhist, ncovhist - ndethist], axis=1)
    metadata, places = sequences.metadata.copy(), (rows[:, None], COUNTER_PLACES)
    metadata[places] = np.where(np.isnan(metadata[places]), np.nan, counters)
    return replace(sequences, metadata=metadata)
