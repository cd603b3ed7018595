"""From data files to what training needs of them: training batches, chunks of the validation split, statistics.

The training set stands on the device, or is read from its files batch by batch. Both give the same batches to the same
program, so that training comes to the same bits.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
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
from jtss.training import earlier, mixture, strata, young
from jtss.training.mixture import Mixture, Origin

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

    def __init__(self, train: Examples, statistics: Statistics, config: Config, origin: Origin | None = None):
        order, self.strata = strata.of(train.label, train.counts, config, origin)
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
    """A training set whose stamps stay in the data files; only metadata and labels are in memory."""

    def __init__(
        self,
        paths: Sequence[str | Path],
        train: Examples,
        statistics: Statistics,
        config: Config,
        origin: Origin | None = None,
    ):
        order, self.strata = strata.of(train.label, train.counts, config, origin)
        ordered = train.take(order)
        self._config, self._label, self._subclass = config, ordered.label, ordered.subclass
        self._dynamic = inputs.standardise(ordered.dynamic, statistics.dynamic)
        self._static = inputs.standardise(ordered.static, statistics.static)
        # without a chunk cache HDF5 reads the wanted rows alone, not the chunks around them
        self._files = [dataset.open_checked(path, chunk_cache_bytes=0) for path in paths]
        self._file_of = np.zeros(len(order), int) if origin is None else origin.file[order]
        counts = [dataset.alert_counts(file) for file in self._files]
        first_stamp = np.concatenate([np.cumsum(n_stamps) - n_stamps for n_stamps in counts])
        self._first_stamp = first_stamp[ordered.index]

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
        stored, n = [file["stamps"] for file in self._files], self._config.n_detections
        places = zip(self._file_of[rows.ravel()], self._first_stamp[rows.ravel()], strict=True)
        read = np.stack([stored[file][start : start + n] for file, start in places])
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


def load(*paths: str | Path, config: Config, train_stamps: bool = True) -> dict[str, Examples]:
    """Training and validation examples of data files, by name of the split; objects are numbered across the files.

    Without `train_stamps` the training examples have no pixels, [B, N, 0, 0, C], for a set too large for the memory.

    Raises:
        DataError: as `read`; or a class of the config has no object with n detections in one of the two splits.
    """
    parts: dict[str, list[Examples]] = {"train": [], "validation": []}
    n_objects = 0
    for sequences in chain.from_iterable(map(read, paths)):
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
        if absent := mixture.absent(split.label, config):
            raise DataError(
                f"{', '.join(map(str, paths))}: no {name} object of class {', '.join(absent)} with"
                f" {config.n_detections} detections or more (config {config.name} needs every one of"
                f" {', '.join(config.classes)})"
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
    """The validation split, [n, B] objects, with their weights; 0 for the rows that fill up the last chunk."""

    examples: Labelled
    weight: jax.Array


def validation_chunks(
    validation: Examples, statistics: Statistics, size: int, origin: Origin | None = None
) -> ValidationChunks:
    """The validation split on the device, in chunks of equal size; each file of a mixture counts by its weight."""
    n = len(validation.label)
    n_chunks = -(-n // size)
    rows = np.arange(n_chunks * size)
    weight = np.zeros(len(rows), np.float32)
    weight[:n] = 1 if origin is None else mixture.object_weights(origin)
    filled = validation.take(np.where(rows < n, rows, 0))
    flat = ValidationChunks(Labelled(standardised(filled, statistics), filled.label, filled.subclass), weight)
    chunked = jax.tree.map(lambda leaf: leaf.reshape(n_chunks, size, *leaf.shape[1:]), flat)
    return jax.tree.map(partial(devices.place, sharding=devices.divided(1)), chunked)


class Prepared(NamedTuple):
    """What training needs of its data."""

    data: Mixture
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


def _n_to_learn_from(data: Mixture, config: Config) -> int:
    if config.packet.rows:
        return sum(dataset.count_alerts(path, config, "train") for path in data.paths)
    return sum(sum(dataset.count(path, config, "train").values()) for path in data.paths)


def prepare(
    data: Path | Mixture,
    config: Config,
    *,
    stream: bool,
    say: Callable[[str], None],
    statistics: Statistics | None = None,
) -> Prepared:
    """Load the data; the training set stays in its files where it does not fit in memory.

    Args:
        data: the data file, or a mixture of several.
        config: what will be trained.
        stream: leave the training set in the files even where it fits.
        say: is told where it does.
        statistics: of the metadata, where they were fitted before.

    Raises:
        DataError: as `load`; or packets that do not fit.
    """
    data = mixture.as_mixture(data)
    stream = stream or not fits(_n_to_learn_from(data, config), config)
    if stream and config.packet.rows:
        raise DataError(
            f"{', '.join(map(str, data.paths))}: the packets do not fit in memory, or are to stay in the file, which"
            " sequences alone can: expected fewer objects, packet.stamps=1, or a smaller stamp.crop or packet.rows"
        )
    splits = load(*data.paths, config=config, train_stamps=not stream)
    train, validation = splits["train"], splits["validation"]
    of_train = of_validation = weights = None
    if len(data.paths) > 1:
        n_objects = mixture.n_objects(data)
        of_train, of_validation = (mixture.origin(split.index, data, n_objects) for split in (train, validation))
        weights = mixture.object_weights(of_train)
    statistics = statistics or inputs.fit(train.dynamic, train.static, config.metadata, weights)
    if stream:
        say("the training set stays in its file; batches are read as they are needed")
        source = Streamed(data.paths, train, statistics, config, of_train)
    else:
        source = Resident(train, statistics, config, of_train)
    chunks = validation_chunks(validation, statistics, config.training.batch_size, of_validation)
    return Prepared(data, source, chunks, statistics, len(train.label), len(validation.label))
