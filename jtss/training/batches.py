"""From a data file to what training needs of it: training batches, chunks of the validation split, statistics.

The training set stands on the device, or is read from its file batch by batch. Both give the same batches to the same
program, so that training comes to the same bits.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import dataset, devices, schema
from jtss.config.settings import Config
from jtss.dataset import DataError, read
from jtss.network import inputs, packets
from jtss.network.inputs import Examples, Statistics, standardised
from jtss.network.packets import Watched
from jtss.network.parts import Batch
from jtss.training import earlier, strata, young

# What a batch looks like here: [R, n, B, …], B objects for each of n steps of R seeds
BATCH_AXIS = 2
SHARE_OF_DEVICE = 0.5  # that a training set may take; the rest is for training
SHARE_OF_HOST = 0.25  # loading holds it some three times


class Labelled(NamedTuple):
    """Objects with their classes and subclasses; every leaf has the same leading axes."""

    batch: Batch
    label: jax.Array
    subclass: jax.Array  # -1 = unknown


class Resident:
    """A training set on the device, gathered there."""

    def __init__(self, train: Examples, statistics: Statistics, config: Config):
        order, self.strata = strata.of(train.label, train.counts, config)
        ordered = train.take(order)
        host = Labelled(inputs.standardised(ordered, statistics), ordered.label, ordered.subclass)
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
        order, self.strata = strata.of(train.label, train.counts, config)
        ordered = train.take(order)
        self._config, self._label, self._subclass = config, ordered.label, ordered.subclass
        self._dynamic = inputs.standardise(ordered.dynamic, statistics.dynamic)
        self._static = inputs.standardise(ordered.static, statistics.static)
        # without a chunk cache HDF5 reads the wanted rows alone, not the chunks around them
        self._file = dataset.open_checked(path, chunk_cache_bytes=0)
        n_stamps = dataset.alert_counts(self._file)
        self._first_stamp = (np.cumsum(n_stamps) - n_stamps)[ordered.index]

    def take(self, rows: jax.Array) -> Labelled:
        """As `Resident.take`."""
        chosen, sharding = np.asarray(rows), devices.divided(BATCH_AXIS)
        side, channels = self._config.stamp.source_side, len(self._config.stamp.channels)
        shape = (*chosen.shape, self._config.n_detections, side, side, channels)

        def part_of(values: np.ndarray) -> jax.Array:
            return devices.fill((*chosen.shape, *values.shape[1:]), sharding, lambda part: values[chosen[part[:3]]])

        stamps = devices.fill(shape, sharding, lambda part: self._stamps(chosen[part[:3]]))
        batch = Batch(stamps, part_of(self._dynamic), part_of(self._static))
        return Labelled(batch, part_of(self._label), part_of(self._subclass))

    def _stamps(self, rows: np.ndarray) -> np.ndarray:
        """[..., N, S, S, C] float16 of rows [...]."""
        stored, n = self._file["stamps"], self._config.n_detections
        starts = self._first_stamp[rows.ravel()]
        read = np.stack([stored[start : start + n] for start in starts])
        crops = inputs.source_crops(read, self._config.stamp).astype(np.float16)
        return crops.reshape(*rows.shape, *crops.shape[1:])


Source = Resident | Streamed


def fits(n_objects: int, config: Config) -> bool:
    """Whether the stamps of so many training objects can be loaded, and fit on a device beside the training itself."""
    side, channels = config.stamp.source_side, len(config.stamp.channels)
    n_stamps = earlier.count(config) if config.packet.rows else config.n_detections
    size = n_objects * n_stamps * side * side * channels * np.dtype(np.float16).itemsize
    size += n_objects * config.packet.rows * len(config.metadata.dynamic) * np.dtype(np.float32).itemsize
    return size <= min(SHARE_OF_DEVICE * devices.memory_bytes(), SHARE_OF_HOST * devices.host_memory_bytes())


def load(path: str | Path, config: Config, *, train_stamps: bool = True) -> dict[str, Examples]:
    """Training and validation examples of a data file, by name of the split.

    Without `train_stamps` the training examples have no pixels, [B, N, 0, 0, C], for a set too large for the memory.

    Raises:
        DataError: as `read`; or a class of the config has no object with n detections in one of the two splits.
    """
    parts: dict[str, list[Examples]] = {"train": [], "validation": []}
    n_objects = 0
    for sequences in read(path):
        watched, back = drawn(config, int(sequences.n_alerts.sum()), n_objects)
        of_training = np.repeat(sequences.split == schema.SPLIT_NAMES.index("train"), sequences.n_alerts)
        watched = Watched(np.where(of_training, watched.days, np.inf), watched.lone & of_training)
        batch = packets.to_train(sequences, config, watched, back * of_training[:, None])
        batch = batch._replace(index=batch.index + n_objects)
        n_objects += sequences.n_objects
        for name, taken in parts.items():
            chosen = batch.take(np.flatnonzero((batch.label >= 0) & (batch.split == schema.SPLIT_NAMES.index(name))))
            if name == "train" and not train_stamps:
                chosen = chosen._replace(stamps=chosen.stamps[:, :, :0, :0])
            taken.append(_with_own_stamps(chosen) if name == "validation" and config.packet.rows else chosen)
    splits = {name: jax.tree.map(lambda *columns: np.concatenate(columns), *taken) for name, taken in parts.items()}
    for name, split in splits.items():
        counts = np.bincount(split.label, minlength=len(config.classes))
        absent = [label for label, count in zip(config.classes, counts, strict=True) if not count]
        if absent:
            raise DataError(
                f"{path}: no {name} object of class {', '.join(absent)} with {config.n_detections} detections or more"
                f" (config {config.name} needs every one of {', '.join(config.classes)})"
            )
    return splits


def _with_own_stamps(chosen: Examples) -> Examples:
    """Packets without room for the stamps of earlier alerts, which they do not show."""
    rows = chosen.rows._replace(stamp_at=chosen.rows.stamp_at[:, :1])
    return chosen._replace(stamps=chosen.stamps[:, :1], rows=rows)


def drawn(config: Config, n_alerts: int, n_before: int) -> tuple[Watched, np.ndarray]:
    """How K training alerts were watched, and whose stamps their packets show: one stream, in this order.

    Args:
        n_alerts: K. n_before: objects of the data set before these, so that no draw is that of other alerts.
    """
    rng = np.random.default_rng((n_before, n_alerts))
    return young.watched(config, n_alerts, rng), earlier.stamps(config, n_alerts, rng)


class ValidationChunks(NamedTuple):
    """The validation split, [n, B] objects; `weight` is 0 for the rows that fill up the last chunk."""

    examples: Labelled
    weight: jax.Array


def validation_chunks(validation: Examples, statistics: Statistics, size: int) -> ValidationChunks:
    """The validation split on the device, in chunks of equal size."""
    n_chunks = -(-len(validation.label) // size)
    rows = np.arange(n_chunks * size)
    weight = (rows < len(validation.label)).astype(np.float32)
    filled = validation.take(np.where(weight > 0, rows, 0))
    flat = ValidationChunks(Labelled(standardised(filled, statistics), filled.label, filled.subclass), weight)
    chunked = jax.tree.map(lambda leaf: leaf.reshape(n_chunks, size, *leaf.shape[1:]), flat)
    return jax.tree.map(partial(devices.place, sharding=devices.divided(1)), chunked)


class Prepared(NamedTuple):
    """What training needs of a data file."""

    path: Path
    source: Source
    chunks: ValidationChunks
    statistics: Statistics
    n_train: int
    n_validation: int


def view(config: Config) -> tuple:
    """What of a configuration its prepared data depend on; hashable. One prepared data set serves all of a view."""
    stamp = config.stamp
    pixels = (stamp.channels, stamp.source_side) if stamp.channels else ()
    training = config.training
    examples = config.n_detections, config.packet, config.classes, config.subclasses, pixels, config.metadata
    return *examples, training.batch_size, training.class_balance, training.young, training.lone


def _n_to_learn_from(path: Path, config: Config) -> int:
    if config.packet.rows:
        return dataset.count_alerts(path, config, "train")
    return sum(dataset.count(path, config, "train").values())


def prepare(
    path: Path, config: Config, *, stream: bool, say: Callable[[str], None], statistics: Statistics | None = None
) -> Prepared:
    """Load a data file; the training set stays in it where it does not fit in memory.

    Args:
        path: the data file.
        config: what will be trained.
        stream: leave the training set in the file even where it fits.
        say: is told where it does.
        statistics: of the metadata, where they were fitted before.

    Raises:
        DataError: as `load`; or packets that do not fit.
    """
    stream = stream or not fits(_n_to_learn_from(path, config), config)
    if stream and config.packet.rows:
        raise DataError(
            f"{path}: its packets do not fit in memory, or are to stay in the file, which sequences alone can: expected"
            " fewer objects, packet.stamps=1, or a smaller stamp.crop or packet.rows"
        )
    splits = load(path, config, train_stamps=not stream)
    train, validation = splits["train"], splits["validation"]
    statistics = statistics or inputs.fit(train.dynamic, train.static, config.metadata)
    if stream:
        say("the training set stays in its file; batches are read as they are needed")
        source = Streamed(path, train, statistics, config)
    else:
        source = Resident(train, statistics, config)
    chunks = validation_chunks(validation, statistics, config.training.batch_size)
    return Prepared(path, source, chunks, statistics, len(train.label), len(validation.label))
