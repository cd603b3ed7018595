"""A small decision tree on a few values: what a class can be told by with a handful of yes-or-no questions."""

from typing import NamedTuple

import numpy as np

N_BINS = 64  # thresholds lie between as many equally full parts of the training values
DEPTH = 5
LEAST_IN_LEAF = 10  # objects


class Node(NamedTuple):
    """A question, value `column` at most `threshold`?, with the nodes for yes and no; or an answer, without them."""

    answer: int
    column: int = 0
    threshold: float = 0.0
    yes: "Node | None" = None
    no: "Node | None" = None


def fit(values: np.ndarray, label: np.ndarray, n_classes: int, depth: int = DEPTH) -> Node:
    """Grow a tree by Gini's impurity, every class with the same weight whatever its number of objects.

    Args:
        values: [B, F]; NaN counts as lower than every number.
        label: [B] classes from 0 to `n_classes` - 1, each at least once.
        n_classes: L.
        depth: questions in a row, at most.

    Breiman, Friedman, Olshen & Stone 1984, Classification and Regression Trees.
    """
    values = np.where(np.isnan(values), -np.inf, values)
    cuts = [np.unique(np.quantile(column, np.linspace(0, 1, N_BINS + 1)[1:-1], method="lower")) for column in values.T]
    bins = np.stack([np.searchsorted(cut, column) for cut, column in zip(cuts, values.T, strict=True)], axis=-1)
    weight = 1 / np.bincount(label, minlength=n_classes)
    return _grow(bins, label, cuts, weight, depth)


def predict(node: Node, values: np.ndarray) -> np.ndarray:
    """The class [B] of values [B, F]."""
    if node.yes is None:
        return np.full(len(values), node.answer)
    with np.errstate(invalid="ignore"):
        no = values[:, node.column] > node.threshold  # NaN is not
    answer = np.empty(len(values), int)
    answer[no], answer[~no] = predict(node.no, values[no]), predict(node.yes, values[~no])
    return answer


def _grow(bins: np.ndarray, label: np.ndarray, cuts: list[np.ndarray], weight: np.ndarray, depth: int) -> Node:
    counts = np.bincount(label, minlength=len(weight))
    leaf = Node(int((counts * weight).argmax()))
    if not depth:
        return leaf
    impurity, column, place = min(_best(bins, label, i, len(cut), weight) for i, cut in enumerate(cuts))
    if impurity >= _impurity(counts * weight):
        return leaf
    yes = bins[:, column] <= place
    below = (_grow(bins[side], label[side], cuts, weight, depth - 1) for side in (yes, ~yes))
    return Node(leaf.answer, column, float(cuts[column][place]), *below)


def _best(bins: np.ndarray, label: np.ndarray, column: int, n_cuts: int, weight: np.ndarray) -> tuple[float, int, int]:
    """The lowest impurity that a question about one value leaves, the column, and the last bin of the yes."""
    if not n_cuts:
        return np.inf, column, 0
    n_classes = len(weight)
    cells = np.bincount(bins[:, column] * n_classes + label, minlength=(n_cuts + 1) * n_classes)
    yes = np.cumsum(cells.reshape(-1, n_classes), axis=0)
    yes, no = yes[:-1], yes[-1] - yes[:-1]
    impurity = _impurity(yes * weight) + _impurity(no * weight)
    impurity[np.minimum(yes.sum(axis=1), no.sum(axis=1)) < LEAST_IN_LEAF] = np.inf
    place = int(impurity.argmin())
    return float(impurity[place]), column, place


def _impurity(weights: np.ndarray) -> np.ndarray:
    """Gini's, times the weight of the node; [..., L] weights of the classes."""
    total = weights.sum(axis=-1)
    return total - (weights**2).sum(axis=-1) / np.where(total > 0, total, 1)
