"""Follow a model of packets: its answers to the alerts of an object, and after each row of its latest packet."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jtss import schema
from jtss.config.settings import Config
from jtss.inference import packets
from jtss.inference.model import Model
from jtss.inference.packets import Answers, Chosen, Trajectories
from jtss.metrics import trajectories
from jtss.metrics.trajectories import NO_ANSWER
from jtss.schema import MAX_DETECTIONS, NO_SUBCLASS, SUBCLASSES, Sequences


class Followed(NamedTuple):
    """What a model of packets answers to B objects, in time. Of a trajectory only what a report says is kept.

    Attributes:
        at_alert: [B, 5, L] float32; probabilities by the packet of the first, second … fifth alert, NaN where there is
            no such alert.
        by_days: [B, D] int64; the most probable class after the last row in each bin of `trajectories.DAYS_NAMES` of
            the latest packet, -1 where it has no row there.
        new_rows, flips: [B] int64. path: [B] float64; of the latest packet, see `trajectories.Movement`.
        subclass: [B] int64; index into `schema.SUBCLASSES`, -1 where unknown, or where the model tells no subclasses of
            the class.
        subclass_first, subclass_latest: [B] int64; the most probable one given the true class, by the packet of the
            first and of the latest alert; -1 where the model tells none.
    """

    at_alert: np.ndarray
    by_days: np.ndarray
    new_rows: np.ndarray
    flips: np.ndarray
    path: np.ndarray
    subclass: np.ndarray
    subclass_first: np.ndarray
    subclass_latest: np.ndarray


Follow = Callable[[Sequences], Followed]


def follow(model: Model, sequences: Sequences) -> Followed:
    """Follow N objects of classes that a model of packets knows."""
    answered, rows = packets.followed(model, sequences, chosen=_first_and_latest(sequences))
    is_latest = answered.which == sequences.n_alerts[answered.object] - 1
    label = np.array([model.config.classes.index(schema.CLASS_NAMES[i]) for i in sequences.label])
    said = _subclass_given(answered, label)
    return Followed(
        _at_alert(answered, sequences.n_objects),
        *_along(answered, rows, is_latest, sequences.n_objects),
        _known(sequences.subclass, model.config),
        said[answered.which == 0],
        said[is_latest],
    )


def join(parts: list[Followed]) -> Followed | None:
    """Several batches as one; None of none."""
    return Followed(*map(np.concatenate, zip(*parts, strict=True))) if parts else None


def _first_and_latest(sequences: Sequences) -> Chosen:
    """The first five alerts of each object and its latest, in time order."""
    every = packets.every_alert(sequences)
    wanted = (every.which < MAX_DETECTIONS) | (every.which == sequences.n_alerts[every.object] - 1)
    return Chosen(every.object[wanted], every.which[wanted])


def _at_alert(answered: Answers, n_objects: int) -> np.ndarray:
    early = answered.which < MAX_DETECTIONS
    at_alert = np.full((n_objects, MAX_DETECTIONS, answered.probabilities.shape[1]), np.nan, np.float32)
    at_alert[answered.object[early], answered.which[early]] = answered.probabilities[early]
    return at_alert


def _along(answers: Answers, rows: Trajectories, is_latest: np.ndarray, n_objects: int) -> tuple[np.ndarray, ...]:
    """`by_days`, `new_rows`, `flips` and `path`, by those of K packets that are the latest of their N objects.

    Args:
        answers: to the packets, whose objects ascend. rows: their trajectories.
        is_latest: [K] bool, True for one packet of each object. n_objects: N.
    """
    of_answer = np.repeat(np.arange(len(is_latest)), answers.n_detections + answers.n_limits)
    mine = is_latest[of_answer]
    packet, rows = answers.object[of_answer[mine]], Trajectories(*(column[mine] for column in rows))
    answered = np.isfinite(rows.probabilities).all(axis=1)
    days = trajectories.days_since_first(rows.jd, answered, packet, n_objects)
    last = trajectories.last_by_days(days, packet, n_objects)
    by_days = np.where(last == NO_ANSWER, NO_ANSWER, rows.probabilities.argmax(axis=1)[last])
    return by_days, *trajectories.movement(rows.probabilities, packet, n_objects)


def _subclass_given(answered: Answers, label: np.ndarray) -> np.ndarray:
    """[K] int64: the most probable subclass of the true class of each alert's object."""
    code = {name: i for i, name in enumerate(SUBCLASSES)}
    names = answered.subclass[np.arange(len(answered.object)), label[answered.object]]
    return np.array([code.get(name, NO_SUBCLASS) for name in names], np.int64)


def _known(subclass: np.ndarray, config: Config) -> np.ndarray:
    told = np.isin(subclass, [SUBCLASSES.index(name) for name in config.subclasses])
    return np.where(told, subclass, NO_SUBCLASS).astype(np.int64)
