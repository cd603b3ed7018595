"""The small columns of a data set, which fit in memory whatever its size."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from jtss.dataset import DataFile, rows
from jtss.schema import ALERT, METADATA_NAMES, SPLIT_NAMES, alert_counts

ROWS_PER_READ = 65_536  # of metadata: 7 MB
FROM_METADATA = ("ra", "dec", "ncovhist", "magpsf")
PER_ROW = ("kind", "jd", "candid", "fid", *FROM_METADATA)


@dataclass(frozen=True)
class Columns:
    """What the audit reads of N objects and their M rows, besides stamps.

    Attributes:
        object_id: [N] object array of str.
        label, split: [N] int8, -1 = none.
        object_start: [N + 1] int64.
        kind: [M] int8; index into `schema.KIND_NAMES`.
        jd: [M] float64 [day].
        candid: [M] int64.
        fid: [M] int8.
        ra, dec: [M] float64 [deg], NaN = missing.
        ncovhist: [M] float64, NaN = missing.
        magpsf: [M] float64 [mag], NaN = missing.
    """

    object_id: np.ndarray
    label: np.ndarray
    split: np.ndarray
    object_start: np.ndarray
    kind: np.ndarray
    jd: np.ndarray
    candid: np.ndarray
    fid: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    ncovhist: np.ndarray
    magpsf: np.ndarray

    @cached_property
    def alerts(self) -> "Columns":
        """The same of the alerts alone: row i has stamp i."""
        rows = np.flatnonzero(self.kind == ALERT)
        start = np.concatenate([[0], np.cumsum(alert_counts(self.kind, self.object_start))])
        return replace(self, object_start=start, **{name: getattr(self, name)[rows] for name in PER_ROW})

    @cached_property
    def owner(self) -> np.ndarray:
        """[M] int64: the object of each row."""
        return np.repeat(np.arange(len(self.object_id)), np.diff(self.object_start))

    @property
    def first(self) -> np.ndarray:
        """[N] int64: the first row of each object."""
        return self.object_start[:-1]

    def name(self, index: int) -> str:
        """An object as examples name it: its id and the split it is in."""
        split = int(self.split[index])
        return f"{self.object_id[index]} ({SPLIT_NAMES[split] if split >= 0 else 'no split'})"


def read(file: DataFile) -> Columns:
    """Read them from an open data set."""
    places = [METADATA_NAMES.index(name) for name in FROM_METADATA]
    parts = [part[:, places] for part in rows(file["metadata"], ROWS_PER_READ)]
    values = dict(zip(FROM_METADATA, np.concatenate(parts).astype(np.float64).T, strict=True))
    stored = {name: file[name][:] for name in ("label", "split", "object_start", "kind", "jd", "candid", "fid")}
    return Columns(object_id=file["object_id"].asstr()[:], **values, **stored)
