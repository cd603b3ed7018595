"""How long a training takes at least on this machine, from a measurement of what most of its time goes into."""

import time
from collections.abc import Callable, Sequence
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from jtss.backend import GRADIENT_OPTIONS
from jtss.config.settings import Config, EncoderConfig
from jtss.network.encoder import StampEncoder
from jtss.network.parts import Batch, Rows
from jtss.schema import NO_STAMP
from jtss.training import earlier, hiding, loop, step
from jtss.training.batches import Labelled

STAMPS = 64
FORWARD_SHARE = 0.25  # of the time of a gradient; 0.24 to 0.42 for crops of 21 to 45 pixels on an AMD EPYC
STEPS = 20  # timed of a network without images
REPEATS = 3


def training_seconds(config: Config, iterations: int, n_validation: int) -> float:
    """Seconds that training will take at least, without loading and compiling.

    The stamp encoder is nearly all the work, so its gradient is timed on a few stamps; without images whole steps are.

    Args:
        config: what will be trained.
        iterations: how many steps are left.
        n_validation: objects of the validation split.
    """
    if not config.stamp.channels:
        return _step_seconds(step.shared(config)) * iterations
    seconds = _stamp_seconds(config.encoder, config.stamp.crop, len(config.stamp.channels))
    validated = FORWARD_SHARE * n_validation / config.training.validate_every
    trained = _stamps_per_step(config) * (1 if config.training.rate_of.encoder else FORWARD_SHARE)
    return seconds * config.stamp.copies * (trained + config.n_detections * validated) * iterations


def _stamps_per_step(config: Config) -> int:
    if not config.packet.rows:
        return config.training.batch_size * config.n_detections
    return hiding.n_with_stamps(config, config.training.batch_size) * earlier.count(config)


def grid_seconds(left: Sequence[tuple[Config, int]], n_validation: int) -> float:
    """Seconds that several trainings take at least, one after another.

    Of networks without images the one of the fewest detections is timed alone: their compilation takes longer than
    would be learnt by it.

    Args:
        left: what will be trained, and how many steps of each are left.
        n_validation: objects of the validation split, at least.
    """
    blind = [config for config, _ in left if not config.stamp.channels]
    quickest = min(blind, key=lambda config: config.n_detections, default=None)
    timed = [(config if config.stamp.channels else quickest, iterations) for config, iterations in left]
    return sum(training_seconds(config, iterations, n_validation) for config, iterations in timed)


@cache
def _stamp_seconds(config: EncoderConfig, side: int, n_channels: int) -> float:
    """Of the gradient of the stamp encoder, for each stamp."""
    encoder, rng = StampEncoder(config), np.random.default_rng(0)
    stamps = jnp.asarray(rng.random((STAMPS, side, side, n_channels)), jnp.float32)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), stamps[0])
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.1, leaf.shape), leaf.dtype), shapes)

    def total(params: dict) -> jax.Array:
        return jax.vmap(partial(encoder.apply, params))(stamps).sum()

    gradient = jax.jit(jax.grad(total), compiler_options=GRADIENT_OPTIONS)
    return _seconds(partial(gradient, params)) / STAMPS


@cache
def _step_seconds(config: Config) -> float:
    """Of a network without images, on made objects."""
    shape = (1, STEPS, config.training.batch_size)
    metadata, n = config.metadata, config.n_detections
    batch = Batch(
        np.zeros((*shape, n, 0, 0, 0), np.float16),
        np.zeros((*shape, n, len(metadata.dynamic)), np.float32),
        np.zeros((*shape, len(metadata.static)), np.float32),
    )
    if config.packet.rows:
        rows = np.zeros((*shape, config.packet.rows), np.int8)
        dynamic = np.zeros((*rows.shape, len(metadata.dynamic)), np.float32)
        at = np.full((*shape, 1), NO_STAMP, np.int32)
        batch = batch._replace(dynamic=dynamic, rows=Rows(rows, rows, *[rows.astype(np.float32)] * 2, at))
    label = np.zeros(shape, np.int32)
    examples, states = Labelled(batch, label, label), step.join([step.init_state(config)])
    return _seconds(lambda: loop.advance(config, states, examples)) / STEPS


def _seconds(work: Callable) -> float:
    """The quickest of several times: others may be at work on this machine, too."""
    jax.block_until_ready(work())  # compile
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(work())
        seconds.append(time.perf_counter() - began)
    return min(seconds)
