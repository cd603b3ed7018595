"""Probabilities of a trained model for sequences of detections."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from jtss.config.settings import Config, TrainingConfig
from jtss.inference import screening
from jtss.inference.model import Model
from jtss.inference.screening import Screen
from jtss.network import network, packets
from jtss.network.inputs import standardised
from jtss.network.parts import Batch, Variables, take
from jtss.schema import Sequences

BATCH_SIZE, SHORT_BATCH = 64, 8  # the sizes that a program is compiled for


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
    """[B, L] float32 for up to `BATCH_SIZE` objects, of packets after their last row; see `_mean`."""
    answers = _mean(model, batch)
    return answers[:, -1] if model.config.packet.rows else answers


def after_rows(model: Model, batch: Batch) -> np.ndarray:
    """[B, R, L] float32 of up to `BATCH_SIZE` packets after each of their rows, whatever where there is none."""
    return _mean(model, batch)


def _mean(model: Model, batch: Batch) -> np.ndarray:
    """The mean over the members of the model; a batch is filled up to one of two sizes, so that two programs serve all.

    Of packets after each of their rows.
    """
    n_objects = len(batch.static)
    size = SHORT_BATCH if n_objects <= SHORT_BATCH else BATCH_SIZE
    filled = jax.tree.map(lambda part: np.resize(part, (size, *part.shape[1:])), batch)
    answers = [np.asarray(_forward(_network(model.config), member.variables, filled)) for member in model.members]
    return np.mean(answers, axis=0)[:n_objects]


def _network(config: Config) -> Config:
    """The config without what does not shape the network, so that runs that differ in it share one program."""
    return replace(config, name="network", origin="", paper_accuracy="", training=TrainingConfig())


@partial(jax.jit, static_argnums=0)
def _forward(config: Config, variables: Variables, batch: Batch) -> jax.Array:
    logits, _ = network.apply(config, variables, batch, train=False)
    return jax.nn.softmax(logits)


Predict = Callable[[Sequences], tuple[np.ndarray, np.ndarray]]  # N objects → indices [B], probabilities [B, L]
