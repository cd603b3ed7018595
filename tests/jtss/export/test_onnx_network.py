"""The network in ONNX Runtime: every temporal model against Flax's, and whole models against jtss."""

from functools import partial

import jax
import numpy as np
import onnxruntime
import pytest

from helpers.made_exported import NUMBERS, OF_ONE, OF_THREE, alerts, model
from jtss.config import settings
from jtss.export import onnx_file, onnx_network, samples, signature
from jtss.export.graph import Graph, Tensor
from jtss.network.temporal import temporal_model

WIDTH, N = 3, 5
KINDS = {
    "conv1d": ["temporal.kind=conv1d", "temporal.kernel=3"],
    "tdnn": ["temporal.kind=tdnn", "temporal.window=3"],
    "gamma": ["temporal.kind=gamma", "temporal.taps=4"],
    "rnn": ["temporal.kind=rnn", "temporal.layers=2"],
    "gru": ["temporal.kind=gru", "temporal.layers=2"],
    "lstm": ["temporal.kind=lstm", "temporal.layers=2"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_temporal_model_is_that_of_the_network(kind):
    config = settings.override(NUMBERS, [f"n_detections={N}", "temporal.units=4", *KINDS[kind]])
    temporal, rng = temporal_model(config.temporal, WIDTH), np.random.default_rng(0)
    shapes = jax.eval_shape(temporal.init, jax.random.key(0), np.zeros((N, WIDTH), np.float32))["params"]
    params = jax.tree.map(lambda leaf: rng.normal(0, 0.5, leaf.shape).astype(np.float32), shapes)
    sequence = rng.normal(size=(4, N, WIDTH)).astype(np.float32)
    graph = Graph()
    value = onnx_network._temporal(graph, config, params, "x")
    content = graph.to_model(
        "made", [Tensor("x", ("batch", N, WIDTH))], {value: Tensor("y", ("batch", 4))}, metadata={}
    )
    found = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"x": sequence})[0]
    expected = jax.jit(jax.vmap(partial(temporal.apply, {"params": params})))(sequence)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.fixture(scope="module")
def ensemble():
    return signature.exportable(model(OF_THREE, n_members=2))


def answer(made, inputs, layout="NHWC"):
    content = onnx_file.to_bytes(made, layout, {})
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


@pytest.mark.parametrize("layout", signature.LAYOUTS)
def test_an_ensemble_of_sequences_answers_as_jtss(ensemble, layout):
    sequences = alerts()
    expected = samples.answers(ensemble, sequences)[1]["probabilities"]
    _, raw = samples.raw_inputs(sequences, ensemble.config, layout)
    found = answer(ensemble, raw, layout)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(answer(ensemble, {k: v[:1] for k, v in raw.items()}, layout), found[:1], atol=1e-6)
    assert np.ptp(expected, axis=0).max() > 0.05, "or every answer would do"


def test_infinite_numbers_are_missing_ones(ensemble):
    """As jtss takes none from a packet."""
    _, raw = samples.raw_inputs(alerts(), ensemble.config)
    for name, place in (("metadata", 5), ("metadata", 0), ("time_gap", 1), ("allwise", 1)):
        found = []
        for value in (np.nan, np.inf, -np.inf, 17):
            values = raw[name].copy()
            values[..., place] = value
            found.append(answer(ensemble, raw | {name: values}))
        for one in found[1:3]:
            np.testing.assert_array_equal(one, found[0])
        assert np.abs(found[3] - found[0]).max() > 1e-5, name


@pytest.mark.parametrize("temperature", [None, 0.5, 3.0])
def test_a_model_of_single_alerts_is_calibrated_by_its_temperature(temperature):
    made, sequences = signature.exportable(model(OF_ONE, temperature=temperature)), alerts([1] * 7)
    expected = samples.answers(made, sequences)[1]["probabilities"]
    np.testing.assert_allclose(answer(made, samples.raw_inputs(sequences, OF_ONE)[1]), expected, atol=2e-6)
