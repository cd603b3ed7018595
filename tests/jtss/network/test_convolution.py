"""The convolution and its gradients against XLA's own."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jtss.network.convolution import convolve


def assert_close(found, expected, name: str = "") -> None:
    """Equal up to the rounding of sums of thousands of float32 products, in another order."""
    assert np.any(expected != 0), name
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max(), err_msg=name)


SETTINGS = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}


CONVOLUTIONS = (convolve, lax.conv_general_dilated)


def drawn(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("images", [1, 7, 24, 38])  # one, a prime, several parts of a kernel's gradient
@pytest.mark.parametrize(("size", "padding"), [(5, "SAME"), (4, "SAME"), (4, "VALID"), (1, "VALID")])
def test_convolutions_and_their_gradients_are_those_of_xla(images, size, padding):
    x, kernel = drawn((images, 7, 8, 3), (size, size, 3, 4))

    @partial(jax.jit, static_argnums=0)
    def result(function, x, kernel):
        y, transpose = jax.vjp(lambda x, kernel: function(x, kernel, (1, 1), padding, **SETTINGS), x, kernel)
        return y, *transpose(jnp.cos(y))

    for found, expected in zip(*(result(function, x, kernel) for function in CONVOLUTIONS), strict=True):
        assert_close(found, expected)


@partial(jax.jit, static_argnums=0)
def sines(function, x, kernel):
    return jnp.sum(jnp.sin(function(x, kernel, (1, 1), "SAME", **SETTINGS)))


@pytest.mark.parametrize("mapped_first", [True, False], ids=["gradient of the mapped", "mapped gradient"])
@pytest.mark.parametrize(
    "axes", [(1, None), (0, 0), (3, 2), (None, 3)], ids=["images", "both", "both, inner", "kernels"]
)
def test_convolutions_may_be_mapped_over_any_axis_of_images_and_kernels(axes, mapped_first):
    """The kernel's gradient is summed over images in the one order and kept for each in the other."""
    x, kernel = drawn((3, 5, 5, 2), (3, 3, 2, 4))
    given = [
        array if axis is None else np.stack([array, array[::-1], 2 * array], axis=axis)
        for array, axis in zip((x, kernel), axes, strict=True)
    ]

    @partial(jax.jit, static_argnums=0)
    def result(function, *given):
        one = partial(sines, function)
        if mapped_first:
            return jax.grad(lambda *given: jnp.sum(jax.vmap(one, axes)(*given)), (0, 1))(*given)
        return jax.vmap(jax.grad(one, (0, 1)), axes)(*given)

    for found, expected in zip(*(result(function, *given) for function in CONVOLUTIONS), strict=True):
        assert found.shape == expected.shape
        assert_close(found, expected)


def test_images_of_nested_maps_are_one_convolution():
    """And the gradient of their kernel is one sum, without an axis of images."""
    x, kernel = drawn((2, 3, 4, 1, 7, 7, 2), (3, 3, 2, 5))

    def loss(kernel, x):
        one = partial(sines, convolve)
        return jnp.sum(jax.vmap(jax.vmap(jax.vmap(lambda x: one(x, kernel))))(x))

    text = str(jax.make_jaxpr(jax.grad(loss, (0, 1)))(kernel, x))
    assert text.count("= convolve[") == 3  # forward, back to the images, and in the loop over parts
    assert ":f32[24,7,7,5] = convolve[" in text
    assert ":f32[24,7,7,2] = convolve[" in text


def test_seeds_in_one_program_have_the_gradients_of_each():
    """Kernels and images of each seed, stamps mapped within."""
    x, kernels = drawn((2, 3, 1, 5, 5, 2), (2, 3, 3, 2, 4))

    @jax.jit
    def gradient(x, kernel):
        return jax.grad(lambda kernel: jnp.sum(jax.vmap(lambda x: sines(convolve, x, kernel))(x)))(kernel)

    for i, found in enumerate(jax.vmap(gradient)(x, kernels)):
        assert_close(found, gradient(x[i], kernels[i]))
