"""Training states with numbers of their own, and damage done to their files."""

from functools import partial
from pathlib import Path

import jax
import numpy as np

from helpers.made_training import TINY
from jtss.training import step as training

LIKE = jax.eval_shape(partial(training.init_state, TINY))


def made_state(step: int) -> training.TrainState:
    """A state with other numbers in every leaf and for every step; none is zero."""
    rng = np.random.default_rng(step)

    def made(leaf) -> jax.Array:
        whole = np.issubdtype(leaf.dtype, np.integer)
        values = rng.integers(1, 2**20, leaf.shape) if whole else rng.uniform(0.1, 1, leaf.shape)
        return jax.numpy.asarray(values, leaf.dtype)

    return jax.tree.map(made, LIKE)._replace(step=jax.numpy.int32(step))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
