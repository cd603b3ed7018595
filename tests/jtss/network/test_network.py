"""The network: the paper's sizes, parameter counts, gradients, and each part by an independent road."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.made_weights import drawn
from jtss.config import named
from jtss.network import network, parts
from jtss.network.encoder import StampEncoder, cyclic_pooling
from jtss.network.parts import Batch

DEMO = named.get("demo")
PAPER = named.get("n3_conv1d")


def batch_of(config, n_objects: int, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    side, n = config.stamp.source_side, config.n_detections
    return Batch(
        rng.random((n_objects, n, side, side, len(config.stamp.channels))).astype(np.float16),
        rng.normal(size=(n_objects, n, 10)).astype(np.float32),
        rng.normal(size=(n_objects, 17)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def variables():
    return jax.jit(partial(network.init, DEMO))(jax.random.key(0))


@partial(jax.jit, static_argnums=2)
def forward(variables, batch, train=False, key=None):
    return network.apply(DEMO, variables, batch, train=train, key=key)


encode = jax.jit(parts.encode, static_argnums=0)


def sizes_of(crop: int) -> list[tuple[int, ...]]:
    """Shapes after each convolution, and the flattened size."""
    encoder, stamp = StampEncoder(PAPER.encoder), jnp.zeros((crop, crop, 2))
    params = jax.eval_shape(encoder.init, jax.random.key(0), stamp)
    capture = partial(encoder.apply, capture_intermediates=True, mutable=["intermediates"])
    _, state = jax.eval_shape(capture, params, stamp)
    layers = [state["intermediates"][f"conv_{i}"]["__call__"][0].shape for i in range(1, 6)]
    return [*layers, params["params"]["dense_1"]["kernel"].shape]


def test_sizes_of_table_4_at_a_crop_of_21():
    assert sizes_of(21) == [(24, 24, 32), (24, 24, 32), (12, 12, 64), (12, 12, 64), (12, 12, 64), (2304, 64)]


def test_sizes_at_a_crop_of_33():
    assert sizes_of(33) == [(36, 36, 32), (36, 36, 32), (18, 18, 64), (18, 18, 64), (18, 18, 64), (5184, 64)]


def test_parameter_count_of_n3_conv1d():
    variables = jax.eval_shape(partial(network.init, PAPER), jax.random.key(0))
    encoder = (4 * 4 * 2 + 1) * 32 + (25 * 32 + 1) * 32 + (25 * 32 + 1) * 64 + 2 * (25 * 64 + 1) * 64 + (5184 + 1) * 64
    temporal = (3 * 74 + 1) * 74
    head = (74 + 17 + 1) * 64 + (64 + 1) * 64 + (64 + 1) * 3
    norms = 2 * (10 + 17)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == encoder + temporal + head + norms


def test_encoder_is_its_equation():
    """Convolutions by loops over kernel pixels in numpy."""
    config = replace(PAPER.encoder, filters=(3, 2, 2, 2, 2), units=(4,))
    encoder, stamp = StampEncoder(config), np.random.default_rng(0).random((9, 9, 2)).astype(np.float32)
    params = drawn(encoder.init, jax.random.key(1), stamp)["params"]

    def convolve(x, layer, margin):
        kernel, bias = (np.asarray(params[layer][name]) for name in ("kernel", "bias"))
        x = np.pad(x, (margin, margin, (0, 0)))
        side = x.shape[0] - kernel.shape[0] + 1
        out = sum(
            x[i : i + side, j : j + side] @ kernel[i, j] for i in range(kernel.shape[0]) for j in range(kernel.shape[1])
        )
        return np.maximum(out + bias, 0)

    def pool(x):
        side = x.shape[0] // 2 * 2
        return x[:side, :side].reshape(side // 2, 2, side // 2, 2, -1).max(axis=(1, 3))

    x = convolve(convolve(stamp, "conv_1", (3, 3)), "conv_2", (2, 2))
    x = pool(x)
    for layer in ("conv_3", "conv_4", "conv_5"):
        x = convolve(x, layer, (2, 2))
    expected = np.maximum(pool(x).ravel() @ params["dense_1"]["kernel"] + params["dense_1"]["bias"], 0)
    np.testing.assert_allclose(jax.jit(encoder.apply)({"params": params}, stamp), expected, rtol=1e-4, atol=1e-6)


def test_cyclic_pooling_is_the_mean_and_ignores_the_order_of_copies():
    features = np.random.default_rng(3).normal(size=(6, 8)).astype(np.float32)
    np.testing.assert_allclose(cyclic_pooling(features), features.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(cyclic_pooling(features[::-1]), cyclic_pooling(features), rtol=1e-5)


def test_every_gradient_leaf_is_finite_and_alive(variables):
    batch, labels = batch_of(DEMO, 8), jnp.arange(8) % 3

    def loss(params):
        logits, _ = network.apply(DEMO, {**variables, "params": params}, batch, train=True, key=jax.random.key(1))
        return -jax.nn.log_softmax(logits)[jnp.arange(8), labels].mean()

    for path, leaf in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(variables["params"])):
        assert np.all(np.isfinite(leaf)), path
        assert np.any(leaf != 0), path


def test_the_order_of_objects_and_their_company_do_not_matter(variables):
    batch = batch_of(DEMO, 6)
    logits, _ = forward(variables, batch)
    backwards, _ = forward(variables, jax.tree.map(lambda part: part[::-1].copy(), batch))
    alone, _ = forward(variables, parts.take(batch, slice(2, 3)))
    np.testing.assert_allclose(backwards[::-1], logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(alone[0], logits[2], rtol=1e-5, atol=1e-5)


def test_no_objects_give_no_logits(variables):
    logits, _ = forward(variables, parts.take(batch_of(DEMO, 1), slice(0)))
    assert logits.shape == (0, len(DEMO.classes))


@pytest.mark.parametrize("part", ["stamps", "dynamic", "static"])
def test_every_input_reaches_the_output(variables, part):
    batch = batch_of(DEMO, 2)
    changed = batch._replace(**{part: getattr(batch_of(DEMO, 2, seed=9), part)})
    assert np.abs(forward(variables, batch)[0] - forward(variables, changed)[0]).max() > 1e-4


def test_evaluation_is_deterministic_and_leaves_statistics_alone(variables):
    batch = batch_of(DEMO, 3)
    logits, batch_stats = forward(variables, batch)
    np.testing.assert_array_equal(logits, forward(variables, batch)[0])
    for new, old in zip(jax.tree.leaves(batch_stats), jax.tree.leaves(variables["batch_stats"]), strict=True):
        np.testing.assert_array_equal(new, old)


def test_batch_norm_is_over_batch_and_time_with_the_papers_momentum(variables):
    batch = batch_of(DEMO, 32)
    _, batch_stats = forward(variables, batch, True, jax.random.key(0))
    for name, part in (("dynamic_norm", batch.dynamic), ("static_norm", batch.static)):
        rows = part.reshape(-1, part.shape[-1])
        np.testing.assert_allclose(batch_stats[name]["mean"], 0.01 * rows.mean(axis=0), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(batch_stats[name]["var"], 0.99 + 0.01 * rows.var(axis=0), rtol=1e-3)


def test_evaluation_is_its_equation(variables):
    """The whole model behind the encoder, in numpy, with batch statistics that are not those of the beginning."""
    batch, rng = batch_of(DEMO, 4), np.random.default_rng(5)
    stats = jax.tree.map(lambda x: rng.uniform(0.5, 2, x.shape).astype(np.float32), variables["batch_stats"])
    params = jax.tree.map(lambda x: np.asarray(x) + rng.normal(0, 0.05, x.shape), variables["params"])
    logits, _ = forward({"params": params, "batch_stats": stats}, batch)

    def normalise(name, x):
        scale, bias = params[name]["scale"], params[name]["bias"]
        return scale * (x - stats[name]["mean"]) / np.sqrt(stats[name]["var"] + 1e-3) + bias

    def dense(name, x):
        return x @ params["head"][name]["kernel"] + params["head"][name]["bias"]

    encoded = encode(DEMO, params["encoder"], batch.stamps, None)
    sequence = np.concatenate([encoded, normalise("dynamic_norm", batch.dynamic)], axis=-1).reshape(4, -1)
    kernel = params["temporal"]["conv"]["kernel"]
    summary = np.maximum(sequence @ kernel.reshape(-1, kernel.shape[-1]) + params["temporal"]["conv"]["bias"], 0)
    x = np.concatenate([summary, normalise("static_norm", batch.static)], axis=-1)
    x = np.maximum(dense("dense_2", np.maximum(dense("dense_1", x), 0)), 0)
    np.testing.assert_allclose(logits, dense("logits", x), rtol=1e-3, atol=1e-4)


def test_every_kernel_is_glorot_uniform(variables):
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables["params"]):
        if path[-1].key == "kernel":
            *window, fan_in, fan_out = leaf.shape
            limit = np.sqrt(6 / (np.prod(window) * (fan_in + fan_out)))
            assert np.abs(leaf).max() <= limit * 1.001, path
            assert np.abs(leaf).max() > limit * 0.95, path
            assert np.std(leaf) == pytest.approx(limit / np.sqrt(3), rel=0.15), path


def test_dropout_is_drawn_in_training_and_only_there(variables):
    still = replace(DEMO, stamp=replace(DEMO.stamp, rotation_range_deg=0.0, copies=1))
    batch = batch_of(still, 3)

    def difference(config):
        return np.abs(np.subtract(*(train_logits(config, variables, batch, seed) for seed in (1, 2)))).max()

    assert difference(still) > 1e-3
    assert difference(replace(still, head=replace(still.head, dropout=(0.0, 0.0)))) == 0


@partial(jax.jit, static_argnums=0)
def train_logits(config, variables, batch, seed):
    return network.apply(config, variables, batch, train=True, key=jax.random.key(seed))[0]
