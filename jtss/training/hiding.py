"""Groups of metadata that are hidden from a model in training, so that it learns to do without each of them.

What is hidden becomes what a missing value is, 0 after standardisation, and so does the bit that says whether the group
is there: a model that is applied to alerts that lack a group is where it has been in training.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jtss.config.settings import Config
from jtss.network.parts import Batch
from jtss.schema import METADATA_GROUPS, availability


def hides(config: Config) -> bool:
    """Whether training hides anything."""
    return any(_rates(config))


def draw(config: Config, key: jax.Array, n_objects: int) -> jax.Array:
    """[B, G] bool: which groups of `METADATA_GROUPS` are hidden from each object, each drawn by itself."""
    return jax.random.uniform(key, (n_objects, len(METADATA_GROUPS))) < jnp.array([_rates(config)])


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
    objects = jnp.broadcast_to(hidden, (len(batch.static), len(METADATA_GROUPS)))

    def lost(names: tuple[str, ...]) -> jax.Array:
        return (objects[:, :, None] & _belongs(names)[None]).any(axis=1)

    dynamic = jnp.where(lost(config.metadata.dynamic)[:, None], 0, batch.dynamic)
    return batch._replace(dynamic=dynamic, static=jnp.where(lost(config.metadata.static), 0, batch.static))


def _rates(config: Config) -> list[float]:
    return [getattr(config.hide, group) for group in METADATA_GROUPS]


def _belongs(names: tuple[str, ...]) -> np.ndarray:
    """[G, F] bool: which features are of which group."""
    groups = [(*members, availability(group)) for group, members in METADATA_GROUPS.items()]
    return np.array([[name in members for name in names] for members in groups], bool).reshape(len(groups), len(names))
