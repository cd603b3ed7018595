"""What comes before the network, as ONNX operators: raw stamps to rotated copies, raw metadata to standardised values.

All arithmetic is float32, since many runtimes on accelerators have no float64; where jtss calculates in float64, a mean
is subtracted in two parts, so that nothing is lost.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jtss import schema
from jtss.config.settings import Config
from jtss.export.columns import LEAST_VALUE, Columns
from jtss.export.graph import Graph
from jtss.export.onnx_rounding import float16_quotient
from jtss.export.signature import ALLWISE, METADATA, STAMPS, TIME_GAP, inputs_of
from jtss.network.rotation import copy_angles, rotated_copies
from jtss.schema import CHANNEL_NAMES, FILL_LIMIT, STAMP_SIDE

FLOAT = 1  # TensorProto's number of the type
FLOAT_MAX = np.finfo(np.float32).max
HUGE = np.float32(3e38)  # above every pixel
CORNERS = 4  # pixels that a bilinear look-up reads
LEAST_SPAN, TO_MAGNIFY = np.float32(2.0**-60), np.float32(2.0**90)  # 2^-149, the smallest number, becomes 2^-59


def f32(values) -> np.ndarray:
    return np.asarray(values, np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


class Images(NamedTuple):
    """The images of stamps that a model reads, [M, C, 63, 63]: their pixels, and which are light."""

    pixels: str
    is_light: str


def images(graph: Graph, config: Config, layout: str) -> Images:
    """The input of stamps, whatever its axes before the pixels."""
    side, channels = STAMP_SIDE, len(CHANNEL_NAMES)
    if layout == "NHWC":
        pixels = graph.add("Reshape", STAMPS, i64(-1, side, side, channels))
        pixels = graph.add("Transpose", pixels, perm=[0, 3, 1, 2])
    else:
        pixels = graph.add("Reshape", STAMPS, i64(-1, channels, side, side))
    read = [CHANNEL_NAMES.index(name) for name in config.stamp.channels]
    if read != list(range(channels)):
        pixels = graph.add("Gather", pixels, i64(*read), axis=1)
    return Images(pixels, graph.add("LessOrEqual", graph.add("Abs", pixels), f32(FILL_LIMIT)))  # not of NaN either


def _centre(graph: Graph, image: str, side: int) -> str:
    margin = (STAMP_SIDE - side) // 2
    return graph.add("Slice", image, i64(margin, margin), i64(STAMP_SIDE - margin, STAMP_SIDE - margin), i64(2, 3))


def crops(graph: Graph, config: Config, stamps: Images) -> str:
    """[M, C, S, S], scaled to [0, 1], missing pixels 0.

    As `jtss.network.inputs.source_crops`, after the whole stamp was scaled and stored as float16, as in data sets.
    """
    low, span = _extremes(graph, *stamps)
    pixels, is_light = (_centre(graph, whole, config.stamp.source_side) for whole in stamps)
    pixels = float16_quotient(graph, *_magnified(graph, graph.add("Sub", pixels, low), span))
    low, span = _extremes(graph, pixels, is_light)  # spans are 2^-24 at least
    scaled = float16_quotient(graph, graph.add("Sub", pixels, low), span)
    return graph.add("Where", is_light, scaled, f32(0))


def has_light(graph: Graph, config: Config, stamps: Images) -> str:
    """[M, 1] bool: of the crops that are encoded one pixel or more is light; else it is as if there were no stamp."""
    light = graph.add("Cast", _centre(graph, stamps.is_light, config.stamp.crop), to=FLOAT)
    most = graph.add("ReduceMax", light, axes=[1, 2, 3], keepdims=0)
    return graph.add("Less", f32(0), graph.add("Unsqueeze", most, i64(1)))


def _extremes(graph: Graph, pixels: str, is_light: str) -> tuple[str, str]:
    """The least pixel of each image and channel, and how far the greatest is above it, 1 where it is not."""
    low = graph.add("ReduceMin", graph.add("Where", is_light, pixels, HUGE), axes=[2, 3], keepdims=1)
    high = graph.add("ReduceMax", graph.add("Where", is_light, pixels, -HUGE), axes=[2, 3], keepdims=1)
    span = graph.add("Sub", high, low)
    return low, graph.add("Where", graph.add("Less", f32(0), span), span, f32(1))


def _magnified(graph: Graph, pixels: str, span: str) -> tuple[str, str]:
    """Pixels and their span, times a power of two in images whose span is tiny, which changes no quotient."""
    power = graph.add("Where", graph.add("Less", span, LEAST_SPAN), TO_MAGNIFY, f32(1))
    return graph.add("Mul", pixels, power), graph.add("Mul", span, power)


def copies(graph: Graph, config: Config, crop: str) -> str:
    """[B * N, C, S, S] → [B * N * K, C, A, A]: the rotated copies, whose angles are constants."""
    stamp, n_channels = config.stamp, len(config.stamp.channels)
    index, weight = look_up(config)
    flat = graph.add("Reshape", crop, i64(-1, n_channels, stamp.source_side**2))
    corners = graph.add("Mul", graph.add("Gather", flat, index, axis=2), weight)  # [B * N, C, 4, K * A * A]
    turned = graph.add("ReduceSum", corners, i64(2), keepdims=0)
    if stamp.copies > 1:
        turned = graph.add("Reshape", turned, i64(-1, n_channels, stamp.copies, stamp.crop**2))
        turned = graph.add("Transpose", turned, perm=[0, 2, 1, 3])
    return graph.add("Reshape", turned, i64(-1, n_channels, stamp.crop, stamp.crop))


def look_up(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels of a source crop each pixel of the copies is made of: indices and weights [4, K * A * A].

    Turning is linear, so what the network's own function makes of images with one bright pixel each says all.
    """
    stamp, n_pixels = config.stamp, config.stamp.source_side**2
    angles = copy_angles(None, stamp.copies, 0)

    def turned(image: jax.Array) -> jax.Array:
        return rotated_copies(image, angles, stamp.crop).ravel()

    images = jnp.eye(n_pixels).reshape(n_pixels, stamp.source_side, stamp.source_side, 1)
    matrix = np.asarray(jax.jit(jax.vmap(turned))(images))  # [S * S, K * A * A]
    index = np.argsort(-np.abs(matrix), axis=0, kind="stable")[:CORNERS]
    return index.astype(np.int64), np.take_along_axis(matrix, index, axis=0)


