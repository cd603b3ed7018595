"""Numbers that say how good a set of class probabilities is. Pure functions of arrays.

Scores of predicted classes come from a confusion matrix, scores of probabilities from these, and curves from ranking
objects by the probability of one class (ROC, precision–recall) or by the highest one (coverage). What is undefined (the
precision of a class that was never predicted) is NaN, never a silent 0.

Our own and not scikit-learn's, which warns and returns 0 for what is undefined, and cannot score a stack of resampled
matrices at once; its functions are the reference of the tests.
"""

from typing import NamedTuple

import numpy as np

LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)  # keeps one certain error from making the mean loss infinite
N_BINS = 10


class ClassScores(NamedTuple):
    """Scores of each class; arrays [..., L], NaN where undefined."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray  # int64: objects of the class


class Reliability(NamedTuple):
    """Stated against true accuracy, by bins of the highest probability.

    Attributes:
        edges: [b + 1]; bin i holds edges[i] < confidence <= edges[i + 1].
        count: [b] int64.
        confidence: [b]; mean highest probability, NaN in an empty bin.
        accuracy: [b]; fraction correct, NaN in an empty bin.
        error: expected calibration error: the count-weighted mean of |accuracy - confidence|.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float


class Ranking(NamedTuple):
    """One class against all others, from the highest threshold to the lowest.

    Attributes:
        threshold: [T]; descending, each a value that occurs.
        recall: [T]; true positive rate, NaN without positives.
        false_positive_rate: [T]; NaN without negatives.
        precision: [T]; of those at or above the threshold.
        auc: area under the ROC curve from (0, 0): how likely a positive object ranks above a negative one, equal values
            counting half; NaN where one kind is missing.
        average_precision: Σ (recall_i - recall_{i-1}) precision_i; NaN without positives.
    """

    threshold: np.ndarray
    recall: np.ndarray
    false_positive_rate: np.ndarray
    precision: np.ndarray
    auc: float
    average_precision: float


class Coverage(NamedTuple):
    """Accuracy of the objects whose highest probability reaches a threshold, the most confident first.

    Attributes:
        threshold: [T]; descending, each a probability that occurs.
        count: [T] int64; objects kept.
        coverage: [T]; fraction of all objects.
        accuracy: [T]; of those kept.
    """

    threshold: np.ndarray
    count: np.ndarray
    coverage: np.ndarray
    accuracy: np.ndarray


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Count objects by true class (row) and predicted class (column).

    Args:
        labels: [B] integers, true classes.
        predicted: [B] integers, predicted classes.
        n_classes: L.

    Returns:
        [L, L] int64.

    Raises:
        ValueError: shapes differ, or a label is out of range.
    """
    if labels.shape != predicted.shape:
        raise ValueError(f"labels have shape {labels.shape}, predictions {predicted.shape}")
    check_labels(labels, n_classes)
    check_labels(predicted, n_classes)
    cell = labels.astype(np.int64) * n_classes + predicted
    return np.bincount(cell, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Fraction on the diagonal of [..., L, L]; NaN for an empty matrix."""
    return ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def class_scores(confusion: np.ndarray) -> ClassScores:
    """Precision, recall, F1 and support of each class from confusion matrices [..., L, L].

    F1 = 2 TP / (2 TP + FP + FN): 0 for a class that has objects and no hit, NaN for one that has neither objects nor
    predictions.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return ClassScores(ratio(hits, predicted), ratio(hits, support), ratio(2 * hits, support + predicted), support)


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that have objects, of [..., L, L] counts; NaN where none has."""
    recall = class_scores(confusion).recall
    defined = np.isfinite(recall)
    n_classes = defined.sum(axis=-1)
    mean = np.where(defined, recall, 0).sum(axis=-1) / np.maximum(n_classes, 1)
    return np.where(n_classes > 0, mean, np.nan)


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -ln p(true class) [nat]; a probability of 0 counts as the smallest normal float32 (87.3 nat).

    Args:
        probabilities: [B, L].
        labels: [B] integers.
    """
    if not labels.size:
        return float("nan")
    return float(-np.log(np.maximum(probability_of(probabilities, labels), LEAST_PROBABILITY)).mean())


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over objects of the squared distance between probabilities and the one-hot truth, 0 (best) to 2.

    Brier 1950, Monthly Weather Review 78, 1.
    """
    if not labels.size:
        return float("nan")
    p = np.asarray(probabilities, np.float64)
    return float((np.sum(p**2, axis=1) - 2 * probability_of(p, labels) + 1).mean())


