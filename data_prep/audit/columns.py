"""The small columns of a data set, which fit in memory whatever its size."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jtss.dataset import DataFile, rows
from jtss.schema import METADATA_NAMES, SPLIT_NAMES

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


def read(file: DataFile) -> Columns:
    """Read them from an open data set."""
    places = [METADATA_NAMES.index(name) for name in FROM_METADATA]
    parts = [part[:, places] for part in rows(file["metadata"], ROWS_PER_READ)]
    ra, dec, ncovhist = np.concatenate(parts).astype(np.float64).T
    stored = {name: file[name][:] for name in ("label", "split", "object_start", "jd", "candid")}
    return Columns(object_id=file["object_id"].asstr()[:], ra=ra, dec=dec, ncovhist=ncovhist, **stored)
