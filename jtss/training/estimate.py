"""How long a training will take on this machine."""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jtss.backend import GRADIENT_OPTIONS
from jtss.config.settings import Config
from jtss.network.encoder import StampEncoder

STAMPS = 64


def training_seconds(config: Config, iterations: int, n_validation: int) -> float:
    """Seconds that training will take.

    The stamp encoder is nearly all the work, so its forward pass and its gradient are timed on a few stamps.

    Args:
        config: what will be trained.
        iterations: how many steps are left.
        n_validation: objects of the validation split.
    """
    encoder = StampEncoder(config.encoder)
    side, channels = config.stamp.crop, len(config.stamp.channels)
    stamps = jnp.asarray(np.random.default_rng(0).random((STAMPS, side, side, channels)), jnp.float32)
    params = jax.jit(encoder.init)(jax.random.key(0), stamps[0])

    def total(params: dict) -> jax.Array:
        return jax.vmap(partial(encoder.apply, params))(stamps).sum()

    stamps_per_object = config.n_detections * config.stamp.copies
    gradient = jax.jit(jax.grad(total), compiler_options=GRADIENT_OPTIONS)
    step = _seconds_per_stamp(gradient, params) * config.training.batch_size
    validation = _seconds_per_stamp(jax.jit(total), params) * n_validation / config.training.validate_every
    return (step + validation) * stamps_per_object * iterations


def _seconds_per_stamp(function, params: dict) -> float:
    jax.block_until_ready(function(params))  # compile
    began = time.perf_counter()
    jax.block_until_ready(function(params))
    return (time.perf_counter() - began) / STAMPS
