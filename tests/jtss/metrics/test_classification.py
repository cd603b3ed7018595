"""Golden values worked by hand, and each number again by an independent road."""

import math

import numpy as np
import pytest

from jtss.metrics import classification

# Ten objects of four classes; class 3 has none and is never predicted, class 2 has objects and is never predicted.
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 1])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1])
CONFUSION = np.array([[3, 1, 0, 0], [1, 3, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])


def probabilities(n=200, n_classes=3, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), n).astype(np.float32)


def test_confusion_matrix_by_hand():
    found = classification.confusion_matrix(LABELS, PREDICTED, 4)
    np.testing.assert_array_equal(found, CONFUSION)
    assert found.dtype == np.int64


def test_confusion_matrix_by_counting():
    rng = np.random.default_rng(3)
    labels, predicted = rng.integers(0, 5, 500), rng.integers(0, 5, 500).astype(np.int8)
    expected = np.zeros((5, 5), int)
    for true, guess in zip(labels, predicted, strict=True):
        expected[true, guess] += 1
    np.testing.assert_array_equal(classification.confusion_matrix(labels.astype(np.int8), predicted, 5), expected)


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


def test_f1_is_the_harmonic_mean():
    rng = np.random.default_rng(1)
    scores = classification.class_scores(rng.integers(1, 50, (4, 4)))
    np.testing.assert_allclose(scores.f1, 2 / (1 / scores.precision + 1 / scores.recall))


def test_scores_of_a_stack_are_the_scores_of_each():
    stack = np.random.default_rng(2).integers(0, 3, (20, 3, 3))
    whole = classification.class_scores(stack)
    for i, one in enumerate(stack):
        for together, alone in zip(whole, classification.class_scores(one), strict=True):
            np.testing.assert_array_equal(together[i], alone)
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


def test_brier_by_hand_and_by_one_hot():
    p = np.array([[0.5, 0.3, 0.2]])
    assert classification.brier(p, np.array([1])) == pytest.approx(0.25 + 0.49 + 0.04)
    assert classification.brier(np.array([[1.0, 0.0]]), np.array([1])) == 2
    p, labels = probabilities(), np.random.default_rng(5).integers(0, 3, 200)
    assert classification.brier(p, labels) == pytest.approx(np.mean(np.sum((p - np.eye(3)[labels]) ** 2, axis=1)))


def test_reliability_by_hand():
    p = np.array([[0.95, 0.05], [0.91, 0.09], [0.9, 0.1], [0.4, 0.6]])
    found = classification.reliability(p, np.array([0, 1, 0, 1]), n_bins=10)
    np.testing.assert_array_equal(found.count, [0, 0, 0, 0, 0, 1, 0, 0, 1, 2])  # 0.9 belongs to (0.8, 0.9]
    np.testing.assert_allclose(found.confidence[[5, 8, 9]], [0.6, 0.9, 0.93])
    np.testing.assert_allclose(found.accuracy[[5, 8, 9]], [1, 1, 0.5])
    assert np.isnan(found.accuracy[0])
    assert found.error == pytest.approx((0.4 + 0.1 + 2 * 0.43) / 4)


def test_calibration_error_by_a_loop():
    p, labels = probabilities(seed=7), np.random.default_rng(8).integers(0, 3, 200)
    found, stated, correct = 0.0, p.max(axis=1), p.argmax(axis=1) == labels
    for low in range(10):
        inside = (stated > low / 10) & (stated <= (low + 1) / 10)
        if inside.any():
            found += inside.mean() * abs(correct[inside].mean() - stated[inside].mean(dtype=np.float64))
    assert classification.reliability(p, labels).error == pytest.approx(found, abs=1e-7)


def test_honest_probabilities_are_calibrated():
    """Labels drawn from the stated probabilities: the error is sampling noise; it grows when they overstate."""
    rng = np.random.default_rng(9)
    p = rng.dirichlet(np.ones(3), 40_000)
    labels = (rng.random((40_000, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    boasting = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert classification.reliability(p, labels).error < 0.01
    assert classification.reliability(boasting, labels).error > 0.15


def test_rounding_above_one_stays_in_the_last_bin():
    found = classification.reliability(np.array([[1.0000001, 0.0]]), np.array([0]))
    assert found.count[-1] == 1
