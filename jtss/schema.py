"""The contract between `data_prep`, which knows the sky, and `jtss`, which knows arrays. Imports nothing of ours.

Classes, the metadata catalogue with its limits, the layout of the HDF5 file, and `Sequences`, the same arrays in
memory, with what takes parts of them and joins them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

SCHEMA_VERSION = 4

CLASS_NAMES = ("AGN", "SN", "VS", "asteroid", "bogus")
UNLABELLED = -1

# What objects of a class may be besides; not of all, for other stars pulsate as well. In the order of their codes.
SUBCLASS_NAMES = {
    "SN": ("SN Ia", "other SN"),
    "VS": ("RR Lyrae", "eclipsing", "long-period", "cataclysmic", "young star"),
    "AGN": ("quasar", "Seyfert", "blazar"),
}
SUBCLASSES = tuple(chain.from_iterable(SUBCLASS_NAMES.values()))
CLASS_OF_SUBCLASS = {subclass: name for name, subclasses in SUBCLASS_NAMES.items() for subclass in subclasses}
NO_SUBCLASS = -1

SPLIT_NAMES = ("train", "validation", "test")
NO_SPLIT = -1  # of unlabelled objects, and of bogus that is kept for screening

CHANNEL_NAMES = ("science", "template", "difference")
STAMP_SIDE = 63  # pixels; 1.01 arcsec each
FILL_LIMIT = 1e30  # |pixel| above this is a fill value, not light

MAX_DETECTIONS = 5  # the longest sequence that any model reads
MIN_GAP_DAYS = 0.25  # a detection closer than this to the last kept one is dropped
# ZTF writes jd to 1e-7 day, so two of them may show an exact quarter of a day up to 1e-7 day short; a float64 near
# 2.4e6 adds 5e-10. The rule is meant at minutes, so twice that costs nothing.
GAP_TOLERANCE_DAYS = 2e-7
TOLD_DAYS = 30.0  # of its object's past, in a packet

ALLWISE_BANDS = ("W1", "W2", "W3", "W4")
MATCH_RADIUS_ARCSEC = 2.0

ZTF_MISSING = -999.0
MISSING_FLOOR = -1.0  # a lower limit of -1 absorbs ZTF's -999: such a value is kept, then clipped


class Feature(NamedTuple):
    """One metadata value of a detection.

    Attributes:
        name: our name.
        field: the field of ZTF's `candidate` record, or "" where the value is derived.
        unit: unit, "" for a pure number.
        dynamic: whether the value belongs to the exposure (dynamic) or to the place on the sky (static).
        lower, upper: limits to clip to; None stands for the extreme of the training split.

    TSC Table 3.
    """

    name: str
    field: str
    unit: str
    dynamic: bool
    lower: float | None = None
    upper: float | None = None


DYNAMIC_METADATA = (
    Feature("fwhm", "fwhm", "pix", True, upper=10.0),
    Feature("ndethist", "ndethist", "", True, upper=20.0),
    Feature("ncovhist", "ncovhist", "", True, upper=3000.0),
    Feature("non_detections", "", "", True, upper=2000.0),
    Feature("isdiffpos", "isdiffpos", "", True),
    Feature("magpsf", "magpsf", "mag", True),
    Feature("sigmapsf", "sigmapsf", "mag", True),
    Feature("diffmaglim", "diffmaglim", "mag", True),
    Feature("classtar", "classtar", "", True),
)
STATIC_METADATA = (
    Feature("sgscore1", "sgscore1", "", False, lower=MISSING_FLOOR),
    Feature("distpsnr1", "distpsnr1", "arcsec", False, lower=MISSING_FLOOR),
    Feature("sgscore2", "sgscore2", "", False, lower=MISSING_FLOOR),
    Feature("distpsnr2", "distpsnr2", "arcsec", False, lower=MISSING_FLOOR),
    Feature("sgscore3", "sgscore3", "", False, lower=MISSING_FLOOR),
    Feature("distpsnr3", "distpsnr3", "arcsec", False, lower=MISSING_FLOOR),
    Feature("chinr", "chinr", "", False, lower=MISSING_FLOOR, upper=15.0),
    Feature("sharpnr", "sharpnr", "", False, lower=MISSING_FLOOR, upper=1.5),
    Feature("ra", "ra", "deg", False),
    Feature("dec", "dec", "deg", False),
    Feature("gal_l", "", "deg", False),
    Feature("gal_b", "", "deg", False),
    Feature("ecl_lon", "", "deg", False),
    Feature("ecl_lat", "", "deg", False),
)
# Not in TSC's Table 3, but read by published classifiers of first alerts.
OTHER_METADATA = (
    Feature("rb", "rb", "", True),
    Feature("distnr", "distnr", "arcsec", False, lower=MISSING_FLOOR),
    Feature("magnr", "magnr", "mag", False, lower=MISSING_FLOOR),
)
METADATA = DYNAMIC_METADATA + STATIC_METADATA + OTHER_METADATA
METADATA_NAMES = tuple(feature.name for feature in METADATA)

# Values that the model derives from a whole sequence, limits as above.
TIME_GAP = Feature("time_gap", "", "day", True)
ALLWISE_COLOURS = tuple(Feature(f"{blue}-{red}", "", "mag", False) for blue, red in pairwise(ALLWISE_BANDS))

# Values on the scale on which classes differ, each derived from another. Of counts the decimal logarithm of one more:
# TSC's limits are too low for objects that were seen hundreds of times. Of distances and chinr the decimal logarithm: a
# star is a tenth of an arcsecond from its own catalogue entry and ten from its neighbour's. Of latitude no sign.
COUNTS = ("ndethist", "ncovhist", "non_detections")
NEIGHBOUR_DISTANCES = ("distpsnr1", "distpsnr2", "distpsnr3")
SEARCH_RADIUS_ARCSEC = 30.0  # within which ZTF lists neighbours
LEAST_LOGARITHM = -2.0
LOGARITHMS = (
    *(Feature(f"log_{name}", "", "dex", True, lower=0.0) for name in COUNTS),
    *(Feature(f"log_{name}", "", "dex", False, lower=LEAST_LOGARITHM) for name in (*NEIGHBOUR_DISTANCES, "distnr")),
    Feature("log_chinr", "", "dex", False, lower=LEAST_LOGARITHM, upper=1.2),
)
DERIVED = (*LOGARITHMS, Feature("abs_gal_b", "", "deg", False))
DERIVED_FROM = {feature.name: feature.name.removeprefix("log_").removeprefix("abs_") for feature in DERIVED}

# Values that come from one source, so that a packet has all of them or none.
METADATA_GROUPS = {
    "counters": (*COUNTS, *(f"log_{name}" for name in COUNTS)),
    "rb": ("rb",),
    "neighbours": tuple(f"{name}{i}" for i in (1, 2, 3) for name in ("sgscore", "distpsnr", "log_distpsnr")),
    "reference_source": ("distnr", "magnr", "chinr", "sharpnr", "log_distnr", "log_chinr"),
    "place": ("ra", "dec", "gal_l", "gal_b", "ecl_lon", "ecl_lat", "abs_gal_b"),
    "shape": ("fwhm", "classtar"),
    "allwise": tuple(feature.name for feature in ALLWISE_COLOURS),
}


def availability(group: str) -> str:
    """Name of a group's bit: 0 where all its values that a model reads are missing, else 1."""
    return f"has_{group}"


