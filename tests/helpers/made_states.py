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


def assert_equal(restored: training.TrainState, step: int) -> None:
    assert jax.tree.structure(restored) == jax.tree.structure(LIKE)
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(made_state(step)), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
