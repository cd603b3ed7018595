"""The scores that a report opens with: accuracy, the scores of each class, and their intervals, ready for JSON."""

from collections.abc import Callable

import numpy as np

from jtss.metrics import classification
from jtss.metrics.intervals import (
    CONFIDENCE,
    N_RESAMPLES,
    Interval,
    bootstrap_interval,
    wilson_interval,
    with_interval,
)
from jtss.reports.evaluation import Evaluation


def scores(evaluation: Evaluation, seed: int = 0) -> dict:
    """All numbers of an evaluation, as plain values; undefined ones are NaN.

    The intervals of accuracy, balanced accuracy and F1 are percentile bootstraps over objects. Those of precision and
    recall, and a second one of accuracy, are Wilson's, which do not shrink to nothing where no error was seen.
    """
    labels, probabilities = evaluation.label, evaluation.probabilities
    confusion = classification.confusion_matrix(labels, evaluation.predicted, len(evaluation.classes))
    bins = classification.reliability(probabilities, labels)
    hits = int(np.trace(confusion))
    return {
        "n_objects": len(labels),
        "accuracy": {
            **_bootstrapped(confusion, classification.accuracy, seed),
            "wilson_interval": [float(limit) for limit in wilson_interval(hits, len(labels))],
            "confidence": CONFIDENCE,
            "n_resamples": N_RESAMPLES,
            "seed": seed,
        },
        "balanced_accuracy": _bootstrapped(confusion, classification.balanced_accuracy, seed),
        "cross_entropy_nat": classification.cross_entropy(probabilities, labels),
        "brier": classification.brier(probabilities, labels),
        "calibration_error": bins.error,
        "confusion_matrix": confusion.tolist(),
        "classes": _class_numbers(confusion, evaluation.classes, seed),
        "reliability": {name: np.asarray(values).tolist() for name, values in bins._asdict().items()},
    }


def _bootstrapped(confusion: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], seed: int) -> dict:
    return with_interval(statistic(confusion), bootstrap_interval(confusion, statistic, seed=seed))


def _class_numbers(confusion: np.ndarray, classes: tuple[str, ...], seed: int) -> dict[str, dict]:
    """{class: {support, precision, recall, f1: {value, interval}}}."""
    scores = classification.class_scores(confusion)
    hits, predicted = np.diagonal(confusion), confusion.sum(axis=0)
    f1_limits = bootstrap_interval(confusion, lambda drawn: classification.class_scores(drawn).f1, seed=seed)
    return {
        name: {
            "support": int(scores.support[i]),
            "precision": with_interval(scores.precision[i], wilson_interval(int(hits[i]), int(predicted[i]))),
            "recall": with_interval(scores.recall[i], wilson_interval(int(hits[i]), int(scores.support[i]))),
            "f1": with_interval(scores.f1[i], _spread(Interval(f1_limits.lower[i], f1_limits.upper[i]))),
        }
        for i, name in enumerate(classes)
    }


def _spread(interval: Interval) -> Interval:
    """The interval, undefined where the bootstrap saw no spread: no error at all, which is not certainty."""
    return interval if interval.lower < interval.upper else Interval(np.float64("nan"), np.float64("nan"))
