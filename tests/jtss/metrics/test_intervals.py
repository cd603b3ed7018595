"""Intervals against other roads to them: plain resampling, Wilson, scipy, and their own coverage."""

import numpy as np
import pytest
from scipy import stats

from jtss.metrics import classification, intervals


def test_resampling_cells_is_resampling_objects():
    """The same mean and spread as drawing the objects themselves."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 150)
    predicted = np.where(rng.random(150) < 0.8, labels, rng.integers(0, 3, 150))
    confusion = classification.confusion_matrix(labels, predicted, 3)
    drawn = intervals.resample_confusion(confusion, 4000, seed=1)
    again = rng.integers(0, 150, (4000, 150))
    plain = np.stack([classification.confusion_matrix(labels[rows], predicted[rows], 3) for rows in again])
    assert (drawn.sum(axis=(1, 2)) == 150).all()
    np.testing.assert_allclose(drawn.mean(axis=0), plain.mean(axis=0), atol=0.4)
    np.testing.assert_allclose(drawn.std(axis=0), plain.std(axis=0), atol=0.25)
    np.testing.assert_array_equal(drawn[:, confusion == 0], 0)


def test_interval_of_accuracy_agrees_with_wilson_and_with_the_binomial():
    confusion = np.array([[280, 20], [20, 280]])
    found = intervals.bootstrap_interval(confusion, classification.accuracy)
    wilson = intervals.wilson_interval(560, 600)
    np.testing.assert_allclose(found, wilson, atol=0.004)
    np.testing.assert_allclose(found, stats.binom.ppf([0.025, 0.975], 600, 560 / 600) / 600, atol=1 / 600)


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (10, 10), (3, 7), (588, 600), (1, 1)])
def test_wilson_is_scipys(hits, total):
    expected = stats.binomtest(hits, total).proportion_ci(method="wilson")
    np.testing.assert_allclose(intervals.wilson_interval(hits, total), expected, atol=1e-12)


def test_wilson_reaches_the_ends_exactly():
    for total in range(1, 200):
        assert intervals.wilson_interval(0, total).lower == 0
        assert intervals.wilson_interval(total, total).upper == 1


def test_wilson_by_hand():
    """Newcombe 1998, Table I: 81 of 263."""
    np.testing.assert_allclose(intervals.wilson_interval(81, 263), (0.2553, 0.3662), atol=5e-5)


def test_wilson_refuses_the_impossible_and_says_nothing_of_nothing():
    assert np.isnan(intervals.wilson_interval(0, 0)).all()
    with pytest.raises(ValueError, match="8 hits of 7"):
        intervals.wilson_interval(8, 7)


def test_wider_confidence_contains_narrower():
    confusion = np.array([[40, 10], [5, 45]])
    low = intervals.bootstrap_interval(confusion, classification.accuracy, confidence=0.68)
    high = intervals.bootstrap_interval(confusion, classification.accuracy, confidence=0.99)
    assert high.lower < low.lower < 0.85 < low.upper < high.upper


def test_interval_is_seeded():
    confusion = np.array([[13, 4, 1], [5, 45, 2], [3, 3, 30]])

    def interval(seed):
        return intervals.bootstrap_interval(
            confusion, lambda c: classification.class_scores(c).f1, n_resamples=200, seed=seed
        )

    np.testing.assert_array_equal(interval(1), interval(1))
    assert not np.array_equal(interval(1), interval(2))


def test_interval_of_each_class_leaves_undefined_resamples_out():
    """One object of class 1: a third of the resamples miss it and say nothing of its recall."""
    confusion = np.array([[30, 0, 0], [0, 1, 0], [0, 0, 0]])
    found = intervals.bootstrap_interval(confusion, lambda c: classification.class_scores(c).recall)
    np.testing.assert_array_equal(found.lower, [1, 1, np.nan])
    np.testing.assert_array_equal(found.upper, [1, 1, np.nan])


def test_nothing_measured_gives_nan():
    found = intervals.bootstrap_interval(np.zeros((3, 3), int), classification.accuracy)
    assert np.isnan(found.lower)
    assert np.isnan(found.upper)


def test_coverage():
    """Of 300 experiments with a true accuracy of 0.9, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(4)
    inside = 0
    for i, hits in enumerate(rng.binomial(400, 0.9, 300)):
        confusion = np.array([[hits, 400 - hits], [0, 0]])
        found = intervals.bootstrap_interval(confusion, classification.accuracy, n_resamples=500, seed=i)
        inside += found.lower <= 0.9 <= found.upper
    assert 0.91 <= inside / 300 <= 0.98
