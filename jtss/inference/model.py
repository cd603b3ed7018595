"""A trained model: configuration, statistics of the metadata, and weights. What a run directory adds is not needed."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from jtss.config.settings import Config
from jtss.network.inputs import Statistics
from jtss.network.network import Variables


class Outcome(NamedTuple):
    """What came of a training: its steps, those planned, and the step kept with its loss and accuracy."""

    steps: int
    planned_steps: int
    best_step: int
    validation_loss: float
    validation_accuracy: float


class Member(NamedTuple):
    """One training of a model: its seed, what it learnt, and what came of it."""

    seed: int
    variables: Variables
    outcome: Outcome


@dataclass(frozen=True)
class Model:
    """A trained model with everything that it needs to read alerts.

    Attributes:
        label: the path of its run directory, or of the folder of an ensemble, or its name where it ships.
        config: with the seed of the first member.
        statistics: of the metadata of its training split.
        members: trainings that differ in the seed; their probabilities are averaged. Mostly one.
        provenance: of the first member.
        warnings: what was wrong with later states.
        folder: what `label` names; None for a model that ships.
        temperature: that calibrates its probabilities, which `predict` leaves as they are; None where not known.
    """

    label: str
    config: Config
    statistics: Statistics
    members: tuple[Member, ...]
    provenance: dict
    warnings: list[str] = field(default_factory=list)
    folder: Path | None = None
    temperature: float | None = None


def version(model: Model) -> str:
    """Version of the program that trained, when it began, and the step kept, e.g. 0.1.0+20260102T030405.s300.

    Of an ensemble all steps, in the order of the seeds: 0.1.0+20260102T030405.s300.s280.
    """
    provenance = model.provenance
    year, month, day, hour, minute, second = re.findall(r"\d+", provenance["started"])[:6]
    steps = "".join(f".s{member.outcome.best_step}" for member in model.members)
    return f"{provenance['versions']['jtss']}+{year}{month}{day}T{hour}{minute}{second}{steps}"
