"""The numbers of a report: every score with its interval, as plain values ready for JSON."""

import numpy as np

from jtss import metrics
from jtss.evaluation import Evaluation
from jtss.statistics import CONFIDENCE, N_RESAMPLES, Interval, bootstrap_interval, wilson_interval


def scores(evaluation: Evaluation, seed: int = 0) -> dict:
    """All numbers of an evaluation, as plain values; undefined ones are NaN.

    Intervals of accuracy, precision, recall and F1 are percentile bootstraps over objects. Beside that of accuracy
    stands Wilson's, which does not shrink to nothing where no error was seen.
    """
    labels, probabilities = evaluation.label, evaluation.probabilities
    confusion = metrics.confusion_matrix(labels, evaluation.predicted, len(evaluation.classes))
    bins = metrics.reliability(probabilities, labels)
    hits = int(np.trace(confusion))
    return {
        "n_objects": len(labels),
        "accuracy": {
            "value": float(metrics.accuracy(confusion)),
            "interval": _plain(bootstrap_interval(confusion, metrics.accuracy, seed=seed)),
            "wilson_interval": _plain(wilson_interval(hits, len(labels))),
            "confidence": CONFIDENCE,
            "n_resamples": N_RESAMPLES,
            "seed": seed,
        },
        "balanced_accuracy": metrics.balanced_accuracy(confusion),
        "cross_entropy_nat": metrics.cross_entropy(probabilities, labels),
        "brier": metrics.brier(probabilities, labels),
        "calibration_error": bins.error,
        "confusion_matrix": confusion.tolist(),
        "classes": _class_numbers(confusion, evaluation.classes, seed),
        "reliability": {name: np.asarray(values).tolist() for name, values in bins._asdict().items()},
    }


def _class_numbers(confusion: np.ndarray, classes: tuple[str, ...], seed: int) -> dict[str, dict]:
    """{class: {support, precision, recall, f1: {value, interval}}}."""
    found = metrics.class_scores(confusion)
    numbers = {name: {"support": int(n)} for name, n in zip(classes, found.support, strict=True)}
    for score in ("precision", "recall", "f1"):
        limits = bootstrap_interval(confusion, lambda c, s=score: getattr(metrics.class_scores(c), s), seed=seed)
        for i, name in enumerate(classes):
            interval = [float(limits.lower[i]), float(limits.upper[i])]
            numbers[name][score] = {"value": float(getattr(found, score)[i]), "interval": interval}
    return numbers


def _plain(interval: Interval) -> list[float]:
    return [float(limit) for limit in interval]
