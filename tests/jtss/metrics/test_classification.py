"""Golden values worked by hand, and each number again by an independent road: scikit-learn's, or plain counting."""

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve

from helpers.made_predictions import classified
from jtss.metrics import classification, priors
from jtss.metrics.classification import ranking

# Ten objects of four classes; class 3 has none and is never predicted, class 2 has objects and is never predicted.
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 1])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1])
CONFUSION = np.array([[3, 1, 0, 0], [1, 3, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])


def probabilities(n=200, n_classes=3, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), n).astype(np.float32)


def test_confusion_matrix_by_hand():
    confusion = classification.confusion_matrix(LABELS, PREDICTED, 4)
    np.testing.assert_array_equal(confusion, CONFUSION)
    assert confusion.dtype == np.int64


def test_confusion_matrix_and_its_scores_are_scikit_learns():
    rng = np.random.default_rng(3)
    labels, predicted = rng.integers(0, 5, 500).astype(np.int8), rng.integers(0, 5, 500).astype(np.int8)
    confusion = classification.confusion_matrix(labels, predicted, 5)
    np.testing.assert_array_equal(confusion, sklearn.confusion_matrix(labels, predicted))
    assert classification.accuracy(confusion) == pytest.approx(sklearn.accuracy_score(labels, predicted))
    expected = sklearn.balanced_accuracy_score(labels, predicted)
    assert classification.balanced_accuracy(confusion) == pytest.approx(expected)
    scores = sklearn.precision_recall_fscore_support(labels, predicted)
    for ours, theirs in zip(classification.class_scores(confusion), scores, strict=True):
        np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize(("labels", "predicted"), [([0, 3], [0, 0]), ([0, -1], [0, 0]), ([0, 0], [0, 3])])
def test_labels_out_of_range_are_refused(labels, predicted):
    with pytest.raises(ValueError, match="of object 1: expected 0 to 2"):
        classification.confusion_matrix(np.array(labels), np.array(predicted), 3)


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match="shape"):
        classification.confusion_matrix(np.zeros(3, int), np.zeros(2, int), 3)


def test_scores_by_hand():
    scores = classification.class_scores(CONFUSION)
    nan = np.nan
    np.testing.assert_allclose(scores.precision, [3 / 5, 3 / 5, nan, nan])
    np.testing.assert_allclose(scores.recall, [3 / 4, 3 / 4, 0, nan])
    np.testing.assert_allclose(scores.f1, [2 / 3, 2 / 3, 0, nan])
    np.testing.assert_array_equal(scores.support, [4, 4, 2, 0])
    assert classification.accuracy(CONFUSION) == 0.6
    assert classification.balanced_accuracy(CONFUSION) == 0.5


def test_scores_of_a_stack_are_the_scores_of_each():
    stack = np.random.default_rng(2).integers(0, 3, (20, 3, 3))
    whole = classification.class_scores(stack)
    for i, one in enumerate(stack):
        for stacked, alone in zip(whole, classification.class_scores(one), strict=True):
            np.testing.assert_array_equal(stacked[i], alone)
    np.testing.assert_array_equal(classification.accuracy(stack), [classification.accuracy(one) for one in stack])


def test_nothing_evaluated_is_nan_not_zero():
    empty, none = np.zeros((3, 3), int), np.zeros(0, int)
    assert math.isnan(classification.accuracy(empty))
    assert math.isnan(classification.balanced_accuracy(empty))
    assert math.isnan(classification.cross_entropy(np.zeros((0, 3)), none))
    assert math.isnan(classification.brier(np.zeros((0, 3)), none))
    assert math.isnan(classification.reliability(np.zeros((0, 3)), none).error)


def test_cross_entropy_by_hand():
    p = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]])
    assert classification.cross_entropy(p, np.array([0, 2])) == pytest.approx((math.log(2) + math.log(8)) / 2)


def test_cross_entropy_of_a_certain_error_is_finite():
    p = np.array([[1.0, 0.0]], np.float32)
    assert classification.cross_entropy(p, np.array([1])) == pytest.approx(87.3365, abs=1e-3)
    assert classification.cross_entropy(p, np.array([0])) == 0


def test_brier_by_hand():
    p = np.array([[0.5, 0.3, 0.2]])
    assert classification.brier(p, np.array([1])) == pytest.approx(0.25 + 0.49 + 0.04)
    assert classification.brier(np.array([[1.0, 0.0]]), np.array([1])) == 2


