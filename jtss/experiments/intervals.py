"""Bootstrap intervals of what is compared on the same objects, and of how well two samples are separated.

Objects are drawn with replacement within each class, so that the sizes of the classes, which somebody chose, stay.
"""

import numpy as np

from jtss.reports.metrics import ratio
from jtss.reports.statistics import CONFIDENCE, N_RESAMPLES, Interval

AUC_RESAMPLES = 2_000


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


def percentiles(values: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The central part of resampled values [R]; NaN where one of them is."""
    return Interval(*np.percentile(values, [50 * (1 - confidence), 50 * (1 + confidence)]))


def auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Probability that one of `higher` [P] exceeds one of `lower` [Q], ties counted half; 0.5 where nothing differs.

    Hanley & McNeil 1982, Radiology 143, 29.
    """
    return float(_wins(higher, lower).mean())


def auc_interval(higher: np.ndarray, lower: np.ndarray, n_resamples: int = AUC_RESAMPLES, seed: int = 0) -> Interval:
    """Percentile bootstrap of `auc`, both samples resampled."""
    rng = np.random.default_rng(seed)
    p, q = len(higher), len(lower)
    often_p, often_q = (rng.multinomial(n, np.full(n, 1 / n), size=n_resamples) for n in (p, q))
    values = np.einsum("rq,rq->r", often_p @ _wins(higher, lower), often_q) / (p * q)
    return percentiles(values)


def _wins(higher: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """[P, Q]: 1 where the first is higher, 0.5 where they are equal."""
    return (higher[:, None] > lower) + 0.5 * (higher[:, None] == lower)
