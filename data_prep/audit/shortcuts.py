"""How well a class is told by what should not tell it: place, date, or how often the field had been visited.

That a variable star is more likely near the plane of the Galaxy is physics; that all supernovae of a set come from one
winter is the way it was collected, and a model that reads the date will be wrong next year. Which it is, the audit
cannot know: it says how much can be gained, and warns where it is much.

What can be gained is that of a small decision tree, a handful of yes-or-no questions. The tree is our own because one
pass over 64 bins a question keeps it linear in the objects, and an audit is no reason to install scikit-learn, which is
the reference of the tests.
"""

from typing import NamedTuple

import numpy as np

from data_prep.audit.columns import Columns
from data_prep.audit.finding import NOTE, OK, WARNING, Finding
from jtss.schema import CLASS_NAMES, SPLIT_NAMES

N_BINS = 64  # thresholds lie between as many equally full parts of the training values
DEPTH = 5
LEAST_IN_LEAF = 10  # objects
LEAST_TRAIN, LEAST_TEST = 20, 10  # objects of a class, or it is left out
CONFIDENCE, N_RESAMPLES = 0.95, 10_000
TRAIN, TEST = (SPLIT_NAMES.index(name) for name in ("train", "test"))


class Value(NamedTuple):
    """What should not tell a class: columns, and the skill (0: chance, 1: certainty) above which to warn."""

    columns: tuple[str, ...]
    most_skill: float


# The plane of the Galaxy and the ecliptic tell something of the class; the date and the survey's plan next to nothing.
VALUES = {
    "place (ra, dec)": Value(("ra", "dec"), 1 / 3),
    "date (jd)": Value(("jd",), 0.1),
    "visits (ncovhist)": Value(("ncovhist",), 0.1),
}


class Score(NamedTuple):
    """Balanced accuracy, 0 to 1, and its interval."""

    value: float
    lower: float
    upper: float


def shortcuts(columns: Columns) -> list[Finding]:
    """Score a small tree on each of `VALUES` of the first alerts: grown on the training split, scored on test.

    A score whose whole interval is above the limit is a warning, one whose interval is above chance a note. Of L
    classes chance is 1 / L and the limit that plus `most_skill` of what is left to certainty: with three classes 55.6 %
    for the place and 40 % for date and visits, with five 46.7 and 28 %.
    """
    chosen, names = _judged(columns)
    train, test = (np.flatnonzero(np.isin(columns.label, chosen) & (columns.split == split)) for split in (TRAIN, TEST))
    if len(chosen) < 2:
        text = f"not judged: fewer than two classes have {LEAST_TRAIN} objects to train and {LEAST_TEST} to test"
        return [Finding(NOTE, "shortcuts", text)]
    chance = 1 / len(chosen)
    findings = []
    for what, value in VALUES.items():
        values = np.stack([getattr(columns, name)[columns.first] for name in value.columns], axis=-1)
        limit = chance + value.most_skill * (1 - chance)
        score = balanced_accuracy(values, np.searchsorted(chosen, columns.label), train, test)
        text = (
            f"{what} alone: balanced accuracy {score.value:.1%} ({score.lower:.1%} to {score.upper:.1%}), chance"
            f" {chance:.1%}, limit {limit:.1%}; {len(test)} objects of {', '.join(names)}"
        )
        level = WARNING if score.lower > limit else NOTE if score.lower > chance else OK
        findings.append(Finding(level, "shortcuts", text))
    return findings


def balanced_accuracy(values: np.ndarray, label: np.ndarray, train: np.ndarray, test: np.ndarray) -> Score:
    """Mean recall on `test` of a tree grown on `train`, with the percentile bootstrap over objects of each class.

    Args:
        values: [N, F]; NaN = missing.
        label: [N] classes from 0 up, where `train` and `test` look.
        train, test: indices of objects; every class is in both.

    Efron 1979, Annals of Statistics 7, 1.
    """
    n_classes = int(label[train].max()) + 1
    grown = fit(values[train], label[train], n_classes)
    correct = predict(grown, values[test]) == label[test]
    total = np.bincount(label[test], minlength=n_classes)
    recall = np.bincount(label[test], weights=correct, minlength=n_classes) / total
    drawn = np.random.default_rng(0).binomial(total, recall, size=(N_RESAMPLES, n_classes)) / total
    tails = [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)]
    return Score(float(recall.mean()), *map(float, np.percentile(drawn.mean(axis=1), tails)))


def _judged(columns: Columns) -> tuple[np.ndarray, list[str]]:
    """Classes with enough objects in both splits, ascending, and their names."""
    counts = [
        np.bincount(columns.label[(columns.split == split) & (columns.label >= 0)], minlength=len(CLASS_NAMES))
        for split in (TRAIN, TEST)
    ]
    chosen = np.flatnonzero((counts[0] >= LEAST_TRAIN) & (counts[1] >= LEAST_TEST))
    return chosen, [CLASS_NAMES[i] for i in chosen]


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
