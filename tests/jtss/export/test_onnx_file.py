"""The ONNX file and what it says of itself."""

import onnx
import onnxruntime

from helpers.made_exported import ATTENTIVE, OF_ONE, OF_THREE, model, of_packets
from jtss.export import onnx_file
from jtss.export.graph import OPSET

# Those of which ONNX Runtime has a kernel for NVIDIA GPUs, and all that a model is made of; Mean and IsNaN have none.
ON_A_GPU = {
    *("Abs", "Add", "And", "Cast", "Concat", "Conv", "Cos", "CumSum", "Div", "Equal", "Exp", "GRU", "Gather", "Gemm"),
    *(
        "Identity",
        "LSTM",
        "Less",
        "LessOrEqual",
        "Log",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mul",
        "Or",
        "RNN",
        "ReduceMax",
    ),
    *(
        "ReduceMean",
        "ReduceMin",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Sin",
        "Slice",
        "Softmax",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
    ),
    *("Transpose", "Unsqueeze", "Where"),
}


def test_every_operator_runs_on_a_gpu():
    """Brokers may forbid ONNX Runtime to go back to the CPU. Its list: docs/OperatorKernels.md."""
    for made in (model(OF_THREE, n_members=2), of_packets(), of_packets(ATTENTIVE)):
        loaded = onnx.load_from_string(onnx_file.to_bytes(made, "NHWC", {}))
        assert {node.op_type for node in loaded.graph.node} <= ON_A_GPU


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
