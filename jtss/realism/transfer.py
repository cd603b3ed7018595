"""How well models classify real alerts: scores of several models on the same objects, one vote per object.

A vote is for the most probable of all classes that the model knows: one for bogus is a miss.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jtss.metrics.classification import confusion_matrix
from jtss.metrics.intervals import percentiles, recalls, resampled_recalls, wilson_interval, with_interval
from jtss.schema import CLASS_NAMES

NO_VOTE = -1
CLASSES = CLASS_NAMES[:4]  # of astronomical objects; bogus is none
SEEN_AGAIN = {"AGN, SN, VS": (0, 1, 2)}  # classes whose objects are detected often
GROUPS = SEEN_AGAIN | {"AGN, SN, VS, asteroid": (0, 1, 2, 3)}

# ndethist and ncovhist grow, and rb is another model's, as the survey goes on [JD of 2019-07-01 and 2022-01-01, 0 h UT]
EPOCHS_JD = {"before 2019-07": -np.inf, "2019-07 to 2021": 2458665.5, "2022 and later": 2459580.5}
MAGNITUDES = {"below 18": -np.inf, "18 to 19": 18.0, "19 and above": 19.0}
NDETHIST = {"1": -np.inf, "2 to 4": 2, "5 to 19": 5, "20 to 99": 20, "100 and more": 100}  # as the packet came
TOLD = {"1": -np.inf, "2": 2, "3": 3, "4": 4, "5": 5, "6 and more": 6}  # detections in a packet, its alert among them
UNDEFINED = (np.nan, np.nan)
FEW_OBJECTS = 5  # of a class; with fewer, resampling them says little, so there is no interval


class Votes(NamedTuple):
    """The predictions of a model for N objects.

    Attributes:
        classes: L names that it knows.
        probabilities: [N, L]; a row of NaN where there is no prediction.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """[N] int64: index into `CLASS_NAMES`, -1 where there is no prediction."""
        answered = np.isfinite(self.probabilities).all(axis=1)
        best = np.where(answered[:, None], self.probabilities, 0).argmax(axis=1)
        index = np.array([CLASS_NAMES.index(name) for name in self.classes])
        return np.where(answered, index[best], NO_VOTE)


def scores(label: np.ndarray, votes: Votes, seed: int = 0, groups: dict[str, tuple[int, ...]] = GROUPS) -> dict:
    """Recall of each class and mean recall of groups of classes, of objects [N] that all have a vote.

    Intervals are Wilson's for one recall and a bootstrap within classes for means. What is undefined is NaN: a class
    without objects or that the model does not know, and a mean that needs it.

    Raises:
        ValueError: an object has no vote.
    """
    confusion = confusion_matrix(label, votes.predicted, len(CLASS_NAMES))
    hits = (votes.predicted == label)[:, None]
    return {
        "n_objects": len(label),
        "balanced_accuracy": {name: _mean(hits, label, votes, group, seed) for name, group in groups.items()},
        "recall": {name: _recall(confusion, index, name in votes.classes) for index, name in enumerate(CLASS_NAMES)},
        "confusion_matrix": confusion.tolist(),
    }


def _mean(hits: np.ndarray, label: np.ndarray, votes: Votes, group: tuple[int, ...], seed: int) -> dict:
    if not _knows(votes, group):
        return with_interval(np.nan, UNDEFINED)
    drawn = resampled_recalls(hits, label, group, seed=seed)[:, 0].mean(axis=1)
    return with_interval(recalls(hits, label, group)[0].mean(), _limits(drawn, label, group))


def _limits(drawn: np.ndarray, label: np.ndarray, group: tuple[int, ...]) -> tuple:
    """Interval of resampled values [R]; NaN where a class of the group has few objects."""
    few = min(np.sum(label == index) for index in group) < FEW_OBJECTS
    return UNDEFINED if few else percentiles(drawn)


def _recall(confusion: np.ndarray, index: int, known: bool) -> dict:
    hit, total = int(confusion[index, index]), int(confusion[index].sum())
    value = hit / total if total and known else np.nan
    limits = wilson_interval(hit, total) if known else UNDEFINED
    return {**with_interval(value, limits), "hits": hit, "n_objects": total}


def labelled_group(label: np.ndarray) -> dict[str, tuple[int, ...]]:
    """The classes of astronomical objects that labels [N] name, as the one group to take the mean recall of."""
    group = tuple(index for index in range(len(CLASSES)) if np.any(label == index))
    return {", ".join(CLASSES[index] for index in group): group} if group else {}