AVAILABILITY = tuple(
    Feature(availability(group), "", "", group != "allwise", lower=0.0, upper=1.0) for group in METADATA_GROUPS
)

FEATURES = {feature.name: feature for feature in (TIME_GAP, *METADATA, *ALLWISE_COLOURS, *DERIVED, *AVAILABILITY)}

# What a packet tells of an earlier detection; of an upper limit diffmaglim alone. ZTF alert schema, prv_candidates.
TOLD_NAMES = (
    "fwhm", "isdiffpos", "magpsf", "sigmapsf", "diffmaglim", "classtar", "chinr", "sharpnr", "ra", "dec", "rb",
    "distnr", "magnr",
)  # fmt: skip
# What is of the exposure, and so may not be read as of the whole object where answers are given after every row.
OF_EXPOSURE = frozenset(
    feature.name for feature in (*DYNAMIC_METADATA, *OTHER_METADATA, *DERIVED) if feature.dynamic
) | {availability(group) for group in ("counters", "rb", "shape")}

# What a model may read of every detection and of the whole object, and what TSC's complete model reads of them.
COLOUR_NAMES = tuple(feature.name for feature in ALLWISE_COLOURS)
DERIVED_NAMES = tuple(DERIVED_FROM)
AVAILABILITY_NAMES = tuple(feature.name for feature in AVAILABILITY)
VALID_DYNAMIC = (
    TIME_GAP.name,
    *METADATA_NAMES,
    *DERIVED_NAMES,
    *(feature.name for feature in AVAILABILITY if feature.dynamic),
)
VALID_STATIC = (*METADATA_NAMES, *DERIVED_NAMES, *COLOUR_NAMES, *AVAILABILITY_NAMES)
DYNAMIC_NAMES = (TIME_GAP.name, *(feature.name for feature in DYNAMIC_METADATA))
STATIC_NAMES = (*(feature.name for feature in STATIC_METADATA), *COLOUR_NAMES)


