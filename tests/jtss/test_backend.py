"""The options of the backend: it takes them, they change no gradient, and they are no business of the process."""

import os

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from jtss.backend import GRADIENT_OPTIONS


def test_the_compiler_takes_the_options_and_gradients_stay():
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=shape).astype(np.float32) for shape in ((4, 6, 6, 2), (3, 3, 2, 3)))

    def loss(kernel):
        y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jnp.sum(jnp.sin(y))

    plain, told = jax.jit(jax.grad(loss)), jax.jit(jax.grad(loss), compiler_options=GRADIENT_OPTIONS)
    np.testing.assert_allclose(told(kernel), plain(kernel), rtol=1e-4, atol=1e-5)


def test_only_the_version_that_needs_them_gets_options():
    assert bool(GRADIENT_OPTIONS) == jaxlib.__version__.startswith("0.10.")
    assert "ynn" not in os.environ.get("XLA_FLAGS", "")
