"""Which detections make an object's sequence: the first few, at least six hours apart."""

import numpy as np

from jtss.schema import MAX_DETECTIONS, MIN_GAP_DAYS

VERDICTS = ("kept", "duplicate_candid", "within_6_hours", f"beyond_first_{MAX_DETECTIONS}")
KEPT, DUPLICATE, WITHIN, BEYOND = range(4)

# ZTF writes jd to 1e-7 day, so two of them may show an exact quarter of a day up to 1e-7 day short; a float64 near
# 2.4e6 adds 5e-10. The rule is meant at minutes, so twice that costs nothing.
GAP_TOLERANCE_DAYS = 2e-7


def select(
    object_key: np.ndarray,
    jd: np.ndarray,
    candid: np.ndarray,
    tiebreak: np.ndarray,
    max_detections: int = MAX_DETECTIONS,
    min_gap_days: float = MIN_GAP_DAYS,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose each object's sequence; the choice does not depend on the order of the input.

    Walking through the detections of an object in time: one whose candid came before is a duplicate, one less than
    `min_gap_days` after the last *kept* detection is dropped (a gap of exactly that is kept), and once
    `max_detections` are kept the rest are beyond. A candid that two objects share counts for both.

    Args:
        object_key: [M] anything that sorts: names or numbers.
        jd: [M] float64 [day].
        candid: [M] int64.
        tiebreak: [M] a hash of the content: decides between rows that are equal in all the rest.

    Returns:
        order: [M] int64, the rows sorted by object, time, candid, tiebreak.
        verdict: [M] int8, index into VERDICTS for each row of the input. The sequences, object by object in time
            order, are the rows `order[verdict[order] == KEPT]`.

    TSC §IV-A.
    """
    order = np.lexsort((tiebreak, candid, jd, object_key))
    _, group = np.unique(object_key[order], return_inverse=True)
    verdict = np.empty(len(order), np.int8)
    verdict[order] = _walk(group, jd[order], candid[order], max_detections, min_gap_days)
    return order, verdict


def _walk(
    group: np.ndarray, time: np.ndarray, candid: np.ndarray, max_detections: int, min_gap_days: float
) -> np.ndarray:
    """Verdicts on rows in order: the first pending one of each group is kept, those close to it are dropped; again."""
    decided = np.full(len(group), BEYOND, np.int8)
    decided[_repeats(group, candid)] = DUPLICATE
    last_kept = np.full(group.max(initial=-1) + 1, -np.inf)
    pending = decided != DUPLICATE
    for n_kept in range(1, max_detections + 1):
        rows = np.flatnonzero(pending)
        objects, first = np.unique(group[rows], return_index=True)
        kept = rows[first]
        decided[kept], pending[kept] = KEPT, False
        last_kept[objects] = time[kept]
        if n_kept < max_detections:
            close = pending & (time - last_kept[group] < min_gap_days - GAP_TOLERANCE_DAYS)
            decided[close], pending[close] = WITHIN, False
    return decided


def _repeats(group: np.ndarray, candid: np.ndarray) -> np.ndarray:
    """Indices of the rows whose candid occurs earlier in the same group."""
    rows = np.lexsort((candid, group))  # stable: equal pairs stay in time order
    same = (np.diff(group[rows]) == 0) & (np.diff(candid[rows]) == 0)
    return rows[1:][same]