# What a row is: an alert that was read, with its stamps; a detection without them, which a later packet tells or whose
# stamps no sequence needs; an exposure that did not show the object, whose metadata are diffmaglim alone.
KIND_NAMES = ("alert", "detection", "limit")
ALERT, DETECTION, LIMIT = range(len(KIND_NAMES))
NO_STAMP = -1
# Rows of one object and filter that are closer are of one exposure: ZTF writes jd to 1e-7 day, and none is below 30 s.
SAME_TIME_DAYS = 1e-6
NO_CANDID = 0  # of limits, and of detections that are told without one


class Column(NamedTuple):
    """One data set of the HDF5 file: `axis` is "row", "stamp", "object" or "edge" (objects + 1)."""

    axis: str
    shape: tuple[int, ...]  # of one row
    dtype: str


COLUMNS = {
    "stamps": Column("stamp", (STAMP_SIDE, STAMP_SIDE, len(CHANNEL_NAMES)), "float16"),
    "stamp_row": Column("row", (), "int64"),
    "kind": Column("row", (), "int8"),
    "metadata": Column("row", (len(METADATA),), "float32"),
    "jd": Column("row", (), "float64"),
    "candid": Column("row", (), "int64"),
    "fid": Column("row", (), "int8"),
    "object_id": Column("object", (), "str"),
    "object_start": Column("edge", (), "int64"),
    "allwise": Column("object", (len(ALLWISE_BANDS),), "float32"),
    "label": Column("object", (), "int8"),
    "subclass": Column("object", (), "int8"),
    "split": Column("object", (), "int8"),
}


