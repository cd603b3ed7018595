"""Can a small network tell simulated first detections from real ones? What it cannot tell, a classifier cannot learn.

Stamps, metadata, and what packets tell of the past, each by itself. An area of 0.5 under the ROC curve, and a balanced
accuracy of 50 %, mean that it cannot. Each class is tested by itself, with as many simulated as real objects, and every
object is scored by a network that was trained without it.

Lopez-Paz & Oquab 2017, arXiv:1610.06545.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import numpy as np
import optax
from scipy.stats import rankdata

from jtss import histories, schema
from jtss.backend import GRADIENT_OPTIONS
from jtss.metrics.intervals import Interval, auc, auc_interval, percentiles, resampled_recalls
from jtss.network.encoder import max_pool
from jtss.network.inputs import fit_group, standardise
from jtss.realism.samples import SIDE, Sample
from jtss.scaling import min_max

HALF_BATCH = 16  # objects of each sample in a step
CHUNK = 64  # objects scored at once
FOLDS = 5
OPTIMISER = optax.adamw(5e-3, weight_decay=1e-2)

LEAST_PER_CLASS = 2 * FOLDS
MOST_PER_CLASS = 1_000  # more would tell little more, and take long
IMAGE_STEPS, VALUE_STEPS = 200, 300
SHUFFLES = 5  # of each value
CORE_PIX = 5.0  # radius of what counts as the source; its FWHM is about 2 pixels
LEAST_NOISE = 1e-3  # of a scaled stamp; float16 keeps no finer steps

_OFFSET = np.arange(SIDE) - SIDE // 2
CORE = np.hypot(_OFFSET[:, None], _OFFSET) <= CORE_PIX
WHOLE = np.ones_like(CORE)
VIEWS = {
    "all channels": (schema.CHANNEL_NAMES, WHOLE),
    **{f"{name} alone": ((name,), WHOLE) for name in schema.CHANNEL_NAMES},
    "source masked": (schema.CHANNEL_NAMES, ~CORE),
    "surroundings masked": (schema.CHANNEL_NAMES, CORE),
}


def compare(real: Sample, simulated: Sample, progress: Callable[[str], None]) -> dict:
    """The test for each class that there is, as plain values.

    Args:
        real, simulated: as many objects of each class, `LEAST_PER_CLASS` or more.
        progress: takes a line after each part.
    """
    classes = {}
    for name in real.counts():
        index = schema.CLASS_NAMES.index(name)
        one, other = (sample.take(np.flatnonzero(sample.label == index)) for sample in (real, simulated))
        is_real = np.arange(len(one.label) + len(other.label)) < len(one.label)
        night = np.floor(np.concatenate([one.jd, other.jd]) - histories.NIGHT_STARTS).astype(int)
        progress(f"two-sample test: {name}, {len(one.label)} real and {len(other.label)} simulated objects")
        classes[name] = {
            "n_each": len(one.label),
            "images": images(np.concatenate([one.crops, other.crops]), is_real),
            "metadata": metadata(np.concatenate([one.metadata, other.metadata]), is_real, night),
            "sequences": sequences(np.concatenate([one.history, other.history]), is_real, night),
        }
    return {
        "folds": FOLDS,
        "side_pix": SIDE,
        "core_radius_pix": CORE_PIX,
        "image_steps": IMAGE_STEPS,
        "value_steps": VALUE_STEPS,
        "classes": classes,
    }


def images(crops: np.ndarray, real: np.ndarray) -> dict[str, dict]:
    """How well stamps are told apart, for each of `VIEWS`, of crops [N, 31, 31, 3] and [N] bool."""
    return {
        name: separation(out_of_fold(ImageSeparator(), orientations(view(crops, *what)), real, IMAGE_STEPS)[0], real)
        for name, what in VIEWS.items()
    }


def metadata(values: np.ndarray, real: np.ndarray, night: np.ndarray, seed: int = 0) -> dict:
    """How well metadata [N, 26] are told apart, and what by: `told_apart`, clipped as for a classifier."""
    values = np.where(values == schema.ZTF_MISSING, np.nan, values)
    scaled = standardise(values, fit_group(values, schema.METADATA_NAMES))
    return told_apart(values, scaled, schema.METADATA_NAMES, real, night, seed)


def sequences(history: np.ndarray, real: np.ndarray, night: np.ndarray, seed: int = 0) -> dict | None:
    """How well what packets tell of the past is told apart, and what by: `told_apart` of `histories.summaries` [N, F].

    Objects whose packets tell nothing are left out: it is not known what there was.

    Returns:
        None where fewer than `LEAST_PER_CLASS` of a kind are left; else with `n_each`.
    """
    told = np.isfinite(history).any(axis=1)
    n = min((told & kind).sum() for kind in (real, ~real))
    if n < LEAST_PER_CLASS:
        return None
    kept = np.sort(np.concatenate([np.flatnonzero(told & kind)[:n] for kind in (real, ~real)]))
    values = history[kept]
    ranks = rankdata(values, axis=0, nan_policy="omit")  # no value has limits, and some have long tails
    spread = np.maximum(np.nanmax(ranks, axis=0, initial=0), 1)
    scaled = np.nan_to_num(2 * ranks / spread - 1)
    return {"n_each": int(n)} | told_apart(values, scaled, histories.SUMMARY_NAMES, real[kept], night[kept], seed)


def told_apart(
    values: np.ndarray, scaled: np.ndarray, names: tuple[str, ...], real: np.ndarray, night: np.ndarray, seed: int
) -> dict:
    """How well values are told apart, and what by; each is joined by whether it is missing.

    Args:
        values: [N, F], NaN = missing. scaled: [N, F] the same as a network takes them, missing ones 0.
        names: F. real: [N] bool. night: [N] int.

    Returns:
        The separation; `other_nights`, that by networks that saw no real object of the same night: where it is much
        lower, it is a few nights that are recognised, not a simulation; and for each value: `importance`, the area
        under the curve that is lost when it (and whether it is missing) is shuffled among the objects; `alone`, the
        area under the curve of the bare value, above 0.5 where real values are higher; the medians and the fractions
        missing of both samples.
    """
    inputs = np.stack([scaled, np.isnan(values)], axis=-1).astype(np.float32)
    shuffled, rng = [], np.random.default_rng(seed)
    for index in np.repeat(np.arange(values.shape[1]), SHUFFLES):
        changed = inputs.copy()
        changed[:, index] = inputs[rng.permutation(len(inputs)), index]
        shuffled.append(changed)
    flat = np.stack([inputs, *shuffled]).reshape(1 + len(shuffled), len(inputs), -1)
    logits = out_of_fold(ValueSeparator(), flat[:1], real, VALUE_STEPS, variants=flat[1:])
    areas = np.array([auc(row[real], row[~real]) for row in logits])
    lost = areas[0] - areas[1:].reshape(-1, SHUFFLES).mean(axis=1)
    by_night = out_of_fold(ValueSeparator(), flat[:1], real, VALUE_STEPS, fold=folds_of_nights(real, night, seed))[0]
    return separation(logits[0], real) | {
        "other_nights": separation(by_night, real),
        "values": {
            name: {"importance": float(lost[i]), **_alone(values[real, i], values[~real, i])}
            for i, name in enumerate(names)
        },
    }


def _alone(real: np.ndarray, simulated: np.ndarray) -> dict[str, float]:
    """One value by itself, [P] and [Q] with NaN = missing."""
    there = [column[~np.isnan(column)] for column in (real, simulated)]
    medians = [float(np.median(column)) if column.size else np.nan for column in there]
    return {
        "alone": auc(*there) if min(map(len, there)) else np.nan,
        "median_real": medians[0],
        "median_simulated": medians[1],
        "missing_real": float(np.isnan(real).mean()),
        "missing_simulated": float(np.isnan(simulated).mean()),
    }


def separation(logits: np.ndarray, real: np.ndarray) -> dict:
    """Area under the curve and balanced accuracy of out-of-fold logits [N] with their intervals."""
    hits = ((logits > 0) == real)[:, None]
    drawn = resampled_recalls(hits, real, (False, True))[:, 0].mean(axis=1)
    accuracy = float(np.mean([hits[real].mean(), hits[~real].mean()]))
    area = auc(logits[real], logits[~real])
    return {
        "auc": {"value": area, "interval": _widened(area, auc_interval(logits[real], logits[~real]))},
        "balanced_accuracy": {"value": accuracy, "interval": _widened(accuracy, percentiles(drawn))},
    }


def _widened(value: float, limits: Interval) -> list[float]:
    """The interval of objects scored by one network, made that of objects which also taught each other's networks.

    Any two objects meet twice, as teacher and pupil and the other way round. Where nothing differs, this doubles the
    variance of the score (measured for an area: a spread of 0.087, that of independent objects is 0.065).
    """
    return [float(np.clip(value + np.sqrt(2) * (limit - value), 0, 1)) for limit in limits]


def view(crops: np.ndarray, channels: tuple[str, ...], region: np.ndarray) -> np.ndarray:
    """What of the crops a network is shown: some channels of some pixels, all else 0.

    The pixels are scaled to [0, 1] by their own extremes and missing ones are the lowest, as a classifier reads them,
    then stretched: (x - median) / noise in asinh, which hides nothing and brings the faint sky to light.

    Args:
        crops: [N, A, A, 3], NaN = missing.
        channels: names of those to show.
        region: [A, A] bool.

    Returns:
        [N, A, A, 3] float32.
    """
    scaled = np.nan_to_num(min_max(np.where(region[..., None], crops, np.nan)))
    pixels = scaled[:, region]
    middle = np.median(pixels, axis=1, keepdims=True)
    noise = 1.4826 * np.median(np.abs(pixels - middle), axis=1, keepdims=True)
    shown = np.zeros_like(scaled)
    shown[:, region] = np.arcsinh((pixels - middle) / np.maximum(noise, LEAST_NOISE))
    return shown * np.isin(schema.CHANNEL_NAMES, channels)


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


def folds_of_nights(real: np.ndarray, night: np.ndarray, seed: int) -> np.ndarray:
    """[N] int: as `folds`, but real objects of one night share one, the largest nights first into the emptiest fold."""
    fold = folds(real, seed)
    nights, size = np.unique(night[real], return_counts=True)
    filled, of_night = np.zeros(FOLDS), {}
    for index in np.argsort(-size, kind="stable"):
        of_night[nights[index]] = int(np.argmin(filled))
        filled[of_night[nights[index]]] += size[index]
    fold[real] = [of_night[each] for each in night[real]]
    return fold


def out_of_fold(
    network: nn.Module,
    inputs: np.ndarray,
    real: np.ndarray,
    steps: int,
    variants: np.ndarray | None = None,
    seed: int = 0,
    fold: np.ndarray | None = None,
) -> np.ndarray:
    """Logits of every object by a network that was trained without it.

    Args:
        network, inputs, real, steps: as in `train`.
        variants: [W, N, ...] other inputs to ask the same networks about, such as inputs with a value shuffled.
        seed: of folds, weights and draws.
        fold: [N] that of each object; None: `folds`.

    Returns:
        [1 + W, N] float32: for `inputs`, then for each of `variants`.
    """
    fold = folds(real, seed) if fold is None else fold
    others = np.empty((0, *inputs.shape[1:]), np.float32) if variants is None else variants
    scores = np.empty((1 + len(others), len(real)), np.float32)
    for index in np.unique(fold):
        out = fold == index
        params = train(network, inputs[:, ~out], real[~out], steps, seed=FOLDS * seed + index)
        scores[0, out] = logits(network, params, inputs[:, out]).mean(axis=0)
        if len(others):
            scores[1:, out] = logits(network, params, others[:, out])
    return scores


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


@partial(jax.jit, static_argnums=0)
def _start(network: nn.Module, key: jax.Array, inputs: jax.Array) -> tuple:
    params = network.init(key, inputs)
    return params, OPTIMISER.init(params)


@partial(jax.jit, static_argnums=0, compiler_options=GRADIENT_OPTIONS)
def _step(network: nn.Module, params: dict, memory: tuple, inputs: jax.Array, real: jax.Array) -> tuple:
    def loss(params: dict) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(network.apply(params, inputs), real).mean()

    updates, memory = OPTIMISER.update(jax.grad(loss)(params), memory, params)
    return optax.apply_updates(params, updates), memory


@partial(jax.jit, static_argnums=0)
def _logits(network: nn.Module, params: dict, inputs: jax.Array) -> jax.Array:
    return network.apply(params, inputs)


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
