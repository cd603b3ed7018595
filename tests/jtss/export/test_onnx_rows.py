"""What is read of each row of a packet, in ONNX Runtime against jtss's own functions."""

import jax
import numpy as np
import onnxruntime
import pytest

from helpers.made_exported import OF_PACKETS, of_packets, packets
from jtss.export import onnx_rows, samples
from jtss.export.columns import of_model
from jtss.export.graph import Graph, Tensor
from jtss.inference.packets import every_alert
from jtss.network import causal
from jtss.network.inputs import standardised
from jtss.network.packets import of_alerts
from jtss.network.parts import NO_ROW


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_those_that_the_network_reads(seed):
    made, sequences = of_packets(), packets(seed=seed)
    batch = standardised(of_alerts(sequences, OF_PACKETS, *every_alert(sequences)), made.statistics)
    known = jax.jit(jax.vmap(lambda rows: causal.past(rows, causal.nothing_seen(OF_PACKETS))[0]))(batch.rows)
    told = jax.jit(jax.vmap(causal._told))(batch.rows, known)
    _, raw = samples.raw_inputs(sequences, OF_PACKETS)
    raw = {name: raw[name] for name in ("metadata", "fid", "history")}
    graph, (plan, _) = Graph(), of_model(OF_PACKETS, made.statistics)
    value = onnx_rows.rows(graph, plan)
    inputs = [
        Tensor(name, ("batch", *(["rows"] if name == "history" else []), *array.shape[1 + (name == "history") :]))
        for name, array in raw.items()
    ]
    outputs = {
        each: Tensor(name, ("batch", "all", size))
        for each, name, size in zip(value, ("there", "age", "values"), (1, 1, "width"), strict=True)
    }
    content = graph.to_model("made", inputs, outputs, metadata={})
    there, age, values = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, raw)
    is_row = batch.rows.kind != NO_ROW
    np.testing.assert_array_equal(there[..., 0], is_row)
    assert is_row.sum() < np.isfinite(raw["history"][..., 0]).sum() + len(is_row), "some are detected again"
    np.testing.assert_allclose(age[..., 0][is_row], known.age_days[is_row], rtol=1e-6)
    expected = np.concatenate([batch.dynamic, told], axis=-1)
    np.testing.assert_allclose(values[is_row], expected[is_row], rtol=2e-5, atol=5e-6)
