"""How long the cells that are left will take on this machine, before any of them is trained."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import jax
import numpy as np

from jtss.config.settings import Config, EncoderConfig, StampConfig, TemporalConfig, TrainingConfig
from jtss.network.network import Batch
from jtss.paper.grids import Cell
from jtss.training import estimate, loop, step
from jtss.training.batches import Labelled

N_STEPS = 20  # timed of a network without images


def seconds(cells: Mapping[Cell, int], n_validation: int) -> float:
    """Seconds that the cells take one after another; those that train as one program take less.

    Args:
        cells: what is left, and the steps that are done of each.
        n_validation: objects of the validation split.
    """
    return sum(_seconds(cell.config, done, n_validation) for cell, done in cells.items())


def _seconds(config: Config, done: int, n_validation: int) -> float:
    iterations, every = max(0, config.training.iterations - done), config.training.validate_every
    if config.stamp.channels:
        # The estimate is linear in both, and all temporal models share an encoder: it is timed once.
        key = config.encoder, step.shared(config).stamp, config.training.batch_size, every, n_validation
        return _seconds_per_detection(*key) * config.n_detections * iterations
    return _seconds_per_step(replace(step.shared(config), name="timed", origin="", paper_accuracy="")) * iterations


@cache
def _seconds_per_detection(
    encoder: EncoderConfig, stamp: StampConfig, batch_size: int, validate_every: int, n_validation: int
) -> float:
    timed = TrainingConfig(batch_size=batch_size, iterations=validate_every, patience=0, validate_every=validate_every)
    none = TemporalConfig(kind="none")
    config = Config("timed", "", "", n_detections=1, stamp=stamp, encoder=encoder, temporal=none, training=timed)
    return estimate.training_seconds(config, 1, n_validation)


@cache
def _seconds_per_step(config: Config) -> float:
    """Of a network without images: a few steps on made objects."""
    shape = (1, N_STEPS, config.training.batch_size)
    metadata, n = config.metadata, config.n_detections
    batch = Batch(
        np.zeros((*shape, n, 0, 0, 0), np.float16),
        np.zeros((*shape, n, len(metadata.dynamic)), np.float32),
        np.zeros((*shape, len(metadata.static)), np.float32),
    )
    examples, states = Labelled(batch, np.zeros(shape, np.int32)), step.join([step.init_state(config)])
    jax.block_until_ready(loop.advance(config, states, examples))  # compile
    began = time.perf_counter()
    jax.block_until_ready(loop.advance(config, states, examples))
    return (time.perf_counter() - began) / N_STEPS


def in_words(duration: float) -> str:
    """Seconds as "40 s", "12 min", "3 h" or "5 days"."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if duration >= 2 * size:
            return f"{duration / size:.0f} {unit}"
    return f"{duration:.0f} s"