@dataclass(frozen=True)
class Sequences:
    """Rows of N objects, M in all, object by object in time order, and the K stamps of those that are alerts.

    The rows of object i are `object_start[i]` to `object_start[i + 1]`, at least one of them an alert. Stamps stand in
    the order of their rows. This is the HDF5 file in memory: what a data set stores and what a prediction from alert
    packets starts from are the same arrays. `jtss.views` takes of them what a model reads.

    Attributes:
        stamps: [K, S, S, 3] float16; science, template, difference, each scaled to [0, 1], NaN kept.
        stamp_row: [M] int64; the row of `stamps`, -1 = none.
        kind: [M] int8; index into `KIND_NAMES`.
        metadata: [M, 26] float32; raw values in the order of `METADATA`, NaN = missing.
        jd: [M] float64 [day].
        candid: [M] int64; 0 = none.
        fid: [M] int8; 1 = g, 2 = r, 3 = i, 0 = not given.
        object_id: [N] object array of str.
        object_start: [N + 1] int64.
        allwise: [N, 4] float32 [mag]; W1 to W4, NaN = no match.
        label: [N] int8; index into `CLASS_NAMES`, -1 = unknown.
        subclass: [N] int8; index into `SUBCLASSES`, one of its class; -1 = unknown or none.
        split: [N] int8; index into `SPLIT_NAMES`, -1 = none.
    """

    stamps: np.ndarray
    stamp_row: np.ndarray
    kind: np.ndarray
    metadata: np.ndarray
    jd: np.ndarray
    candid: np.ndarray
    fid: np.ndarray
    object_id: np.ndarray
    object_start: np.ndarray
    allwise: np.ndarray
    label: np.ndarray
    subclass: np.ndarray
    split: np.ndarray

    @property
    def n_objects(self) -> int:
        return len(self.object_id)

    @property
    def n_rows(self) -> np.ndarray:
        """[N] int64: rows of each object, of all kinds."""
        return np.diff(self.object_start)

    @property
    def n_alerts(self) -> np.ndarray:
        """[N] int64: alerts with stamps of each object."""
        return alert_counts(self.kind, self.object_start)


def check(sequences: Sequences) -> None:
    """Raise ValueError, naming the column, where shapes or dtypes break the contract."""
    n_objects = sequences.n_objects
    lengths = {
        "row": int(sequences.object_start[-1]),
        "stamp": len(sequences.stamps),
        "object": n_objects,
        "edge": n_objects + 1,
    }
    for item in fields(sequences):
        column, array = COLUMNS[item.name], getattr(sequences, item.name)
        expected = (lengths[column.axis], *column.shape)
        if array.shape != expected:
            raise ValueError(f"{item.name}: shape {array.shape}, expected {expected}")
        if column.dtype != "str" and array.dtype != column.dtype:
            raise ValueError(f"{item.name}: dtype {array.dtype}, expected {column.dtype}")
    if sequences.object_start[0] != 0 or np.any(np.diff(sequences.object_start) < 1):
        raise ValueError("object_start: must start at 0 and grow by at least one row per object")
    unknown = (sequences.kind < 0) | (sequences.kind >= len(KIND_NAMES))
    if unknown.any():
        raise ValueError(f"kind: {sequences.kind[unknown][0]}, expected 0 to {len(KIND_NAMES) - 1}")
    if not np.array_equal(sequences.stamp_row, stamp_rows(sequences.kind)):
        raise ValueError("stamp_row: must number the alerts among the rows from 0, and be -1 for the others")
    if len(sequences.stamps) != int((sequences.kind == ALERT).sum()):
        raise ValueError(f"stamps: {len(sequences.stamps)} for {(sequences.kind == ALERT).sum()} alerts")
    if np.any(sequences.n_alerts < 1):
        raise ValueError("kind: every object must have an alert")
    fault = subclass_fault(sequences.label, sequences.subclass)
    if fault:
        raise ValueError(fault)


def subclass_fault(label: np.ndarray, subclass: np.ndarray) -> str:
    """What is wrong with the first subclass [N] that there is not, or not in its object's class [N]; "" if nothing."""
    unknown = (subclass < NO_SUBCLASS) | (subclass >= len(SUBCLASSES))
    if unknown.any():
        return f"subclass: {subclass[unknown][0]}, expected {NO_SUBCLASS} to {len(SUBCLASSES) - 1}"
    class_of = [CLASS_NAMES.index(CLASS_OF_SUBCLASS[name]) for name in SUBCLASSES]
    wrong = np.flatnonzero((subclass != NO_SUBCLASS) & (np.take(class_of, subclass) != label))
    if not wrong.size:
        return ""
    name, found = SUBCLASSES[subclass[wrong[0]]], dict(enumerate(CLASS_NAMES)).get(int(label[wrong[0]]), "none")
    return f"subclass: {name} for an object of class {found}, expected {CLASS_OF_SUBCLASS[name]}"


