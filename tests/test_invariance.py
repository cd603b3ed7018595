"""Rotation invariance: exact where a turn maps angles and pixel grid on themselves, better than none elsewhere."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jtss import configs, model
from jtss.rotation import rotate

CONFIG = configs.get("demo")
SIDE = 31


@pytest.fixture(scope="module")
def encoder_params():
    return jax.jit(partial(model.init, CONFIG))(jax.random.key(5))["params"]["encoder"]


@partial(jax.jit, static_argnums=1)
def encode(params, copies: int, stamps, key=None):
    config = replace(CONFIG, stamp=replace(CONFIG.stamp, copies=copies))
    return model.encode(config, params, stamps, key)


def stamps_of(seed: int) -> np.ndarray:
    """One detection, [1, 31, 31, 2]: a source off the centre, a neighbour and noise."""
    rng = np.random.default_rng(seed)
    offset = np.arange(SIDE) - 15
    image = 0.1 * rng.random((SIDE, SIDE, 2))
    for _ in range(2):
        row, column = rng.uniform(-6, 6, 2)
        image += np.exp(-((offset[:, None] - row) ** 2 + (offset[None] - column) ** 2) / 6)[..., None]
    return (image / image.max()).astype(np.float32)[None]


def assert_invariant(function, stamps: np.ndarray, quarter_turns: int) -> None:
    """`function` of stamps [N, S, S, C] must not notice a turn of all of them by quarter turns."""
    plain, turned = function(stamps), function(np.rot90(stamps, quarter_turns, axes=(1, 2)).copy())
    scale = np.abs(plain).max()
    assert scale > 0
    np.testing.assert_allclose(turned, plain, rtol=1e-5, atol=1e-5 * scale)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), quarters=st.integers(1, 3))
@pytest.mark.parametrize("copies", [4, 8])
def test_quarter_turns_leave_four_and_eight_copies_alone(encoder_params, copies, seed, quarters):
    assert_invariant(partial(encode, encoder_params, copies), stamps_of(seed), quarters)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize("copies", [2, 6])
def test_half_turns_leave_two_and_six_copies_alone(encoder_params, copies, seed):
    assert_invariant(partial(encode, encoder_params, copies), stamps_of(seed), 2)


@pytest.mark.parametrize(("copies", "quarters"), [(1, 1), (1, 2), (2, 1), (3, 2), (5, 1), (6, 1), (7, 2)])
def test_no_other_turn_is_exactly_invariant(encoder_params, copies, quarters):
    """The test above can fail: where invariance is not promised, the same assertion does."""
    with pytest.raises(AssertionError):
        assert_invariant(partial(encode, encoder_params, copies), stamps_of(0), quarters)


@pytest.mark.parametrize("copies", [2, 4, 5, 6, 7, 8])
def test_pooling_brings_a_turned_stamp_closer(encoder_params, copies):
    def distance(n_copies: int) -> float:
        total = 0.0
        for seed in range(6):
            stamps = jnp.asarray(stamps_of(seed))
            turned = jax.vmap(lambda stamp, angle=0.35 + seed: rotate(stamp, jnp.float32(angle), SIDE))(stamps)
            one, other = encode(encoder_params, n_copies, stamps), encode(encoder_params, n_copies, turned)
            total += float(jnp.linalg.norm(one - other) / jnp.linalg.norm(one))
        return total

    assert distance(copies) < distance(1)


def test_training_draws_other_angles_for_another_key_and_evaluation_none(encoder_params):
    stamps = stamps_of(1)
    one, two = (encode(encoder_params, 2, stamps, jax.random.key(seed)) for seed in (1, 2))
    assert np.abs(one - two).max() > 0
    np.testing.assert_array_equal(encode(encoder_params, 2, stamps), encode(encoder_params, 2, stamps))


def test_detections_of_an_object_are_turned_alike(encoder_params):
    stamps = np.concatenate([stamps_of(2)] * 3)
    encoded = encode(encoder_params, 2, stamps, jax.random.key(3))
    np.testing.assert_allclose(encoded[1:], np.stack([encoded[0]] * 2), rtol=1e-6)
