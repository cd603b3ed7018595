"""Run a classifier over labelled sequences, batch by batch. Knows no files and no model: `predict` is given."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jtss import schema
from jtss.inference import screening
from jtss.inference.portraits import Portrait, portrait
from jtss.inference.predict import Predict
from jtss.inference.screening import Screen, Screened
from jtss.metrics import properties
from jtss.metrics.properties import Properties
from jtss.reports import following
from jtss.reports.following import Follow, Followed
from jtss.schema import Sequences, join, take

N_ERRORS_SHOWN = 12
TIMING_OBJECTS = 128
TIMING_REPEATS, TIMING_LEAST_REPEATS = 9, 3
TIMING_SECONDS = 1.0  # after which no more than the least is repeated
ALL_SPLITS, VALIDATION = "all", "validation"

EVALUATED, OTHER_SPLIT, UNLABELLED, TOO_FEW, REJECTED = (
    "evaluated",
    "in another split",
    "without label",
    "with too few detections",
    "rejected as bogus",
)


class Predictions(NamedTuple):
    """Of A objects the true classes [A] int64, and the probabilities [A, L] float32 that a classifier gives them."""

    label: np.ndarray
    probabilities: np.ndarray


class Evaluation(NamedTuple):
    """The predictions of a classifier for labelled objects, and what else a report says of these.

    Attributes:
        classes: L names.
        object_id: [B] str.
        label: [B] int64; index into `classes`.
        probabilities: [B, L] float32.
        counts: objects by what became of them; they add up to the objects of the data set.
        errors: the most confident wrong predictions, worst first.
        sample: 128 of the objects evaluated (repeated where there are fewer), for timing; None where there are none.
        longest: alerts of the longest sequence of the data set.
        screened: the verdict of bogus screening on all labelled objects of the split; None where there was none.
        properties: of the B objects.
        validation: of the objects of the validation split, to choose temperature and thresholds by; None where they
            are among those evaluated, or there are none.
        kept: some of the B objects, drawn at random, with all their rows; None where none were asked for, or there are
            none.
        followed: how the answers to the B objects change in time; None where that was not asked, or there are none.
        of_other_classes: as `kept`, of the objects of classes that the classifier does not know.
    """

    classes: tuple[str, ...]
    object_id: np.ndarray
    label: np.ndarray
    probabilities: np.ndarray
    counts: dict[str, int]
    errors: list[Portrait]
    sample: Sequences | None
    longest: int
    screened: Screened | None
    properties: Properties
    validation: Predictions | None = None
    kept: Sequences | None = None
    followed: Followed | None = None
    of_other_classes: Sequences | None = None

    @property
    def predicted(self) -> np.ndarray:
        """[B] int64: the most probable class."""
        return self.probabilities.argmax(axis=1)


def fate(sequences: Sequences, classes: tuple[str, ...], n_detections: int, split: str) -> np.ndarray:
    """[N] object array of str: for each object whether it can be evaluated, else the first reason why not.

    Args:
        sequences: N objects.
        classes: classes that the model knows.
        n_detections: detections that it needs.
        split: name of a split, or "all".
    """
    what = np.full(sequences.n_objects, EVALUATED, object)
    what[sequences.n_alerts < n_detections] = TOO_FEW
    for index, name in enumerate(schema.CLASS_NAMES):
        if name not in classes:
            what[sequences.label == index] = _of_other_class(name)
    if split != ALL_SPLITS:
        what[sequences.split != schema.SPLIT_NAMES.index(split)] = OTHER_SPLIT
    what[sequences.label == schema.UNLABELLED] = UNLABELLED
    return what


def _of_other_class(name: str) -> str:
    return f"of class {name}, which the model does not know"


OF_OTHER_CLASSES = tuple(map(_of_other_class, schema.CLASS_NAMES))


def evaluate(
    predict: Predict,
    batches: Iterable[Sequences],
    classes: tuple[str, ...],
    n_detections: int,
    split: str,
    screen: Screen | None = None,
    keep: int = 0,
    follow: Follow | None = None,
) -> Evaluation:
    """Classify the labelled objects of a split, batch by batch.

    Args:
        predict: the classifier; must classify every object with `n_detections` detections.
        batches: the data set.
        classes: L names that the classifier knows, in the order of its probabilities.
        n_detections: detections that the classifier reads.
        split: name of a split, or "all".
        screen: says which objects are bogus; those are not classified. It sees all labelled objects of the split, also
            those of which the classifier knows nothing.
        keep: how many of the objects evaluated to give back, and how many of classes that the classifier does not know.
        follow: says of objects how the answers to them change in time; for models of packets.

    Raises:
        ValueError: the classifier leaves an object out, or gives a probability that is not finite.
    """
    counts, longest, screened, held_out, others = Counter(), 0, [], [], _Kept(keep)
    gathered = _Gathered(predict, classes, n_detections, keep, follow)
    for whole in batches:
        longest = max(longest, int(whole.n_alerts.max()))
        what = fate(whole, classes, n_detections, split)
        if screen is not None:
            screened.append(_screen(screen, whole, what))
        counts.update(what.tolist())
        if split not in (VALIDATION, ALL_SPLITS):
            held_out.append(_predictions(predict, whole, fate(whole, classes, n_detections, VALIDATION), classes))
        chosen = np.flatnonzero(what == EVALUATED)
        if chosen.size:
            gathered.add(take(whole, chosen))
        strange = np.flatnonzero(np.isin(what, OF_OTHER_CLASSES))
        if strange.size and keep:
            others.add(take(whole, strange))
    object_id, label, probabilities = map(np.concatenate, zip(*gathered.predictions, strict=True))
    return Evaluation(
        classes,
        object_id,
        label,
        probabilities,
        counts=dict(counts),
        errors=gathered.errors,
        sample=gathered.sample,
        longest=longest,
        screened=screening.join(screened),
        properties=properties.join(gathered.properties),
        validation=_join(held_out),
        kept=gathered.kept.sequences(),
        followed=following.join(gathered.followed),
        of_other_classes=others.sequences(),
    )


class _Gathered:
    """What is said of the objects evaluated, batch by batch; arguments as `evaluate` has them.

    Attributes:
        predictions: of each batch names, true classes and probabilities, after those of no object.
        properties, followed: of each batch. errors, sample: see `Evaluation`. kept: some of the objects.
    """

    def __init__(
        self, predict: Predict, classes: tuple[str, ...], n_detections: int, keep: int, follow: Follow | None
    ) -> None:
        self._predict, self._classes, self._n_detections, self._follow = predict, classes, n_detections, follow
        self.predictions = [(np.empty(0, object), np.empty(0, np.int64), np.empty((0, len(classes)), np.float32))]
        self.properties: list[Properties] = []
        self.errors: list[Portrait] = []
        self.sample: Sequences | None = None
        self.kept = _Kept(keep)
        self.followed: list[Followed] = []

    def add(self, part: Sequences) -> None:
        """What is said of the objects of one more batch."""
        label, probabilities = _labels(part, self._classes), _probabilities(self._predict, part)
        self.predictions.append((part.object_id, label, probabilities))
        self.properties.append(properties.properties(part, self._n_detections))
        self.errors = _worst(self.errors, part, label, probabilities, self._classes, self._n_detections)
        self.sample = _for_timing(part) if self.sample is None else self.sample
        self.kept.add(part)
        if self._follow is not None:
            self.followed.append(self._follow(part))


class _Kept:
    """At most so many objects of all batches, each as likely as any other; memory stays flat."""

    def __init__(self, most: int, seed: int = 0) -> None:
        self._most, self._rng = most, np.random.default_rng(seed)
        self._parts: list[Sequences] = []
        self._draws = np.empty(0)

    def add(self, part: Sequences) -> None:
        if self._most:
            self._parts.append(part)
            self._draws = np.append(self._draws, self._rng.random(part.n_objects))
            if len(self._draws) > 2 * self._most:
                self._thin()

    def sequences(self) -> Sequences | None:
        if not self._parts:
            return None
        self._thin()
        return self._parts[0]

    def _thin(self) -> None:
        chosen = np.sort(np.argsort(self._draws, kind="stable")[: self._most])
        self._parts, self._draws = [take(join(self._parts), chosen)], self._draws[chosen]


def _predictions(predict: Predict, whole: Sequences, what: np.ndarray, classes: tuple[str, ...]) -> Predictions | None:
    """Predictions for the objects whose fate is to be evaluated; None where there are none."""
    chosen = np.flatnonzero(what == EVALUATED)
    if not chosen.size:
        return None
    part = take(whole, chosen)
    return Predictions(_labels(part, classes), _probabilities(predict, part))


def _join(parts: list[Predictions | None]) -> Predictions | None:
    there = [part for part in parts if part is not None]
    return Predictions(*map(np.concatenate, zip(*there, strict=True))) if there else None


def _screen(screen: Screen, whole: Sequences, what: np.ndarray) -> Screened:
    """Screen the labelled objects of the split, and change in place what becomes of those that would be evaluated."""
    asked = np.flatnonzero((what != OTHER_SPLIT) & (what != UNLABELLED))
    verdict = screen(take(whole, asked))
    evaluable = what[asked] == EVALUATED
    what[asked[evaluable & verdict.rejected]] = REJECTED
    return Screened(whole.label[asked], evaluable, verdict)


def _labels(sequences: Sequences, classes: tuple[str, ...]) -> np.ndarray:
    """[N] int64: indices into `classes`."""
    return np.array([classes.index(schema.CLASS_NAMES[i]) for i in sequences.label])


def _for_timing(sequences: Sequences) -> Sequences:
    return take(sequences, np.resize(np.arange(sequences.n_objects), TIMING_OBJECTS))


def _probabilities(predict: Predict, sequences: Sequences) -> np.ndarray:
    indices, probabilities = predict(sequences)
    if not np.array_equal(indices, np.arange(sequences.n_objects)):
        raise ValueError(
            f"the classifier has probabilities for {len(indices)} of {sequences.n_objects} objects, expected all"
        )
    if not np.isfinite(probabilities).all():
        at = int(np.argmin(np.isfinite(probabilities).all(axis=1)))
        raise ValueError(f"object {sequences.object_id[at]}: probabilities {probabilities[at]} are not finite")
    return np.asarray(probabilities)


def _worst(
    errors: list[Portrait],
    sequences: Sequences,
    label: np.ndarray,
    probabilities: np.ndarray,
    classes: tuple[str, ...],
    n_detections: int,
) -> list[Portrait]:
    """The most confident wrong predictions among those so far and those of one more batch."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != label)
    wrong = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:N_ERRORS_SHOWN]
    new = [portrait(sequences, i, classes, probabilities[i], n_detections, true_class=classes[label[i]]) for i in wrong]
    return sorted(errors + new, key=lambda shown: -shown.probabilities.max())[:N_ERRORS_SHOWN]


def inference_time(predict: Predict, sample: Sequences, repeats: int = TIMING_REPEATS) -> dict:
    """Seconds per object from sequences in memory to probabilities, the compilation left out.

    Args:
        predict: the classifier.
        sample: objects to classify together.
        repeats: timed runs after one that is not timed; a slow model gets fewer, at least three.
    """
    predict(sample)
    seconds: list[float] = []
    while len(seconds) < repeats and (len(seconds) < TIMING_LEAST_REPEATS or sum(seconds) < TIMING_SECONDS):
        start = time.perf_counter()
        predict(sample)
        seconds.append(time.perf_counter() - start)
    per_object = np.array(seconds) / sample.n_objects
    return {
        "median_s_per_object": float(np.median(per_object)),
        "min_s_per_object": float(per_object.min()),
        "max_s_per_object": float(per_object.max()),
        "batch_size": sample.n_objects,
        "repeats": len(seconds),
    }