def reliability(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = N_BINS) -> Reliability:
    """Compare stated with true accuracy in `n_bins` equal bins of the highest probability.

    Args:
        probabilities: [B, L].
        labels: [B] integers.
        n_bins: bins between 0 and 1.

    Guo et al. 2017, arXiv:1706.04599.
    """
    check_labels(labels, probabilities.shape[-1])
    stated = np.asarray(probabilities, np.float64).max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    where = np.clip(np.searchsorted(edges, stated, side="left") - 1, 0, n_bins - 1)
    count = np.bincount(where, minlength=n_bins)
    sum_stated = np.bincount(where, weights=stated, minlength=n_bins)
    sum_correct = np.bincount(where, weights=correct, minlength=n_bins)
    error = float(ratio(np.abs(sum_correct - sum_stated).sum(), count.sum()))
    return Reliability(edges, count, ratio(sum_stated, count), ratio(sum_correct, count), error)


def ranking(probability: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> Ranking:
    """ROC and precision–recall curves of one class.

    Args:
        probability: [B]; of the class.
        positive: [B] bool; whether an object is of the class.
        weights: [B]; how much each object counts; None: all the same. Those of `priors.weights` give the precision at
            given class proportions; the ROC curve of two classes does not change by them.

    Fawcett 2006, Pattern Recognition Letters 27, 861.
    """
    order = np.argsort(-probability, kind="stable")
    weights = np.ones(len(probability)) if weights is None else weights
    last = _last_of_equals(probability[order])
    hits = np.cumsum(np.where(positive, weights, 0)[order])[last]
    alarms = np.cumsum(np.where(positive, 0, weights)[order])[last]
    n_hits, n_alarms = (counts[-1] if counts.size else 0 for counts in (hits, alarms))
    recall, false, precision = ratio(hits, n_hits), ratio(alarms, n_alarms), ratio(hits, hits + alarms)
    steps = np.diff(recall, prepend=0)
    area = np.sum(np.diff(false, prepend=0) * (recall - steps / 2)) if recall.size else np.nan
    average = np.sum(np.where(steps > 0, steps * precision, 0)) if np.isfinite(recall).any() else np.nan
    return Ranking(probability[order][last], recall, false, precision, float(area), float(average))


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray) -> Coverage:
    """Accuracy against coverage; of objects with equal probabilities all are kept, or none.

    Args:
        probabilities: [B, L].
        labels: [B] integers.

    El-Yaniv & Wiener 2010, JMLR 11, 1605.
    """
    check_labels(labels, probabilities.shape[-1])
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    correct = np.cumsum((probabilities.argmax(axis=1) == labels)[order])
    last = _last_of_equals(confidence[order])
    count = last + 1
    return Coverage(confidence[order][last], count, ratio(count, len(labels)), ratio(correct[last], count))


def at_coverage(curve: Coverage, fraction: float) -> int:
    """Index of the first point of a curve that covers at least a fraction of the objects."""
    return int(np.argmax(curve.coverage >= fraction - 1e-12))


def threshold_for_purity(probability: np.ndarray, true: np.ndarray, weights: np.ndarray, purity: float) -> float:
    """The lowest probability from which on the objects predicted as a class are pure enough.

    Args:
        probability: [C]; of the class, of the objects that are predicted as it.
        true: [C] bool; whether they are of the class.
        weights: [C]; how much each counts.
        purity: to be reached, 0 to 1.

    Returns:
        A value that occurs in `probability`; NaN where no threshold is enough, or weights are not known.
    """
    order = np.argsort(-probability, kind="stable")
    last = _last_of_equals(probability[order])
    reached = ratio(np.cumsum((weights * true)[order])[last], np.cumsum(weights[order])[last])
    enough = np.flatnonzero(reached >= purity)  # NaN is not
    return float(probability[order][last[enough[-1]]]) if enough.size else float("nan")


def predicted_above(
    probabilities: np.ndarray, labels: np.ndarray, which: int, threshold: float, n_classes: int
) -> np.ndarray:
    """[L] int64: objects of each true class that are predicted as class `which` with at least a probability."""
    kept = (probabilities.argmax(axis=1) == which) & (probabilities[:, which] >= threshold)
    return np.bincount(labels[kept], minlength=n_classes)


def probability_of(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """[B] float64: what [B, L] probabilities give to the class [B] of each object."""
    check_labels(classes, probabilities.shape[-1])
    return np.take_along_axis(np.asarray(probabilities, np.float64), classes.astype(np.int64)[:, None], axis=1)[:, 0]


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient in float64, NaN (without a warning) where the denominator is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)


def check_labels(labels: np.ndarray, n_classes: int) -> None:
    """Raise ValueError where a label is no index of one of `n_classes` classes."""
    strange = (labels < 0) | (labels >= n_classes)
    if np.any(strange):
        at = int(np.argmax(strange))
        raise ValueError(f"label {labels[at]} of object {at}: expected 0 to {n_classes - 1}")


def _last_of_equals(ordered: np.ndarray) -> np.ndarray:
    """Indices of the last of each run of equal values in an ordered array."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if ordered.size else np.empty(0, np.int64)
