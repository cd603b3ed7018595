"""The network of sequences as ONNX operators: encoder, temporal model, head, the mean over members, calibration.

Weights are those of `jtss.network`, brought into the order of ONNX's operators when the graph is built.
"""

import jax
import numpy as np

from jtss.config.settings import Config
from jtss.export import onnx_inputs
from jtss.export.columns import of_model
from jtss.export.graph import Graph
from jtss.export.onnx_inputs import f32, i64
from jtss.inference.model import Model
from jtss.metrics.classification import LEAST_PROBABILITY
from jtss.network.parts import norm

ONNX_GATES = {"rnn": ("RNN", [0]), "gru": ("GRU", [1, 0, 2]), "lstm": ("LSTM", [0, 3, 1, 2])}  # z r h; i o f c


def classify(graph: Graph, model: Model, layout: str) -> str:
    """The inputs of `signature.inputs_of` → calibrated probabilities [B, L]."""
    config = model.config
    dynamic, static = onnx_inputs.metadata(graph, config, of_model(config, model.statistics))
    stamps = ""
    if config.stamp.channels:
        images = onnx_inputs.images(graph, config, layout)
        stamps = onnx_inputs.copies(graph, config, onnx_inputs.crops(graph, config, images))
    every = [jax.tree.map(np.asarray, member.variables) for member in model.members]
    members = [graph.add("Softmax", _logits(graph, config, one, stamps, dynamic, static)) for one in every]
    return calibrated(graph, mean_of(graph, members), model.temperature or 1.0)


def mean_of(graph: Graph, members: list[str]) -> str:
    """The mean over the members of a model."""
    return graph.add("Div", graph.add("Sum", *members), f32(len(members))) if len(members) > 1 else members[0]


def calibrated(graph: Graph, probabilities: str, temperature: float) -> str:
    """As `calibration.scaled`: softmax(ln p / T)."""
    logits = graph.add("Log", graph.add("Max", probabilities, f32(LEAST_PROBABILITY)))
    return graph.add("Softmax", graph.add("Div", logits, f32(temperature)))


def _logits(graph: Graph, config: Config, variables: dict, stamps: str, dynamic: str, static: str) -> str:
    """Of one member, [B, L], from copies [B * N * K, C, A, A] and values [B * N, D] and [B, F]; "": none are read."""
    params, parts = variables["params"], []
    if stamps:
        parts.append(encode(graph, config, params["encoder"], stamps))
    if dynamic:
        parts.append(_norm(graph, variables, "dynamic_norm", dynamic))
    sequence = graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    width = (config.encoder.units[-1] if stamps else 0) + len(config.metadata.dynamic)
    sequence = graph.add("Reshape", sequence, i64(-1, config.n_detections, width))
    x = _temporal(graph, config, params["temporal"], sequence)
    if static:
        x = graph.add("Concat", x, _norm(graph, variables, "static_norm", static), axis=1)
    for layer in range(1, len(config.head.units) + 1):
        x = graph.add("Relu", dense(graph, params["head"][f"dense_{layer}"], x))
    return dense(graph, params["head"]["logits"], x)


def dense(graph: Graph, params: dict, x: str) -> str:
    return graph.add("Gemm", x, f32(params["kernel"]), f32(params["bias"]))


def _norm(graph: Graph, variables: dict, name: str, x: str) -> str:
    """Batch norm of an evaluation: a factor and a shift of each value."""
    params, stats = variables["params"][name], variables["batch_stats"][name]
    deviation = np.sqrt(np.asarray(stats["var"], np.float64) + norm(train=False).epsilon)
    factor = params["scale"] / deviation
    shift = np.asarray(params["bias"], np.float64) - factor * stats["mean"]
    return graph.add("Add", graph.add("Mul", x, f32(factor)), f32(shift))


def encode(graph: Graph, config: Config, params: dict, copies: str) -> str:
    """[B * N * K, C, A, A] → [B * N, U]; see `jtss.network.encoder`."""
    encoder, side = config.encoder, config.stamp.crop + 2 * config.encoder.padding - config.encoder.kernels[0] + 1
    x = copies
    for layer, size in enumerate(encoder.kernels, start=1):
        before = (size - 1) // 2
        pads = [encoder.padding] * 4 if layer == 1 else [before, before, size - 1 - before, size - 1 - before]
        kernel = f32(params[f"conv_{layer}"]["kernel"]).transpose(3, 2, 0, 1)
        x = graph.add("Conv", x, kernel, f32(params[f"conv_{layer}"]["bias"]), pads=pads, kernel_shape=[size, size])
        x = graph.add("Relu", x)
        if layer in (2, 5):
            x, side = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), side // 2
    n_channels = encoder.filters[-1]
    x = graph.add("Reshape", x, i64(-1, n_channels * side**2))
    for layer, units in enumerate(encoder.units, start=1):
        kernel = f32(params[f"dense_{layer}"]["kernel"])
        if layer == 1:  # its rows are in the order of pixels, then channels
            kernel = kernel.reshape(side**2, n_channels, units).swapaxes(0, 1).reshape(-1, units)
        x = graph.add("Relu", dense(graph, {"kernel": kernel, "bias": params[f"dense_{layer}"]["bias"]}, x))
    if config.stamp.copies > 1:
        x = graph.add("Reshape", x, i64(-1, config.stamp.copies, encoder.units[-1]))
        x = graph.add("ReduceMean", x, axes=[1], keepdims=0)
    return x


