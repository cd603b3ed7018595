"""The ONNX file and what it says of itself."""

import onnx
import onnxruntime

from helpers.made_exported import OF_ONE, model
from jtss.export import onnx_file
from jtss.export.graph import OPSET


def test_the_file_has_its_inputs_and_properties():
    content = onnx_file.to_bytes(model(OF_ONE), "NCHW", {"model": "made"})
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert {each.name: each.shape for each in session.get_inputs()} == {
        "stamps": ["batch", 3, 63, 63],
        "metadata": ["batch", 26],
    }
    (output,) = session.get_outputs()
    assert (output.name, output.shape) == ("probabilities", ["batch", 5])
    texts = session.get_modelmeta().custom_metadata_map
    assert texts["model"] == "made"
    assert "Conv" in texts["operators"].split(", ")
    loaded = onnx.load_from_string(content)
    assert {each.domain for each in loaded.opset_import} == {""}, "no operators but ONNX's own"
    assert loaded.opset_import[0].version == OPSET
    assert not [tensor.name for tensor in loaded.graph.initializer if tensor.data_type == onnx.TensorProto.DOUBLE]


def test_two_writings_are_the_same():
    assert onnx_file.to_bytes(model(OF_ONE), "NHWC", {}) == onnx_file.to_bytes(model(OF_ONE), "NHWC", {})
