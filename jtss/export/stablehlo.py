"""A model as StableHLO: the network itself, with what comes before and after it, serialised by `jax.export`.

The same program as `jtss.inference.predict` runs, in the same order of additions: it gives the same bits on the same
machine. Two things keep XLA from rewriting it. Weights stand behind a barrier: as constants that it can see, it
arranges them anew and adds in another order. And what NumPy does in float64 (metadata, calibration) is float64 here,
whatever the setting of the program that loads the file.
"""

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jtss import schema
from jtss.config.settings import Config
from jtss.export import signature, stablehlo_packets
from jtss.export.columns import LEAST_VALUE, Columns, of_model
from jtss.export.signature import ALLWISE, BATCH, METADATA, OUTLIER, PROBABILITIES, STAMPS, SUBCLASSES, TIME_GAP
from jtss.export.stablehlo_packets import finite
from jtss.inference.known_alerts import SHARES, KnownAlerts
from jtss.inference.model import Model
from jtss.metrics.classification import LEAST_PROBABILITY
from jtss.network import network, subclasses
from jtss.network.causal import UNROLL
from jtss.network.parts import Batch
from jtss.schema import CHANNEL_NAMES, FILL_LIMIT, STAMP_SIDE

PLATFORMS = ("cpu", "cuda")
FOURS = "fours"  # how often `UNROLL` rows there are: JAX needs it of a scan that it unrolls
FLOAT32_BITS = (8, 23)  # of exponent and mantissa


def to_bytes(model: Model, layout: str = "NHWC") -> bytes:
    """The content of the file: a function of the inputs of `signature.inputs_of`, in their order.

    It returns the outputs of `signature.outputs_of`, float32: one array, or of several a tuple.
    """
    model = signature.exportable(model)
    batch, fours = export.symbolic_shape(f"{BATCH}, {FOURS}")
    inputs = signature.inputs_of(model.config, layout)
    axes = {signature.ROWS: UNROLL * fours - 1}
    answer = _answer_to_packets if model.config.packet.rows else _answer
    with jax.enable_x64(True):
        shapes = [
            jax.ShapeDtypeStruct((batch, *(axes.get(size, size) for size in each.shape)), np.float32) for each in inputs
        ]
        function = jax.jit(partial(answer, model, tuple(each.name for each in inputs), layout))
        return bytes(export.export(function, platforms=PLATFORMS)(*shapes).serialize())