def test_cross_entropy_and_brier_are_scikit_learns():
    p, labels = probabilities().astype(np.float64), np.random.default_rng(5).integers(0, 3, 200)
    p /= p.sum(axis=1, keepdims=True)
    assert classification.cross_entropy(p, labels) == pytest.approx(sklearn.log_loss(labels, p))
    expected = sklearn.brier_score_loss(labels, p, labels=[0, 1, 2], scale_by_half=False)
    assert classification.brier(p, labels) == pytest.approx(expected)


def test_reliability_by_hand():
    p = np.array([[0.95, 0.05], [0.91, 0.09], [0.9, 0.1], [0.4, 0.6]])
    bins = classification.reliability(p, np.array([0, 1, 0, 1]), n_bins=10)
    np.testing.assert_array_equal(bins.count, [0, 0, 0, 0, 0, 1, 0, 0, 1, 2])  # 0.9 belongs to (0.8, 0.9]
    np.testing.assert_allclose(bins.confidence[[5, 8, 9]], [0.6, 0.9, 0.93])
    np.testing.assert_allclose(bins.accuracy[[5, 8, 9]], [1, 1, 0.5])
    assert np.isnan(bins.accuracy[0])
    assert bins.error == pytest.approx((0.4 + 0.1 + 2 * 0.43) / 4)


def test_reliability_is_scikit_learns_calibration_curve():
    p, labels = probabilities(seed=7), np.random.default_rng(8).integers(0, 3, 200)
    bins = classification.reliability(p, labels)
    accuracy, confidence = calibration_curve(p.argmax(axis=1) == labels, p.max(axis=1).astype(np.float64), n_bins=10)
    filled = bins.count > 0
    np.testing.assert_allclose(bins.accuracy[filled], accuracy)
    np.testing.assert_allclose(bins.confidence[filled], confidence)
    error = np.average(np.abs(accuracy - confidence), weights=bins.count[filled])
    assert bins.error == pytest.approx(error)


def test_honest_probabilities_are_calibrated():
    """Labels drawn from the stated probabilities: the error is sampling noise; it grows when they overstate."""
    rng = np.random.default_rng(9)
    p = rng.dirichlet(np.ones(3), 40_000)
    labels = (rng.random((40_000, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    boasting = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert classification.reliability(p, labels).error < 0.01
    assert classification.reliability(boasting, labels).error > 0.15


def test_rounding_above_one_stays_in_the_last_bin():
    bins = classification.reliability(np.array([[1.0000001, 0.0]]), np.array([0]))
    assert bins.count[-1] == 1


def test_ranking_by_hand():
    curves = ranking(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0], bool))
    np.testing.assert_allclose(curves.recall, [0.5, 0.5, 1, 1])
    np.testing.assert_allclose(curves.false_positive_rate, [0, 0.5, 0.5, 1])
    np.testing.assert_allclose(curves.precision, [1, 1 / 2, 2 / 3, 1 / 2])
    assert curves.auc == pytest.approx(0.75)
    assert curves.average_precision == pytest.approx(0.5 + 0.5 * 2 / 3)


@pytest.mark.parametrize("weighted", [False, True])
def test_curves_and_areas_are_scikit_learns(weighted):
    rng = np.random.default_rng(0)
    probability = rng.integers(0, 40, 150) / 40  # many are equal
    positive = rng.random(150) < 0.3 + 0.4 * probability
    weights = rng.uniform(0.1, 2, 150) if weighted else None
    curves = ranking(probability, positive, weights)
    false, true, thresholds = sklearn.roc_curve(positive, probability, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose(curves.false_positive_rate, false[1:], atol=1e-12)  # theirs has the point (0, 0), too
    np.testing.assert_allclose(curves.recall, true[1:], atol=1e-12)
    np.testing.assert_array_equal(curves.threshold, thresholds[1:])
    precision, recall, _ = sklearn.precision_recall_curve(positive, probability, sample_weight=weights)
    np.testing.assert_allclose(curves.precision, precision[-2::-1])
    np.testing.assert_allclose(curves.recall, recall[-2::-1])
    assert curves.auc == pytest.approx(sklearn.roc_auc_score(positive, probability, sample_weight=weights))
    expected = sklearn.average_precision_score(positive, probability, sample_weight=weights)
    assert curves.average_precision == pytest.approx(expected)


def test_the_best_and_the_worst_order_and_no_order():
    probability, positive = np.arange(10) / 10, np.arange(10) >= 6
    assert (ranking(probability, positive).auc, ranking(probability, positive).average_precision) == (1, 1)
    assert ranking(-probability, positive).auc == 0
    same = ranking(np.full(10, 0.3), positive)
    assert (same.auc, same.average_precision) == (0.5, 0.4)  # of equal values, precision is the fraction of positives


def test_weights_are_class_proportions():
    """The precision at given proportions is that of objects repeated as often as these ask for."""
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], 100)
    probability = rng.normal(labels == 1, 0.7)
    proportions = np.array([0.3, 0.1, 0.6])
    repeated = np.repeat(np.arange(300), (10 * proportions[labels]).round().astype(int))
    expected = ranking(probability[repeated], labels[repeated] == 1)
    curves = ranking(probability, labels == 1, priors.weights(labels, proportions))
    assert curves.average_precision == pytest.approx(expected.average_precision)
    assert curves.auc == pytest.approx(expected.auc)


