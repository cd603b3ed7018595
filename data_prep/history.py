"""The rows of an object: its alerts, and what all of its packets tell of the past, each exposure once.

The result does not depend on the order of packets, nor of the rows in them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from data_prep.packets.history import TOLD
from jtss.schema import ALERT, DETECTION, LIMIT, METADATA_NAMES, NO_CANDID, SAME_TIME_DAYS

# Notes in the ledger: rows without stamps in the result; different rows that say something else of a detection or an
# exposure than the one that stayed, however many packets tell them; and detections beside another of the same exposure,
# as ZTF makes them of bad subtractions.
IN_THE_RESULT = {"history_detections": DETECTION, "history_limits": LIMIT}
CONTRADICTS, SECOND = "history_contradicts", "history_second_in_exposure"
NOTES = (*IN_THE_RESULT, CONTRADICTS, SECOND)

OWN = -1  # the rank of rows of alerts that were read, which go before what is told of them
MEASURED = tuple(METADATA_NAMES.index(name) for name in ("magpsf", "isdiffpos", "diffmaglim"))
ROUNDING_MAG = 1e-4  # ZTF writes histories with four decimals, alerts with all that they have


class Told(NamedTuple):
    """Rows of objects, and who tells them.

    Attributes:
        owner: [M] int64, number of the object.
        rank: [M] int64, of the packet that tells the row, in the order of time; OWN for the rows of alerts that were
            read.
        rows: [M] `packets.history.TOLD`.
    """

    owner: np.ndarray
    rank: np.ndarray
    rows: np.ndarray


def joined(parts: Sequence[Told]) -> Told:
    """One after the other; at least one."""
    return parts[0] if len(parts) == 1 else Told(*map(np.concatenate, zip(*parts, strict=True)))


def gather(portions: Iterable[Told]) -> Told:
    """All that is told in some portions, at least one, in the order of packets.

    The memory grows with what is different in them: thousands of packets may tell the same few rows.
    """
    parts, n_different, n_more = [], 0, 0
    for portion in portions:
        if n_more > n_different:  # so seldom that all the sorting takes n log n
            parts = [_different(joined(parts))]
            n_different, n_more = len(parts[0].rows), 0
        parts.append(portion)
        n_more += len(portion.rows)
    return joined(parts)


def _different(told: Told) -> Told:
    """Each row once, of the lowest rank."""
    first = _first_of_content(told.owner, told.rows)
    return Told(*(column[first] for column in told))


def _first_of_content(owner: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Indices of the first of the equal rows of an object."""
    content = rows.view(np.dtype((np.void, TOLD.itemsize)))
    order = np.argsort(content, kind="stable")
    order = order[np.argsort(owner[order], kind="stable")]
    content, owner = content[order], owner[order]
    return order[np.append(True, (np.diff(owner) != 0) | (content[1:] != content[:-1]))[: len(order)]]


def once(owner: np.ndarray, rank: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Choose among the rows of objects, so that each stands there once.

    Rows are the same that have one candid, or one filter and time: a source that is subtracted badly may be detected
    twice in one exposure. Of them an alert with stamps stays, which is never left out, or else one that was read, or
    else that told by the packet of the lowest rank.

    Args:
        owner, rank, rows: as in `Told`.

    Returns:
        chosen: indices of the rows that stay, object by object in time order.
        notes: for the ledger, on the rows that were left out; those with another candid are of another source.
    """
    content = [column for column in rows["metadata"].T if not np.isnan(column).all()]
    order = np.lexsort((*content, rows["jd"], rows["fid"], rows["candid"], rows["kind"], rank, owner))
    order, by_candid = _first_of_each(order, rows, _of_one_candid(owner[order], rows[order]))
    order, by_exposure = _first_of_each(order, rows, _of_one_exposure(owner[order], rows[order]))
    is_other = (rows["candid"][by_exposure] != NO_CANDID).all(axis=1)
    same = np.concatenate([by_candid, by_exposure[~is_other]])
    contradicting = same[_contradict(rows, *same.T), 0]
    n_different = len(_first_of_content(owner[contradicting], rows[contradicting]))
    notes = {CONTRADICTS: n_different, SECOND: int(is_other.sum())}
    in_time = np.lexsort((*(rows[name][order] for name in ("kind", "candid", "fid", "jd")), owner[order]))
    return order[in_time], notes


def counts(kind: np.ndarray) -> dict[str, int]:
    """Notes for the ledger on the rows of a result, given their kinds [M]."""
    return {name: int((kind == code).sum()) for name, code in IN_THE_RESULT.items()}


def _first_of_each(order: np.ndarray, rows: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of rows in order of preference, and the group of each, those that stay; and pairs [k, 2]: left out, stayed."""
    first = np.full(group.max(initial=-1) + 1, len(order))
    np.minimum.at(first, group, np.arange(len(order)))
    first = first[group]
    stays = (first == np.arange(len(order))) | (rows["kind"][order] == ALERT)
    return order[stays], np.stack([order[~stays], order[first[~stays]]], axis=-1)


def _of_one_candid(owner: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """[M] the same number for rows of one object with one candid; those without one are alone."""
    _, candid = np.unique(rows["candid"], return_inverse=True)
    pair = owner.astype(np.int64) * (candid.max(initial=0) + 1) + candid
    alone = pair.max(initial=0) + 1 + np.arange(len(rows))
    return np.unique(np.where(rows["candid"] == NO_CANDID, alone, pair), return_inverse=True)[1]


def _of_one_exposure(owner: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """[M] the same number for rows of one object with one filter and time."""
    by_time = np.lexsort((rows["jd"], rows["fid"], owner))
    changes = [np.diff(column[by_time]) != 0 for column in (owner, rows["fid"])]
    later = np.diff(rows["jd"][by_time]) > SAME_TIME_DAYS
    group = np.empty(len(rows), np.int64)
    group[by_time] = np.cumsum(np.concatenate([[False], changes[0] | changes[1] | later])[: len(rows)])
    return group


def _contradict(rows: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[k] whether pairs of rows [k] that should be the same are of another kind, magnitude, sign or depth."""
    is_limit = rows["kind"] == LIMIT
    result = is_limit[one] != is_limit[other]
    for column in MEASURED:
        values = rows["metadata"][:, column]
        result |= np.abs(values[one] - values[other]) > ROUNDING_MAG  # NaN, not given, contradicts nothing
    return result
