"""Temperature scaling: one number that brings confidence in line with accuracy, and changes no predicted class."""

import numpy as np

from jtss.metrics.classification import LEAST_PROBABILITY, cross_entropy
from jtss.metrics.intervals import Interval

COLDEST, HOTTEST = 0.05, 20.0
LEAST_OBJECTS = 30
HALF_CHI_SQUARE = 3.841 / 2  # of one degree of freedom, at 95 %


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(ln p / T), which is softmax(logits / T): logits and ln p differ by a number that is the same for all.

    Args:
        probabilities: [B, L]; of a softmax. One below the smallest normal float32 counts as that.
        temperature: T > 0; above 1 less sure, 1 as it is.

    Returns:
        [B, L] float32.

    Raises:
        ValueError: the temperature is not positive.

    Guo et al. 2017, arXiv:1706.04599.
    """
    if not temperature > 0:
        raise ValueError(f"temperature {temperature}: expected a positive number")
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST_PROBABILITY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def fit(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of the lowest cross-entropy between 0.05 and 20; NaN for fewer than 30 objects.

    The cross-entropy is convex in 1 / T, so a search in one dimension finds the only minimum.

    Args:
        probabilities: [B, L].
        labels: [B] integers.
    """
    from scipy.optimize import minimize_scalar  # on use: applying a model does without

    if len(labels) < LEAST_OBJECTS:
        return float("nan")

    def loss(cold: float) -> float:
        return cross_entropy(scaled(probabilities, 1 / cold), labels)

    fitted = minimize_scalar(loss, bounds=(1 / HOTTEST, 1 / COLDEST), method="bounded", options={"xatol": 1e-5})
    return float(1 / fitted.x)


def interval(probabilities: np.ndarray, labels: np.ndarray, fitted: float) -> Interval:
    """95 % likelihood-ratio interval of a fitted temperature; NaN where it is.

    Its limits are where the log-likelihood of all objects is 1.92 nat below its maximum, or those of the search.

    Args:
        probabilities: [B, L].
        labels: [B] integers.
        fitted: as `fit` gives it.

    Wilks 1938, Annals of Mathematical Statistics 9, 60.
    """
    from scipy.optimize import brentq  # on use, as above

    if not np.isfinite(fitted):
        return Interval(np.float64("nan"), np.float64("nan"))
    best = cross_entropy(scaled(probabilities, fitted), labels)

    def excess(cold: float) -> float:
        return len(labels) * (cross_entropy(scaled(probabilities, 1 / cold), labels) - best) - HALF_CHI_SQUARE

    def limit(end: float) -> float:
        return 1 / (brentq(excess, 1 / fitted, 1 / end, xtol=1e-5) if excess(1 / end) > 0 else 1 / end)

    return Interval(np.float64(limit(COLDEST)), np.float64(limit(HOTTEST)))
