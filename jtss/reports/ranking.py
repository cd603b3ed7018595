"""How well probabilities put the objects of a class before all others: ROC and precision–recall curves."""

from typing import NamedTuple

import numpy as np

from jtss.reports.metrics import ratio
from jtss.reports.selective import last_of_equals


class Ranking(NamedTuple):
    """One class against all others, from the highest threshold to the lowest.

    Attributes:
        threshold: [T]; descending, each a value that occurs.
        recall: [T]; true positive rate, NaN without positives.
        false_positive_rate: [T]; NaN without negatives.
        precision: [T]; of those at or above the threshold.
        auc: area under the ROC curve from (0, 0): the chance that a positive object comes before a negative one, equal
            values counting half; NaN where one kind is missing.
        average_precision: Σ (recall_i - recall_{i-1}) precision_i; NaN without positives.
    """

    threshold: np.ndarray
    recall: np.ndarray
    false_positive_rate: np.ndarray
    precision: np.ndarray
    auc: float
    average_precision: float


def ranking(chance: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> Ranking:
    """Curves of one class.

    Args:
        chance: [B]; probability of the class.
        positive: [B] bool; whether an object is of the class.
        weights: [B]; how much each object counts; None: all the same. Those of `priors.weights` give the precision of
            a sky; the ROC curve of two classes does not change by them.

    Fawcett 2006, Pattern Recognition Letters 27, 861.
    """
    order = np.argsort(-chance, kind="stable")
    weights = np.ones(len(chance)) if weights is None else weights
    last = last_of_equals(chance[order])
    hits = np.cumsum(np.where(positive, weights, 0)[order])[last]
    alarms = np.cumsum(np.where(positive, 0, weights)[order])[last]
    n_hits, n_alarms = (counts[-1] if counts.size else 0 for counts in (hits, alarms))
    recall, false, precision = ratio(hits, n_hits), ratio(alarms, n_alarms), ratio(hits, hits + alarms)
    steps = np.diff(recall, prepend=0)
    area = np.sum(np.diff(false, prepend=0) * (recall - steps / 2)) if recall.size else np.nan
    average = np.sum(np.where(steps > 0, steps * precision, 0)) if np.isfinite(recall).any() else np.nan
    return Ranking(chance[order][last], recall, false, precision, float(area), float(average))
