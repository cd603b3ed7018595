"""What the logits of a model of packets say: L of classes first, then S of subclasses, each given its class.

P(subclass) = P(class) P(subclass | class). So the subclasses of a class share its probability, and a model that learns
to tell them apart does not learn of the class by it.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jtss.config.settings import Config
from jtss.schema import CLASS_OF_SUBCLASS


def of_classes(config: Config, logits: jax.Array) -> jax.Array:
    """[…, L + S] → […, L]: the logits of the classes."""
    return logits[..., : len(config.classes)]


def log_given_class(config: Config, logits: jax.Array) -> jax.Array:
    """ln P(subclass | its class), a softmax over the subclasses of that class: […, L + S] → […, S].

    In the order of `config.subclasses`, which has one or more.
    """
    of_subclasses, parents = logits[..., len(config.classes) :], class_of(config)
    siblings = parents[:, None] == parents  # [S, S]; each is its own, so that no row is empty
    among = jnp.where(siblings, of_subclasses[..., None, :], -jnp.inf)
    return of_subclasses - jax.nn.logsumexp(among, axis=-1)


def probabilities(config: Config, logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """P(class) and P(subclass): […, L + S] → […, L] and […, S]; where a class has subclasses, theirs add up to its."""
    of_class = jax.nn.softmax(of_classes(config, logits))
    if not config.subclasses:
        return of_class, jnp.zeros((*logits.shape[:-1], 0), of_class.dtype)
    return of_class, of_class[..., class_of(config)] * jnp.exp(log_given_class(config, logits))


def class_of(config: Config) -> np.ndarray:
    """[S]: which of the config's classes each of its subclasses is of."""
    return np.array([config.classes.index(CLASS_OF_SUBCLASS[name]) for name in config.subclasses])
