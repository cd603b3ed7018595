"""Intervals against other roads to them: plain resampling, Wilson, scipy, and their own coverage."""

import numpy as np
import pytest
from scipy import stats

from jtss.metrics import classification, intervals

SIZES = (40, 25)
LABEL = np.repeat([0, 1], SIZES)


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
    interval = intervals.bootstrap_interval(confusion, classification.accuracy)
    wilson = intervals.wilson_interval(560, 600)
    np.testing.assert_allclose(interval, wilson, atol=0.004)
    np.testing.assert_allclose(interval, stats.binom.ppf([0.025, 0.975], 600, 560 / 600) / 600, atol=1 / 600)


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
    interval = intervals.bootstrap_interval(confusion, lambda c: classification.class_scores(c).recall)
    np.testing.assert_array_equal(interval.lower, [1, 1, np.nan])
    np.testing.assert_array_equal(interval.upper, [1, 1, np.nan])


def test_nothing_measured_gives_nan():
    interval = intervals.bootstrap_interval(np.zeros((3, 3), int), classification.accuracy)
    assert np.isnan(interval.lower)
    assert np.isnan(interval.upper)


def test_coverage():
    """Of 300 experiments with a true accuracy of 0.9, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(4)
    inside = 0
    for i, hits in enumerate(rng.binomial(400, 0.9, 300)):
        confusion = np.array([[hits, 400 - hits], [0, 0]])
        interval = intervals.bootstrap_interval(confusion, classification.accuracy, n_resamples=500, seed=i)
        inside += interval.lower <= 0.9 <= interval.upper
    assert 0.91 <= inside / 300 <= 0.98


def made_hits(seed=0):
    """Two models that are right about the same objects more often than not."""
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
    recalls = intervals.recalls(hits, np.array([0, 0, 0, 2]), (0, 1, 2))
    np.testing.assert_allclose(recalls, [[2 / 3, np.nan, 1], [1 / 3, np.nan, 0]])


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
    interval = intervals.auc_interval(one, other, seed=5)
    np.testing.assert_allclose(interval, np.percentile(plain, [2.5, 97.5]), atol=0.01)


def test_nineteen_of_twenty_intervals_of_auc_hold_the_truth():
    rng = np.random.default_rng(2)
    held = 0
    for seed in range(200):
        lower, upper = intervals.auc_interval(rng.normal(size=40), rng.normal(size=40), n_resamples=300, seed=seed)
        held += lower <= 0.5 <= upper
    assert 180 <= held <= 198


def test_plain_values_are_ready_for_json():
    interval = intervals.Interval(np.float64(0.25), np.float64(np.nan))
    assert str(intervals.with_interval(np.float32(0.5), interval)) == "{'value': 0.5, 'interval': [0.25, nan]}"
    rate = intervals.hit_rate(81, 263)
    assert (rate["objects"], rate["correct"], rate["accuracy"]) == (263, 81, 81 / 263)
    assert rate["wilson_interval"] == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert np.isnan([intervals.hit_rate(0, 0)["accuracy"], *intervals.hit_rate(0, 0)["wilson_interval"]]).all()
