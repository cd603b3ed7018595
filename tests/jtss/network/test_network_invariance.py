"""What the network does not notice, and what it does: turns of the sky, orders of copies, detections and objects."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.made_weights import drawn
from jtss.config import named
from jtss.config.settings import Config, override
from jtss.network import network, parts
from jtss.network.encoder import StampEncoder, cyclic_pooling
from jtss.network.parts import Batch
from jtss.network.rotation import copy_angles, rotate, rotated_copies
from jtss.network.temporal import KINDS

NARROW = override(named.get("demo"), ["encoder.filters=4,4,8,8,8", "encoder.units=16", "head.units=8,8"])
SIDE = NARROW.stamp.source_side
QUARTERS = (1, 2, 3)
# Quarter turns that map the k angles on themselves; the pixel grid follows every quarter turn. FIDELITY, Rotation.
PROMISED = {4: QUARTERS, 8: QUARTERS, 2: (2,), 6: (2,)}
TURNS = [(copies, quarters) for copies in range(1, 9) for quarters in QUARTERS]

seeds = given(seed=st.integers(0, 2**31))
some = settings(max_examples=10)


def variables_of(config: Config) -> dict:
    return drawn(partial(network.init, config), jax.random.key(0))


VARIABLES = variables_of(NARROW)


def with_stamp(**fields) -> Config:
    return replace(NARROW, stamp=replace(NARROW.stamp, **fields))


def encode(config: Config, stamps, key=None) -> jax.Array:
    return _encode(config, VARIABLES["params"]["encoder"], stamps[None], key)[0]


def classify(config: Config, variables: dict, batch: Batch) -> jax.Array:
    return _classify(config, variables, batch)[0]


_encode = jax.jit(parts.encode, static_argnums=0)
_classify = jax.jit(partial(network.apply, train=False), static_argnums=0)


def stamps_of(seed: int, n: int = 8, side: int = SIDE) -> np.ndarray:
    """n detections, [n, side, side, 2]: a source off the centre, a neighbour and noise, each detection its own."""
    rng = np.random.default_rng(seed)
    offset = np.arange(side) - side // 2
    image = 0.1 * rng.random((n, side, side, 2))
    for _ in range(2):
        row, column = rng.uniform(-6, 6, (2, n, 1, 1))
        image += np.exp(-((offset[:, None] - row) ** 2 + (offset - column) ** 2) / 6)[..., None]
    return (image / image.max()).astype(np.float32)


def turned(stamps: np.ndarray, quarters: int) -> np.ndarray:
    return np.rot90(stamps, quarters, axes=(-3, -2)).copy()


def assert_alike(one, other) -> None:
    scale = np.abs(one).max()
    assert scale > 0
    np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5 * scale)


# Turns of the sky.


@pytest.mark.parametrize(("copies", "quarters"), [turn for turn in TURNS if turn[1] in PROMISED.get(turn[0], ())])
@some
@seeds
def test_promised_turns_are_not_noticed(copies, quarters, seed):
    config, stamps = with_stamp(copies=copies), stamps_of(seed)
    assert_alike(encode(config, stamps), encode(config, turned(stamps, quarters)))


@pytest.mark.parametrize(("copies", "quarters"), [turn for turn in TURNS if turn[1] not in PROMISED.get(turn[0], ())])
def test_no_other_turn_is_promised(copies, quarters):
    """The test above can fail: where nothing is promised, the same assertion does."""
    config, stamps = with_stamp(copies=copies), stamps_of(0)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_alike(encode(config, stamps), encode(config, turned(stamps, quarters)))


@pytest.mark.parametrize("copies", range(2, 9))
@some
@seeds
def test_pooling_brings_a_turned_stamp_closer(copies, seed):
    """Any turn, on average over eight stamps."""
    stamps, angles = stamps_of(seed), np.random.default_rng(seed).uniform(0, 2 * np.pi, 8)
    other = jax.vmap(partial(rotate, side=SIDE))(stamps, angles.astype(np.float32))

    def distance(n_copies: int) -> float:
        one, two = (encode(with_stamp(copies=n_copies), given) for given in (stamps, other))
        return float(jnp.mean(jnp.linalg.norm(one - two, axis=1) / jnp.linalg.norm(one, axis=1)))

    assert distance(copies) < distance(1)


@pytest.mark.parametrize("range_deg", [0, 28.8], ids=["n1_baseline's angles, no margin", "a margin to turn in"])
def test_the_whole_model_does_not_notice_a_turn_of_all_detections(range_deg):
    config = with_stamp(copies=4, rotation_range_deg=range_deg)
    stamps = np.stack([stamps_of(seed, 3, config.stamp.source_side) for seed in range(4)])
    batch = Batch(stamps, np.zeros((4, 3, 10), np.float32), np.zeros((4, 17), np.float32))
    logits = classify(config, VARIABLES, batch)
    assert np.abs(logits[1:] - logits[0]).max() > 1e-3
    for quarters in QUARTERS:
        assert_alike(logits, classify(config, VARIABLES, batch._replace(stamps=turned(stamps, quarters))))


# Copies and their angles.


@some
@given(seed=st.integers(0, 2**31), order=st.permutations(range(6)))
def test_the_order_of_copies_does_not_matter(seed, order):
    config, stamps = with_stamp(copies=6), stamps_of(seed)
    angles = copy_angles(None, 6, 0)[np.array(order)]
    found = _pooled(config, VARIABLES["params"]["encoder"], stamps[0], angles)
    assert_alike(encode(config, stamps)[0], found)


@partial(jax.jit, static_argnums=0)
def _pooled(config: Config, params: dict, stamp: jax.Array, angles: jax.Array) -> jax.Array:
    encoder = StampEncoder(config.encoder)
    encode_copy = partial(encoder.apply, {"params": params})
    return cyclic_pooling(jax.vmap(encode_copy)(rotated_copies(stamp, angles, config.stamp.crop)))


@pytest.mark.parametrize("copies", [4, 5])
def test_a_range_of_zero_draws_nothing(copies):
    """Whatever the key: as in evaluation."""
    still = with_stamp(copies=copies, rotation_range_deg=0.0)
    stamps = stamps_of(1, side=still.stamp.source_side)
    plain = encode(still, stamps)
    for seed in (1, 2):
        np.testing.assert_array_equal(encode(still, stamps, jax.random.key(seed)), plain)
    np.testing.assert_array_equal(encode(still, stamps), plain)


def test_training_draws_other_angles_for_another_key():
    config, stamps = with_stamp(copies=2), stamps_of(1)
    one, two = (encode(config, stamps, jax.random.key(seed)) for seed in (1, 2))
    assert np.abs(one - two).max() > 1e-3
    np.testing.assert_array_equal(one, encode(config, stamps, jax.random.key(1)))


# Detections.


def test_detections_of_an_object_are_turned_alike():
    encoded = encode(with_stamp(copies=2), np.stack([stamps_of(2)[0]] * 8), jax.random.key(3))
    np.testing.assert_allclose(encoded[1:], np.stack([encoded[0]] * 7), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("key", [None, 7], ids=["evaluation", "training"])
@some
@given(seed=st.integers(0, 2**31), changed=st.integers(0, 2))
def test_a_detection_changes_only_its_own_encoding(key, seed, changed):
    """In training too, where angles and dropout are drawn."""
    config = replace(NARROW, encoder=replace(NARROW.encoder, dropout=0.3))
    stamps, key = stamps_of(seed, 3), None if key is None else jax.random.key(key)
    other = stamps.copy()
    other[changed] = stamps_of(seed + 1)[0]
    moved = np.abs(encode(config, stamps, key) - encode(config, other, key)).max(axis=-1)
    assert (moved > 1e-6).tolist() == [number == changed for number in range(3)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_a_model_notices_the_order_of_detections_but_not_of_objects(kind):
    """Without images, which the encoder sees one by one."""
    config = override(named.get(f"n3_{kind}"), ["stamp.channels=", "temporal.units=8"])
    variables, rng = variables_of(config), np.random.default_rng(0)
    stamps = np.zeros((5, 3, SIDE, SIDE, 0), np.float32)
    batch = Batch(stamps, *(rng.normal(size=shape).astype(np.float32) for shape in ((5, 3, 10), (5, 17))))
    logits, order = classify(config, variables, batch), rng.permutation(5)
    assert_alike(logits[order], classify(config, variables, parts.take(batch, order)))
    for swapped in ([2, 1, 0], [1, 0, 2], [0, 2, 1]):
        moved = np.abs(logits - classify(config, variables, batch._replace(dynamic=batch.dynamic[:, swapped]))).max(
            axis=1
        )
        assert np.all(moved > 1e-4), swapped