def versions(label: np.ndarray, votes: dict[str, dict[str, Votes]], common: np.ndarray) -> dict:
    """Scores of models on the same objects, in each version of what their packets say of the past.

    Args:
        label: [N] true classes.
        votes: by version, and by the name of the model.
        common: [N] bool; the objects to score.

    Returns:
        {version: {model: scores}}; the mean recall is that of the classes that are labelled.
    """
    labels = label[common]
    group = labelled_group(labels)
    return {
        version: {name: scores(labels, chosen(each, common), groups=group) for name, each in models.items()}
        for version, models in votes.items()
    }


def answered_by_all(votes: dict[str, Votes]) -> np.ndarray:
    """[N] bool: objects for which every model has a vote.

    Raises:
        ValueError: there is none.
    """
    common = np.all([each.predicted != NO_VOTE for each in votes.values()], axis=0)
    if not common.any():
        raise ValueError(f"no labelled object is predicted by every one of {', '.join(votes)}")
    return common


def _knows(votes: Votes, group: tuple[int, ...]) -> bool:
    return all(CLASS_NAMES[index] in votes.classes for index in group)


def difference(label: np.ndarray, one: Votes, other: Votes, seed: int = 0) -> dict:
    """Mean recall of `one` minus that of `other` for each group, on the same objects [N], with a paired bootstrap.

    Both models are scored on every draw of objects, so that what makes an object hard for both cancels.
    """
    hits = np.stack([one.predicted == label, other.predicted == label], axis=1)
    differences = {}
    for name, group in GROUPS.items():
        if not (_knows(one, group) and _knows(other, group)):
            differences[name] = with_interval(np.nan, UNDEFINED)
            continue
        means = recalls(hits, label, group).mean(axis=1)
        drawn = resampled_recalls(hits, label, group, seed=seed).mean(axis=2)
        differences[name] = with_interval(means[0] - means[1], _limits(drawn[:, 0] - drawn[:, 1], label, group))
    return differences


def strata(values: np.ndarray, lower: dict[str, float]) -> dict[str, np.ndarray]:
    """Which of the objects [N] belong to each bin, as [N] bool; a bin reaches from its lower limit to the next one's.

    A value that is NaN belongs to none.
    """
    edges = [*lower.values(), np.inf]
    return {name: (values >= low) & (values < high) for name, (low, high) in zip(lower, pairwise(edges), strict=True)}


def chosen(votes: Votes, rows: np.ndarray) -> Votes:
    """The votes for some of the objects."""
    return votes._replace(probabilities=votes.probabilities[rows])


def comparison(
    label: np.ndarray,
    jd: np.ndarray,
    magnitude: np.ndarray,
    ndethist: np.ndarray,
    told: np.ndarray,
    votes: dict[str, Votes],
    others: tuple[str, ...],
) -> dict:
    """Scores of all models on the objects [N] for which all have a vote, as a whole and in parts.

    The parts are by epoch, by magnitude, by the detections before and by those of them that the packet tells.

    Args:
        label: [N] true classes.
        jd: [N] [day].
        magnitude: [N] magpsf [mag], NaN = missing.
        ndethist: [N], NaN = missing.
        told: [N] detections in the packet, its alert among them.
        votes: by the name of the model.
        others: names of those with which each of the rest is compared.

    Raises:
        ValueError: there is no object for which all models have a vote.
    """
    common = answered_by_all(votes)
    parts = {
        "epoch": strata(jd, EPOCHS_JD),
        "magnitude": strata(magnitude, MAGNITUDES),
        "ndethist": strata(ndethist, NDETHIST),
        "detections told": strata(told, TOLD),
    }
    shared = {name: chosen(each, common) for name, each in votes.items()}
    return {
        "n_labelled": len(label),
        "n_common": int(common.sum()),
        "models": {name: _model(label, each, common, parts) for name, each in votes.items()},
        "differences": [
            {"model": name, "other": other, **difference(label[common], shared[name], shared[other])}
            for name in votes
            for other in others
            if name not in others
        ],
    }


def _model(label: np.ndarray, votes: Votes, common: np.ndarray, parts: dict[str, dict[str, np.ndarray]]) -> dict:
    """Scores of one model: on the objects [N] of `common`, on all that it has a vote for, and on parts of `common`."""

    def on(rows: np.ndarray) -> dict:
        return scores(label[rows], chosen(votes, rows))

    answered = votes.predicted != NO_VOTE
    return {
        "n_answered": int(answered.sum()),
        "common": on(common),
        "answered": on(answered),
        "by": {key: {name: on(common & rows) for name, rows in part.items()} for key, part in parts.items()},
    }
