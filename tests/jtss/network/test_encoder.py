"""The encoder against plain XLA operations."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jtss.config.settings import EncoderConfig
from jtss.network.convolution import convolve
from jtss.network.encoder import StampEncoder, max_pool

CONFIG = EncoderConfig(filters=(4, 5, 6, 7, 8), units=(9,))


def plain_pool(x):
    return nn.max_pool(x, (2, 2), strides=(2, 2))


def plain_encoder(params, stamp):
    """Table 4, line by line."""
    x = jnp.pad(stamp, ((3, 3), (3, 3), (0, 0)))[None]
    for layer in range(1, 6):
        weights = params[f"conv_{layer}"]
        padding = "VALID" if layer == 1 else "SAME"
        x = lax.conv_general_dilated(x, weights["kernel"], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jnp.maximum(x + weights["bias"], 0)
        if layer in (2, 5):
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return jnp.maximum(x.reshape(-1) @ params["dense_1"]["kernel"] + params["dense_1"]["bias"], 0)


def assert_close(found, expected, name: str = "") -> None:
    """Equal up to the rounding of sums of thousands of float32 products, in another order."""
    assert np.any(expected != 0), name
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("axes", [(3,), (2, 1, 3)], ids=["one axis", "nested"])
@pytest.mark.parametrize("side", [21, 18])  # 24 → 12 → 6; 21 → 10 → 5
def test_the_mapped_encoder_and_its_gradient_are_those_of_plain_operations(side, axes):
    rng = np.random.default_rng(0)
    encoder = StampEncoder(CONFIG)
    stamps = rng.uniform(0, 1, (*axes, side, side, 2)).astype(np.float32)
    params = jax.jit(encoder.init)(jax.random.key(0), stamps.reshape(-1, side, side, 2)[0])["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.05 * rng.normal(size=leaf.shape).astype(np.float32), params)
    target = rng.normal(size=(*axes, 9)).astype(np.float32)

    def loss_of(encode):
        for _ in axes:
            encode = jax.vmap(encode, in_axes=(None, 0))
        return jax.jit(jax.value_and_grad(lambda p: jnp.sum(target * encode(p, stamps))))

    loss, gradient = loss_of(lambda p, x: encoder.apply({"params": p}, x))(params)
    expected_loss, expected = loss_of(plain_encoder)(params)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    for path, leaf in jax.tree_util.tree_leaves_with_path(expected):
        assert_close(gradient[path[0].key][path[1].key], leaf, str(path))


def test_the_mapped_encoder_is_that_of_one_stamp():
    encoder = StampEncoder(CONFIG)
    stamps = np.random.default_rng(0).uniform(0, 1, (2, 3, 18, 18, 2)).astype(np.float32)
    params = encoder.init(jax.random.key(0), stamps[0, 0])
    mapped = jax.vmap(jax.vmap(lambda stamp: encoder.apply(params, stamp)))(stamps)
    for found, stamp in zip(mapped.reshape(6, 9), stamps.reshape(6, 18, 18, 2), strict=True):
        np.testing.assert_allclose(found, encoder.apply(params, stamp), rtol=1e-5, atol=1e-6)


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

    def result(function):
        one = partial(sines, function)
        if mapped_first:
            return jax.grad(lambda *given: jnp.sum(jax.vmap(one, axes)(*given)), (0, 1))(*given)
        return jax.vmap(jax.grad(one, (0, 1)), axes)(*given)

    for found, expected in zip(*map(result, CONVOLUTIONS), strict=True):
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

    def gradient(x, kernel):
        return jax.grad(lambda kernel: jnp.sum(jax.vmap(lambda x: sines(convolve, x, kernel))(x)))(kernel)

    for i, found in enumerate(jax.vmap(gradient)(x, kernels)):
        assert_close(found, gradient(x[i], kernels[i]))


@pytest.mark.parametrize("shape", [(6, 6, 3), (7, 6, 3), (6, 9, 1), (2, 3, 2)])
def test_pooling_is_that_of_flax_bit_for_bit(shape):
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=shape).astype(np.float32), rng.normal(size=(shape[0] // 2, shape[1] // 2, shape[2]))
    np.testing.assert_array_equal(max_pool(x), plain_pool(x))
    found, expected = (jax.grad(lambda x, pool=pool: jnp.sum(weight * pool(x)))(x) for pool in (max_pool, plain_pool))
    np.testing.assert_array_equal(found, expected)


def test_equal_maxima_share_the_gradient():
    np.testing.assert_array_equal(jax.grad(lambda x: max_pool(x).sum())(jnp.ones((2, 2, 1))), np.full((2, 2, 1), 0.25))
    np.testing.assert_array_equal(
        jax.grad(lambda x: max_pool(x).sum())(jnp.array([[3.0, 3.0], [1.0, 2.0]])[..., None])[..., 0],
        [[0.5, 0.5], [0, 0]],
    )


def test_a_value_that_is_no_number_survives_the_pooling():
    for place in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert jnp.isnan(max_pool(jnp.ones((2, 2, 1)).at[place].set(jnp.nan))).all()
