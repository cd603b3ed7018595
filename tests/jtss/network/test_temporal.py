"""Each temporal model by independent roads: its definition as a loop, closed forms, Flax's cells, counts, gradients."""

from functools import cache, partial
from math import comb

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.temporal_loops import LOOPS, dense
from jtss.config import named
from jtss.config.settings import TEMPORAL_KINDS, TemporalConfig
from jtss.network.temporal import GRU, KINDS, LSTM, RNN, temporal_model

RECURRENT = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
SEVERAL = [kind for kind in KINDS if kind != "none"]  # kinds that take more than one detection
WIDTH = 5  # F
seeds = given(seed=st.integers(0, 2**31))
few, many = settings(max_examples=5), settings(max_examples=20)


def cell(kind: str, **fields) -> TemporalConfig:
    return TemporalConfig(kind=kind, **{"units": 6, "layers": 2, "kernel": 2, "taps": 7} | fields)


def detections(kind: str) -> int:
    return 1 if kind == "none" else 4


@cache
def weights_of(config: TemporalConfig, n: int, width: int) -> dict:
    """Shapes of the weights."""
    given = jax.random.key(0), jnp.zeros((n, width))
    return jax.eval_shape(temporal_model(config, width).init, *given).get("params", {})


@cache
def initial_weights(config: TemporalConfig, n: int, width: int = WIDTH) -> dict:
    given = jax.random.key(0), jnp.zeros((n, width))
    return jax.jit(temporal_model(config, width).init)(*given).get("params", {})


