"""A model as an ONNX file: the graph, and in its metadata properties all that is needed to use it."""

from jtss.export import onnx_network, onnx_packets, signature
from jtss.export.graph import Graph, Tensor
from jtss.export.signature import BATCH, PROBABILITIES
from jtss.inference.model import Model
from jtss.version import __version__


def to_bytes(model: Model, layout: str, properties: dict[str, str]) -> bytes:
    """The content of the file.

    Args:
        model: to write.
        layout: of the stamps, see `signature.inputs_of`.
        properties: texts to keep in the file, see `properties.describe`.
    """
    model, graph = signature.exportable(model), Graph()
    inputs = [_tensor(each) for each in signature.inputs_of(model.config, layout)]
    if model.config.packet.rows:
        values = onnx_packets.classify(graph, model, layout)
    else:
        values = {PROBABILITIES: onnx_network.classify(graph, model, layout)}
    outputs = {values[each.name]: _tensor(each) for each in signature.outputs_of(model)}
    operators = ", ".join(sorted({"Identity", *(node.op_type for node in graph.nodes)}))  # the output's own
    return graph.to_model(
        "jtss",
        inputs,
        outputs,
        producer_name="jtss",
        producer_version=__version__,
        metadata=properties | {"operators": operators},
    )


def _tensor(each: signature.Array) -> Tensor:
    return Tensor(each.name, (BATCH, *each.shape))
