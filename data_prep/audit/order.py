"""Detections that a sequence should not have: too many, out of order, too close, or twice the same."""

import numpy as np

from data_prep.audit.columns import Columns
from data_prep.audit.finding import LEAK, Finding, found
from data_prep.sequences import GAP_TOLERANCE_DAYS
from jtss.schema import MAX_DETECTIONS, MIN_GAP_DAYS


def sequences(columns: Columns) -> list[Finding]:
    """Objects whose sequence breaks the rules that the first n detections are chosen by.

    What comes later than it claims to tells of the future; a pair closer than 6 hours is a pair that no live sequence
    has.

    TSC §IV-A.
    """
    n_detections = np.diff(columns.object_start)
    gap = np.diff(columns.jd)
    inside = np.diff(columns.owner) == 0  # not from one object to the next
    close = (gap >= 0) & (gap < MIN_GAP_DAYS - GAP_TOLERANCE_DAYS)
    with_objects = {
        f"objects with more than {MAX_DETECTIONS} detections": n_detections > MAX_DETECTIONS,
        "objects without a time (jd) of every detection": _any(columns, ~np.isfinite(columns.jd)),
        "objects whose detections are not in time order": _any(columns, _later(inside & (gap < 0))),
        f"objects with detections less than {24 * MIN_GAP_DAYS:g} hours apart": _any(columns, _later(inside & close)),
        "objects with the same candid twice": _any(columns, _repeated(columns)),
    }
    return [
        finding
        for text, chosen in with_objects.items()
        for finding in found(LEAK, "sequences", text, map(columns.name, np.flatnonzero(chosen)))
    ]


def _later(between: np.ndarray) -> np.ndarray:
    """[M] of [M - 1]: what holds between two detections, told of the later."""
    return np.concatenate([[False], between])


def _any(columns: Columns, detection: np.ndarray) -> np.ndarray:
    """[N] bool: objects for any of whose detections [M] it holds."""
    return np.bincount(columns.owner[detection], minlength=len(columns.object_id)) > 0


def _repeated(columns: Columns) -> np.ndarray:
    """[M] bool: detections whose candid another of the same object has; 0 or less stands for none."""
    rows = np.lexsort((columns.candid, columns.owner))
    same = (np.diff(columns.owner[rows]) == 0) & (np.diff(columns.candid[rows]) == 0) & (columns.candid[rows[1:]] > 0)
    repeated = np.zeros(len(rows), bool)
    repeated[rows[1:][same]] = True
    return repeated
