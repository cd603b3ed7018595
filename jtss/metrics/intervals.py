"""How far a measured number can be trusted: intervals for what a finite set of objects tells.

Bootstraps draw objects with replacement. They are our own, because what is resampled here is counts: one multinomial
draw over the cells of a confusion matrix has the same distribution as drawing its objects, at a cost that does not grow
with their number. Where several models or samples are compared, objects are drawn within each class, so that the sizes
of the classes, which somebody chose, stay.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jtss.metrics.classification import ratio

CONFIDENCE = 0.95
N_RESAMPLES = 10_000
AUC_RESAMPLES = 2_000


class Interval(NamedTuple):
    """Lower and upper limits; NaN where there is nothing to tell from."""

    lower: np.ndarray
    upper: np.ndarray


def deviation(values: np.ndarray) -> np.ndarray:
    """Sample standard deviation (ddof = 1) over seeds, the first axis; NaN for a single one."""
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1:], np.nan)


def resample_confusion(confusion: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Draw the confusion matrices of data sets resampled, by objects with replacement, from the one measured.

    An object enters a confusion matrix only as its cell, so drawing N objects with replacement is one multinomial draw
    over the cells: the same distribution, at a cost that does not grow with N.

    Args:
        confusion: [L, L] counts.
        n_resamples: R.
        seed: seed of the draw.

    Returns:
        [R, L, L] int64, each with the total of `confusion`.
    """
    total = int(confusion.sum())
    if not total:
        return np.zeros((n_resamples, *confusion.shape), np.int64)
    draws = np.random.default_rng(seed).multinomial(total, confusion.ravel() / total, size=n_resamples)
    return draws.reshape(n_resamples, *confusion.shape)


def bootstrap_interval(
    confusion: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    confidence: float = CONFIDENCE,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap over objects of any statistic of a confusion matrix.

    Args:
        confusion: [L, L] counts.
        statistic: [R, L, L] → [R, ...]; NaN where undefined, such resamples are left out.
        confidence: coverage, 0 to 1.
        n_resamples: R.
        seed: seed of the draw: the same seed gives the same interval.

    Returns:
        Limits shaped like `statistic` of one matrix. Where the statistic is at its extreme (no error at all) the
        bootstrap sees no spread: read `wilson_interval` beside it.

    Efron 1979, Annals of Statistics 7, 1.
    """
    values = np.asarray(statistic(resample_confusion(confusion, n_resamples, seed)))
    columns = values.reshape(n_resamples, -1)
    limits = np.full((2, columns.shape[1]), np.nan)
    for i, column in enumerate(columns.T):
        defined = column[np.isfinite(column)]
        if defined.size:
            limits[:, i] = percentiles(defined, confidence)
    return Interval(*limits.reshape(2, *values.shape[1:]))


def wilson_interval(hits: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a fraction; never empty, also at 0 or 1.

    Args:
        hits: successes.
        total: trials.
        confidence: coverage, 0 to 1.

    Wilson 1927, JASA 22, 209.
    """
    from scipy import stats  # on use: it takes a second to load, and applying a model does without

    if not 0 <= hits <= total:
        raise ValueError(f"{hits} hits of {total}: expected 0 to {total}")
    if not total:
        return Interval(np.float64("nan"), np.float64("nan"))

    limits = stats.binomtest(hits, total).proportion_ci(confidence, method="wilson")
    return Interval(np.float64(limits.low), np.float64(limits.high))


def recalls(hits: np.ndarray, label: np.ndarray, classes: tuple[int, ...]) -> np.ndarray:
    """Fraction of each class that each model gets right.

    Args:
        hits: [N, M] bool; whether each of M models is right about each object.
        label: [N] true classes.
        classes: C classes to look at.

    Returns:
        [M, C] float64, NaN for a class without objects.
    """
    members = [label == index for index in classes]
    return np.stack([ratio(hits[chosen].sum(axis=0), chosen.sum()) for chosen in members], axis=1)


def resampled_recalls(
    hits: np.ndarray, label: np.ndarray, classes: tuple[int, ...], n_resamples: int = N_RESAMPLES, seed: int = 0
) -> np.ndarray:
    """`recalls` of data sets resampled by objects within each class; all models see the same draws.

    An object counts only by which models are right about it, so drawing the n objects of a class is one multinomial
    draw over these patterns: the same distribution, at a cost that does not grow with n.

    Returns:
        [R, M, C] float64, NaN for a class without objects.

    Efron 1979, Annals of Statistics 7, 1.
    """
    rng = np.random.default_rng(seed)
    drawn = np.full((n_resamples, hits.shape[1], len(classes)), np.nan)
    for i, index in enumerate(classes):
        patterns, counts = np.unique(hits[label == index], axis=0, return_counts=True)
        n = counts.sum()
        if n:
            drawn[..., i] = rng.multinomial(n, counts / n, size=n_resamples) @ patterns / n
    return drawn


def auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Probability that one of `higher` [P] exceeds one of `lower` [Q], ties counted half; 0.5 where nothing differs.

    Hanley & McNeil 1982, Radiology 143, 29.
    """
    return float(_wins(higher, lower).mean())


def auc_interval(
    higher: np.ndarray, lower: np.ndarray, n_resamples: int = AUC_RESAMPLES, seed: int = 0, *, paired: bool = False
) -> Interval:
    """Percentile bootstrap of `auc`, both samples resampled; `paired`: together, where they are of the same objects."""
    rng = np.random.default_rng(seed)
    p, q = len(higher), len(lower)
    often_p = rng.multinomial(p, np.full(p, 1 / p), size=n_resamples)
    often_q = often_p if paired else rng.multinomial(q, np.full(q, 1 / q), size=n_resamples)
    values = np.einsum("rq,rq->r", often_p @ _wins(higher, lower), often_q) / (p * q)
    return percentiles(values)


def percentiles(values: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The central part of resampled values [R]; NaN where one of them is."""
    return Interval(*np.percentile(values, [50 * (1 - confidence), 50 * (1 + confidence)]))


def with_interval(value: float, limits: Interval | tuple) -> dict:
    """{value, interval} as plain values, ready for JSON."""
    return {"value": float(value), "interval": [float(limit) for limit in limits]}


def hit_rate(hits: int, total: int) -> dict:
    """{objects, correct, accuracy, wilson_interval} of objects that are classified correctly or not, ready for JSON."""
    limits = [float(limit) for limit in wilson_interval(hits, total)]
    return {"objects": total, "correct": hits, "accuracy": float(ratio(hits, total)), "wilson_interval": limits}


def _wins(higher: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """[P, Q]: 1 where the first is higher, 0.5 where they are equal."""
    return (higher[:, None] > lower) + 0.5 * (higher[:, None] == lower)
