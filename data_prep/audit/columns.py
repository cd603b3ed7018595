"""The small columns of a data set, which fit in memory whatever its size; checked against the contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import h5py
import numpy as np

from jtss.errors import InputError
from jtss.schema import CLASS_NAMES, COLUMNS, METADATA_NAMES, SPLIT_NAMES

ROWS_PER_READ = 65_536  # of metadata: 7 MB
FROM_METADATA = ("ra", "dec", "ncovhist")


@dataclass(frozen=True)
class Columns:
    """What the audit reads of N objects and their M detections, besides stamps.

    Attributes:
        object_id: [N] object array of str.
        label, split: [N] int8, -1 = none.
        object_start: [N + 1] int64.
        jd: [M] float64 [day].
        candid: [M] int64.
        ra, dec: [M] float64 [deg], NaN = missing.
        ncovhist: [M] float64, NaN = missing.
    """

    object_id: np.ndarray
    label: np.ndarray
    split: np.ndarray
    object_start: np.ndarray
    jd: np.ndarray
    candid: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    ncovhist: np.ndarray

    @cached_property
    def owner(self) -> np.ndarray:
        """[M] int64: the object of each detection."""
        return np.repeat(np.arange(len(self.object_id)), np.diff(self.object_start))

    @property
    def first(self) -> np.ndarray:
        """[N] int64: the first detection of each object."""
        return self.object_start[:-1]

    def name(self, index: int) -> str:
        """An object as examples name it: its id and the split it is in."""
        split = int(self.split[index])
        return f"{self.object_id[index]} ({SPLIT_NAMES[split] if split >= 0 else 'no split'})"


def read(file: h5py.File) -> Columns:
    """Read them from an open data set.

    Raises:
        InputError: columns whose shapes, labels or splits break the contract; names the file, what is there and what
            is expected.
    """
    check_layout(file)
    parts = [rows[:, [METADATA_NAMES.index(name) for name in FROM_METADATA]] for rows in blocks(file["metadata"])]
    ra, dec, ncovhist = np.concatenate(parts).astype(np.float64).T
    stored = {name: file[name][:] for name in ("label", "split", "object_start", "jd", "candid")}
    for name, names in (("label", CLASS_NAMES), ("split", SPLIT_NAMES)):
        bad = stored[name][(stored[name] < -1) | (stored[name] >= len(names))]
        if bad.size:
            raise InputError(f"{file.filename}: {name} {bad[0]}, expected -1 to {len(names) - 1}")
    return Columns(object_id=file["object_id"].asstr()[:], ra=ra, dec=dec, ncovhist=ncovhist, **stored)


def blocks(dataset: h5py.Dataset, n_rows: int = ROWS_PER_READ) -> Iterator[np.ndarray]:
    """The rows of a column, so many at a time."""
    for first in range(0, len(dataset), n_rows):
        yield dataset[first : first + n_rows]


def check_layout(file: h5py.File) -> None:
    """Raise InputError where the columns do not fit each other or the contract, or are empty."""
    lengths = {"detection": len(file["jd"]), "object": len(file["object_id"]), "edge": len(file["object_id"]) + 1}
    for name, column in COLUMNS.items():
        expected = (lengths[column.axis], *column.shape)
        if file[name].shape != expected:
            raise InputError(f"{file.filename}: {name} has shape {file[name].shape}, expected {expected}")
        kind = "str" if h5py.check_string_dtype(file[name].dtype) else str(file[name].dtype)
        if kind != column.dtype:
            raise InputError(f"{file.filename}: {name} has dtype {kind}, expected {column.dtype}")
    if not lengths["object"]:
        raise InputError(f"{file.filename}: no objects, expected at least one")
    start = file["object_start"][:]
    if start[0] != 0 or start[-1] != lengths["detection"] or np.any(np.diff(start) < 1):
        raise InputError(
            f"{file.filename}: object_start goes from {start[0]} to {start[-1]},"
            f" expected 0 to {lengths['detection']}, growing with every object"
        )
