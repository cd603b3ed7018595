"""Where training batches come from: a training set on the device, or one that is read from its file batch by batch.

Both give the same batches to the same program, so that training comes to the same bits.
"""

from functools import partial
from typing import NamedTuple

import h5py
import jax
import numpy as np

from jtss import data, devices, features
from jtss.configs import Config
from jtss.data import Examples
from jtss.features import Statistics
from jtss.model import Batch

# What a batch looks like here: [R, n, B, …], B objects for each of n steps of R seeds
BATCH_AXIS = 2
SHARE_OF_DEVICE = 0.5  # that a training set may take; the rest is for training
SHARE_OF_HOST = 0.25  # loading holds it some three times


class Labelled(NamedTuple):
    """Objects with their classes; every leaf has the same leading axes."""

    batch: Batch
    label: jax.Array


class Resident:
    """A training set on the device, gathered there."""

    def __init__(self, train: Examples, statistics: Statistics, n_classes: int):
        ordered, self.class_count = _by_class(train, n_classes)
        host = Labelled(data.standardised(ordered, statistics), ordered.label)
        self._data = jax.tree.map(partial(devices.place, sharding=devices.everywhere()), host)

    def take(self, rows: jax.Array) -> Labelled:
        """[R, n, B] rows → examples [R, n, B, …], divided among the devices along B."""
        return _gather(self._data, rows)


@jax.jit
def _gather(everything: Labelled, rows: jax.Array) -> Labelled:
    chosen = jax.tree.map(lambda part: part[rows], everything)
    return jax.lax.with_sharding_constraint(chosen, devices.divided(BATCH_AXIS))


class Streamed:
    """A training set whose stamps stay in the data file; only metadata and labels are in memory."""

    def __init__(self, path: str, train: Examples, statistics: Statistics, config: Config):
        ordered, self.class_count = _by_class(train, len(config.classes))
        self._config, self._label = config, ordered.label
        self._dynamic = features.standardise(ordered.dynamic, statistics.dynamic)
        self._static = features.standardise(ordered.static, statistics.static)
        # without a chunk cache HDF5 reads the wanted rows alone, not the chunks around them
        self._file = h5py.File(path, "r", rdcc_nbytes=0)
        self._first_row = self._file["object_start"][:][ordered.index]

    def take(self, rows: jax.Array) -> Labelled:
        """As `Resident.take`."""
        chosen, sharding = np.asarray(rows), devices.divided(BATCH_AXIS)
        side, channels = self._config.stamp.source_side, len(self._config.stamp.channels)
        shape = (*chosen.shape, self._config.n_detections, side, side, channels)

        def part_of(values: np.ndarray) -> jax.Array:
            return devices.fill((*chosen.shape, *values.shape[1:]), sharding, lambda part: values[chosen[part[:3]]])

        stamps = devices.fill(shape, sharding, lambda part: self._stamps(chosen[part[:3]]))
        return Labelled(Batch(stamps, part_of(self._dynamic), part_of(self._static)), part_of(self._label))

    def _stamps(self, rows: np.ndarray) -> np.ndarray:
        """[..., N, S, S, C] float16 of rows [...]."""
        stored, n = self._file["stamps"], self._config.n_detections
        starts = self._first_row[rows.ravel()]
        read = np.stack([stored[start : start + n] for start in starts])
        crops = data.source_crops(read, self._config.stamp).astype(np.float16)
        return crops.reshape(*rows.shape, *crops.shape[1:])


Source = Resident | Streamed


def fits(n_objects: int, config: Config) -> bool:
    """Whether the stamps of so many training objects can be loaded, and fit on a device beside the training itself."""
    side, channels = config.stamp.source_side, len(config.stamp.channels)
    size = n_objects * config.n_detections * side * side * channels * np.dtype(np.float16).itemsize
    return size <= min(SHARE_OF_DEVICE * devices.memory_bytes(), SHARE_OF_HOST * devices.host_memory_bytes())


def _by_class(train: Examples, n_classes: int) -> tuple[Examples, np.ndarray]:
    """The examples ordered by class, and how many each class has: [L] int32."""
    count = np.bincount(train.label, minlength=n_classes).astype(np.int32)
    return train.take(np.argsort(train.label, kind="stable")), count
