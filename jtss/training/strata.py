"""Strata of the training set, from which batches are drawn: classes, or classes at each count of its past, by file.

Where classes are drawn uniformly, counters tell the class of an object: asteroids are seen once, variable stars
hundreds of times and from the first nights of a survey on, and how much that tells depends on how the sky was watched.
`class_balance: counts` draws the classes uniformly at each `ndethist` and `ncovhist`, so that a model can learn nothing
of the class from these numbers alone.

Of a mixture of files a stratum is of one file. Classes are balanced in all files together: a class is drawn from those
that have it, in proportion to their weights, so that one that only a simulated file has is as frequent as the others.
"""

from typing import NamedTuple

import numpy as np

from jtss.config.settings import Config
from jtss.training.mixture import Origin, class_weights

LEAST_DETECTIONS = (1, 2, 3, 5, 10, 30, 100)  # the smallest ndethist of each bin; below the first belongs to it
LEAST_EXPOSURES = (1, 2, 21, 61, 201, 1001)  # of ncovhist
N_BINS = (len(LEAST_DETECTIONS) + 1) * (len(LEAST_EXPOSURES) + 1)  # one more for what is missing
MOST_OFTEN = 10.0  # an object is drawn at most so many times as often as with uniform classes


class Strata(NamedTuple):
    """The strata of a training set, in whose order its objects are.

    Attributes:
        count: [S] int32; how many objects each has.
        share: [S] float32; of a batch, on average; 0 of those without objects.
    """

    count: np.ndarray
    share: np.ndarray


def of(
    label: np.ndarray, counts: np.ndarray, config: Config, origin: Origin | None = None
) -> tuple[np.ndarray, Strata]:
    """The order of training objects by stratum, [B], objects of a stratum as they come; and the strata.

    Args:
        label: [B] int32, index into the classes of `config`; each class occurs.
        counts: [B, 2] ndethist and ncovhist of the last detection that is read, NaN = missing.
        config: says how classes are balanced.
        origin: of which file the objects are; None: there is one.
    """
    file, weights = origin or Origin(np.zeros(len(label), int), (1.0,))
    n_classes, balance = len(config.classes), config.training.class_balance
    bins, n_bins = (bin_of(counts), N_BINS) if balance == "counts" else (np.zeros(len(label), int), 1)
    shape = (len(weights), n_classes, n_bins)
    stratum = (file * n_classes + label) * n_bins + bins
    count = np.bincount(stratum, minlength=np.prod(shape)).reshape(shape)
    share = _natural(count, weights) if balance == "natural" else _balanced(count, weights)
    return np.argsort(stratum, kind="stable"), Strata(count.ravel().astype(np.int32), share.ravel().astype(np.float32))


def _natural(count: np.ndarray, weights: tuple[float, ...]) -> np.ndarray:
    """Shares [F, L, K] of files as they are."""
    there = np.where(count.sum(axis=(1, 2)) > 0, weights, 0)[:, None, None]
    return there / there.sum() * count / np.maximum(count.sum(axis=(1, 2), keepdims=True), 1)


def _balanced(count: np.ndarray, weights: tuple[float, ...]) -> np.ndarray:
    """Shares [F, L, K]: those of the classes in each bin, divided among the files by how much each adds there."""
    of_class = count.sum(axis=2)
    added = class_weights(of_class, weights)[..., None] * count / np.maximum(of_class, 1)[..., None]
    together = added.sum(axis=0)
    share = shares(count[0] if len(count) == 1 else together)
    return share * np.divide(added, together, out=np.zeros_like(added), where=together > 0)


def bin_of(counts: np.ndarray) -> np.ndarray:
    """[B] int: the bin of each pair of counts [B, 2]."""
    detections, exposures = _bin(counts[:, 0], LEAST_DETECTIONS), _bin(counts[:, 1], LEAST_EXPOSURES)
    return detections * (len(LEAST_EXPOSURES) + 1) + exposures


def _bin(values: np.ndarray, least: tuple[int, ...]) -> np.ndarray:
    """[B] int; the last bin is of missing values."""
    return np.where(np.isnan(values), len(least), np.maximum(np.searchsorted(least, values, side="right") - 1, 0))


def shares(count: np.ndarray) -> np.ndarray:
    """How much of a batch each class in each bin is, given how many objects it has there.

    A bin is drawn as often as with uniform classes, and in it all classes alike; but a class with few objects there no
    more than `MOST_OFTEN` times as often as with uniform classes, and the others share the rest.

    Args:
        count: [L, K] of L classes in K bins, in any unit of each class; each class has an object.

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
