"""A trained model: from its run directory, of several seeds together, or by its name where it ships."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import checkpoint, repeats, screening, seeds, training
from jtss.checkpoint import RunDirectory
from jtss.configs import Config
from jtss.features import Statistics
from jtss.model import Variables
from jtss.models import shipped


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
class Run:
    """A trained model with everything that it needs to read alerts.

    Attributes:
        label: the path of its run directory, or of the folder of repeats, or its name where it ships.
        config: with the seed of the first member.
        members: trainings that differ in the seed; their probabilities are averaged. Mostly one.
        provenance: of the first member.
        warnings: what was wrong with later states.
        directories: of the members; none for a model that ships.
        folder: what `label` names; None for a model that ships.
        temperature: that calibrates its probabilities, which `predict` leaves as they are; None where not known.
    """

    label: str
    config: Config
    statistics: Statistics
    members: tuple[Member, ...]
    provenance: dict
    warnings: list[str]
    directories: tuple[RunDirectory, ...] = ()
    folder: Path | None = None
    temperature: float | None = None

    def metrics(self) -> list[dict]:
        """One dict per validation of a single training, none of several or where it ships; `RunDirectory.metrics`."""
        return self.directories[0].metrics() if len(self.directories) == 1 else []


def load_run(path: str | Path) -> Run:
    """The best model of a run directory; of a folder of repeats, all seeds as one model; or the model that ships.

    Args:
        path: run directory or folder of repeats; where there is nothing of that path, the name of a model that ships.

    Raises:
        checkpoint.RunError, repeats.RepeatsError: neither, or damaged; or the seeds are no repeats of one training.
        models.file.ModelError: the model that ships is damaged.
    """
    if repeats.is_repeats(Path(path)):
        return _of_repeats(Path(path))
    if Path(path).is_dir():
        return _of_directory(Path(path))
    name = str(path)
    if Path(path).exists() or name not in shipped.names(shipped.FOLDER):
        absent = "no such run directory and no model that ships"
        found = "not a directory; expected a run directory or the name of a model that ships"
        ready = shipped.listing(shipped.FOLDER)
        raise checkpoint.RunError(f"{name}: {found if Path(path).exists() else absent}; {ready}")
    return _that_ships(name)


def _that_ships(name: str) -> Run:
    found = shipped.load(name, shipped.FOLDER)
    members = tuple(
        Member(training["seed"], variables, Outcome(**{field: training[field] for field in Outcome._fields}))
        for training, variables in zip(found.provenance["training"], found.members, strict=True)
    )
    given = (found.config, found.statistics, members, found.provenance)
    return Run(name, *given, warnings=[], temperature=found.temperature)


def _of_repeats(path: Path) -> Run:
    parts = []
    for seed, directory in repeats.seed_directories(path).items():
        parts.append(_of_directory(directory))
        found = parts[-1].config.training.seed
        if found != seed:
            raise checkpoint.RunError(f"{directory}: its seed is {found}, expected {seed}")
    first, *others = parts
    for other in others:
        _check_repeat(first, other)
    return replace(
        first,
        label=str(path),
        members=tuple(member for part in parts for member in part.members),
        warnings=[warning for part in parts for warning in part.warnings],
        directories=tuple(directory for part in parts for directory in part.directories),
        folder=path,
    )


def _check_repeat(first: Run, other: Run) -> None:
    """Raise RunError where the two differ in more than the seed."""
    same = {
        "configuration": seeds.with_seed(other.config, first.config.training.seed) == first.config,
        "data": other.provenance["data_hash"] == first.provenance["data_hash"],
        "statistics of the metadata": other.statistics == first.statistics,
    }
    different = [name for name, holds in same.items() if not holds]
    if different:
        raise checkpoint.RunError(
            f"{other.label}: other {' and '.join(different)} than {first.label}, expected a repeat with another seed"
        )


def _of_directory(path: Path) -> Run:
    directory = checkpoint.open_run(path)
    config, like = directory.config, jax.eval_shape(partial(training.init_state, directory.config))
    state, warnings = directory.states().restore(like)
    if state is None or not np.isfinite(float(state.best.loss)):
        reason = "; ".join(warnings) or "nothing is saved since its first validation"
        raise checkpoint.RunError(f"{path}: there is no model yet: {reason}; go on by train.py --resume {path}")
    best, planned = state.best, int(training.last_step(config, np.asarray(state.best.step)))
    outcome = Outcome(int(state.step), planned, int(best.step), float(best.loss), float(best.accuracy))
    if not training.finished(config, state):
        warnings = [*warnings, f"{path} is not finished: it was saved at step {outcome.steps} of {planned}"]
    members = (Member(config.training.seed, best.variables, outcome),)
    given = (config, directory.statistics, members, directory.provenance, warnings)
    return Run(str(path), *given, directories=(directory,), folder=path)


def load_screener(path: str | Path) -> Run:
    """A trained model as `load_run` finds it, for bogus screening.

    Raises:
        checkpoint.RunError, models.file.ModelError: as `load_run`.
        ValueError: it is no first-detection model that knows the class bogus.
    """
    run = load_run(path)
    screening.check_screener(run.config, path)
    return run
