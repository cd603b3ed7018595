"""What a classifier is worth where the classes are not equally common: purity at the shares that the sky has.

Of the objects of true class k let the fraction r_kc be called c, and let class k have the share π_k of the sky. Then

    purity of c        = π_c r_cc / Σ_k π_k r_kc
    completeness of c  = r_cc                       whatever the shares
    accuracy           = Σ_k π_k r_kk

Test sets are mostly balanced. There the false alarms of a class that is 2 % of the sky come from others that are no
more numerous than itself, so its precision says little about a night's list of candidates.
"""

from typing import NamedTuple

import numpy as np

from jtss.metrics.classification import check_labels, ratio
from jtss.metrics.intervals import CONFIDENCE, N_RESAMPLES, Interval

# Objects by class in the sample of TSC §IV-A, its bogus left out: 31.8, 1.7 and 66.5 %.
PAPER_COUNTS = {"AGN": 48262, "SN": 2524, "VS": 101038}
PAPER = "counts of TSC §IV-A, without bogus"
GIVEN = "--priors"
SLACK = 0.01  # shares are given rounded


class Sky(NamedTuple):
    """Shares [L] of the classes on the sky, where they come from, and whether the model was trained with equal ones."""

    shares: np.ndarray
    source: str
    balanced: bool


def parse(text: str) -> dict[str, float]:
    """Shares from text such as "AGN=.318,SN=.017,VS=.665", normalised.

    Raises:
        ValueError: no such list, a class twice, a share that is none, or shares that do not add up to 1.
    """
    shares: dict[str, float] = {}
    for item in text.split(","):
        name, _, number = (part.strip() for part in item.partition("="))
        try:
            share = float(number)
        except ValueError:
            share = float("nan")
        if not name or not 0 <= share <= 1:
            raise ValueError(f"--priors {text}: found {item!r}, expected CLASS=SHARE with a share from 0 to 1")
        if name in shares:
            raise ValueError(f"--priors {text}: {name} is there twice, expected every class once")
        shares[name] = share
    total = sum(shares.values())
    if abs(total - 1) > SLACK:
        raise ValueError(f"--priors {text}: the shares add up to {total:.4g}, expected 1")
    return {name: share / total for name, share in shares.items()}


def sky_of(given: dict[str, float] | None, classes: tuple[str, ...], balanced: bool) -> Sky | None:
    """The shares in the order of a model's classes; None where nothing is known.

    Args:
        given: shares by class; None: those of the paper, for a model of just its three classes.
        classes: L names.
        balanced: whether the model was trained with equal shares.

    Raises:
        ValueError: given for other classes than the model has.
    """
    if given is not None:
        if set(given) != set(classes):
            raise ValueError(f"--priors: found {', '.join(given)}, the model has {', '.join(classes)}")
        return Sky(np.array([given[name] for name in classes]), GIVEN, balanced)
    if set(classes) != set(PAPER_COUNTS):
        return None
    counts = np.array([PAPER_COUNTS[name] for name in classes], float)
    return Sky(counts / counts.sum(), PAPER, balanced)


def purity(called: np.ndarray, support: np.ndarray, shares: np.ndarray, which: int) -> np.ndarray:
    """Purity of what is called class `which`, at given shares of the classes.

    Args:
        called: [..., L]; objects of each true class that are called `which`.
        support: [L]; objects of each true class.
        shares: [L]; of the classes, adding up to 1.
        which: index of the class.

    Returns:
        [...]; NaN where nothing is called `which`, or where a class with a share has no objects to learn its rate from.
    """
    rates = np.where(shares > 0, ratio(called, support), 0)
    return ratio(shares[which] * rates[..., which], (shares * rates).sum(axis=-1))


def purity_interval(
    called: np.ndarray,
    support: np.ndarray,
    shares: np.ndarray,
    which: int,
    *,
    confidence: float = CONFIDENCE,
    n_draws: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Equal-tailed interval of `purity`, from the posterior of the rates with Jeffreys' prior, Beta(1/2, 1/2) each.

    A bootstrap would call a purity certain that rests on no false alarm among 200; this does not. Where a common class
    has given no false alarm yet, the value can lie beyond the limits, which are then widened to hold it: to 1 where
    there was no false alarm at all.

    Brown, Cai & DasGupta 2001, Statistical Science 16, 101.
    """
    value = purity(called, support, shares, which)
    if not np.isfinite(value):
        return Interval(np.float64("nan"), np.float64("nan"))
    rng = np.random.default_rng(seed)
    rates = rng.beta(called + 0.5, support - called + 0.5, size=(n_draws, len(support)))
    drawn = purity(rates, np.ones(len(support)), shares, which)
    lower, upper = np.percentile(drawn, [50 * (1 - confidence), 50 * (1 + confidence)])
    return Interval(np.minimum(lower, value), np.maximum(upper, value))


def accuracy(confusion: np.ndarray, shares: np.ndarray) -> float:
    """Σ π_k r_kk of [L, L] counts; NaN where a class with a share has no objects."""
    rates = ratio(np.diagonal(confusion), confusion.sum(axis=1))
    return float(np.where(shares > 0, shares * rates, 0).sum())


def weights(labels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """[B] weights of objects, adding up to 1, that give each class its share; NaN where a class has no objects.

    Args:
        labels: [B] integers.
        shares: [L].
    """
    check_labels(labels, len(shares))
    support = np.bincount(labels, minlength=len(shares))
    if np.any((support == 0) & (shares > 0)):
        return np.full(len(labels), np.nan)
    return (shares / np.maximum(support, 1))[labels]


def reweighted(probabilities: np.ndarray, shares: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Probabilities [B, L] for a sky with given shares, from a model that learnt with other ones: p π / π', normalised.

    Args:
        probabilities: [B, L].
        shares: [L]; π, of the sky.
        learnt: [L]; π', that the model was trained with; none is 0.

    Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21.
    """
    product = np.asarray(probabilities, np.float64) * (shares / learnt)
    return ratio(product, product.sum(axis=1, keepdims=True))