def metadata(graph: Graph, config: Config, plans: tuple[Columns, Columns]) -> tuple[str, str]:
    """The inputs of numbers → standardised values [B * N, D] and [B, F]; "" where there are none.

    Args:
        plans: of the dynamic and of the static values, see `columns.of_model`.
    """
    n, width = config.n_detections, len(schema.METADATA)
    names = {each.name for each in inputs_of(config)}
    skipped = 0 if METADATA in names else width  # raw columns that no input has, and no value is made of
    of_detections, of_objects = [], []
    if METADATA in names:
        of_detections.append(graph.add("Reshape", METADATA, i64(-1, width)))
        last = METADATA
        if n > 1:
            last = graph.add("Gather", METADATA, np.array(n - 1, np.int64), axis=1)
        of_objects.append(last)
    if TIME_GAP in names:
        of_detections.append(graph.add("Reshape", TIME_GAP, i64(-1, 1)))
    if ALLWISE in names:
        of_objects.append(colours(graph))
    dynamic, static = plans
    return standardised(graph, dynamic, of_detections, skipped), standardised(graph, static, of_objects, skipped)


def colours(graph: Graph) -> str:
    """The input of AllWISE magnitudes → [B, 3]."""
    n_bands = len(schema.ALLWISE_BANDS)
    magnitudes = finite(graph, ALLWISE)
    blue = graph.add("Slice", magnitudes, i64(0), i64(n_bands - 1), i64(1))
    red = graph.add("Slice", magnitudes, i64(1), i64(n_bands), i64(1))
    return graph.add("Sub", blue, red)


def standardised(graph: Graph, columns: Columns, parts: list[str], skipped: int = 0) -> str:
    """Raw columns […, M] in parts, the first `skipped` of the plan's left out → […, F]; "" where F is 0."""
    if not len(columns.order):
        return ""
    raw = graph.add("Concat", *parts, axis=-1) if len(parts) > 1 else parts[0]
    values = _derived(graph, columns, finite(graph, graph.add("Gather", raw, columns.source - skipped, axis=-1)))
    if columns.members.shape[1]:
        is_there = graph.add("Cast", is_number(graph, values), to=FLOAT)
        n_there = graph.add("MatMul", is_there, columns.members)
        bits = graph.add("Cast", graph.add("Less", f32(0), n_there), to=FLOAT)
        values = graph.add("Concat", values, bits, axis=-1)
    values = graph.add("Gather", values, columns.order, axis=-1)
    clipped = graph.add("Min", graph.add("Max", values, f32(columns.lower)), f32(columns.upper))
    mean = f32(columns.mean)
    centred = graph.add("Sub", graph.add("Sub", clipped, mean), f32(columns.mean - mean))
    scaled = graph.add("Div", centred, f32(columns.std))
    return graph.add("Where", is_number(graph, values), scaled, f32(0))


def finite(graph: Graph, values: str) -> str:
    """The values, NaN for what is infinite: jtss takes no such number from a packet."""
    return graph.add("Where", graph.add("LessOrEqual", graph.add("Abs", values), FLOAT_MAX), values, f32(np.nan))


def is_number(graph: Graph, values: str) -> str:
    """False for NaN, which is not equal to itself; `IsNaN` has no kernel in every runtime."""
    return graph.add("Equal", values, values)


def log10(graph: Graph, values: str) -> str:
    return graph.add("Mul", graph.add("Log", values), f32(1 / np.log(10)))


def _derived(graph: Graph, columns: Columns, x: str) -> str:
    """Raw columns […, P] as the model reads them, NaN = missing; see `jtss.network.inputs.derived`."""
    instead = np.where(columns.takes_999, f32(schema.ZTF_MISSING), f32(np.nan))
    instead = np.where(columns.is_neighbour, f32(schema.SEARCH_RADIUS_ARCSEC), instead)
    x = graph.add("Where", graph.add("Equal", x, f32(schema.ZTF_MISSING)), instead, x)
    if columns.is_logarithm.any():
        one_more, at_least = graph.add("Add", x, f32(1)), graph.add("Max", x, f32(LEAST_VALUE))
        argument = graph.add("Where", columns.is_count, one_more, at_least)
        logarithm = log10(graph, argument)
        logarithm = graph.add("Where", graph.add("LessOrEqual", f32(0), x), logarithm, f32(np.nan))
        x = graph.add("Where", columns.is_logarithm, logarithm, x)
    if columns.is_absolute.any():
        x = graph.add("Where", columns.is_absolute, graph.add("Abs", x), x)
    return x
