"""Is one model better than another? Tests and intervals of differences, paired wherever the objects are the same.

What varies decides which to read. Trainings with other seeds: `permutation_test` of their accuracies. Two trained
networks on one test set: `mcnemar` and `paired_difference`. Several comparisons in one table: `holm`, our own, because
scipy has no such correction.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from jtss.metrics.intervals import CONFIDENCE, N_RESAMPLES, Interval, percentiles

EXACT_PERMUTATIONS = 200_000  # all of two samples of 10 (184,756); beyond, as many are drawn
TIE_DIGITS = 12  # differences equal to so many, relative to the largest value, are ties


class McNemar(NamedTuple):
    """Objects that only one of two models gets right, and how likely so lopsided a count is by chance.

    Attributes:
        only_a, only_b: objects that a gets right and b does not, and the other way round.
        p_value: two-sided, exact; 1 where the models never differ.
    """

    only_a: int
    only_b: int
    p_value: float


def permutation_test(a: np.ndarray, b: np.ndarray, seed: int = 0) -> float:
    """How likely two means as far apart as these are, were it by chance which value is in which sample.

    All divisions of the pooled values are counted where there are at most `EXACT_PERMUTATIONS`, else that many random
    ones. Three seeds against three cannot give less than 0.1, four against four 0.029, five against five 0.008.

    Args:
        a: [P] values, such as the accuracies of trainings with other seeds; two or more.
        b: [Q] values; two or more.
        seed: of the random divisions.

    Returns:
        The two-sided p-value: twice the smaller tail, at most 1.

    Raises:
        ValueError: fewer than two values in a sample, or a value that is not finite.

    Fisher 1935, The Design of Experiments, §21.
    """
    samples = [np.asarray(values, np.float64) for values in (a, b)]
    for name, values in zip("ab", samples, strict=True):
        if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
            raise ValueError(f"sample {name}: {values.tolist()}, expected two or more finite values")
    n_exact = math.comb(len(samples[0]) + len(samples[1]), len(samples[0]))
    size = max(np.abs(values).max() for values in samples) or 1.0

    def statistic(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        # rounded, for divisions that tie with the observed one must not be lost to the order of a sum
        return np.round((one.mean(axis) - other.mean(axis)) / size, TIE_DIGITS)

    result = stats.permutation_test(
        samples,
        statistic,
        vectorized=True,
        n_resamples=np.inf if n_exact <= EXACT_PERMUTATIONS else EXACT_PERMUTATIONS,
        batch=10_000,
        random_state=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def mcnemar(hits_a: np.ndarray, hits_b: np.ndarray) -> McNemar:
    """Compare two models on the same objects by those on which one is right and the other is not.

    Args:
        hits_a, hits_b: [N] bool; whether each model is right about each object, in the same order.

    Raises:
        ValueError: not [N] bool both.

    McNemar 1947, Psychometrika 12, 153, with the exact binomial in place of χ².
    """
    only_a, only_b = _discordant(hits_a, hits_b)
    n = only_a + only_b
    return McNemar(only_a, only_b, float(stats.binomtest(only_a, n, 0.5).pvalue) if n else 1.0)


def paired_difference(
    hits_a: np.ndarray,
    hits_b: np.ndarray,
    *,
    confidence: float = CONFIDENCE,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> tuple[float, Interval]:
    """Accuracy of a less that of b on the same objects, with its percentile bootstrap over objects.

    An object counts only as "a alone correct", "b alone correct" or neither, so drawing N objects with replacement is
    one multinomial draw over these three: the same distribution, at a cost that does not grow with N.

    Args:
        hits_a, hits_b: [N] bool; whether each model is right about each object, in the same order.
        confidence: coverage, 0 to 1.
        n_resamples: how many data sets to draw.
        seed: seed of the draw.

    Returns:
        The difference, -1 to 1, and its limits; NaN without objects. Where the models differ on a handful of objects,
        and all one way, the interval is too short (with none, it is a point): believe `mcnemar` then.

    Raises:
        ValueError: not [N] bool both.

    Efron 1979, Annals of Statistics 7, 1.
    """
    only_a, only_b = _discordant(hits_a, hits_b)
    n = len(hits_a)
    if not n:
        return math.nan, Interval(np.float64("nan"), np.float64("nan"))
    cells = np.array([only_a, only_b, n - only_a - only_b]) / n
    drawn = np.random.default_rng(seed).multinomial(n, cells, size=n_resamples)
    return (only_a - only_b) / n, percentiles((drawn[:, 0] - drawn[:, 1]) / n, confidence)


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected for how many comparisons were made: below α, all hold together with error at most α.

    For a table in which the best of many is pointed out: correct over all its comparisons, not those that look good.

    Args:
        p_values: [K], 0 to 1; of any tests, dependent or not.

    Returns:
        [K] float64 in the same order, at most 1 and no smaller than what was given.

    Raises:
        ValueError: not [K] numbers from 0 to 1.

    Holm 1979, Scandinavian Journal of Statistics 6, 65.
    """
    p_values = np.asarray(p_values, np.float64)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(f"p-values: {p_values.tolist()}, expected a row of numbers from 0 to 1")
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _discordant(hits_a: np.ndarray, hits_b: np.ndarray) -> tuple[int, int]:
    """Objects that only a, and that only b, gets right."""
    for name, hits in (("hits_a", hits_a), ("hits_b", hits_b)):
        if np.ndim(hits) != 1 or len(hits) != len(hits_a) or np.asarray(hits).dtype != bool:
            given = f"{np.asarray(hits).dtype} {np.shape(hits)}"
            raise ValueError(f"{name}: {given}, expected bool, one per object of both models {np.shape(hits_a)}")
    hits_a, hits_b = np.asarray(hits_a), np.asarray(hits_b)
    return int((hits_a & ~hits_b).sum()), int((hits_b & ~hits_a).sum())
