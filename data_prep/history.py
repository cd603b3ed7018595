"""The rows of an object: its alerts, and what all of its packets tell of the past, each exposure once.

The result does not depend on the order of packets, nor of the rows in them.
"""

import numpy as np

from data_prep.packets.history import SAME_TIME_DAYS
from jtss.schema import ALERT, DETECTION, LIMIT, METADATA_NAMES, NO_CANDID

# Notes in the ledger: rows without stamps in the result, and rows that say something else than the one that stayed.
IN_THE_RESULT = {"history_detections": DETECTION, "history_limits": LIMIT}
CONTRADICTS = "history_contradicts"

OWN = -1  # the rank of rows of alerts that were read, which go before what is told of them
MEASURED = tuple(METADATA_NAMES.index(name) for name in ("magpsf", "isdiffpos", "diffmaglim"))
ROUNDING_MAG = 1e-4  # ZTF writes histories with four decimals, alerts with all that they have


def once(owner: np.ndarray, rank: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Choose among the rows of objects, so that each stands there once.

    Rows are the same that have one candid, or one filter and time: a source that is subtracted badly may be detected
    twice in one exposure. Of them an alert with stamps stays, which is never left out, or else one that was read, or
    else that told by the packet of the lowest rank.

    Args:
        owner: [M] number of the object.
        rank: [M] of the packet that tells the row, in the order of time; OWN for the rows of alerts that were read.
        rows: [M] `packets.history.TOLD`.

    Returns:
        chosen: indices of the rows that stay, object by object in time order.
        n_contradictions: rows that were left out, though they say something else than the one that stayed.
    """
    content = [column for column in rows["metadata"].T if not np.isnan(column).all()]
    order = np.lexsort((*content, rows["jd"], rows["fid"], rows["candid"], rows["kind"], rank, owner))
    order, by_candid = _first_of_each(order, rows, _of_one_candid(owner[order], rows[order]))
    order, by_exposure = _first_of_each(order, rows, _of_one_exposure(owner[order], rows[order]))
    left_out = np.concatenate([by_candid, by_exposure])
    n_contradictions = int(_contradict(rows[left_out[:, 0]], rows[left_out[:, 1]]).sum())
    in_time = np.lexsort((*(rows[name][order] for name in ("kind", "candid", "fid", "jd")), owner[order]))
    return order[in_time], n_contradictions


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


def _contradict(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[k] whether rows that should be the same are of another kind, magnitude, sign or depth."""
    result = (one["kind"] == LIMIT) != (other["kind"] == LIMIT)
    for column in MEASURED:
        a, b = one["metadata"][:, column], other["metadata"][:, column]
        result |= np.abs(a - b) > ROUNDING_MAG  # NaN, not given, contradicts nothing
    return result
