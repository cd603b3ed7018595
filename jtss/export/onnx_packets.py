"""The network of packets as ONNX operators: its answer after the last row, the alert's; see `jtss.network.causal`.

A row that is none leaves the state of the recurrence as it is: it has one value more, by which the update gate is shut.
"""

from typing import NamedTuple

import jax
import numpy as np

from jtss.config.settings import ATTENTION_HEADS, Config
from jtss.export import onnx_inputs, onnx_rows
from jtss.export.columns import of_model
from jtss.export.graph import Graph
from jtss.export.onnx_inputs import HUGE, f32, i64
from jtss.export.onnx_network import calibrated, dense, encode, mean_of, recurrence
from jtss.export.onnx_rows import PacketRows
from jtss.export.signature import ALLWISE, METADATA, OUTLIER, PROBABILITIES, SUBCLASSES, inputs_of
from jtss.inference.known_alerts import SHARES, KnownAlerts
from jtss.inference.model import Model
from jtss.metrics.classification import LEAST_PROBABILITY
from jtss.network import subclasses
from jtss.network.causal import FREQUENCIES, LEAST_AGE_DAYS, N_TOLD

SHUT = 100.0  # to a gate: its sigmoid is 1 in float32
LEAST_WIDTH = 1e-30  # between quantiles


class _Read(NamedTuple):
    """What a network reads of B packets.

    Attributes:
        rows: R rows of each. static: [B, F] standardised, "" for none.
        copies: of stamps, [B * K, C, A, A], and has_stamp [B, 1] bool; "" for a model without images.
    """

    rows: PacketRows
    static: str
    copies: str
    has_stamp: str


def classify(graph: Graph, model: Model, layout: str) -> dict[str, str]:
    """The inputs of `signature.inputs_of` → the outputs of `signature.outputs_of`, by name."""
    config, n_classes = model.config, len(model.config.classes)
    read = _read(graph, model, layout)
    every = [jax.tree.map(np.asarray, member.variables["params"]) for member in model.members]
    logits, hidden = zip(*(_member(graph, config, params, read) for params in every), strict=True)
    of_classes = [graph.add("Softmax", graph.add("Slice", each, i64(0), i64(n_classes), i64(1))) for each in logits]
    mean = mean_of(graph, of_classes)
    given = {PROBABILITIES: calibrated(graph, mean, model.temperature or 1.0)}
    if config.subclasses:
        members = [_subclasses(graph, config, *pair) for pair in zip(logits, of_classes, strict=True)]
        class_of = subclasses.class_of(config)
        of_class, calibrated_of_class = (
            graph.add("Gather", each, class_of, axis=1) for each in (mean, given[PROBABILITIES])
        )
        least = graph.add("Max", of_class, f32(LEAST_PROBABILITY))
        share = graph.add("Div", mean_of(graph, members), least)
        given[SUBCLASSES] = graph.add("Mul", share, calibrated_of_class)
    if model.known_alerts is not None:
        given[OUTLIER] = _outlier(graph, model.known_alerts, hidden)
    return given


def _read(graph: Graph, model: Model, layout: str) -> _Read:
    config = model.config
    dynamic_plan, static_plan = of_model(config, model.statistics)
    copies = has_stamp = static = ""
    names = {each.name for each in inputs_of(config)}
    if config.stamp.channels:
        images = onnx_inputs.images(graph, config, layout)
        copies = onnx_inputs.copies(graph, config, onnx_inputs.crops(graph, config, images))
        has_stamp = onnx_inputs.has_light(graph, config, images)
    if config.metadata.static:
        parts = [METADATA] + ([onnx_inputs.colours(graph)] if ALLWISE in names else [])
        static = onnx_inputs.standardised(graph, static_plan, parts)
    return _Read(onnx_rows.rows(graph, dynamic_plan), static, copies, has_stamp)


def _member(graph: Graph, config: Config, params: dict, read: _Read) -> tuple[str, str]:
    """Logits [B, L + S] and the last hidden layer [B, U] of one network, after the last row."""
    embedded = _embed(graph, config, params, read)
    last = graph.add("Gather", embedded, np.array(-1, np.int64), axis=1)
    kind = config.temporal.kind
    x = (_recurrent if kind == "gru" else _attention)(graph, params["temporal"], embedded, last, read.rows.there)
    if read.static:
        x = _film(graph, params["film"], x, read.static)
    x = graph.add("Concat", x, last, axis=1)
    for layer in range(1, len(config.head.units) + 1):
        x = graph.add("Relu", dense(graph, params["head"][f"dense_{layer}"], x))
    return dense(graph, params["head"]["logits"], x), x


def _embed(graph: Graph, config: Config, params: dict, read: _Read) -> str:
    """The rows, [B, R, units]; as `causal.embed`. A stamp stands beside the last row, or what was learnt for none."""
    rows, row = read.rows, params["row"]
    kernel, width = f32(row["values"]["kernel"]), len(config.metadata.dynamic) + N_TOLD
    x = graph.add("Add", graph.add("MatMul", rows.values, kernel[:width]), f32(row["values"]["bias"]))
    if read.copies:
        encoded = encode(graph, config, params["encoder"], read.copies)
        no_stamp = f32(params["no_stamp"])
        shown = graph.add("Where", read.has_stamp, encoded, no_stamp)
        beside = graph.add("Unsqueeze", graph.add("MatMul", shown, kernel[width:]), i64(1))
        earlier = graph.add("Add", graph.add("Slice", x, i64(0), i64(-1), i64(1)), no_stamp @ kernel[width:])
        alert = graph.add("Add", graph.add("Slice", x, i64(-1), i64(2**31), i64(1)), beside)
        x = graph.add("Concat", earlier, alert, axis=1)
    x = graph.add("Relu", x)
    phase = graph.add("Log", graph.add("Add", rows.age_days, f32(LEAST_AGE_DAYS)))
    phase = graph.add("Mul", phase, f32(FREQUENCIES))
    harmonics = graph.add("Concat", graph.add("Sin", phase), graph.add("Cos", phase), axis=-1)
    scale, shift = (_dense_rows(graph, row[name], harmonics) for name in ("scale", "shift"))
    x = graph.add("Add", graph.add("Mul", x, graph.add("Add", scale, f32(1))), shift)
    return graph.add("Relu", _dense_rows(graph, row["modulated"], x))


