"""Weights of a network drawn by numpy: no program has to be compiled to draw them."""

from collections.abc import Callable

import jax
import numpy as np


def drawn(init: Callable, *given, seed: int = 5):
    """What `init(*given)` returns, in shape: biases too, and kernels that keep the size of what they are given."""
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        if path[-1].key in ("scale", "var"):
            return rng.uniform(0.5, 2, leaf.shape).astype(np.float32)
        size = np.sqrt(2 / np.prod(leaf.shape[:-1])) if leaf.ndim > 1 else 0.1
        return rng.normal(0, size, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(init, *given))
