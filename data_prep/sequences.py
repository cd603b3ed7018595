"""Which detections of an object are read: the first few, at least six hours apart; the latest; or every one."""

import numpy as np

from data_prep.packets.metadata import MAX_APART_ARCSEC, chord, unit_vectors
from jtss.schema import GAP_TOLERANCE_DAYS, MAX_DETECTIONS, MIN_GAP_DAYS, NO_CANDID

VERDICTS = (
    "kept",
    "duplicate_candid",
    "within_6_hours",
    f"beyond_first_{MAX_DETECTIONS}",
    "positions_apart",
    "before_the_latest",
)
KEPT, DUPLICATE, WITHIN, BEYOND, APART, BEFORE = range(6)


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
        candid: [M] int64; 0 = none.
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


def select_latest(
    object_key: np.ndarray, jd: np.ndarray, candid: np.ndarray, tiebreak: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose each object's latest detection, whose packet tells those before it; arguments and results as `select`."""
    order = np.lexsort((tiebreak, candid, jd, object_key))
    _, group = np.unique(object_key[order], return_inverse=True)
    decided = np.full(len(order), BEFORE, np.int8)
    decided[_repeats(group, candid[order])] = DUPLICATE
    rows = np.flatnonzero(decided != DUPLICATE)
    decided[rows[np.append(np.diff(group[rows]) != 0, True)[: len(rows)]]] = KEPT
    verdict = np.empty(len(order), np.int8)
    verdict[order] = decided
    return order, verdict


def select_every(
    object_key: np.ndarray, jd: np.ndarray, candid: np.ndarray, tiebreak: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose all detections of each object but for duplicates; arguments and results as `select`."""
    order = np.lexsort((tiebreak, candid, jd, object_key))
    _, group = np.unique(object_key[order], return_inverse=True)
    decided = np.full(len(order), KEPT, np.int8)
    decided[_repeats(group, candid[order])] = DUPLICATE
    verdict = np.empty(len(order), np.int8)
    verdict[order] = decided
    return order, verdict


CHOICES = {"sequence": select, "latest": select_latest, "every": select_every}


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
    """Indices of the rows whose candid occurs earlier in the same group; rows without one repeat none."""
    rows = np.lexsort((candid, group))  # stable: equal pairs stay in time order
    same = (np.diff(group[rows]) == 0) & (np.diff(candid[rows]) == 0) & (candid[rows[1:]] != NO_CANDID)
    return rows[1:][same]


def apart(object_key: np.ndarray, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Which detections do not lie where most of their object do, and so are not of one source.

    Where no place has most of an object's detections, none of them is to be trusted, and all are apart.

    Args:
        object_key: [M] numbers from 0.
        ra_deg, dec_deg: [M] [deg]; one without a position is not judged, nor has it a say.

    Returns:
        [M] bool: more than `MAX_APART_ARCSEC` from the median position, which is taken axis by axis of unit vectors.
    """
    placed = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    result = np.zeros(len(object_key), bool)
    if not placed.size:
        return result
    vectors = unit_vectors(ra_deg[placed], dec_deg[placed])
    _, group, count = np.unique(object_key[placed], return_inverse=True, return_counts=True)
    first = np.cumsum(count) - count
    middle = np.stack([_medians(group, axis, first, count) for axis in vectors.T], axis=-1)
    result[placed] = np.linalg.norm(vectors - middle[group], axis=-1) > chord(MAX_APART_ARCSEC)
    return result


def _medians(group: np.ndarray, values: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The median of the values of each group, from where its sorted values begin and how many they are."""
    ordered = values[np.lexsort((values, group))]
    return (ordered[first + (count - 1) // 2] + ordered[first + count // 2]) / 2
