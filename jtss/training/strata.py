"""Strata of the training set, from which batches are drawn: classes, or classes at each number of earlier detections.

Where classes are drawn uniformly, an object's `ndethist` tells its class: asteroids are seen once, variable stars
hundreds of times, and how much it tells depends on how the sky was watched. `class_balance: counts` draws the classes
uniformly at each `ndethist`, so that a model can learn nothing of the class from this number alone.
"""

from typing import NamedTuple

import numpy as np

from jtss.config.settings import Config

LEAST = (1, 2, 3, 5, 10, 30, 100)  # the smallest ndethist of each bin; below the first belongs to it
MISSING = len(LEAST)  # the bin of those without
N_BINS = len(LEAST) + 1
MOST_OFTEN = 10.0  # an object is drawn at most so many times as often as with uniform classes


class Strata(NamedTuple):
    """The strata of a training set, in whose order its objects are.

    Attributes:
        count: [S] int32; how many objects each has.
        share: [S] float32; of a batch, on average; 0 of those without objects.
    """

    count: np.ndarray
    share: np.ndarray


def of(label: np.ndarray, ndethist: np.ndarray, config: Config) -> tuple[np.ndarray, Strata]:
    """The order of training objects by stratum, [B], objects of a stratum as they come; and the strata.

    Args:
        label: [B] int32, index into the classes of `config`; each class occurs.
        ndethist: [B] of the last detection that is read, NaN = missing.
        config: says how classes are balanced.
    """
    n_classes, balance = len(config.classes), config.training.class_balance
    bins, n_bins = (bin_of(ndethist), N_BINS) if balance == "counts" else (np.zeros(len(label), int), 1)
    stratum = label * n_bins + bins
    count = np.bincount(stratum, minlength=n_classes * n_bins)
    share = count / len(label) if balance == "natural" else shares(count.reshape(n_classes, n_bins)).ravel()
    return np.argsort(stratum, kind="stable"), Strata(count.astype(np.int32), share.astype(np.float32))


def bin_of(ndethist: np.ndarray) -> np.ndarray:
    """[...] int: the bin of each number of detections."""
    found = np.maximum(np.searchsorted(LEAST, ndethist, side="right") - 1, 0)
    return np.where(np.isnan(ndethist), MISSING, found)


def shares(count: np.ndarray) -> np.ndarray:
    """How much of a batch each class in each bin is, given how many objects it has there.

    A bin is drawn as often as with uniform classes, and in it all classes alike; but a class with few objects there no
    more than `MOST_OFTEN` times as often as with uniform classes, and the others share the rest.

    Args:
        count: [L, K] of L classes in K bins; each class has an object.

    Returns:
        [L, K] float64, 1 in all.
    """
    uniform = count / count.sum(axis=1, keepdims=True) / len(count)
    of_bin = uniform.sum(axis=0)
    return np.stack([_levelled(MOST_OFTEN * uniform[:, k], of_bin[k]) for k in range(count.shape[1])], axis=1)


def _levelled(most: np.ndarray, total: float) -> np.ndarray:
    """Equal parts of `total`, none more than its own most [L], which are `total` or more in all."""
    ordered = np.sort(most)
    level = (total - (np.cumsum(ordered) - ordered)) / np.arange(len(most), 0, -1)
    return np.minimum(most, level[np.argmax(ordered >= level)])
