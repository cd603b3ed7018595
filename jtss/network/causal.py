"""The network of packets: what it answers after a row depends on the rows up to it alone.

A packet is an alert with the detections and upper limits of its past. Each row is embedded by itself: its values, its
time since the row before and since the first, its stamp where it has one. A recurrent layer, or attention to earlier
rows, carries what was seen; what is of the whole object scales and shifts that late (FiLM). One head answers after
every row, by logits of the classes and of their subclasses, which `subclasses` reads.

Rows that are none leave no trace. FiLM: Perez et al. 2018; modulation by time: Pimentel et al. 2023.
"""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jtss import schema
from jtss.config.settings import ATTENTION_HEADS, Config
from jtss.network.encoder import StampEncoder
from jtss.network.parts import NO_ROW, Batch, Head, Output, Rows, Variables, encode
from jtss.network.temporal import GLOROT, recurrent_gru

FILTERS = (1, 2, 3)  # ZTF's fid
LEAST_GAP_DAYS, LEAST_AGE_DAYS = 0.01, 0.03  # below, times look the same in their logarithm
FREQUENCIES = (0.25, 0.5, 1.0, 2.0)  # per factor e of time
UNROLL = 4  # rows compiled as one
LEAST_SCATTER_MAG = 0.02  # below, detections scatter by their errors
N_TOLD = 12 + 2 * len(FILTERS)  # values that `_told` makes of a row


class Seen(NamedTuple):
    """What a recurrent model carries from row to row of one object; as large however many rows there were.

    Attributes:
        state: [U] of the recurrence; empty for attention, which carries nothing.
        began_days, latest_days: time of the first and of the latest row, on any scale; -inf: there was none.
        detections, limits: how many there were. fainter: detections fainter than the reference.
        moments: [F, 3] how many changes were known in each filter, their sum [mag], and the sum of their squared
            deviations from their mean [mag²].
    """

    state: jax.Array
    began_days: jax.Array
    latest_days: jax.Array
    detections: jax.Array
    limits: jax.Array
    fainter: jax.Array
    moments: jax.Array


def nothing_seen(config: Config) -> Seen:
    """What is carried before the first row."""
    never, none = jnp.float32(-jnp.inf), jnp.float32(0)
    units = config.temporal.units if config.temporal.kind == "gru" else 0
    return Seen(jnp.zeros(units), never, never, none, none, none, jnp.zeros((len(FILTERS), 3)))


class Past(NamedTuple):
    """What is known of the times, kinds and changes of a packet's rows after each of them; [R] each, of one packet.

    Attributes:
        gap_days: since the row before; 0 for the first.
        age_days: since the first row.
        is_first: 1 for the first.
        detections, limits: how many so far. fainter: how many detections fainter than the reference.
        n_changes: [R, F] in how many detections in each filter the change from the reference was known.
        scatter_mag: [R, F] standard deviation of these changes.
    """

    gap_days: jax.Array
    age_days: jax.Array
    is_first: jax.Array
    detections: jax.Array
    limits: jax.Array
    fainter: jax.Array
    n_changes: jax.Array
    scatter_mag: jax.Array


def past(rows: Rows, seen: Seen) -> tuple[Past, Seen]:
    """What is known after each of the rows [R] that follow, in time order; rows that are none are passed over.

    Args:
        rows: without the axis of packets.
        seen: before these rows.

    Returns:
        What is known, and what is carried on; its state is as it was.
    """
    kind, days = rows.kind, rows.days
    there = kind != NO_ROW
    latest = jnp.maximum(seen.latest_days, jax.lax.cummax(jnp.where(there, days, -jnp.inf)))
    before = jnp.concatenate([seen.latest_days[None], latest[:-1]])
    is_first = there & ~jnp.isfinite(before)
    began = jnp.maximum(seen.began_days, jax.lax.cummax(jnp.where(is_first, days, -jnp.inf)))
    is_limit = kind == schema.LIMIT
    is_known = there & jnp.isfinite(rows.change)
    change = jnp.where(is_known, rows.change, 0.0)
    of_filter = is_known[:, None] & (rows.fid[:, None] == jnp.array(FILTERS))
    moments = _moments(of_filter, change, seen.moments)
    known = Past(
        gap_days=jnp.where(there & ~is_first, jnp.maximum(days - before, 0), 0.0),
        age_days=jnp.where(there, jnp.maximum(days - began, 0), 0.0),
        is_first=is_first.astype(jnp.float32),
        detections=seen.detections + jnp.cumsum(there & ~is_limit).astype(jnp.float32),
        limits=seen.limits + jnp.cumsum(is_limit).astype(jnp.float32),
        fainter=seen.fainter + jnp.cumsum(is_known & (change < 0)).astype(jnp.float32),
        n_changes=moments[..., 0],
        scatter_mag=_scatter(moments),
    )
    counts = (known.detections[-1], known.limits[-1], known.fainter[-1])
    return known, Seen(seen.state, began[-1], latest[-1], *counts, moments[-1])


