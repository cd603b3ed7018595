"""Distances of weighted samples: as scipy has them, and as large by chance as said."""

import numpy as np
import pytest
from scipy import stats

from data_prep.compare.distances import (
    correlation_gap,
    fraction_by_chance,
    ks_by_chance,
    ks_distance,
    quantiles,
    spearman,
    wasserstein_in_iqr,
)


def made(n: int, seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values and integer weights."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, n).astype(float) if ties else rng.normal(size=n)
    return values, rng.integers(1, 4, n).astype(float)


def repeated(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.repeat(values, weights.astype(int))


@pytest.mark.parametrize("ties", [False, True])
def test_a_weight_of_k_is_k_equal_values(ties):
    (a, v), (b, w), (c, _) = made(40, 0, ties), made(70, 1, ties), made(40, 2, ties)
    assert ks_distance(a, v, b, w) == pytest.approx(stats.ks_2samp(repeated(a, v), repeated(b, w)).statistic)
    assert spearman(a, c, v) == pytest.approx(stats.spearmanr(repeated(a, v), repeated(c, v)).statistic)


def test_equal_weights_give_the_usual_quantiles():
    values, _ = made(31, 3, ties=False)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    assert quantiles(values, np.full(31, 0.2), levels) == pytest.approx(np.quantile(values, levels, method="hazen"))
    assert np.isnan(quantiles(np.zeros(0), np.zeros(0), levels)).all()


def test_one_vote_per_object_moves_the_median():
    values = np.array([0.0, 0, 0, 1, 1, 1, 1, 1, 1])
    votes = np.array([1, 1, 1, *[1 / 6] * 6])
    assert quantiles(values, np.ones(9), (0.5,)) == 1
    assert quantiles(values, votes, (0.5,)) == 0


def test_wasserstein_of_a_shift_is_the_shift():
    values, weights = made(60, 4, ties=False)
    low, high = quantiles(values, weights, (0.25, 0.75))
    assert wasserstein_in_iqr(values + 0.7, weights, values, weights) == pytest.approx(0.7 / (high - low))
    assert np.isnan(wasserstein_in_iqr(values, weights, np.ones(5), np.ones(5)))


def test_one_in_twenty_is_beyond_chance():
    """400 pairs of samples of one distribution; a binomial count of 20 ± 4.4."""
    rng = np.random.default_rng(5)
    n, m, pairs = 60, 150, 400
    ones, others = np.ones(n), np.ones(m)
    ks = [ks_distance(rng.normal(size=n), ones, rng.normal(size=m), others) for _ in range(pairs)]
    assert 8 <= np.sum(np.array(ks) > ks_by_chance(n, m)) <= 34
    p, q = rng.binomial(n, 0.3, pairs) / n, rng.binomial(m, 0.3, pairs) / m
    beyond = [abs(a - b) > fraction_by_chance(a, n, b, m) for a, b in zip(p, q, strict=True)]
    assert 8 <= np.sum(beyond) <= 34


def test_gap_of_correlations_is_in_standard_deviations():
    rng = np.random.default_rng(6)

    def correlated(n: int) -> float:
        x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], n).T
        return spearman(x, y, np.ones(n))

    gaps = [correlation_gap(correlated(50), 50, correlated(120), 120) for _ in range(300)]
    assert np.mean(gaps) == pytest.approx(0, abs=0.25)
    assert np.std(gaps) == pytest.approx(1, abs=0.15)
    assert np.isnan(correlation_gap(np.nan, 50, 0.1, 50))
    assert np.isfinite(correlation_gap(1.0, 50, 0.5, 50))


def test_a_constant_has_no_correlation():
    assert np.isnan(spearman(np.ones(9), np.arange(9.0), np.ones(9)))
