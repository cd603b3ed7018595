"""Pixels come out as NumPy rounds them, to the last bit, in runtimes that divide and add otherwise, too."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from jtss.export import onnx_rounding
from jtss.export.graph import Graph, Tensor

LEVELS = ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"]
ULP = 2.0**-23  # of a float32 from 1 to 2
MANTISSAS = 2**23, 2**24  # of float32 numbers, as whole numbers

f32 = np.float32
EACH = np.arange(np.float16(1).view(np.uint16) + 1, dtype=np.uint16).view(np.float16).astype(f32)  # from 0 to 1
TIES = (EACH[1:] + EACH[:-1]) / 2


def as_stored(values):
    return values.astype(np.float16).astype(f32)


def run(content, inputs, level="ORT_ENABLE_ALL"):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


@pytest.mark.parametrize("level", LEVELS)
def test_the_passage_through_float16_is_exact_and_stays(level):
    """Each number that it can be, what lies between, subnormal numbers and ties; whatever the runtime optimises."""
    beside = [np.nextafter(values, f32(towards)) for values in (EACH, TIES) for towards in (0, 1)]
    rng = np.random.default_rng(0)
    drawn = [rng.random(100_000, f32), 10 ** rng.uniform(-45, 0, 100_000).astype(f32)]
    values, graph = np.concatenate([EACH, TIES, *beside, *drawn, np.full(3, np.nan, f32)]), Graph()
    rounded = {onnx_rounding.float16(graph, "x"): Tensor("y", ("n",))}
    content = graph.to_model("made", [Tensor("x", ("n",))], rounded, metadata={})
    np.testing.assert_array_equal(run(content, {"x": values}, level), as_stored(values))


def to_bytes(divided) -> bytes:
    """A file of the quotient that a function of a graph makes of x [images, pixels] and d [images, 1]."""
    graph = Graph()
    quotient = {divided(graph): Tensor("y", ("images", "pixels"))}
    inputs = [Tensor("x", ("images", "pixels")), Tensor("d", ("images", 1))]
    return graph.to_model("made", inputs, quotient, metadata={})


def corrected() -> bytes:
    return to_bytes(lambda graph: onnx_rounding.float16_quotient(graph, "x", "d"))


def plain() -> bytes:
    return to_bytes(lambda graph: onnx_rounding.float16(graph, graph.add("Div", "x", "d")))


def about_ties(divisors=None, seed=0):
    """Images of every quotient that is a tie of float16, and of what is up to three last bits beside it."""
    rng = np.random.default_rng(seed)
    d = rng.uniform(1, 2, (30, 1)).astype(f32) if divisors is None else divisors
    x = (TIES * d.astype(np.float64) * (1 + rng.uniform(-3, 3, (len(d), len(TIES))) * ULP / 2)).astype(f32)
    return np.minimum(x, d), d


def about_powers_of_two():
    one, two = f32(1), f32(2)
    ends = [one, np.nextafter(one, two), np.nextafter(two, one), f32(1.5)]
    return about_ties(np.repeat(np.array(ends)[:, None], 5, axis=0))


def drawn(seed=1, n_images=100):
    """Images of any span, with the least and the greatest pixel, missing ones and all magnitudes between."""
    rng = np.random.default_rng(seed)
    d = (2 ** rng.uniform(-60, 110, (n_images, 1))).astype(f32)
    d[:3, 0] = 2.0**-60, 2.0**110, 1
    share = np.where(rng.random((n_images, 5000)) < 0.5, rng.random((n_images, 5000)), 2 ** rng.uniform(-40, 0, 5000))
    x = np.minimum((share * d).astype(f32), d)
    x[:, 0], x[:, 1:2], x[:, 2] = 0, d, np.nan
    return x, d


def hardest():
    """Quotients as near as they can be to a middle between a tie of float16 and the float32 beside it.

    Such a middle is M 2^k, M a whole number of 25 bits, and a quotient A / D: A 2^t - M D is not 0, but may be 1, -1 or
    another small number, of which D is the solution modulo 2^t.
    """
    found = []
    least, end = MANTISSAS
    for tie in range(2**11 + 1, 2**12, 2):
        for middle in (tie * 2**13 - 1, tie * 2**13 + 1):
            for remainder, t in itertools.product((1, -1, 2, -2, 3, -3), (24, 25)):
                d = -remainder * pow(middle, -1, 2**t) % 2**t
                a = (middle * d + remainder) >> t
                if least <= d < end and least <= a < end:
                    found.append((a, d))
    x, d = np.array(found, np.float64).T
    return (x / 2).astype(f32)[:, None], d.astype(f32)[:, None]


CASES = pytest.mark.parametrize("made", [about_ties, about_powers_of_two, drawn, hardest])


@CASES
@pytest.mark.parametrize("level", LEVELS)
def test_quotients_are_those_of_numpy(made, level):
    x, d = made()
    np.testing.assert_array_equal(run(corrected(), {"x": x, "d": d}, level), as_stored(x / d))


def by_reciprocals(content: bytes, off=0) -> bytes:
    """Each quotient as a product with a reciprocal that is so many last bits too large."""
    model, nodes = onnx.load_from_string(content), []
    for node in model.graph.node:
        if node.op_type == "Div":
            (x, d), (y,) = node.input, node.output
            model.graph.initializer.append(helper.make_tensor(f"{y}_factor", TensorProto.FLOAT, [], [1 + off * ULP]))
            nodes.append(helper.make_node("Reciprocal", [d], [f"{y}_right"]))
            nodes.append(helper.make_node("Mul", [f"{y}_right", f"{y}_factor"], [f"{y}_off"]))
            nodes.append(helper.make_node("Mul", [x, f"{y}_off"], [y]))
        else:
            nodes.append(node)
    return with_nodes(model, nodes)


def fused(content: bytes) -> bytes:
    """Products that are added or subtracted are not rounded: float64 holds them as they are."""
    model, nodes = onnx.load_from_string(content), []
    factors = {node.output[0]: node.input for node in model.graph.node if node.op_type == "Mul"}
    for node in model.graph.node:
        if node.op_type in ("Add", "Sub") and factors.keys() & set(node.input):
            (y,), terms = node.output, [f"{node.output[0]}_{side}" for side in ("left", "right")]
            for term, name in zip(terms, node.input, strict=True):
                exact = [f"{term}_{place}" for place, _ in enumerate(factors.get(name, [name]))]
                for each, given in zip(exact, factors.get(name, [name]), strict=True):
                    nodes.append(helper.make_node("Cast", [given], [each], to=TensorProto.DOUBLE))
                nodes.append(helper.make_node("Mul" if len(exact) == 2 else "Identity", exact, [term]))
            nodes.append(helper.make_node(node.op_type, terms, [f"{y}_exact"]))
            nodes.append(helper.make_node("Cast", [f"{y}_exact"], [y], to=TensorProto.FLOAT))
        else:
            nodes.append(node)
    return with_nodes(model, nodes)


def with_nodes(model, nodes) -> bytes:
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


FUSED = pytest.mark.parametrize("added", [bytes, fused], ids=["rounded", "fused"])


@CASES
@FUSED
def test_a_runtime_may_divide_by_reciprocals(made, added):
    """Plain quotients are then other float16, corrected ones are not, nor if products are not rounded."""
    x, d = made()
    expected = as_stored(x / d)
    np.testing.assert_array_equal(run(added(by_reciprocals(corrected())), {"x": x, "d": d}), expected)
    amiss = run(added(by_reciprocals(plain())), {"x": x, "d": d}) - expected
    assert made is about_powers_of_two or 0 < np.nanmax(abs(amiss)) < 6e-4, "the next float16"


@FUSED
@pytest.mark.parametrize("made", [about_ties, drawn])
@pytest.mark.parametrize("off", [-2, -1, 1, 2])
def test_even_by_wrong_ones(made, off, added):
    x, d = made()
    expected = as_stored(x / d)
    np.testing.assert_array_equal(run(added(by_reciprocals(corrected(), off)), {"x": x, "d": d}), expected)
    amiss = run(added(by_reciprocals(plain(), off)), {"x": x, "d": d}) - expected
    assert 0 < np.nanmax(abs(amiss)) < 6e-4


@CASES
def test_fusing_alone_changes_nothing(made):
    x, d = made()
    np.testing.assert_array_equal(run(fused(corrected()), {"x": x, "d": d}), as_stored(x / d))


@CASES
def test_openvino_divides_as_numpy(made):
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")
    core, (x, d) = openvino.Core(), made()
    compiled = core.compile_model(core.read_model(corrected()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_array_equal(compiled({"x": x, "d": d})[0], as_stored(x / d))
