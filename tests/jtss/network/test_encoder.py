"""The encoder against plain XLA operations."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from helpers.made_weights import drawn
from jtss.config.settings import EncoderConfig
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


@pytest.mark.parametrize(("side", "axes"), [(21, (2, 1, 3)), (18, (3,))])  # 24 → 12 → 6, nested; 21 → 10 → 5
def test_the_mapped_encoder_and_its_gradient_are_those_of_plain_operations(side, axes):
    rng = np.random.default_rng(0)
    encoder = StampEncoder(CONFIG)
    stamps = rng.uniform(0, 1, (*axes, side, side, 2)).astype(np.float32)
    params = drawn(encoder.init, jax.random.key(0), stamps.reshape(-1, side, side, 2)[0])["params"]
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
    params = drawn(encoder.init, jax.random.key(0), stamps[0, 0])
    encode = jax.jit(lambda stamp: encoder.apply(params, stamp))
    mapped = jax.vmap(jax.vmap(encode))(stamps)
    for found, stamp in zip(mapped.reshape(6, 9), stamps.reshape(6, 18, 18, 2), strict=True):
        np.testing.assert_allclose(found, encode(stamp), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 6, 3), (7, 6, 3), (6, 9, 1), (2, 3, 2)])
def test_pooling_is_that_of_flax_bit_for_bit(shape):
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=shape).astype(np.float32), rng.normal(size=(shape[0] // 2, shape[1] // 2, shape[2]))
    np.testing.assert_array_equal(max_pool(x), plain_pool(x))
    found, expected = (
        jax.jit(jax.grad(lambda x, pool=pool: jnp.sum(weight * pool(x))))(x) for pool in (max_pool, plain_pool)
    )
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
