"""Probabilities of a trained model for sequences of detections."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from jtss.config.settings import Config, TrainingConfig
from jtss.inference import screening
from jtss.inference.model import Model
from jtss.inference.screening import Screen
from jtss.network import causal, network, packets, subclasses
from jtss.network.inputs import standardised
from jtss.network.parts import Batch, Variables, encode, take
from jtss.schema import NO_STAMP, Sequences

BATCH_SIZE, SHORT_BATCH = 64, 8  # the sizes that a program is compiled for


class Probabilities(NamedTuple):
    """Probabilities of B objects.

    Attributes:
        classes: [B, L] float32, in the order of the config's classes.
        subclasses: [B, S] float32, in the order of the config's subclasses; those of a class add up to its probability.
    """

    classes: np.ndarray
    subclasses: np.ndarray


def screen_with(model: Model) -> Screen:
    """Screening by the model `model`."""
    return partial(screening.screen, partial(predict, model), model.config.classes)


def predict(model: Model, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Classify the objects that have enough detections.

    Args:
        model: a trained model for n detections.
        sequences: N objects; of each, the first n detections are used.

    Returns:
        [B] int64, which of the N objects have n detections or more; and their probabilities [B, L] float32, in the
        order of `model.config.classes`. What else is in `sequences` changes an object's values by rounding at most.
    """
    chosen = packets.to_classify(sequences, model.config)
    batch = standardised(chosen, model.statistics)
    parts = [np.empty((0, len(model.config.classes)), np.float32)]
    parts += [probabilities(model, part) for part in in_parts(batch)]
    return chosen.index, np.concatenate(parts)


def in_parts(batch: Batch) -> Iterator[Batch]:
    """The objects of a batch, in order, as many at a time as `probabilities` takes."""
    for first in range(0, len(batch.static), BATCH_SIZE):
        yield jax.tree.map(np.asarray, take(batch, slice(first, first + BATCH_SIZE)))


def probabilities(model: Model, batch: Batch) -> np.ndarray:
    """[B, L] float32 for up to `BATCH_SIZE` objects, the mean over the members of the model."""
    return answers(model, batch).classes


def answers(model: Model, batch: Batch) -> Probabilities:
    """Of classes and subclasses for up to `BATCH_SIZE` objects, of packets after their last row; see `after_rows`."""
    found = after_rows(model, batch)
    return Probabilities(*(part[:, -1] for part in found)) if model.config.packet.rows else found


def after_rows(model: Model, batch: Batch) -> Probabilities:
    """As `answers`, of packets after each of their rows, [B, R, …], whatever where there is none."""
    return with_hidden(model, batch)[0]


def with_hidden(model: Model, batch: Batch) -> tuple[Probabilities, np.ndarray]:
    """What the network puts out for up to `BATCH_SIZE` objects.

    A batch is filled up to one of two sizes, so that two programs serve all. A stamp that several packets show is
    encoded once: that is nearly all of the work.

    Returns:
        Probabilities, as `after_rows` has them: the mean over the members of the model. And the activations of the last
        hidden layer of each of M members, [B, M, U] float32, of packets after their last row.
    """
    n_objects, config = len(batch.static), _network(model.config)
    if config.packet.rows:
        seen, batch = _Seen.of(batch), batch._replace(stamps=batch.stamps[:, :0])
    filled = _filled(batch, n_objects)
    each = []
    for variables in (member.variables for member in model.members):
        if config.packet.rows:
            stamps = _filled(seen.encoded(config, variables), n_objects) if config.stamp.channels else None
            each.append(_forward_packets(config, variables, filled, stamps))
        else:
            each.append(_forward(config, variables, filled))
    probabilities, hidden = zip(*each, strict=True)
    mean = (np.mean(np.stack(parts), axis=0)[:n_objects] for parts in zip(*probabilities, strict=True))
    return Probabilities(*mean), np.stack(hidden, axis=1)[:n_objects]


def _filled(arrays, n: int):
    """Arrays of `n` or fewer than `BATCH_SIZE` in a size that a program is compiled for."""
    size = SHORT_BATCH if n <= SHORT_BATCH else BATCH_SIZE
    return jax.tree.map(lambda array: np.resize(array, (size, *array.shape[1:])), arrays)


class _Seen(NamedTuple):
    """The stamps of B packets, each once.

    Attributes:
        stamps: [K, S, S, C].
        at: [B, P]; which of them each packet shows, whatever where it shows none.
    """

    stamps: np.ndarray
    at: np.ndarray

    @classmethod
    def of(cls, batch: Batch) -> "_Seen":
        known, at = {}, np.zeros(batch.rows.stamp_at.shape, np.int64)
        for place in zip(*np.nonzero(batch.rows.stamp_at != NO_STAMP), strict=True):
            stamp = batch.stamps[place]
            at[place], _ = known.setdefault(stamp.tobytes(), (len(known), stamp))
        stamps = [stamp for _, stamp in known.values()] or [batch.stamps[0, 0]]
        return cls(np.stack(stamps), at)

    def encoded(self, config: Config, variables: Variables) -> np.ndarray:
        """[B, P, U]."""
        parts = [self.stamps[first : first + BATCH_SIZE] for first in range(0, len(self.stamps), BATCH_SIZE)]
        found = [np.asarray(_encode(config, variables, _filled(part, len(part))))[: len(part)] for part in parts]
        return np.concatenate(found)[self.at]


def _network(config: Config) -> Config:
    """The config without what does not shape the network, so that runs that differ in it share one program."""
    return replace(config, name="network", origin="", paper_accuracy="", training=TrainingConfig())


@partial(jax.jit, static_argnums=0)
def _forward(config: Config, variables: Variables, batch: Batch) -> tuple[Probabilities, jax.Array]:
    output, _ = network.outputs(config, variables, batch, train=False)
    return Probabilities(*subclasses.probabilities(config, output.logits)), output.hidden


@partial(jax.jit, static_argnums=0)
def _encode(config: Config, variables: Variables, stamps: jax.Array) -> jax.Array:
    """[K, S, S, C] → [K, U]."""
    return encode(config, variables["params"]["encoder"], stamps[:, None], None)[:, 0]


@partial(jax.jit, static_argnums=0)
def _forward_packets(
    config: Config, variables: Variables, batch: Batch, stamps: jax.Array | None
) -> tuple[Probabilities, jax.Array]:
    """As `_forward`, of packets whose stamps are encoded, [B, P, U]."""
    output = causal.of_encoded(config, variables["params"], batch, stamps)
    return Probabilities(*subclasses.probabilities(config, output.logits)), output.hidden[:, -1]


Predict = Callable[[Sequences], tuple[np.ndarray, np.ndarray]]  # N objects → indices [B], probabilities [B, L]
