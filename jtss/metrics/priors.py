"""Class priors: what a classifier is worth where the classes are not equally common.

Of the objects of true class k let the fraction r_kc be predicted as c, and let class k be the fraction π_k of all
objects, its prior. Then

    purity of c        = π_c r_cc / Σ_k π_k r_kc
    completeness of c  = r_cc                       whatever the priors
    accuracy           = Σ_k π_k r_kk

Test sets are mostly balanced. There the false positives of a class that is 2 % of all objects come from others that are
no more numerous than itself, so its precision says little about a night's list of candidates.
"""

from collections.abc import Mapping
from numbers import Real
from typing import NamedTuple

import numpy as np

from jtss.invocation import option
from jtss.metrics.classification import check_labels, ratio
from jtss.metrics.intervals import CONFIDENCE, N_RESAMPLES, Interval, percentiles

# Objects by class in the labelled sample of TSC §IV-A, its bogus left out: 31.8, 1.7 and 66.5 %.
PAPER_COUNTS = {"AGN": 48262, "SN": 2524, "VS": 101038}
PAPER = "the labelled sample of TSC §IV-A, without asteroids, bogus and unknown objects"
GIVEN = "--priors"
SLACK = 0.01  # proportions are given rounded


class ClassPriors(NamedTuple):
    """Proportions [L] of the classes, where they come from, and whether the model was trained with equal ones."""

    proportions: np.ndarray
    source: str
    balanced: bool


def parse(text: str) -> dict[str, float]:
    """Class proportions from text such as "AGN=.318,SN=.017,VS=.665", normalised.

    Raises:
        ValueError: no such list, a class twice; or as `normalised`.
    """
    said, proportions = option("priors", text), {}
    for item in text.split(","):
        name, _, number = (part.strip() for part in item.partition("="))
        try:
            fraction = float(number)
        except ValueError:
            raise ValueError(f"{said}: {item!r}, expected CLASS=FRACTION with a fraction from 0 to 1") from None
        if name in proportions:
            raise ValueError(f"{said}: {name} is given twice, expected every class once")
        proportions[name] = fraction
    return normalised(proportions, said)


def normalised(given: Mapping[str, float], said: str = "") -> dict[str, float]:
    """Class proportions that add up to exactly 1, from rounded ones.

    Args:
        given: fraction by class.
        said: what they were given by, for errors.

    Raises:
        ValueError: no mapping, a fraction that is none, or fractions that do not add up to 1.
    """
    said = said or option("priors", given)
    if not isinstance(given, Mapping):
        raise ValueError(f"{said}: expected a fraction for each class, such as {{'AGN': 0.3, 'SN': 0.7}}")
    for name, fraction in given.items():
        if isinstance(fraction, bool) or not isinstance(fraction, Real) or not 0 <= fraction <= 1:
            raise ValueError(f"{said}: {name} is {fraction!r}, expected a fraction from 0 to 1")
    total = sum(given.values())
    if abs(total - 1) > SLACK:
        raise ValueError(f"{said}: the fractions add up to {total:.4g}, expected 1")
    return {name: fraction / total for name, fraction in given.items()}


def class_priors(given: dict[str, float] | None, classes: tuple[str, ...], balanced: bool) -> ClassPriors | None:
    """The priors in the order of a model's classes; None where nothing is known.

    Args:
        given: proportions by class; None: those of the paper, for a model of just its three classes.
        classes: L names.
        balanced: whether the model was trained with equal proportions.

    Raises:
        ValueError: given for other classes than the model has.
    """
    if given is not None:
        if set(given) != set(classes):
            classes_given = ", ".join(map(str, given))
            raise ValueError(
                f"{option('priors')}: {classes_given}, but the classes of the model are {', '.join(classes)}"
            )
        return ClassPriors(np.array([given[name] for name in classes]), GIVEN, balanced)
    if set(classes) != set(PAPER_COUNTS):
        return None
    counts = np.array([PAPER_COUNTS[name] for name in classes], float)
    return ClassPriors(counts / counts.sum(), PAPER, balanced)


def purity(predicted: np.ndarray, support: np.ndarray, proportions: np.ndarray, which: int) -> np.ndarray:
    """Purity of what is predicted as class `which`, at given class proportions.

    Args:
        predicted: [..., L]; objects of each true class that are predicted as `which`.
        support: [L]; objects of each true class.
        proportions: [L]; of the classes, adding up to 1.
        which: index of the class.

    Returns:
        [...]; NaN where nothing is predicted as `which`, or where a class that is not absent has no objects to measure
        its rate by.
    """
    rates = np.where(proportions > 0, ratio(predicted, support), 0)
    return ratio(proportions[which] * rates[..., which], (proportions * rates).sum(axis=-1))


def purity_interval(
    predicted: np.ndarray,
    support: np.ndarray,
    proportions: np.ndarray,
    which: int,
    *,
    confidence: float = CONFIDENCE,
    n_draws: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Equal-tailed interval of `purity`, from the posterior of the rates with Jeffreys' prior, Beta(1/2, 1/2) each.

    A bootstrap would take a purity for certain that rests on no false positive among 200; this does not. Where a common
    class has given no false positive yet, the value can lie beyond the limits, which are then widened to hold it: to 1
    where there was no false positive at all.

    Brown, Cai & DasGupta 2001, Statistical Science 16, 101.
    """
    value = purity(predicted, support, proportions, which)
    if not np.isfinite(value):
        return Interval(np.float64("nan"), np.float64("nan"))
    rng = np.random.default_rng(seed)
    rates = rng.beta(predicted + 0.5, support - predicted + 0.5, size=(n_draws, len(support)))
    drawn = purity(rates, np.ones(len(support)), proportions, which)
    lower, upper = percentiles(drawn, confidence)
    return Interval(np.minimum(lower, value), np.maximum(upper, value))


def accuracy(confusion: np.ndarray, proportions: np.ndarray) -> float:
    """Σ π_k r_kk of [L, L] counts; NaN where a class that is not absent has no objects."""
    rates = ratio(np.diagonal(confusion), confusion.sum(axis=1))
    return float(np.where(proportions > 0, proportions * rates, 0).sum())


def weights(labels: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    """[B] weights of objects, adding up to 1, that give each class its proportion; NaN where a class has no objects.

    Args:
        labels: [B] integers.
        proportions: [L].
    """
    check_labels(labels, len(proportions))
    support = np.bincount(labels, minlength=len(proportions))
    if np.any((support == 0) & (proportions > 0)):
        return np.full(len(labels), np.nan)
    return (proportions / np.maximum(support, 1))[labels]


def reweighted(probabilities: np.ndarray, proportions: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Probabilities [B, L] at given class priors, from a model trained with other ones: p π / π', normalised.

    Args:
        probabilities: [B, L].
        proportions: [L]; π, the priors asked for.
        learnt: [L]; π', those that the model was trained with; none is 0.

    Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21.
    """
    product = np.asarray(probabilities, np.float64) * (proportions / learnt)
    return ratio(product, product.sum(axis=1, keepdims=True))
