"""What a packet tells of its object's past, ZTF's `prv_candidates`: rows of numbers, each judged by its alert.

Detections and upper limits of the 30 days before. A broken history never costs its alert: rows that cannot be what they
claim are left out and counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np

from data_prep.packets.metadata import (
    FILTERS,
    FLOAT32_MAX,
    HISTORY_FIELDS,
    MAX_APART_ARCSEC,
    catalogue,
    chord,
    exact,
    isdiffpos_value,
    number,
    precise,
    unit_vectors,
    within,
)
from jtss.schema import DETECTION, LIMIT, METADATA, METADATA_NAMES, NO_CANDID, SAME_TIME_DAYS, TOLD_DAYS

MAX_ROWS = 4096  # an object in the field that was watched most has some hundreds in 30 days
MAX_BYTES = 1 << 20  # in Avro; 250 a row
JD, FID, ISDIFFPOS, MAGPSF = (HISTORY_FIELDS.index(name) for name in ("jd", "fid", "isdiffpos", "magpsf"))

# A row of an object, without stamps: one that is told, or one of an alert.
TOLD = np.dtype(
    [("jd", "<f8"), ("candid", "<i8"), ("fid", "i1"), ("kind", "i1"), ("metadata", "<f4", (len(METADATA),))]
)

# Notes in the ledger: of packets, whose history is not known then, and of rows, which are left out.
HISTORY_NOT_GIVEN, HISTORY_UNREADABLE = "history_not_given", "history_unreadable"
HISTORY_OTHER_FORM, HISTORY_TOO_LONG = "history_other_form", "history_too_long"
HISTORY_NOT_A_ROW, HISTORY_NOT_A_NUMBER = "history_not_a_row", "history_not_a_number"
HISTORY_BAD_FID = "history_bad_fid"
ROW_FAULTS = (
    "history_without_jd",
    "history_later_than_alert",
    "history_older_than_30_days",
    "history_limit_without_depth",
    "history_apart",
)


NOTE_NAMES = (
    *(HISTORY_NOT_GIVEN, HISTORY_UNREADABLE, HISTORY_OTHER_FORM, HISTORY_TOO_LONG),
    *(HISTORY_NOT_A_ROW, HISTORY_NOT_A_NUMBER, HISTORY_BAD_FID),
    *ROW_FAULTS,
)
NOTE = np.dtype([("packet", "<i8"), ("name", "u1"), ("count", "<u2")])  # what is wrong in a packet; name of NOTE_NAMES


class History(NamedTuple):
    """The history of a packet as it stands there.

    Attributes:
        values: [k, 15] float64 in the order of HISTORY_FIELDS, NaN = missing. candid: [k] int64.
        notes: what was wrong with it, for the ledger.
    """

    values: np.ndarray
    candid: np.ndarray
    notes: Mapping[str, int]


def _nothing(note: str) -> History:
    return History(np.zeros((0, len(HISTORY_FIELDS))), np.zeros(0, np.int64), {note: 1})


NOT_GIVEN = _nothing(HISTORY_NOT_GIVEN)  # which does not say that nobody looked
OTHER_FORM = _nothing(HISTORY_OTHER_FORM)  # as forced photometry
TOO_LONG = _nothing(HISTORY_TOO_LONG)
UNREADABLE = _nothing(HISTORY_UNREADABLE)
NOT_ASKED = NOT_GIVEN._replace(notes={})  # on purpose: nobody asked what it tells


def parse(value: object) -> History:
    """Read `prv_candidates`, whatever stands in its place.

    ZTF alert schema.
    """
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value[: MAX_ROWS + 1].tolist()
    if value is None or (isinstance(value, float) and np.isnan(value)):  # so a data frame writes null
        return NOT_GIVEN
    if not isinstance(value, list | tuple):
        return UNREADABLE
    if not value:
        return NOT_GIVEN
    if len(value) > MAX_ROWS:
        return TOO_LONG
    rows = [row for row in value if isinstance(row, Mapping)]
    if rows and not any("magpsf" in row for row in rows):
        return OTHER_FORM
    values = np.array(
        [value if type(value) is float else _value(value) for row in rows for value in map(row.get, HISTORY_FIELDS)]
    ).reshape(-1, len(HISTORY_FIELDS))
    values[:, JD] = [_value(precise(row.get("jd"))) for row in rows]
    values[:, ISDIFFPOS] = [_sign(row.get("isdiffpos")) for row in rows]
    values[:, FID] = [_filter(row.get("fid")) for row in rows]
    candid = np.array([exact(precise(row.get("candid"))) for row in rows], np.int64)
    return of_numbers(values, candid, len(value) - len(rows))


def of_numbers(values: np.ndarray, candid: np.ndarray, n_no_rows: int = 0) -> History:
    """A history of which every row was read.

    Args:
        values: [k, 15] in the order of HISTORY_FIELDS, NaN = missing, infinity = no number that can be meant; is
            written to.
        candid: [k] int64, 0 = missing.
        n_no_rows: how many more were no rows.
    """
    if not (np.abs(values) > FLOAT32_MAX).any():
        notes = {HISTORY_NOT_A_ROW: n_no_rows} if n_no_rows else {}
        return UNREADABLE if _has_one_time(values) else History(values, candid, notes)
    bad_fid = np.isinf(values[:, FID])
    values[bad_fid, FID] = np.nan
    wrong = np.abs(values) > FLOAT32_MAX
    values[wrong] = np.nan
    kept = ~wrong[:, MAGPSF] & ~bad_fid  # otherwise it is not known what kind of row it is, or of which exposure
    notes = {
        HISTORY_NOT_A_ROW: n_no_rows,
        HISTORY_NOT_A_NUMBER: int(wrong.any(axis=1).sum()),
        HISTORY_BAD_FID: int(bad_fid.sum()),
    }
    if _has_one_time(values[kept]):
        return UNREADABLE
    return History(values[kept], candid[kept], {name: count for name, count in notes.items() if count})


def _value(value: object) -> float:
    """A value as a number, NaN for null and infinity for what is something else."""
    if value is None:
        return np.nan
    read = number(value)
    return read if read == read or (isinstance(value, Real) and value != value) else np.inf


def _filter(value: object) -> float:
    """A filter as a number; text that is none of ZTF's is infinity, for it is no filter of an alert, either."""
    if not isinstance(value, str | bytes):
        return number(value)
    return float(exact(value)) if exact(value) in FILTERS else np.inf


