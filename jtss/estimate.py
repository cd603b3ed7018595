"""How long a training will take on this machine."""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jtss.configs import Config
from jtss.encoder import StampEncoder

STAMPS = 32
BACKWARD = 3.0  # a training step costs about three forward passes


def training_seconds(config: Config, iterations: int) -> float:
    """Seconds that `iterations` steps will take, from a timed forward pass of the encoder, nearly all of the work."""
    encoder = StampEncoder(config.encoder)
    side, channels = config.stamp.crop, len(config.stamp.channels)
    stamps = jnp.asarray(np.random.default_rng(0).random((STAMPS, side, side, channels)), jnp.float32)
    params = jax.jit(encoder.init)(jax.random.key(0), stamps[0])
    forward = jax.jit(jax.vmap(partial(encoder.apply, params)))
    forward(stamps).block_until_ready()
    began = time.perf_counter()
    forward(stamps).block_until_ready()
    seconds_per_stamp = (time.perf_counter() - began) / STAMPS
    stamps_per_step = config.training.batch_size * config.n_detections * config.stamp.copies
    return BACKWARD * seconds_per_stamp * stamps_per_step * iterations