def _temporal(graph: Graph, config: Config, params: dict, sequence: str) -> str:
    """[B, N, F] → [B, U]; see `jtss.network.temporal`."""
    kind = config.temporal.kind
    if kind == "none":
        return graph.add("Squeeze", sequence, i64(1))
    if kind == "conv1d":
        return graph.add("ReduceMax", _windows(graph, params["conv"], sequence), axes=[2], keepdims=0)
    if kind == "tdnn":
        for layer in range(1, len(params) + 1):
            sequence = _windows(graph, params[f"layer_{layer}"], sequence, is_first=layer == 1)
        return graph.add("Squeeze", sequence, i64(2))
    if kind == "gamma":
        return _gamma(graph, config, params, sequence)
    return _recurrent(graph, config, params, sequence)


def _windows(graph: Graph, params: dict, sequence: str, *, is_first: bool = True) -> str:
    """A convolution along time with ReLU; [B, N, F], or [B, F, N] where it is not the first, → [B, U, N']."""
    if is_first:
        sequence = graph.add("Transpose", sequence, perm=[0, 2, 1])
    kernel = f32(params["kernel"]).transpose(2, 1, 0)
    size = kernel.shape[-1]
    return graph.add("Relu", graph.add("Conv", sequence, kernel, f32(params["bias"]), kernel_shape=[size]))


def _gamma(graph: Graph, config: Config, params: dict, sequence: str) -> str:
    """The taps at the last step are sums over the steps, whose coefficients follow from μ alone; then a dense layer."""
    mu = 1 / (1 + np.exp(-np.asarray(params["mu_logit"], np.float64)))
    n, taps, width = config.n_detections, config.temporal.taps, len(mu)
    steps = np.zeros((taps + 1, n, n, width))  # of each tap, what each step puts into it at each later one
    for at in range(n):
        steps[0, at, at] = 1
        for tap in range(1, taps + 1):
            before = steps[tap, :, at - 1] if at else 0
            steps[tap, :, at] = (1 - mu) * before + mu * steps[tap - 1, :, at]
    by_tap = graph.add("Mul", graph.add("Unsqueeze", sequence, i64(1)), f32(steps[:, :, -1]))
    memory = graph.add("ReduceSum", by_tap, i64(2), keepdims=0)  # [B, 1 + taps, F]
    return dense(graph, params["dense"], graph.add("Reshape", memory, i64(-1, (taps + 1) * width)))


def _recurrent(graph: Graph, config: Config, params: dict, sequence: str) -> str:
    """Layers one upon another, the last state of the last, [B, U]."""
    x = graph.add("Transpose", sequence, perm=[1, 0, 2])
    for layer in range(1, config.temporal.layers + 1):
        operator, weights, more = recurrence(config.temporal.kind, params[f"layer_{layer}"])
        x = graph.add("Squeeze", graph.add(operator, x, *weights, **more), i64(1))
    return graph.add("Gather", x, np.array(config.n_detections - 1, np.int64), axis=0)


def recurrence(kind: str, params: dict) -> tuple[str, tuple[np.ndarray, ...], dict]:
    """A recurrent layer as ONNX has it: the operator, its weights of input and state and its bias, and attributes."""
    operator, order = ONNX_GATES[kind]
    from_input, from_state = (
        f32(params[name])[order].transpose(0, 2, 1).reshape(1, -1, params[name].shape[1])
        for name in ("input", "recurrent")
    )
    units = from_state.shape[-1]
    of_state = np.zeros((len(order), units), np.float32)
    if operator == "GRU":
        of_state[-1] = params["reset_bias"]
    bias = np.concatenate([f32(params["bias"])[order].ravel(), of_state.ravel()])[None]
    more = {"linear_before_reset": 1} if operator == "GRU" else {}
    return operator, (from_input, from_state, bias), {"hidden_size": units, **more}
