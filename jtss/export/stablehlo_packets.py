"""Packets as StableHLO: raw history and alert → what the network of packets reads, as JAX operations.

As `jtss.network.packets` makes examples of the rows of a packet. See `stablehlo` for what keeps their bits.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jtss import schema
from jtss.config.settings import Config
from jtss.export.columns import DEPTH, SAME_EXPOSURE_DAYS, takes_999
from jtss.export.signature import DAYS, FID, HISTORY, HISTORY_COLUMNS, METADATA, STAMPS
from jtss.network.causal import FILTERS
from jtss.network.packets import CHANGE_OF, LEAST_LEFT, MOST_EXPONENT, SAME_SOURCE_ARCSEC, TOO_FAINT_MAG
from jtss.network.parts import NO_ROW, Rows
from jtss.schema import ALERT, DETECTION, FILL_LIMIT, LIMIT, METADATA_NAMES, NO_STAMP, STAMP_SIDE, ZTF_MISSING


def rows_of(config: Config, given: dict[str, jax.Array], layout: str) -> tuple[jax.Array, Rows]:
    """The raw inputs → metadata [B, R, 26] of the rows, NaN = missing; and what else the rows are."""
    history, alert = finite(given[HISTORY]), _without_codes(finite(given[METADATA]))[:, None]
    days, fid = (history[..., HISTORY_COLUMNS.index(name)] for name in (DAYS, FID))
    fid = jnp.nan_to_num(fid)  # one unknown filter is that of another
    told = _without_codes(_in_catalogue(history))
    is_limit = jnp.isnan(_column(told, "magpsf"))
    is_kept = ~is_limit[..., None] | np.array([name == DEPTH for name in METADATA_NAMES])
    told = jnp.where(is_kept, told, np.float32(np.nan))
    is_early = (days <= np.float32(-SAME_EXPOSURE_DAYS)) & (days > np.float32(-schema.TOLD_DAYS))
    there = is_early & ~(is_limit & jnp.isnan(_column(told, DEPTH)))
    again = (days[:, 1:] - days[:, :-1] < np.float32(SAME_EXPOSURE_DAYS)) & (fid[:, 1:] == fid[:, :-1])
    again &= there[:, 1:] & ~is_limit[:, :-1]
    there = jnp.concatenate([there[:, :-1] & ~again, there[:, -1:]], axis=1)
    metadata = jnp.concatenate([told, alert], axis=1)
    fids = jnp.concatenate([jnp.where(there, fid, 0), given[FID][:, None]], axis=1)
    kind = jnp.where(there, jnp.where(is_limit, LIMIT, DETECTION), NO_ROW)
    kind = jnp.concatenate([kind, jnp.full((kind.shape[0], 1), ALERT)], axis=1)
    shown = jnp.full((kind.shape[0], 1), kind.shape[1] - 1)
    return metadata, Rows(
        kind=kind.astype(jnp.int8),
        fid=jnp.where(jnp.isin(fids, np.array(FILTERS, np.float32)), fids, 0).astype(jnp.int8),
        days=jnp.concatenate([jnp.where(there, days, 0), jnp.zeros((kind.shape[0], 1), jnp.float32)], axis=1),
        change=_change(metadata),
        stamp_at=jnp.where(_has_stamp(config, given, layout, kind.shape[0]), shown, NO_STAMP).astype(jnp.int32),
    )


def finite(values: jax.Array) -> jax.Array:
    """The values, NaN for what is infinite."""
    return jnp.where(jnp.isfinite(values), values, np.float32(np.nan))


def _in_catalogue(history: jax.Array) -> jax.Array:
    """The columns of histories as those of `metadata`, [B, R, 26]; NaN for what no history tells."""
    nothing = jnp.full((*history.shape[:-1], 1), np.nan, np.float32)
    none = len(HISTORY_COLUMNS)
    places = [HISTORY_COLUMNS.index(name) if name in HISTORY_COLUMNS else none for name in METADATA_NAMES]
    return jnp.concatenate([history, nothing], axis=-1)[..., np.array(places)]


def _without_codes(metadata: jax.Array) -> jax.Array:
    """[…, 26] without ZTF's -999 where it is a missing value."""
    instead = np.array([ZTF_MISSING if takes_999(name) else np.nan for name in METADATA_NAMES], np.float32)
    return jnp.where(metadata == np.float32(ZTF_MISSING), instead, metadata)


def _column(metadata: jax.Array, name: str) -> jax.Array:
    return metadata[..., METADATA_NAMES.index(name)]


def _change(metadata: jax.Array) -> jax.Array:
    """[…, 26] → […] float32; as `packets._change`."""
    magpsf, is_positive, distance, reference = (_column(metadata, name).astype(jnp.float64) for name in CHANGE_OF)
    is_there = (distance < SAME_SOURCE_ARCSEC) & (distance != ZTF_MISSING)
    unknown = jnp.isnan(distance) | jnp.isnan(reference) | (is_there & (reference == ZTF_MISSING))
    exponent = 0.4 * (jnp.where(is_there, reference, TOO_FAINT_MAG) - magpsf)
    times = 10 ** jnp.minimum(exponent, MOST_EXPONENT)
    change = 2.5 * jnp.log10(jnp.maximum(1 + (2 * is_positive - 1) * times, LEAST_LEFT))
    return jnp.where(unknown | ~(exponent <= MOST_EXPONENT), np.nan, change).astype(jnp.float32)


def _has_stamp(config: Config, given: dict[str, jax.Array], layout: str, n_packets) -> jax.Array:
    """[B, 1] bool: of the crop that is encoded one pixel or more is light."""
    if not config.stamp.channels:
        return jnp.zeros((n_packets, 1), bool)
    pixels = given[STAMPS] if layout == "NHWC" else jnp.moveaxis(given[STAMPS], -3, -1)
    margin = (STAMP_SIDE - config.stamp.crop) // 2
    inner = slice(margin, STAMP_SIDE - margin)
    channels = [schema.CHANNEL_NAMES.index(name) for name in config.stamp.channels]
    is_light = jnp.abs(pixels[:, inner, inner][..., np.array(channels)]) <= FILL_LIMIT
    return is_light.any(axis=(1, 2, 3))[:, None]
