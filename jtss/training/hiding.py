"""What is hidden from a model in training, so that it learns to do without: groups of metadata, and parts of packets.

What is hidden becomes what a missing value is, 0 after standardisation, and so does the bit that says whether the group
is there: a model that is applied to alerts that lack a group is where it has been in training.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jtss.config.settings import PACKET_GROUPS, Config
from jtss.network.parts import NO_ROW, Batch, Rows
from jtss.schema import LIMIT, METADATA_GROUPS, NO_STAMP, availability


def groups(config: Config) -> tuple[str, ...]:
    """The G groups that may be hidden from a model: of metadata, and parts of packets where it reads these."""
    return (*METADATA_GROUPS, *(PACKET_GROUPS if config.packet.rows else ()))


def hides(config: Config) -> bool:
    """Whether training hides any of the groups."""
    return any(_rates(config))


def draw(config: Config, key: jax.Array, n_objects: int) -> jax.Array:
    """[B, G] bool: which groups are hidden from each object, each drawn by itself.

    But for the stamps of packets: those of the last ones of a batch, which is drawn by chance itself, so that they need
    not be encoded; see `n_with_stamps`.
    """
    rates = _rates(config)
    drawn = jax.random.uniform(key, (n_objects, len(rates))) < jnp.array([rates])
    if config.packet.rows:
        drawn = drawn.at[:, groups(config).index("stamps")].set(
            jnp.arange(n_objects) >= n_with_stamps(config, n_objects)
        )
    return drawn


def n_with_stamps(config: Config, n_objects: int) -> int:
    """Of how many packets of a batch, the first ones, the stamps are seen."""
    return n_objects - round(config.hide.stamps * n_objects)


def shortened(config: Config, key: jax.Array, batch: Batch) -> Batch:
    """A batch of packets of which some, as many as `hide.older` says, begin at one of their rows, drawn by chance.

    So the network learns from packets of all lengths, and from those of surveys that have just begun.
    """
    cut_key, row_key = jax.random.split(key)
    there = batch.rows.kind != NO_ROW
    n_rows = jnp.sum(there, axis=1)
    left = 1 + jnp.floor(jax.random.uniform(row_key, n_rows.shape) * n_rows).astype(int)
    cut = jax.random.uniform(cut_key, n_rows.shape) < config.hide.older
    n_from_here = jnp.cumsum(there[:, ::-1], axis=1)[:, ::-1]
    gone = cut[:, None] & (n_from_here > left[:, None])
    return batch._replace(rows=_without(batch.rows, gone))


def versions(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """What validation hides in turn: nothing, then each group that training hides, alone.

    Returns:
        [V, G] bool, which groups are hidden; the first row is none. And [V] float32, the weights of the versions: half
        for nothing hidden, the other half shared by the groups as their shares in training are to each other.
    """
    rates = np.array(_rates(config))
    each = np.eye(len(rates), dtype=bool)[rates > 0]
    weights = np.concatenate([[0.5], 0.5 * rates[rates > 0] / rates.sum()])
    return np.concatenate([np.zeros((1, len(rates)), bool), each]), weights.astype(np.float32)


def hide(config: Config, batch: Batch, hidden: jax.Array) -> Batch:
    """A batch without what is hidden.

    Args:
        config: what `batch` was read by.
        batch: B objects, standardised.
        hidden: [B, G] bool, or [G] for all objects; a group is hidden in all detections of an object.
    """
    objects = jnp.broadcast_to(hidden, (len(batch.static), len(groups(config))))
    of_metadata, of_packets = objects[:, : len(METADATA_GROUPS)], objects[:, len(METADATA_GROUPS) :]

    def lost(names: tuple[str, ...]) -> jax.Array:
        return (of_metadata[:, :, None] & _belongs(names)[None]).any(axis=1)

    dynamic = jnp.where(lost(config.metadata.dynamic)[:, None], 0, batch.dynamic)
    rows = batch.rows
    if rows is not None:
        no_reference = objects[:, [*METADATA_GROUPS].index("reference_source"), None]
        rows = _lacking(rows._replace(change=jnp.where(no_reference, jnp.nan, rows.change)), *of_packets.T)
    return Batch(batch.stamps, dynamic, jnp.where(lost(config.metadata.static), 0, batch.static), rows)


def _lacking(rows: Rows, stamps: jax.Array, history: jax.Array, limits: jax.Array) -> Rows:
    """Rows of packets without their stamps, all that was before the alert, or the limits among it, [B] bool each."""
    is_past = jnp.arange(rows.kind.shape[1]) < rows.kind.shape[1] - 1
    rows = _without(rows, (history[:, None] & is_past) | (limits[:, None] & (rows.kind == LIMIT)))
    return rows._replace(stamp_at=jnp.where(stamps[:, None], NO_STAMP, rows.stamp_at))


def _without(rows: Rows, gone: jax.Array) -> Rows:
    """Rows of packets less those that are gone, [B, R] bool, and their stamps."""
    kind = jnp.where(gone, NO_ROW, rows.kind)
    there = jnp.take_along_axis(kind, jnp.maximum(rows.stamp_at, 0), axis=1) != NO_ROW
    return rows._replace(kind=kind, stamp_at=jnp.where(there, rows.stamp_at, NO_STAMP))


def _rates(config: Config) -> list[float]:
    return [getattr(config.hide, group) for group in groups(config)]


def _belongs(names: tuple[str, ...]) -> np.ndarray:
    """[G, F] bool: which features are of which group."""
    groups = [(*members, availability(group)) for group, members in METADATA_GROUPS.items()]
    return np.array([[name in members for name in names] for members in groups], bool).reshape(len(groups), len(names))