def random_weights(config: TemporalConfig, n: int, seed: int = 0, width: int = WIDTH) -> dict:
    """Biases included."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.normal(0, 0.5, leaf.shape).astype(np.float32), weights_of(config, n, width))


def random_sequence(n: int, seed: int = 0, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng([seed, 1]).normal(size=(n, width)).astype(np.float32)


@partial(jax.jit, static_argnums=0)
def apply(layer: nn.Module, params: dict, sequence: jax.Array) -> jax.Array:
    return layer.apply({"params": params}, sequence)


def output(config: TemporalConfig, params: dict, sequence: jax.Array) -> jax.Array:
    return apply(temporal_model(config, sequence.shape[-1]), params, sequence)


def assert_close(one, other) -> None:
    """Float32 against float64: sums of some tens of products of order one."""
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_configurations_and_tests_know_the_same_kinds():
    assert set(KINDS) == set(TEMPORAL_KINDS) - {"attention"} == set(LOOPS)  # of packets alone


@pytest.mark.parametrize(("n", "layers", "kernel", "window", "taps"), [(3, 1, 2, 2, 7), (5, 3, 4, 3, 1)])
@pytest.mark.parametrize("kind", KINDS)
@few
@seeds
def test_every_model_is_its_definition_as_a_loop(kind, n, layers, kernel, window, taps, seed):
    n = 1 if kind == "none" else n
    config = cell(kind, layers=layers, kernel=kernel, window=window, taps=taps)
    params, sequence = random_weights(config, n, seed), random_sequence(n, seed)
    in_double = jax.tree.map(np.float64, params)
    assert_close(output(config, params, sequence), LOOPS[kind](config, in_double, np.float64(sequence)))


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_models_take_a_single_detection(kind):
    config, sequence = cell(kind), random_sequence(1)
    params = random_weights(config, 1)
    assert_close(output(config, params, sequence), LOOPS[kind](config, params, sequence))


# Closed forms.


def gamma_taps(sequence: np.ndarray, taps: int, mu: np.ndarray) -> np.ndarray:
    """The taps 0 to K at the last step, [K + 1, F], read through a dense layer that passes them on."""
    size = (taps + 1) * sequence.shape[1]
    params = {
        "mu_logit": np.log(mu / (1 - mu)).astype(np.float32),
        "dense": {"kernel": np.eye(size, dtype=np.float32), "bias": np.zeros(size, np.float32)},
    }
    return np.reshape(output(cell("gamma", taps=taps, units=size), params, sequence), (taps + 1, -1))


@pytest.mark.parametrize(("n", "taps"), [(1, 3), (2, 7), (3, 7), (4, 6), (5, 8)])
@many
@seeds
def test_gamma_taps_are_binomial_sums(n, taps, seed):
    """Tap j has seen the input of m steps ago with weight C(m + j - 1, m) μ^j (1 - μ)^m.

    A tap's answer to a pulse is μ (1 - μ)^m; j of them in a row answer with its j-fold convolution: μ^j (1 - μ)^m times
    the number of ways to share m steps among j taps.
    """
    sequence, mu = random_sequence(n, seed), np.random.default_rng(seed).uniform(0.05, 0.95, WIDTH)
    found = gamma_taps(sequence, taps, mu)
    np.testing.assert_array_equal(found[0], sequence[-1])
    for j in range(1, taps + 1):
        expected = sum(comb(m + j - 1, m) * mu**j * (1 - mu) ** m * sequence[n - 1 - m] for m in range(n))
        assert_close(found[j], expected)


def test_gamma_taps_beyond_the_number_of_detections_are_alive():
    """With a step of delay from tap to tap all but the first of them would still be empty."""
    found = gamma_taps(np.ones((2, 1), np.float32), 7, np.full(1, 0.5))[:, 0]
    np.testing.assert_allclose(found, [1] + [0.5**j * (1 + j / 2) for j in range(1, 8)], rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 5])
@many
@seeds
def test_conv1d_as_long_as_the_sequence_is_a_dense_layer_on_all_of_it(n, seed):
    config, sequence = cell("conv1d", kernel=n), random_sequence(n, seed)
    params = random_weights(config, n, seed)
    assert_close(output(config, params, sequence), np.maximum(dense(params["conv"], sequence), 0))


@many
@seeds
def test_tdnn_of_two_detections_is_one_dense_layer(seed):
    config, sequence = cell("tdnn"), random_sequence(2, seed)
    params = random_weights(config, 2, seed)
    assert set(params) == {"layer_1"}
    assert_close(output(config, params, sequence), np.maximum(dense(params["layer_1"], sequence), 0))


# Flax's cells on equal weights.


def in_flax_cell(kind: str, weights: dict) -> tuple[nn.RNNCellBase, dict]:
    """Flax's cell, and our layer's weights under its names."""
    flax_cell, gates = {"rnn": (nn.SimpleCell, [""]), "gru": (nn.GRUCell, "rzn"), "lstm": (nn.LSTMCell, "ifgo")}[kind]
    laid = {}
    for number, gate in enumerate(gates):
        laid[f"i{gate}"] = {"kernel": weights["input"][number]}
        laid[f"h{gate}"] = {"kernel": weights["recurrent"][number]}
        laid[f"h{gate}" if kind == "lstm" else f"i{gate}"]["bias"] = weights["bias"][number]
    if kind == "gru":
        laid["hn"]["bias"] = weights["reset_bias"]
    return flax_cell(weights["bias"].shape[-1]), laid


@pytest.mark.parametrize("kind", RECURRENT)
@few
@seeds
def test_recurrent_layers_are_flax_cells(kind, seed):
    weights, sequence = random_weights(cell(kind, layers=1), 4, seed)["layer_1"], random_sequence(4, seed)
    flax_cell, laid = in_flax_cell(kind, weights)
    layer = nn.RNN(flax_cell)
    of_flax = jax.eval_shape(layer.init, jax.random.key(0), sequence)["params"]["cell"]
    assert jax.tree.map(np.shape, laid) == jax.tree.map(np.shape, of_flax)
    assert_close(apply(RECURRENT[kind](6), weights, sequence), apply(layer, {"cell": laid}, sequence))


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_stack_is_one_layer_after_the_other(kind):
    config, sequence = cell(kind, layers=3), random_sequence(4)
    params, states = random_weights(config, 4), sequence
    for number in (1, 2, 3):
        states = apply(RECURRENT[kind](6), params[f"layer_{number}"], states)
    assert_close(output(config, params, sequence), states[-1])


# Initial values and sizes.


def test_input_kernels_are_glorot_uniform_gate_by_gate_and_recurrent_ones_orthogonal():
    weights, limit = initial_weights(cell("lstm", units=32, layers=1), 2, 64)["layer_1"], np.sqrt(6 / (64 + 32))
    for kernel in weights["input"]:
        assert limit * 0.97 < np.abs(kernel).max() <= limit
        assert np.std(kernel) == pytest.approx(limit / np.sqrt(3), rel=0.05)
    for kernel in weights["recurrent"]:
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(32), atol=1e-5)
    for name in ("input", "recurrent"):
        gates = np.reshape(weights[name], (4, -1))
        assert np.abs(np.corrcoef(gates) - np.eye(4)).max() < 0.15, name


@pytest.mark.parametrize("kind", SEVERAL)
def test_everything_but_kernels_starts_at_zero(kind):
    """The biases, and the logit of μ: a leak of one half."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(initial_weights(cell(kind), 4)):
        assert np.any(leaf) == (path[-1].key in ("kernel", "input", "recurrent")), path