def subclass_code(name: str) -> int:
    """Index into `SUBCLASSES`; -1 of what is none."""
    return SUBCLASSES.index(name) if name in SUBCLASSES else NO_SUBCLASS


def stamp_rows(kind: np.ndarray, n_before: int = 0) -> np.ndarray:
    """Where the stamps of rows stand.

    Args:
        kind: [M] int8.
        n_before: stamps of the rows before these.

    Returns:
        [M] int64, -1 for what has none.
    """
    is_alert = kind == ALERT
    return np.where(is_alert, n_before + np.cumsum(is_alert) - 1, NO_STAMP).astype(np.int64)


def alert_counts(kind: np.ndarray, object_start: np.ndarray) -> np.ndarray:
    """[N] int64: alerts with stamps of each object, of kinds [M] and the places [N + 1] where objects begin."""
    return np.add.reduceat(kind == ALERT, object_start[:-1], dtype=np.int64)


class ContentHash:
    """Hash of the columns of a data set: the same for the same values, however they are cut into batches.

    Feed every column in row order, then ask for `hexdigest`. Times, commands and counts are not part of it.
    """

    def __init__(self) -> None:
        self._hashes = {name: hashlib.blake2b(digest_size=16) for name in COLUMNS}

    def update(self, name: str, array: np.ndarray) -> None:
        """Take the next rows of column `name`; the axis of object_start is that of the whole data set."""
        if COLUMNS[name].dtype == "str":
            encoded = [str(value).encode() for value in array]
            self._hashes[name].update(b"".join(len(value).to_bytes(8, "little") + value for value in encoded))
        else:
            dtype = np.dtype(COLUMNS[name].dtype).newbyteorder("<")
            self._hashes[name].update(np.ascontiguousarray(array, dtype=dtype).data)

    def hexdigest(self) -> str:
        columns = "".join(f"{name}:{digest.hexdigest()};" for name, digest in self._hashes.items())
        return hashlib.blake2b(columns.encode(), digest_size=16).hexdigest()


def take(sequences: Sequences, objects: np.ndarray) -> Sequences:
    """The given objects [B] with all their rows, in the given order."""
    counts = sequences.n_rows[objects]
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.arange(start[-1]) + np.repeat(sequences.object_start[objects] - start[:-1], counts)
    return select_rows(sequences, objects, rows, start)


def join(parts: Sequence[Sequences]) -> Sequences:
    """One for the objects of all parts (one or more), in their order."""
    counts = np.concatenate([part.n_rows for part in parts])
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    names = [name for name, column in COLUMNS.items() if column.axis != "edge" and name != "stamp_row"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Sequences(object_start=start, stamp_row=stamp_rows(columns["kind"]), **columns)


def select_rows(sequences: Sequences, objects: np.ndarray, rows: np.ndarray, start: np.ndarray) -> Sequences:
    """The given objects [B] with the given rows only.

    Args:
        rows: [R] rows of `sequences`, object by object in time order.
        start: [B + 1] int64, where the rows of each object begin among them.
    """
    kind = sequences.kind[rows]
    of_axis = {"row": rows, "stamp": sequences.stamp_row[rows[kind == ALERT]], "object": objects}
    columns = {
        name: getattr(sequences, name)[of_axis[column.axis]]
        for name, column in COLUMNS.items()
        if column.axis != "edge" and name != "stamp_row"
    }
    return Sequences(object_start=start, stamp_row=stamp_rows(kind), **columns)
