"""Classify only where the model is sure: what accuracy that buys, and which threshold gives a wanted purity."""

from typing import NamedTuple

import numpy as np

from jtss.reports.metrics import check_labels, ratio


class Coverage(NamedTuple):
    """Accuracy of the objects whose highest probability reaches a threshold, from the surest object to all.

    Attributes:
        threshold: [T]; descending, each a probability that occurs.
        count: [T] int64; objects kept.
        coverage: [T]; part of all objects.
        accuracy: [T]; of those kept.
    """

    threshold: np.ndarray
    count: np.ndarray
    coverage: np.ndarray
    accuracy: np.ndarray


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray) -> Coverage:
    """Accuracy against coverage; objects with equal probabilities are kept or left together.

    Args:
        probabilities: [B, L].
        labels: [B] integers.

    El-Yaniv & Wiener 2010, JMLR 11, 1605.
    """
    check_labels(labels, probabilities.shape[-1])
    sure = probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    right = np.cumsum((probabilities.argmax(axis=1) == labels)[order])
    last = last_of_equals(sure[order])
    count = last + 1
    return Coverage(sure[order][last], count, ratio(count, len(labels)), ratio(right[last], count))


def last_of_equals(ordered: np.ndarray) -> np.ndarray:
    """Indices of the last of each run of equal values in an ordered array."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if ordered.size else np.empty(0, np.int64)


def at_coverage(curve: Coverage, wanted: float) -> int:
    """Index of the first point of a curve that covers at least the fraction `wanted` of the objects."""
    return int(np.argmax(curve.coverage >= wanted - 1e-12))


def threshold_for_purity(chance: np.ndarray, true: np.ndarray, weights: np.ndarray, wanted: float) -> float:
    """The lowest probability from which on the objects called a class are pure enough.

    Args:
        chance: [C]; probability of the class of the objects that are called it.
        true: [C] bool; whether they are of the class.
        weights: [C]; how much each counts.
        wanted: purity, 0 to 1.

    Returns:
        A value that occurs in `chance`; NaN where no threshold is enough, or weights are not known.
    """
    order = np.argsort(-chance, kind="stable")
    last = last_of_equals(chance[order])
    purity = ratio(np.cumsum((weights * true)[order])[last], np.cumsum(weights[order])[last])
    enough = np.flatnonzero(purity >= wanted)  # NaN is not
    return float(chance[order][last[enough[-1]]]) if enough.size else float("nan")


def called_by_threshold(
    probabilities: np.ndarray, labels: np.ndarray, which: int, threshold: float, n_classes: int
) -> np.ndarray:
    """[L] int64: objects of each true class that are called class `which` with at least a probability."""
    kept = (probabilities.argmax(axis=1) == which) & (probabilities[:, which] >= threshold)
    return np.bincount(labels[kept], minlength=n_classes)