def test_a_single_detection_needs_no_weights_and_stands_alone():
    single = temporal_model(cell("none"), 3)
    assert not single.init(jax.random.key(0), jnp.zeros((1, 3)))
    np.testing.assert_array_equal(single.apply({}, jnp.arange(3.0)[None]), [0, 1, 2])
    with pytest.raises(ValueError, match="too many values"):
        single.apply({}, jnp.zeros((2, 3)))


def expected_count(config: TemporalConfig, n: int, width: int) -> int:
    """Weights of the paper's cells, as Keras counts them but for two of GRU's biases, which are redundant."""
    units = config.units or width
    if config.kind in RECURRENT:
        gates = {"rnn": 1, "gru": 3, "lstm": 4}[config.kind]
        inputs = [width] + [units] * (config.layers - 1)
        return sum(gates * units * (size + units + 1) + (units if gates == 3 else 0) for size in inputs)
    return {
        "none": 0,
        "conv1d": (config.kernel * width + 1) * units,
        "tdnn": (2 * width + 1) * units + (n - 2) * (2 * units + 1) * units,
        "gamma": width + ((config.taps + 1) * width + 1) * units,
    }[config.kind]


@pytest.mark.parametrize("kind", KINDS)
def test_parameter_counts_of_the_named_configurations(kind):
    cells = {(config.temporal, config.n_detections) for config in named.CONFIGS.values()}
    for config, n in (entry for entry in cells if entry[0].kind == kind):
        for width in (74, 65, 10):
            count = sum(leaf.size for leaf in jax.tree.leaves(weights_of(config, n, width)))
            assert count == expected_count(config, n, width), (config, n)


def test_parameter_count_of_the_lstm_of_table_8():
    assert expected_count(named.get("n5_best").temporal, 5, 74) == 103_936


@pytest.mark.parametrize("units", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_output_is_float32_and_as_wide_as_asked(kind, units):
    config, n = cell(kind, units=units), detections(kind)
    params = weights_of(config, n, WIDTH)
    found = jax.eval_shape(partial(output, config), params, jax.ShapeDtypeStruct((n, WIDTH), jnp.float32))
    assert (found.shape, found.dtype) == ((WIDTH if kind == "none" else units or WIDTH,), jnp.float32)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))


# What the model sees: every detection, in its order, of its own object.


@pytest.mark.parametrize("kind", SEVERAL)
def test_every_gradient_leaf_is_finite_and_alive(kind):
    """From the initial weights, as training starts, and down to every detection."""
    config, sequence = cell(kind), random_sequence(4)
    direction = np.random.default_rng(2).normal(size=6).astype(np.float32)
    loss = jax.jit(jax.grad(lambda *given: output(config, *given) @ direction, argnums=(0, 1)))
    gradients, by_detection = loss(initial_weights(config, 4), sequence)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.all(np.isfinite(leaf)), path
        assert np.any(leaf), path
    assert np.all(np.isfinite(by_detection))
    assert np.all(np.any(by_detection, axis=1)), by_detection


@pytest.mark.parametrize("kind", SEVERAL)
def test_the_order_of_detections_matters(kind):
    config, sequence = cell(kind), random_sequence(4, 3)
    params = random_weights(config, 4, 3)
    for order in ([3, 2, 1, 0], [1, 0, 2, 3], [0, 2, 1, 3]):
        moved = np.abs(output(config, params, sequence) - output(config, params, sequence[order])).max()
        assert moved > 1e-3, order


def test_conv1d_with_a_kernel_of_one_forgets_the_order():
    """The maximum over single steps; the test above can fail."""
    config, sequence = cell("conv1d", kernel=1), random_sequence(4, 3)
    params = random_weights(config, 4, 3)
    np.testing.assert_allclose(output(config, params, sequence[::-1]), output(config, params, sequence), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_a_batch_do_not_see_each_other(kind):
    """Compiled, batched and differentiated: each object as if alone, in whatever order and company."""
    config, n = cell(kind), detections(kind)
    params, rng = random_weights(config, n, 4), np.random.default_rng(5)
    sequences, order = rng.normal(size=(7, n, WIDTH)).astype(np.float32), rng.permutation(7)
    batched = jax.jit(jax.vmap(jax.value_and_grad(lambda sequence: output(config, params, sequence).sum())))
    in_other_company = np.where(np.arange(7)[:, None, None] == 3, 9, sequences).astype(np.float32)
    values, gradients = batched(sequences)
    for found, expected in zip(batched(sequences[order]), (values, gradients), strict=True):
        assert_close(found, expected[order])
    assert_close(values, [LOOPS[kind](config, params, sequence).sum() for sequence in sequences])
    for found, expected in zip(batched(in_other_company), (values, gradients), strict=True):
        assert_close(np.delete(found, 3, axis=0), np.delete(expected, 3, axis=0))