def _has_one_time(values: np.ndarray) -> bool:
    """Whether rows [k, 15] that cannot be of one exposure have one time: that of somebody's clock, or of the alert.

    Two rows of one filter may be of one exposure: a detection twice, where its source was subtracted badly, a limit
    that is told twice, or one of each.
    """
    is_exposure = len(values) < 2 or (len(values) == 2 and values[0, FID] == values[1, FID])
    return not is_exposure and bool(np.ptp(values[:, JD]) <= SAME_TIME_DAYS)


def _sign(value: object) -> float:
    return isdiffpos_value(value) if isinstance(value, str | Real) else np.nan


def judge(
    histories: Sequence[History], jd: np.ndarray, position: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of histories that may be believed.

    Args:
        histories: of A packets.
        jd: [A] time of their alerts [day].
        position: [A, 2] ra, dec [deg] of their alerts; NaN where unknown.

    Returns:
        rows: [k] TOLD, packet by packet; `kind` is DETECTION where the row has a magnitude, else LIMIT, of which
            diffmaglim and the time are all that is kept.
        n_told: [A] rows of each packet.
        notes: [j] NOTE, by index of the packet.
    """
    owner = np.repeat(np.arange(len(histories)), [len(history.candid) for history in histories])
    values = np.concatenate([np.zeros((0, len(HISTORY_FIELDS))), *(history.values for history in histories)])
    columns = dict(zip(HISTORY_FIELDS, values.T, strict=True))
    rows = np.zeros(len(owner), TOLD)
    rows["jd"], rows["metadata"] = columns["jd"], catalogue(columns)
    rows["candid"] = np.concatenate([np.zeros(0, np.int64), *(history.candid for history in histories)])
    rows["fid"] = np.where(np.isin(columns["fid"], FILTERS), columns["fid"], 0)
    is_limit = np.isnan(rows["metadata"][:, METADATA_NAMES.index("magpsf")])
    depth = METADATA_NAMES.index("diffmaglim")
    rows["kind"] = np.where(is_limit, LIMIT, DETECTION)
    rows["candid"][is_limit] = NO_CANDID
    rows["metadata"][np.ix_(is_limit, np.arange(len(METADATA)) != depth)] = np.nan
    faults = (
        np.isnan(columns["jd"]) | (columns["jd"] < 0),
        columns["jd"] > jd[owner] - SAME_TIME_DAYS,
        ~(columns["jd"] > jd[owner] - TOLD_DAYS),
        is_limit & np.isnan(rows["metadata"][:, depth]),
        ~is_limit & _apart(columns["ra"], columns["dec"], position[owner]),
    )
    fault = np.select(faults, np.arange(len(faults)), -1)
    in_packets = [(i, name, count) for i, history in enumerate(histories) for name, count in history.notes.items()]
    in_rows = Counter(zip(owner[fault >= 0].tolist(), fault[fault >= 0].tolist(), strict=True))
    in_packets += [(i, ROW_FAULTS[code], count) for (i, code), count in in_rows.items()]
    notes = np.array([(i, NOTE_NAMES.index(name), count) for i, name, count in in_packets], NOTE)
    return rows[fault < 0], np.bincount(owner[fault < 0], minlength=len(histories)), notes


def once_each(notes: np.ndarray, same: np.ndarray) -> np.ndarray:
    """What is wrong with distinct packets, whichever of their copies is read first.

    Args:
        notes: [j] NOTE.
        same: [A] the same number for copies of one packet.

    Returns:
        NOTE: of each packet and name the largest count of its copies; that a history is not given where none of them
            has one.
    """
    key = same[notes["packet"]] * len(NOTE_NAMES) + notes["name"]
    order = np.lexsort((notes["count"], key))
    _, first, n_noted = np.unique(key[order], return_index=True, return_counts=True)
    largest = notes[order[first + n_noted - 1]]
    by_all = n_noted == np.bincount(same)[same[largest["packet"]]]
    return largest[by_all | (largest["name"] != NOTE_NAMES.index(HISTORY_NOT_GIVEN))]


def tally(notes: np.ndarray) -> Counter[str]:
    """NOTE [j] by name, for the ledger."""
    totals = np.zeros(len(NOTE_NAMES), np.int64)
    np.add.at(totals, notes["name"], notes["count"])
    return Counter({name: total for name, total in zip(NOTE_NAMES, totals.tolist(), strict=True) if total})


def _apart(ra: np.ndarray, dec: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Which rows lie elsewhere than their alerts: the history of another object. One without a place is not judged."""
    there = unit_vectors(within(ra, 0, 360), within(dec, -90, 90))
    return np.linalg.norm(there - unit_vectors(*position.T), axis=-1) > chord(MAX_APART_ARCSEC)
