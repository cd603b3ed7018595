"""Bogus screening: an object whose first and second detection both look bogus to a first-detection model is rejected.

TSC §IV-B.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jtss import schema, views
from jtss.config.settings import Config
from jtss.schema import Sequences

BOGUS = "bogus"
SCREENED = "screened_bogus"
N_SCREENED = 2  # detections that must look bogus


class Verdict(NamedTuple):
    """What a first-detection model says of N objects.

    Attributes:
        able: [N] bool; the object has the two detections that screening needs.
        called_bogus: [N, 2] bool; its first and its second detection were taken for bogus, False where not `able`.
    """

    able: np.ndarray
    called_bogus: np.ndarray

    @property
    def rejected(self) -> np.ndarray:
        """[N] bool: both detections were taken for bogus."""
        return self.called_bogus.all(axis=1)


Screen = Callable[[Sequences], Verdict]


class Screened(NamedTuple):
    """The verdict on A labelled objects.

    Attributes:
        label: [A]; index into `schema.CLASS_NAMES`.
        wanted: [A] bool; the classifier behind the screening would have answered for the object, and knows its class.
        verdict: of the A objects.
    """

    label: np.ndarray
    wanted: np.ndarray
    verdict: Verdict


class Counts(NamedTuple):
    """Objects of one class: all, those screened, those called bogus by their first, by their second, by both."""

    objects: int
    screened: int
    first_called_bogus: int
    second_called_bogus: int
    rejected: int


def check_screener(config: Config, path: object) -> None:
    """Raise ValueError where the model of run directory `path` cannot screen, naming what it is and what is needed."""
    if config.packet.rows:
        raise ValueError(f"{path}: config {config.name} reads packets; bogus screening needs a model of sequences")
    if config.n_detections != 1 or BOGUS not in config.classes:
        raise ValueError(
            f"{path}: config {config.name} has n_detections={config.n_detections} and the classes"
            f" {', '.join(config.classes)}; bogus screening needs n_detections=1 and the class {BOGUS} among them"
        )


def no_screening(sequences: Sequences) -> Verdict:
    """The verdict where there is no model to screen with: no object is rejected."""
    n = sequences.n_objects
    return Verdict(np.zeros(n, bool), np.zeros((n, N_SCREENED), bool))


def screen(predict: Callable, classes: tuple[str, ...], sequences: Sequences) -> Verdict:
    """Ask a first-detection model about the first and the second detection of every object that has both.

    Args:
        predict: the model; B objects of one detection → which of them it answers for (all), probabilities [B, L].
        classes: L names, one of them bogus; a detection is taken for bogus where that is the most probable class.
        sequences: N objects.

    TSC §IV-B.
    """
    verdict = no_screening(sequences)
    able = sequences.n_alerts >= N_SCREENED
    objects = np.flatnonzero(able)
    for which in range(N_SCREENED):
        _, probabilities = predict(views.first(sequences, objects, which))
        verdict.called_bogus[objects, which] = probabilities.argmax(axis=1) == classes.index(BOGUS)
    return verdict._replace(able=able)


def join(parts: Sequence[Screened]) -> Screened | None:
    """One for the objects of all batches, in their order; None where nothing was screened."""
    if not parts:
        return None
    verdict = Verdict(*(np.concatenate(columns) for columns in zip(*(part.verdict for part in parts), strict=True)))
    label, wanted = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return Screened(label, wanted, verdict)


def count(screened: Screened) -> dict[str, Counts]:
    """Counts by true class, of the classes that have objects."""
    label, verdict = screened.label, screened.verdict
    first, second = verdict.called_bogus.T
    groups = (np.ones(len(label), bool), verdict.able, first, second, verdict.rejected)
    table = np.array([np.bincount(label[group], minlength=len(schema.CLASS_NAMES)) for group in groups])
    rows = zip(schema.CLASS_NAMES, table.T.tolist(), strict=True)
    return {name: Counts(*row) for name, row in rows if row[0]}


def hits_with_rejected(screened: Screened, hits: int, total: int) -> tuple[int, int]:
    """Right answers and objects where a rejection is an answer as well: wrong, unless the object is truly bogus.

    Args:
        screened: all objects.
        hits, total: right answers and objects of the classifier behind the screening.
    """
    lost = screened.wanted & screened.verdict.rejected
    truly = lost & (screened.label == schema.CLASS_NAMES.index(BOGUS))
    return hits + int(truly.sum()), total + int(lost.sum())
