"""What a data set should not have: one object in two splits, or a sequence that breaks the rules.

One object is told by its id, its place on the sky, or one of its alerts and detections. A sequence can be too long, out
of order, too dense, or have a row twice.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree

from data_prep.audit.columns import Columns
from data_prep.audit.finding import LEAK, WARNING, Finding, counted
from data_prep.packets.metadata import chord, unit_vectors
from data_prep.same_source import RADIUS_ARCSEC
from jtss.schema import GAP_TOLERANCE_DAYS, LIMIT, MAX_DETECTIONS, MIN_GAP_DAYS, NO_SPLIT, SAME_TIME_DAYS, SPLIT_NAMES


def same_ids(columns: Columns) -> list[Finding]:
    """Object ids that occur in two splits (a leak) or twice in one (a warning)."""
    groups = _groups(columns.object_id, range(len(columns.object_id)))
    across, within = _across_and_within(groups, columns.split)
    return [
        *counted(LEAK, "object ids", "in more than one split", map(str, across)),
        *counted(WARNING, "object ids", "more than once in the same split", map(str, within)),
    ]


def same_alerts(columns: Columns) -> list[Finding]:
    """Alerts and told detections, by candid, of objects of two splits; a candid of 0 or less stands for none."""
    known = np.flatnonzero(columns.candid > 0)
    _, inverse, counts = np.unique(columns.candid[known], return_inverse=True, return_counts=True)
    shared = known[counts[inverse] > 1]
    across, _ = _across_and_within(_groups(columns.candid[shared], columns.owner[shared]), columns.split)
    return counted(LEAK, "alerts", "candid in more than one split", map(str, across))


def same_places(columns: Columns) -> list[Finding]:
    """Objects with one of another split within `RADIUS_ARCSEC`, by their first alerts that have a position.

    Positions are stored as float32, to 0.1″ where they are coarsest. Chance has little part in it: 1,000 objects fall
    0.02 times within 2″ of one of a million others that lie evenly on the sky.
    """
    placed, vectors = _positions(columns.alerts)
    trees = {}
    for split in range(len(SPLIT_NAMES)):
        members = placed[columns.split[placed] == split]
        if members.size:
            trees[split] = members, cKDTree(vectors[columns.split[placed] == split])
    findings = []
    for one, other in combinations(sorted(trees), 2):
        text = f"objects of {SPLIT_NAMES[other]} within {RADIUS_ARCSEC:g}″ of one of {SPLIT_NAMES[one]}"
        findings += counted(LEAK, "positions", text, _neighbours(columns, trees[other], trees[one]))
    return findings


def _neighbours(columns: Columns, ours: tuple, theirs: tuple) -> Iterable[str]:
    """A text for each of our objects that has one of theirs close by."""
    (members, tree), (others, other_tree) = ours, theirs
    distance, nearest = other_tree.query(tree.data, distance_upper_bound=chord(RADIUS_ARCSEC) * (1 + 1e-6))
    for i in np.flatnonzero(np.isfinite(distance)):
        arcsec = np.degrees(2 * np.arcsin(distance[i] / 2)) * 3600
        yield f"{columns.name(members[i])} and {columns.name(others[nearest[i]])}, {arcsec:.1f}″"


def _positions(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """The objects that have a position, [P], and the unit vectors of their first ones, [P, 3]."""
    ra, dec = columns.ra, columns.dec
    with np.errstate(invalid="ignore"):
        known = np.flatnonzero((ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90))
    placed, where = np.unique(columns.owner[known], return_index=True)
    return placed, unit_vectors(ra[known[where]], dec[known[where]])


def _groups(keys: Iterable[Hashable], objects: Iterable[int]) -> dict[Hashable, list[int]]:
    groups = defaultdict(list)
    for key, index in zip(keys, objects, strict=True):
        groups[key].append(index)
    return groups


def _across_and_within(groups: dict[Hashable, list[int]], split: np.ndarray) -> tuple[list, list]:
    """Keys whose objects are in two splits, and of several objects all in one; no split counts for none."""
    across, within = [], []
    for key, members in groups.items():
        if len(members) > 1:
            splits = [split[index] for index in members if split[index] != NO_SPLIT]
            if len(set(splits)) > 1:
                across.append(key)
            elif len(splits) > 1:
                within.append(key)
    return across, within


def sequences(columns: Columns) -> list[Finding]:
    """Objects whose sequence breaks the rules that rows are ordered by, and the first n alerts chosen by.

    What comes later than it claims to tells of the future; a pair closer than 6 hours is a pair that no live sequence
    has.

    TSC §IV-A.
    """
    alerts = columns.alerts
    gap = _gap(alerts)
    close = (gap >= 0) & (gap < MIN_GAP_DAYS - GAP_TOLERANCE_DAYS)
    return _of_objects(
        LEAK,
        "sequences",
        columns,
        {
            f"objects with more than {MAX_DETECTIONS} alerts": np.diff(alerts.object_start) > MAX_DETECTIONS,
            "objects without a time (jd) of every row": _any(columns, ~np.isfinite(columns.jd)),
            "objects whose rows are not in time order": _any(columns, _gap(columns) < 0),
            f"objects with alerts less than {24 * MIN_GAP_DAYS:g} hours apart": _any(alerts, close),
            "objects with the same candid twice": _any(columns, _repeated(columns)),
        },
    )


def histories(columns: Columns) -> list[Finding]:
    """Objects of which a row contradicts another, or itself."""
    with_magnitude = (columns.kind == LIMIT) & np.isfinite(columns.magpsf)
    return _of_objects(
        WARNING,
        "histories",
        columns,
        {
            "objects with a limit that has a magnitude": _any(columns, with_magnitude),
            "objects with two rows of one time and filter": _any(columns, _of_one_exposure(columns)),
        },
    )


def _of_objects(level: str, check: str, columns: Columns, cases: dict[str, np.ndarray]) -> list[Finding]:
    """A finding for each text whose objects [N] bool are not none."""
    return [
        finding
        for text, chosen in cases.items()
        for finding in counted(level, check, text, map(columns.name, np.flatnonzero(chosen)))
    ]


def _gap(columns: Columns) -> np.ndarray:
    """[M] days since the row before of the same object; NaN for the first, and where a time is missing."""
    gap = np.diff(columns.jd, prepend=np.nan)
    gap[columns.first] = np.nan
    return gap


def _any(columns: Columns, rows: np.ndarray) -> np.ndarray:
    """[N] bool: objects for any of whose rows, [M] bool, it holds."""
    return np.bincount(columns.owner[rows], minlength=len(columns.object_id)) > 0


def _of_one_exposure(columns: Columns) -> np.ndarray:
    """[M] bool: rows at whose time another of the same object and filter is."""
    rows = np.lexsort((columns.jd, columns.fid, columns.owner))
    same = (np.diff(columns.owner[rows]) == 0) & (np.diff(columns.fid[rows]) == 0)
    twice = np.zeros(len(rows), bool)
    twice[rows[1:][same & (np.diff(columns.jd[rows]) < SAME_TIME_DAYS)]] = True
    return twice


def _repeated(columns: Columns) -> np.ndarray:
    """[M] bool: rows whose candid another of the same object has; 0 or less stands for none."""
    rows = np.lexsort((columns.candid, columns.owner))
    same = (np.diff(columns.owner[rows]) == 0) & (np.diff(columns.candid[rows]) == 0) & (columns.candid[rows[1:]] > 0)
    repeated = np.zeros(len(rows), bool)
    repeated[rows[1:][same]] = True
    return repeated