def _dense_rows(graph: Graph, params: dict, x: str) -> str:
    """A dense layer of the last of three axes."""
    return graph.add("Add", graph.add("MatMul", x, f32(params["kernel"])), f32(params["bias"]))


def _recurrent(graph: Graph, params: dict, embedded: str, last: str, there: str) -> str:
    """The state after all rows, [B, U]."""
    operator, (from_input, from_state, bias), more = recurrence("gru", params)
    units = from_state.shape[-1]
    shut = np.zeros((1, 3 * units, 1), np.float32)
    shut[:, :units] = SHUT  # the update gate comes first
    x = graph.add("Concat", embedded, graph.add("Sub", f32(1), there), axis=2)
    x = graph.add("Transpose", x, perm=[1, 0, 2])
    weights = np.concatenate([from_input, shut], axis=2)
    return graph.add("Squeeze", graph.add(operator, x, weights, from_state, bias, n_outputs=2, **more), i64(0))


def _attention(graph: Graph, params: dict, embedded: str, last: str, there: str) -> str:
    """What the last row sees of all, [B, U]."""
    heads, depth = ATTENTION_HEADS, params["query"]["kernel"].shape[-1]

    def projected(name: str, rows: str, perm: list[int]) -> str:
        flat = {part: f32(values).reshape(-1, heads * depth) for part, values in params[name].items()}
        return graph.add(
            "Transpose", graph.add("Reshape", _dense_rows(graph, flat, rows), i64(0, -1, heads, depth)), perm=perm
        )

    query = projected("query", graph.add("Unsqueeze", last, i64(1)), [0, 2, 1, 3])  # [B, H, 1, D]
    key, value = projected("key", embedded, [0, 2, 3, 1]), projected("value", embedded, [0, 2, 1, 3])
    score = graph.add("Div", graph.add("MatMul", query, key), f32(np.sqrt(depth)))  # [B, H, 1, R]
    is_there = graph.add("Less", f32(0), graph.add("Transpose", there, perm=[0, 2, 1]))
    score = graph.add("Where", graph.add("Unsqueeze", is_there, i64(1)), score, -HUGE)
    mixed = graph.add("MatMul", graph.add("Softmax", score), value)
    mixed = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), i64(-1, heads * depth))
    return graph.add("Relu", dense(graph, params["mixed"], mixed))


def _film(graph: Graph, params: dict, state: str, static: str) -> str:
    """[B, U] and [B, F] → [B, 2 U]; as `causal.Film`."""
    context = graph.add("Relu", dense(graph, params["context"], static))
    both, units = dense(graph, params["film"], context), params["context"]["bias"].shape[0]
    scale, shift = (graph.add("Slice", both, i64(begin), i64(begin + units), i64(1)) for begin in (0, units))
    scaled = graph.add("Add", graph.add("Mul", state, graph.add("Add", scale, f32(1))), shift)
    return graph.add("Concat", scaled, context, axis=1)


def _subclasses(graph: Graph, config: Config, logits: str, of_classes: str) -> str:
    """P(subclass) [B, S] of one network: of each class, divided among its subclasses."""
    class_of, parts, order = subclasses.class_of(config), [], []
    for which in np.unique(class_of):
        mine = np.flatnonzero(class_of == which)
        given = graph.add("Softmax", graph.add("Gather", logits, len(config.classes) + mine, axis=1))
        parts.append(graph.add("Mul", given, graph.add("Gather", of_classes, i64(which), axis=1)))
        order += list(mine)
    joined = graph.add("Concat", *parts, axis=1)
    return graph.add("Gather", joined, np.argsort(order), axis=1)


def _outlier(graph: Graph, known: KnownAlerts, hidden: tuple[str, ...]) -> str:
    """[B]: as `known_alerts.outlier_scores`."""
    members = []
    for x, means, whitening in zip(hidden, known.means, known.whitening, strict=True):
        away = graph.add("Sub", graph.add("Unsqueeze", x, i64(1)), f32(means))  # [B, L, U]
        white = graph.add("MatMul", away, f32(whitening.T))
        squared = graph.add("ReduceSum", graph.add("Mul", white, white), i64(2), keepdims=0)
        members.append(graph.add("ReduceMin", squared, axes=[1], keepdims=1))
    distance = graph.add("Sqrt", mean_of(graph, members))  # [B, 1]
    begin, width = f32(known.distances[:-1]), f32(np.maximum(np.diff(known.distances), LEAST_WIDTH))
    share = graph.add("Div", graph.add("Sub", distance, begin), width)
    share = graph.add("Min", graph.add("Max", share, f32(0)), f32(1))
    return graph.add("ReduceSum", graph.add("Mul", share, f32(np.diff(SHARES))), i64(1), keepdims=0)