def _answer_to_packets(model: Model, names: tuple[str, ...], layout: str, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The outputs, traced with float64 at hand."""
    given, config = dict(zip(names, arrays, strict=True)), model.config
    metadata, rows = stablehlo_packets.rows_of(config, given, layout)
    batch = _behind_barrier(
        Batch(_stamps(config, given, layout, metadata.shape[0]), *_standardised_rows(model, metadata, given), rows)
    )
    with jax.enable_x64(False):
        members = [_packet_member(config, member.variables, batch) for member in model.members]
    *parts, hidden = zip(*members, strict=True)
    of_class, of_subclass = (_divided(reduce(_added, each), jnp.float32(len(members))) for each in parts)
    given = {PROBABILITIES: _calibrated(of_class, model.temperature or 1.0)}
    if config.subclasses:
        class_of = subclasses.class_of(config)
        share = _divided(of_subclass, jnp.maximum(of_class, np.float32(LEAST_PROBABILITY))[:, class_of])
        given[SUBCLASSES] = share * given[PROBABILITIES][:, class_of]
    if model.known_alerts is not None:
        given[OUTLIER] = _outlier(model.known_alerts, hidden)
    return tuple(given[each.name] for each in signature.outputs_of(model))


def _packet_member(config: Config, variables: dict, batch: Batch) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Of one member, after the last row: P(class) [B, L], P(subclass) [B, S] and the hidden layer [B, U]."""
    output, _ = network.outputs(config, _behind_barrier(variables), batch, train=False)
    of_class, of_subclass = subclasses.probabilities(config, output.logits)
    return _behind_barrier((of_class[:, -1], of_subclass[:, -1], output.hidden[:, -1]))


def _outlier(known: KnownAlerts, hidden: tuple[jax.Array, ...]) -> jax.Array:
    """[B] float32: as `known_alerts.outlier_scores`, in float64."""
    squared = []
    for x, means, whitening in zip(hidden, known.means, known.whitening, strict=True):
        away = x.astype(jnp.float64)[:, None] - means
        squared.append(jnp.square(away @ whitening.astype(np.float64).T).sum(axis=-1).min(axis=1))
    distance = jnp.sqrt(jnp.mean(jnp.stack(squared), axis=0))
    return jnp.interp(distance, known.distances, SHARES).astype(jnp.float32)


def _answer(model: Model, names: tuple[str, ...], layout: str, *arrays: jax.Array) -> jax.Array:
    """Calibrated probabilities [B, L] float32, traced with float64 at hand."""
    given, config = dict(zip(names, arrays, strict=True)), model.config
    n_objects = arrays[0].shape[0]
    dynamic, static = _metadata(model, given, n_objects)
    stamps = _stamps(config, given, layout, n_objects)
    with jax.enable_x64(False):  # the network's own constants are float32
        members = [_member(config, member.variables, Batch(stamps, dynamic, static)) for member in model.members]
    mean = _divided(reduce(_added, members), jnp.float32(len(members)))
    return _calibrated(mean, model.temperature or 1.0)


def _member(config: Config, variables: dict, batch: Batch) -> jax.Array:
    output, _ = network.outputs(config, _behind_barrier(variables), batch, train=False)
    return _behind_barrier(jax.nn.softmax(output.logits))


def _behind_barrier(tree):
    return jax.lax.optimization_barrier(jax.tree.map(jnp.asarray, tree))


def _calibrated(probabilities: jax.Array, temperature: float) -> jax.Array:
    """As `calibration.scaled`: softmax(ln p / T)."""
    exact = jnp.maximum(probabilities.astype(jnp.float64), LEAST_PROBABILITY)
    logits = jnp.log(exact) / jax.lax.optimization_barrier(jnp.float64(temperature))
    powers = jnp.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(jnp.float32)


def _stamps(config: Config, given: dict[str, jax.Array], layout: str, n_objects) -> jax.Array:
    """[B, N, S, S, C]."""
    if config.stamp.channels:
        return _crops(config, given[STAMPS], layout)
    return jnp.zeros(
        (n_objects, config.n_detections, config.stamp.source_side, config.stamp.source_side, 0), jnp.float32
    )


def _crops(config: Config, stamps: jax.Array, layout: str) -> jax.Array:
    """Raw stamps → [B, N, S, S, C] float32 that float16 can hold, as `jtss.network.inputs.examples` makes them."""
    pixels = stamps if layout == "NHWC" else jnp.moveaxis(stamps, -3, -1)
    pixels = pixels.reshape(-1, config.n_detections, STAMP_SIDE, STAMP_SIDE, len(CHANNEL_NAMES))
    pixels = pixels[..., np.array([CHANNEL_NAMES.index(name) for name in config.stamp.channels])]
    is_light = jnp.abs(pixels) <= FILL_LIMIT
    margin = (STAMP_SIDE - config.stamp.source_side) // 2
    inner = slice(margin, STAMP_SIDE - margin)
    stored = _float16(_min_max(pixels, is_light))[:, :, inner, inner]
    is_light = is_light[:, :, inner, inner]
    return _float16(jnp.where(is_light, _min_max(stored, is_light), 0))


def _min_max(pixels: jax.Array, is_light: jax.Array) -> jax.Array:
    """Scale each image and channel to [0, 1] by the extremes of what is light; anything where it is not."""
    low = jnp.where(is_light, pixels, jnp.inf).min(axis=(2, 3), keepdims=True)
    span = jnp.where(is_light, pixels, -jnp.inf).max(axis=(2, 3), keepdims=True) - low
    return jnp.where(is_light, _divided(pixels - low, jnp.where(span > 0, span, 1)), 0)


def _divided(values: jax.Array, by: jax.Array) -> jax.Array:
    """float32 / float32, rounded once: XLA may multiply by a reciprocal, which only in float64 comes to the same."""
    return _rounded(values.astype(jnp.float64) / by.astype(jnp.float64))


def _added(one: jax.Array, other: jax.Array) -> jax.Array:
    """float32 + float32, rounded at once: XLA may add several numbers in another order."""
    return _rounded(one.astype(jnp.float64) + other.astype(jnp.float64))


def _rounded(values: jax.Array) -> jax.Array:
    """float64 to float32, in a way that XLA does not leave out."""
    return jax.lax.reduce_precision(values, *FLOAT32_BITS).astype(jnp.float32)


def _float16(values: jax.Array) -> jax.Array:
    """The values as a data set holds them; behind a barrier, for XLA drops a conversion that another undoes."""
    return jax.lax.optimization_barrier(values.astype(jnp.float16)).astype(jnp.float32)


def _metadata(model: Model, given: dict[str, jax.Array], n_objects) -> tuple[jax.Array, jax.Array]:
    """Standardised, [B, N, D] and [B, F] float32."""
    n = model.config.n_detections
    raw = jnp.full((n_objects, n, len(schema.METADATA)), jnp.nan, jnp.float32)
    if METADATA in given:
        raw = given[METADATA].reshape(raw.shape)
    gaps = given.get(TIME_GAP, jnp.zeros((n_objects, n), jnp.float32))
    dynamic, static = of_model(model.config, model.statistics)
    return (
        _standardised(dynamic, jnp.concatenate([raw, gaps[..., None]], axis=-1)),
        _standardised(static, jnp.concatenate([raw[:, -1], _colours(given, n_objects)], axis=-1)),
    )


def _standardised_rows(model: Model, metadata: jax.Array, given: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Of packets whose rows have metadata [B, R, 26], the alert last: standardised, [B, R, D] and [B, F] float32."""
    dynamic, static = of_model(model.config, model.statistics)
    of_object = jnp.concatenate([metadata[:, -1], _colours(given, metadata.shape[0])], axis=-1)
    return _standardised(dynamic, metadata), _standardised(static, of_object)


def _colours(given: dict[str, jax.Array], n_objects) -> jax.Array:
    if ALLWISE not in given:
        return jnp.full((n_objects, len(schema.COLOUR_NAMES)), jnp.nan, jnp.float32)
    magnitudes = finite(given[ALLWISE])
    return magnitudes[:, :-1] - magnitudes[:, 1:]


def _standardised(columns: Columns, raw: jax.Array) -> jax.Array:
    """[…, raw columns] → […, F] float32; missing values are 0."""
    x = finite(raw[..., columns.source])
    instead = np.where(columns.takes_999, np.float32(schema.ZTF_MISSING), np.float32(np.nan))
    instead = np.where(columns.is_neighbour, np.float32(schema.SEARCH_RADIUS_ARCSEC), instead)
    x = jnp.where(x == schema.ZTF_MISSING, instead, x)
    has_logarithm = x >= 0
    argument = jnp.where(columns.is_count, np.float32(1) + x, jnp.maximum(x, np.float32(LEAST_VALUE)))
    logarithm = jnp.log10(jnp.where(has_logarithm, argument, 1).astype(jnp.float64)).astype(jnp.float32)
    value = jnp.where(columns.is_logarithm, logarithm, jnp.where(columns.is_absolute, jnp.abs(x), x))
    is_there = jnp.where(columns.is_logarithm, has_logarithm, ~jnp.isnan(x))
    bits = (is_there.astype(jnp.float32) @ columns.members > 0).astype(jnp.float32)
    value = jnp.concatenate([value, bits], axis=-1)[..., columns.order].astype(jnp.float64)
    is_there = jnp.concatenate([is_there, jnp.ones(bits.shape, bool)], axis=-1)[..., columns.order]
    mean, std = jax.lax.optimization_barrier((jnp.asarray(columns.mean), jnp.asarray(columns.std)))
    scaled = (jnp.clip(value, columns.lower, columns.upper) - mean) / std
    return jnp.where(is_there, scaled, 0).astype(jnp.float32)