def _moments(of_filter: jax.Array, change: jax.Array, before: jax.Array) -> jax.Array:
    """How many values [R] there are in each filter, their sum and that of their squared deviations, after each row.

    Each value adds what it deviates from the mean of those before it. A mean of squares less the square of the mean,
    which says the same, would lose the scatter of values that are alike in the rounding of float32.

    Args:
        of_filter: [R, F] bool; whether it is a value of this filter. before: [F, 3] of earlier rows.

    Returns:
        [R, F, 3].

    Welford 1962, Technometrics 4, 419.
    """
    n = before[:, 0] + jnp.cumsum(of_filter, axis=0, dtype=jnp.float32)
    total = before[:, 1] + jnp.cumsum(jnp.where(of_filter, change[:, None], 0.0), axis=0)
    earlier = jnp.concatenate([before[None, :, :2], jnp.stack([n, total], axis=-1)[:-1]])
    mean = earlier[..., 1] / jnp.maximum(earlier[..., 0], 1)
    away = jnp.where(of_filter, (change[:, None] - mean) ** 2 * (n - 1) / jnp.maximum(n, 1), 0.0)
    return jnp.stack([n, total, before[:, 2] + jnp.cumsum(away, axis=0)], axis=-1)


def _scatter(moments: jax.Array) -> jax.Array:
    """Standard deviation of values by their `_moments`, [..., 3] → [...]; 0 of none."""
    return jnp.sqrt(moments[..., 2] / jnp.maximum(moments[..., 0], 1))


class RowEncoder(nn.Module):
    """One row → [units]: its values and what its time says, modulated by harmonics of the logarithm of its age."""

    units: int

    @nn.compact
    def __call__(self, values: jax.Array, age_days: jax.Array) -> jax.Array:
        dense = partial(nn.Dense, self.units, kernel_init=GLOROT)
        x = nn.relu(dense(name="values")(values))
        phase = jnp.array(FREQUENCIES) * jnp.log(age_days + LEAST_AGE_DAYS)
        harmonics = jnp.concatenate([jnp.sin(phase), jnp.cos(phase)])
        nothing = nn.initializers.zeros
        scale = nn.Dense(self.units, kernel_init=nothing, name="scale")(harmonics)
        shift = nn.Dense(self.units, kernel_init=nothing, name="shift")(harmonics)
        return nn.relu(dense(name="modulated")(x * (1 + scale) + shift))


