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
from jtss.network import network, packets, subclasses
from jtss.network.inputs import standardised
from jtss.network.parts import Batch, Variables, take
from jtss.schema import Sequences

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

    A batch is filled up to one of two sizes, so that two programs serve all.

    Returns:
        Probabilities, as `after_rows` has them: the mean over the members of the model. And the activations of the last
        hidden layer of each of M members, [B, M, U] float32, of packets after their last row.
    """
    n_objects = len(batch.static)
    size = SHORT_BATCH if n_objects <= SHORT_BATCH else BATCH_SIZE
    filled = jax.tree.map(lambda part: np.resize(part, (size, *part.shape[1:])), batch)
    each = [_forward(_network(model.config), member.variables, filled) for member in model.members]
    probabilities, hidden = zip(*each, strict=True)
    mean = (np.mean(np.stack(parts), axis=0)[:n_objects] for parts in zip(*probabilities, strict=True))
    return Probabilities(*mean), np.stack(hidden, axis=1)[:n_objects]


def _network(config: Config) -> Config:
    """The config without what does not shape the network, so that runs that differ in it share one program."""
    return replace(config, name="network", origin="", paper_accuracy="", training=TrainingConfig())


@partial(jax.jit, static_argnums=0)
def _forward(config: Config, variables: Variables, batch: Batch) -> tuple[Probabilities, jax.Array]:
    output, _ = network.outputs(config, variables, batch, train=False)
    hidden = output.hidden[:, -1] if config.packet.rows else output.hidden
    return Probabilities(*subclasses.probabilities(config, output.logits)), hidden


Predict = Callable[[Sequences], tuple[np.ndarray, np.ndarray]]  # N objects → indices [B], probabilities [B, L]
