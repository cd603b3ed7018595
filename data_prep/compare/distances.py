"""Distances between two weighted samples, and how large they are by chance.

Quantiles, the distance of Kolmogorov and Smirnov and the rank correlation are our own, because scipy's take no weights.
"""

import numpy as np
from scipy.stats import wasserstein_distance

KS_95 = 1.358  # of Kolmogorov's distribution
NORMAL_95 = 1.96
SPEARMAN_VARIANCE = 1.06  # times 1 / (n - 3): of atanh of a rank correlation (Fieller et al. 1957)
MAX_CORRELATION = 0.99  # beyond, differences of atanh mean nothing


def quantiles(values: np.ndarray, weights: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Weighted quantiles: linear between points that lie in the middle of their weight.

    Args:
        values, weights: [M], finite.

    Returns:
        [len(levels)]; NaN where M is 0.
    """
    if not len(values):
        return np.full(len(levels), np.nan)
    order = np.argsort(values)
    sizes = weights[order] / weights.sum()
    return np.interp(levels, np.cumsum(sizes) - sizes / 2, values[order])


def ks_distance(a: np.ndarray, a_weights: np.ndarray, b: np.ndarray, b_weights: np.ndarray) -> float:
    """Kolmogorov and Smirnov's: the largest difference between the two cumulative distributions.

    Args:
        a, a_weights: [M]; b, b_weights: [K]; finite.
    """
    places = np.unique(np.concatenate([a, b]))
    return float(np.abs(_cumulative(a, a_weights, places) - _cumulative(b, b_weights, places)).max())


def _cumulative(values: np.ndarray, weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    fraction = np.concatenate([[0.0], np.cumsum(weights[order]) / weights.sum()])
    return fraction[np.searchsorted(values[order], places, side="right")]


def ks_by_chance(n: int, m: int) -> float:
    """The distance that two samples of n and m from one distribution exceed once in 20 times (large n and m)."""
    return KS_95 * np.sqrt((n + m) / (n * m))


def fraction_by_chance(p: float, n: int, q: float, m: int) -> float:
    """The difference that fractions p of n and q of m, if the same in truth, exceed once in 20 times."""
    pooled = (p * n + q * m) / (n + m)
    return NORMAL_95 * np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))


def wasserstein_in_iqr(
    values: np.ndarray, weights: np.ndarray, reference: np.ndarray, reference_weights: np.ndarray
) -> float:
    """Wasserstein's distance (mean shift of the ordered values) in units of the reference's interquartile range.

    NaN where that range is 0.
    """
    low, high = quantiles(reference, reference_weights, (0.25, 0.75))
    if not high > low:
        return np.nan
    return wasserstein_distance(values, reference, weights, reference_weights) / (high - low)


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Weighted rank correlation of [M] finite values; NaN where one of them is constant."""
    ranks = [_ranks(values, weights) for values in (x, y)]
    centred = [rank - np.average(rank, weights=weights) for rank in ranks]
    xx, yy, xy = (np.average(centred[i] * centred[j], weights=weights) for i, j in ((0, 0), (1, 1), (0, 1)))
    return float(xy / np.sqrt(xx * yy)) if xx * yy > 0 else np.nan


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weight below each value, and half of that of its equals."""
    _, index = np.unique(values, return_inverse=True)
    sizes = np.bincount(index, weights)
    return (np.cumsum(sizes) - sizes / 2)[index]


def correlation_gap(r: float, n: int, s: float, m: int) -> float:
    """Difference of the rank correlations r of n and s of m in standard deviations of what chance makes."""
    if min(n, m) <= 3 or not np.isfinite(r + s):
        return np.nan
    r, s = np.clip([r, s], -MAX_CORRELATION, MAX_CORRELATION)
    return float((np.arctanh(s) - np.arctanh(r)) / np.sqrt(SPEARMAN_VARIANCE * (1 / (n - 3) + 1 / (m - 3))))