def test_a_class_without_objects_and_one_without_others():
    probability = np.array([0.9, 0.2])
    none, all_ = ranking(probability, np.zeros(2, bool)), ranking(probability, np.ones(2, bool))
    assert np.isnan([none.auc, none.average_precision, all_.auc]).all()
    assert all_.average_precision == 1
    empty = ranking(probability[:0], np.zeros(0, bool))
    assert np.isnan([empty.auc, empty.average_precision]).all()


def test_coverage_by_hand():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.6, 0.4]])
    curve = classification.coverage_curve(p, np.array([0, 0, 0, 0]))  # the second is a confident error
    np.testing.assert_array_equal(curve.threshold, [0.9, 0.8, 0.6])
    np.testing.assert_array_equal(curve.count, [1, 3, 4])
    np.testing.assert_allclose(curve.coverage, [0.25, 0.75, 1])
    np.testing.assert_allclose(curve.accuracy, [1, 2 / 3, 3 / 4])
    assert [classification.at_coverage(curve, fraction) for fraction in (0.1, 0.5, 0.75, 0.8, 1)] == [0, 1, 1, 2, 2]


def test_coverage_by_counting():
    label, p = classified(300)
    curve = classification.coverage_curve(p, label)
    for threshold, coverage, accuracy in zip(curve.threshold, curve.coverage, curve.accuracy, strict=True):
        kept = p.max(axis=1) >= threshold
        assert coverage == pytest.approx(kept.mean())
        assert accuracy == pytest.approx((p.argmax(axis=1) == label)[kept].mean())


def test_the_threshold_is_the_lowest_that_is_pure_enough():
    probability = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5])
    true = np.array([1, 1, 0, 1, 1, 0], bool)
    ones = np.ones(6)
    assert classification.threshold_for_purity(probability, true, ones, 0.8) == 0.6  # 4 of 5
    assert classification.threshold_for_purity(probability, true, ones, 0.66) == 0.5  # 4 of 6
    assert classification.threshold_for_purity(probability, true, ones, 0.95) == 0.9
    # the false one at 0.8 weighs nine times: 4 / 13, and then nothing but the first is pure enough
    assert classification.threshold_for_purity(probability, true, np.array([1, 1, 9, 1, 1, 1]), 0.5) == 0.9
    assert np.isnan(classification.threshold_for_purity(probability, ~true & (probability < 0.9), ones, 0.6))
    assert np.isnan(classification.threshold_for_purity(probability, true, np.full(6, np.nan), 0.1))
    assert np.isnan(classification.threshold_for_purity(probability[:0], true[:0], ones[:0], 0.1))


def test_thresholds_agree_with_trying_every_one():
    label, p = classified(400, noise=2.0)
    proportions = np.array([0.3, 0.02, 0.68])
    weights = priors.weights(label, proportions)
    for i in range(3):
        predicted = p.argmax(axis=1) == i
        kept = {t: predicted & (p[:, i] >= t) for t in np.unique(p[predicted, i])}
        true = weights * (label == i)
        enough = [t for t, rows in kept.items() if true[rows].sum() >= 0.9 * weights[rows].sum()]
        threshold = classification.threshold_for_purity(p[predicted, i], label[predicted] == i, weights[predicted], 0.9)
        assert threshold == pytest.approx(min(enough)) if enough else np.isnan(threshold)
