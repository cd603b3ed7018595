"""Building an ONNX graph."""

import numpy as np
import onnx
import onnxruntime

from jtss.export.graph import OPSET, Graph, Tensor


def test_a_graph_becomes_a_file_that_runs():
    graph = Graph()
    two = graph.add("Mul", "x", np.array([2, 3], np.float32))
    value = graph.add("Add", two, np.array([2, 3], np.float32))
    content = graph.to_model(
        "made", [Tensor("x", ("batch", 2))], {value: Tensor("y", ("batch", 2))}, metadata={"a": "b"}
    )
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for n in (1, 3):
        (y,) = session.run(None, {"x": np.ones((n, 2), np.float32)})
        np.testing.assert_array_equal(y, [[4, 6]] * n)
    assert session.get_modelmeta().custom_metadata_map == {"a": "b"}
    model = onnx.load_from_string(content)
    assert len(model.graph.initializer) == 1, "a constant that comes twice is kept once"
    assert model.opset_import[0].version == OPSET


def test_constants_of_another_type_or_shape_are_others():
    graph = Graph()
    for constant in (np.float32(1), np.int64(1), np.ones(1, np.float32)):
        graph.add("Abs", np.asarray(constant))
    assert len({node.input[0] for node in graph.nodes}) == 3
    assert len({node.output[0] for node in graph.nodes}) == 3
