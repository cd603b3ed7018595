"""An ONNX graph as it is built, one operator after another."""

from typing import NamedTuple

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

OPSET = 17  # of ONNX 1.12: what runtimes of the last years read
IR_VERSION = 8  # the format of files that goes with it


class Tensor(NamedTuple):
    """An input or output: its name and its shape, in which a text is an axis of any length; float32."""

    name: str
    shape: tuple[int | str, ...]


class Graph:
    """Operators in order, and the constants that they read; a constant that comes again is kept once."""

    def __init__(self) -> None:
        self.nodes, self._constants, self._taken = [], {}, {}

    def add(self, operator: str, *inputs: str | np.ndarray, n_outputs: int = 1, **attributes) -> str:
        """Apply an operator.

        Args:
            operator: of ONNX, of `OPSET`.
            inputs: names of values; arrays become constants; "" is an input that is left out.
            n_outputs: how many it has; the last of them is wanted.
            attributes: of the operator.

        Returns:
            The name of its last output.
        """
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        outputs = [""] * (n_outputs - 1) + [self._name(operator)]
        self.nodes.append(helper.make_node(operator, names, outputs, name=outputs[-1], **attributes))
        return outputs[-1]

    def to_model(self, name: str, inputs: list[Tensor], outputs: dict[str, Tensor], **about: str) -> bytes:
        """The file of the graph, checked.

        Args:
            name: of the graph.
            inputs: of the graph.
            outputs: of the graph, by the names of the values that become them.
            about: further fields of the file, by their names in ONNX; `metadata` as {key: text}.
        """
        metadata = about.pop("metadata")
        renamed = [helper.make_node("Identity", [value], [to.name], name=to.name) for value, to in outputs.items()]
        infos = [[_info(each) for each in tensors] for tensors in (inputs, outputs.values())]
        graph = helper.make_graph([*self.nodes, *renamed], name, *infos, self._initializers())
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, **about)
        helper.set_model_props(model, metadata)
        checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)

    def _constant(self, array: np.ndarray) -> str:
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = (self._name("constant"), array)
        return self._constants[key][0]

    def _initializers(self) -> list:
        return [numpy_helper.from_array(array, name) for name, array in self._constants.values()]

    def _name(self, kind: str) -> str:
        self._taken[kind] = self._taken.get(kind, 0) + 1
        return f"{kind}_{self._taken[kind]}"


def _info(tensor: Tensor):
    return helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.shape)
