"""Intervals of what is compared on the same objects, against plain resampling and scipy."""

import numpy as np
import pytest
from scipy import stats

from jtss.metrics import intervals

SIZES = (40, 25)
LABEL = np.repeat([0, 1], SIZES)


def made_hits(seed=0):
    """Two models that are right and wrong together more often than not."""
    rng = np.random.default_rng(seed)
    one = rng.random(len(LABEL)) < 0.8
    other = np.where(rng.random(len(LABEL)) < 0.7, one, rng.random(len(LABEL)) < 0.6)
    return np.stack([one, other], axis=1)


def plainly_resampled(hits, n_resamples, seed):
    """[R, M, C]: draws the objects of each class themselves, one resample after another."""
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(n_resamples):
        rows = [rng.choice(np.flatnonzero(index == LABEL), size) for index, size in enumerate(SIZES)]
        drawn.append([[hits[of_class, model].mean() for of_class in rows] for model in range(2)])
    return np.array(drawn)


def test_recalls_by_hand():
    hits = np.array([[1, 0], [1, 1], [0, 0], [1, 0]], bool)
    found = intervals.recalls(hits, np.array([0, 0, 0, 2]), (0, 1, 2))
    np.testing.assert_allclose(found, [[2 / 3, np.nan, 1], [1 / 3, np.nan, 0]])


def test_resampling_patterns_is_resampling_objects():
    """The same mean, spread and covariance of the two models as drawing the objects themselves."""
    hits = made_hits()
    drawn = intervals.resampled_recalls(hits, LABEL, (0, 1), n_resamples=20_000, seed=1).reshape(-1, 4)
    plain = plainly_resampled(hits, 4_000, seed=2).reshape(-1, 4)
    np.testing.assert_allclose(drawn.mean(axis=0), intervals.recalls(hits, LABEL, (0, 1)).ravel(), atol=0.003)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(plain.T), atol=0.0005)
    assert np.cov(drawn.T)[0, 2] > 0.001  # the models share their draws


def test_classes_keep_their_sizes():
    drawn = intervals.resampled_recalls(made_hits(), LABEL, (0, 1), n_resamples=500)
    for index, size in enumerate(SIZES):
        counts = drawn[..., index] * size
        np.testing.assert_allclose(counts, counts.round(), atol=1e-9)


def test_the_spread_of_a_recall_is_binomial():
    hits = (np.arange(len(LABEL)) % 4 > 0)[:, None]
    drawn = intervals.resampled_recalls(hits, LABEL, (0,), n_resamples=40_000)[:, 0, 0]
    np.testing.assert_allclose(intervals.percentiles(drawn), stats.binom.ppf([0.025, 0.975], 40, 0.75) / 40)


def test_a_class_without_objects_is_undefined_and_so_is_what_needs_it():
    drawn = intervals.resampled_recalls(made_hits(), LABEL, (0, 3), n_resamples=10)
    assert np.isnan(drawn[..., 1]).all()
    assert np.isfinite(drawn[..., 0]).all()
    assert np.isnan(intervals.percentiles(drawn[:, 0].mean(axis=1))).all()


def test_the_same_seed_gives_the_same_draws():
    one, again, other = (intervals.resampled_recalls(made_hits(), LABEL, (0, 1), 50, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_auc_by_hand():
    assert intervals.auc(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == (1 + 1 + 1 + 0.5) / 4
    assert intervals.auc(np.array([0.0]), np.array([1.0])) == 0


def test_auc_is_mann_whitneys_u():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, 60) + 1.0, rng.integers(0, 9, 45)  # with ties
    expected = stats.mannwhitneyu(one, other).statistic / (60 * 45)
    assert intervals.auc(one, other) == pytest.approx(expected)


def test_interval_of_auc_agrees_with_drawing_the_objects():
    rng = np.random.default_rng(1)
    one, other = rng.normal(1, 1, 50), rng.normal(0, 1, 70)
    plain = [intervals.auc(rng.choice(one, 50), rng.choice(other, 70)) for _ in range(3_000)]
    found = intervals.auc_interval(one, other, seed=5)
    np.testing.assert_allclose(found, np.percentile(plain, [2.5, 97.5]), atol=0.01)


def test_nineteen_of_twenty_intervals_of_auc_hold_the_truth():
    rng = np.random.default_rng(2)
    held = 0
    for seed in range(200):
        lower, upper = intervals.auc_interval(rng.normal(size=40), rng.normal(size=40), n_resamples=300, seed=seed)
        held += lower <= 0.5 <= upper
    assert 180 <= held <= 198
