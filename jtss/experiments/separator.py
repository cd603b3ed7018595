"""Small networks that learn to tell two samples apart, and their scores of objects that they did not see."""

from functools import partial

import flax.linen as nn
import jax
import numpy as np
import optax

from jtss.encoder import max_pool

HALF_BATCH = 16  # objects of each sample in a step
CHUNK = 64  # objects asked for at once
FOLDS = 5
OPTIMISER = optax.adamw(5e-3, weight_decay=1e-2)


class ImageSeparator(nn.Module):
    """[B, A, A, C] → [B] logits: three convolutions, each with a pool, and two dense layers.

    The later pools take means, because the texture of the sky tells more than its extremes.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for filters, pool in ((8, max_pool), (16, mean_pool), (16, mean_pool)):
            x = pool(nn.relu(nn.Conv(filters, (3, 3))(x)))
        x = nn.relu(nn.Dense(16)(x.reshape(len(x), -1)))
        return nn.Dense(1)(x)[:, 0]


def mean_pool(x: jax.Array) -> jax.Array:
    """Mean of each 2×2 pixels, [B, H, W, C] → [B, H // 2, W // 2, C]; an odd last row or column is left out."""
    return nn.avg_pool(x, (2, 2), strides=(2, 2))


class ValueSeparator(nn.Module):
    """[B, F] → [B] logits: two dense layers, and the classes."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for units in (32, 16):
            x = nn.relu(nn.Dense(units)(x))
        return nn.Dense(1)(x)[:, 0]


@partial(jax.jit, static_argnums=0)
def _start(network: nn.Module, key: jax.Array, inputs: jax.Array) -> tuple:
    params = network.init(key, inputs)
    return params, OPTIMISER.init(params)


@partial(jax.jit, static_argnums=0)
def _step(network: nn.Module, params: dict, memory: tuple, inputs: jax.Array, real: jax.Array) -> tuple:
    def loss(params: dict) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(network.apply(params, inputs), real).mean()

    updates, memory = OPTIMISER.update(jax.grad(loss)(params), memory, params)
    return optax.apply_updates(params, updates), memory


@partial(jax.jit, static_argnums=0)
def _logits(network: nn.Module, params: dict, inputs: jax.Array) -> jax.Array:
    return network.apply(params, inputs)


def train(network: nn.Module, inputs: np.ndarray, real: np.ndarray, steps: int, seed: int) -> dict:
    """Parameters of a network that was told which objects are real.

    Args:
        network: [B, ...] → [B] logits.
        inputs: [V, N, ...] float32; V views of each object, such as its orientations; one is drawn at a time.
        real: [N] bool; both kinds are there. They are drawn equally often.
        steps: how many.
        seed: of weights and draws.
    """
    rng = np.random.default_rng(seed)
    target = np.repeat(np.float32([1, 0]), HALF_BATCH)
    params, memory = _start(network, jax.random.key(seed), inputs[0, np.zeros(2 * HALF_BATCH, int)])
    for _ in range(steps):
        rows = np.concatenate([rng.choice(np.flatnonzero(kind), HALF_BATCH) for kind in (real, ~real)])
        batch = inputs[rng.integers(0, len(inputs), len(rows)), rows]
        params, memory = _step(network, params, memory, batch, target)
    return params


def logits(network: nn.Module, params: dict, inputs: np.ndarray) -> np.ndarray:
    """[V, N] float32 of inputs [V, N, ...]; high where the network believes an object real."""
    flat = inputs.reshape(-1, *inputs.shape[2:])
    filled = np.resize(flat, (-(-len(flat) // CHUNK) * CHUNK, *flat.shape[1:]))
    parts = [np.asarray(_logits(network, params, filled[i : i + CHUNK])) for i in range(0, len(filled), CHUNK)]
    return np.concatenate(parts)[: len(flat)].reshape(inputs.shape[:2])


def orientations(images: np.ndarray) -> np.ndarray:
    """[N, A, A, C] → [8, N, A, A, C]: each turned by 0, 1, 2, 3 quarters, and the mirror images of these."""
    mirrored = (images, images[:, :, ::-1])
    return np.stack([np.rot90(each, quarters, axes=(1, 2)) for each in mirrored for quarters in range(4)])


def folds(real: np.ndarray, seed: int) -> np.ndarray:
    """[N] int: to which of the folds each object belongs; each has its share of both kinds."""
    fold = np.empty(len(real), int)
    rng = np.random.default_rng(seed)
    for kind in (real, ~real):
        fold[rng.permutation(np.flatnonzero(kind))] = np.arange(kind.sum()) % FOLDS
    return fold


def out_of_fold(
    network: nn.Module,
    inputs: np.ndarray,
    real: np.ndarray,
    steps: int,
    variants: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Logits of every object by a network that was trained without it.

    Args:
        network, inputs, real, steps: as in `train`.
        variants: [W, N, ...] other inputs to ask the same networks about, such as inputs with a value shuffled.
        seed: of folds, weights and draws.

    Returns:
        [1 + W, N] float32: for `inputs`, then for each of `variants`.
    """
    fold = folds(real, seed)
    others = np.empty((0, *inputs.shape[1:]), np.float32) if variants is None else variants
    found = np.empty((1 + len(others), len(real)), np.float32)
    for index in range(FOLDS):
        out = fold == index
        params = train(network, inputs[:, ~out], real[~out], steps, seed=FOLDS * seed + index)
        found[0, out] = logits(network, params, inputs[:, out]).mean(axis=0)
        if len(others):
            found[1:, out] = logits(network, params, others[:, out])
    return found
