"""Can a small network tell simulated first detections from real ones? What it cannot tell, a classifier cannot learn.

An area of 0.5 under the curve, and a balanced accuracy of 50 %, mean that it cannot. Each class is tested by itself,
with as many simulated as real objects, and every object is scored by a network that was trained without it.

Lopez-Paz & Oquab 2017, arXiv:1610.06545.
"""

from collections.abc import Callable

import numpy as np

from jtss import features, schema
from jtss.experiments.intervals import auc, auc_interval, percentiles, resampled_recalls
from jtss.experiments.samples import SIDE, Sample
from jtss.experiments.separator import FOLDS, ImageSeparator, ValueSeparator, orientations, out_of_fold
from jtss.reports.statistics import Interval
from jtss.scaling import min_max

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


def compare(real: Sample, simulated: Sample, progress: Callable[[str], None]) -> dict:
    """The test for each class that there is, as plain values.

    Args:
        real, simulated: as many objects of each class, `LEAST_PER_CLASS` or more.
        progress: takes a line after each part.
    """
    found = {}
    for name in real.counts():
        index = schema.CLASS_NAMES.index(name)
        one, other = (sample.take(np.flatnonzero(sample.label == index)) for sample in (real, simulated))
        is_real = np.arange(len(one.label) + len(other.label)) < len(one.label)
        progress(f"two-sample test: {name}, {len(one.label)} real and {len(other.label)} simulated objects")
        found[name] = {
            "n_each": len(one.label),
            "images": images(np.concatenate([one.crops, other.crops]), is_real),
            "metadata": metadata(np.concatenate([one.metadata, other.metadata]), is_real),
        }
    return {
        "folds": FOLDS,
        "side_pix": SIDE,
        "core_radius_pix": CORE_PIX,
        "image_steps": IMAGE_STEPS,
        "value_steps": VALUE_STEPS,
        "classes": found,
    }


def images(crops: np.ndarray, real: np.ndarray) -> dict[str, dict]:
    """How well stamps are told apart, for each of `VIEWS`, of crops [N, 31, 31, 3] and [N] bool."""
    return {
        name: separation(out_of_fold(ImageSeparator(), orientations(view(crops, *what)), real, IMAGE_STEPS)[0], real)
        for name, what in VIEWS.items()
    }


def metadata(values: np.ndarray, real: np.ndarray, seed: int = 0) -> dict:
    """How well metadata [N, 26] are told apart, and what by.

    Values are clipped and standardised as for a classifier; each is joined by whether it is missing, NaN or -999.

    Returns:
        The separation, and for each value: `importance`, the area under the curve that is lost when it (and whether it
        is missing) is shuffled among the objects; `alone`, the area under the curve of the bare value, above 0.5 where
        real values are higher; the medians and the fractions missing of both samples.
    """
    values = np.where(values == schema.ZTF_MISSING, np.nan, values)
    scaled = features.standardise(values, features.fit_group(values, schema.METADATA_NAMES))
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
    return separation(logits[0], real) | {
        "values": {
            name: {"importance": float(lost[i]), **_alone(values[real, i], values[~real, i])}
            for i, name in enumerate(schema.METADATA_NAMES)
        }
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