class Recurrence(nn.Module):
    """A GRU over rows: [R, F] → states [R, units]; a row that is none leaves the state as it is. O(1) for a new row."""

    units: int

    @nn.compact
    def __call__(self, rows: jax.Array, there: jax.Array, state: jax.Array) -> jax.Array:
        advance = recurrent_gru(self, rows.shape[-1])

        def step(h: jax.Array, row: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            x, is_row = row
            h = jnp.where(is_row, advance(h, x), h)
            return h, h

        return jax.lax.scan(step, state, (rows, there), unroll=UNROLL)[1]


class Attention(nn.Module):
    """Attention from each row to itself and the rows before it: [R, F] → [R, units]."""

    units: int

    @nn.compact
    def __call__(self, rows: jax.Array, there: jax.Array) -> jax.Array:
        depth = self.units // ATTENTION_HEADS
        project = partial(nn.DenseGeneral, (ATTENTION_HEADS, depth), kernel_init=GLOROT)
        query, key, value = (project(name=name)(rows) for name in ("query", "key", "value"))
        score = jnp.einsum("thd,shd->hts", query, key) / jnp.sqrt(float(depth))
        seen = jnp.tril(jnp.ones((rows.shape[0], rows.shape[0]), bool)) & there[None]
        score = jnp.where(seen | jnp.eye(rows.shape[0], dtype=bool), score, -jnp.inf)  # a row that is none sees itself
        mixed = jnp.einsum("hts,shd->thd", nn.softmax(score), value).reshape(rows.shape[0], -1)
        return nn.relu(nn.Dense(self.units, kernel_init=GLOROT, name="mixed")(mixed))


class Film(nn.Module):
    """What is of the whole object [F] scales and shifts states [R, U]; they come with what it says itself, [R, 2 U]."""

    @nn.compact
    def __call__(self, states: jax.Array, static: jax.Array) -> jax.Array:
        units = states.shape[-1]
        context = nn.relu(nn.Dense(units, kernel_init=GLOROT, name="context")(static))
        scale, shift = jnp.split(nn.Dense(2 * units, kernel_init=nn.initializers.zeros, name="film")(context), 2)
        repeated = jnp.broadcast_to(context, states.shape)
        return jnp.concatenate([states * (1 + scale) + shift, repeated], axis=-1)


def init(config: Config, key: jax.Array) -> Variables:
    """Fresh variables of the whole model; there are no batch statistics."""
    encoder_key, row_key, temporal_key, film_key, head_key = jax.random.split(key, 5)
    params, units = {}, config.temporal.units
    width = len(config.metadata.dynamic) + N_TOLD
    if config.stamp.channels:
        stamp = jnp.zeros((config.stamp.crop, config.stamp.crop, len(config.stamp.channels)))
        params["encoder"] = StampEncoder(config.encoder).init(encoder_key, stamp)["params"]
        params["no_stamp"] = jnp.zeros(config.encoder.units[-1])
        width += config.encoder.units[-1]
    row, rows, there = jnp.zeros(width), jnp.zeros((2, units)), jnp.ones(2, bool)
    params["row"] = RowEncoder(units).init(row_key, row, jnp.float32(0))["params"]
    begin = (jnp.zeros(units),) if config.temporal.kind == "gru" else ()
    params["temporal"] = _temporal(config).init(temporal_key, rows, there, *begin)["params"]
    if config.metadata.static:
        params["film"] = Film().init(film_key, rows, jnp.zeros(len(config.metadata.static)))["params"]
    wide = units * (3 if config.metadata.static else 2)
    params["head"] = _head(config).init(head_key, jnp.zeros(wide), train=False)["params"]
    return {"params": params, "batch_stats": {}}


def outputs(
    config: Config,
    variables: Variables,
    batch: Batch,
    *,
    train: bool,
    key: jax.Array | None = None,
    rotation_range_deg: jax.Array | None = None,
) -> tuple[Output, dict]:
    """What the head puts out for a batch of packets after each of their rows.

    Args:
        config, variables, batch, train, key, rotation_range_deg: as `network.outputs` has them; but stamps may be given
            of the first packets alone, where the others have none.

    Returns:
        Logits [B, R, L + S] of L classes and, last, S subclasses, see `subclasses`, and the hidden layer [B, R, U],
        whatever where there is no row; and no batch statistics.
    """
    params = variables["params"]
    encoder_key = dropout_keys = None
    if train:
        encoder_key, head_key = jax.random.split(key)
        dropout_keys = jax.random.split(head_key, len(batch.static))
    stamps = None
    if config.stamp.channels:
        stamps = encode(config, params["encoder"], batch.stamps, encoder_key, rotation_range_deg)
        stamps = jnp.pad(stamps, ((0, batch.static.shape[0] - stamps.shape[0]), (0, 0), (0, 0)))
    return of_encoded(config, params, batch, stamps, dropout_keys), {}


def of_encoded(
    config: Config, params: dict, batch: Batch, stamps: jax.Array | None, keys: jax.Array | None = None
) -> Output:
    """What the head puts out for a batch of packets after each of their rows, given what their stamps look like.

    Args:
        config, params, batch: as `outputs` has them; the batch's own stamps are not read.
        stamps: [B, P, U] encoded; None for a model without images.
        keys: [B] of the dropout; None for evaluation.
    """

    def one(rows: Rows, dynamic: jax.Array, stamps: jax.Array | None, static: jax.Array, key: jax.Array | None):
        return follow(config, params, nothing_seen(config), rows, dynamic, stamps, static, key)[1]

    return jax.vmap(one)(batch.rows, batch.dynamic, stamps, batch.static, keys)


def follow(
    config: Config,
    params: dict,
    seen: Seen,
    rows: Rows,
    dynamic: jax.Array,
    stamps: jax.Array | None,
    static: jax.Array,
    key: jax.Array | None = None,
) -> tuple[Seen, Output]:
    """Go on with one object by R more rows: of a recurrent model it is the same row by row as all at once.

    Of the rows of one packet: times count from any of them, since float32 resolves a JD no better than a quarter of a
    day. Another packet of the object tells the earlier alerts without stamps and counters, and forgets what is older
    than a month; what is carried on from here does not.

    Args:
        seen: of the rows before; `nothing_seen` at the beginning, and always for attention.
        rows: [R], without the axis of packets; `stamp_at` counts from the first of these.
        dynamic: [R, D], standardised.
        stamps: [P, U] encoded; None for a model without images.
        static: [F], standardised.
        key: of the dropout; None for evaluation.

    Returns:
        What was seen now, and what the head puts out after each row: logits [R, L + S], hidden layer [R, U].
    """
    known, after = past(rows, seen)
    embedded = embed(config, params, rows, known, dynamic, stamps)
    begin = (seen.state,) if config.temporal.kind == "gru" else ()
    states = _temporal(config).apply({"params": params["temporal"]}, embedded, rows.kind != NO_ROW, *begin)
    output = answer(config, params, states, embedded, static, key)
    return after._replace(state=states[-1][: len(seen.state)]), output


def embed(
    config: Config, params: dict, rows: Rows, known: Past, dynamic: jax.Array, stamps: jax.Array | None
) -> jax.Array:
    """The rows of one packet, [R, units], with what is known after each; arguments as `follow` has them."""
    values = [dynamic, _told(rows, known)]
    if stamps is not None:
        values.append(_beside_rows(params["no_stamp"], rows.stamp_at, stamps, rows.kind.shape[0]))
    encoder = partial(RowEncoder(config.temporal.units).apply, {"params": params["row"]})
    return jax.vmap(encoder)(jnp.concatenate(values, axis=-1), known.age_days)


def answer(
    config: Config, params: dict, states: jax.Array, embedded: jax.Array, static: jax.Array, key: jax.Array | None
) -> Output:
    """What the head puts out after each row of a packet, given what was seen until then and the row, [R, …] each."""
    x = states
    if config.metadata.static:
        x = Film().apply({"params": params["film"]}, states, static)
    x = jnp.concatenate([x, embedded], axis=-1)
    rngs = None if key is None else {"dropout": key}
    return _head(config).apply({"params": params["head"]}, x, train=key is not None, rngs=rngs)


def _head(config: Config) -> Head:
    return Head(config.head, len(config.classes) + len(config.subclasses))


def _temporal(config: Config) -> nn.Module:
    return (Recurrence if config.temporal.kind == "gru" else Attention)(config.temporal.units)


def _told(rows: Rows, known: Past) -> jax.Array:
    """[R, …]: what a row is, in which filter, when, and how its light changes, on scales of about one."""
    filters = rows.fid[:, None] == jnp.array(FILTERS)
    is_known = jnp.isfinite(rows.change)
    columns = [
        rows.kind == schema.LIMIT,
        jnp.log10(known.gap_days + LEAST_GAP_DAYS),
        jnp.log10(known.age_days + LEAST_AGE_DAYS),
        known.is_first,
        jnp.log10(1 + known.detections),
        jnp.log10(1 + known.limits),
        jnp.log10(1 + known.fainter),
        is_known,
        jnp.where(is_known, rows.change, 0.0),
    ]
    scatter = jnp.log10(known.scatter_mag + LEAST_SCATTER_MAG)
    several = known.n_changes > 1
    of_filters = [filters, several, jnp.where(several, scatter, 0.0)]
    return jnp.concatenate([*of_filters, jnp.stack(columns, axis=-1)], axis=-1, dtype=jnp.float32)


def _beside_rows(no_stamp: jax.Array, stamp_at: jax.Array, stamps: jax.Array, n_rows: int) -> jax.Array:
    """Encoded stamps [P, U] beside their rows, [R, U]; what was learnt for no stamp beside the others."""
    nowhere = n_rows  # out of range, and so dropped
    at = jnp.where(stamp_at == schema.NO_STAMP, nowhere, stamp_at)
    return jnp.broadcast_to(no_stamp, (n_rows, len(no_stamp))).at[at].set(stamps, mode="drop")
