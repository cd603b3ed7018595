"""A trained model: from its run directory, or by its name where it ships."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import checkpoint, repeats, screening, training
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


@dataclass(frozen=True)
class Run:
    """A trained model with everything that it needs to read alerts.

    Attributes:
        label: the path of its run directory, or its name where it ships.
        warnings: what was wrong with later states.
        directory: None for a model that ships.
        temperature: that calibrates its probabilities, which `predict` leaves as they are; None where not known.
    """

    label: str
    config: Config
    statistics: Statistics
    variables: Variables
    provenance: dict
    outcome: Outcome
    warnings: list[str]
    directory: RunDirectory | None = None
    temperature: float | None = None

    def metrics(self) -> list[dict]:
        """One dict per validation, none for a model that ships; see `RunDirectory.metrics`."""
        return self.directory.metrics() if self.directory else []


def load_run(path: str | Path) -> Run:
    """The best model of a run directory; or, where there is nothing of that path, the model that ships by that name.

    Raises:
        checkpoint.RunError: not a run directory, or damaged; or a folder of repeats, of which one is to be chosen.
        models.file.ModelError: the model that ships is damaged.
    """
    if Path(path).is_dir():
        return _from_directory(Path(path))
    name = str(path)
    if Path(path).exists() or name not in shipped.names(shipped.FOLDER):
        absent = "no such run directory and no model that ships"
        found = "not a directory; expected a run directory or the name of a model that ships"
        ready = shipped.listing(shipped.FOLDER)
        raise checkpoint.RunError(f"{name}: {found if Path(path).exists() else absent}; {ready}")
    found = shipped.load(name, shipped.FOLDER)
    outcome = Outcome(**{field: found.provenance["training"][field] for field in Outcome._fields})
    given = (found.config, found.statistics, found.variables, found.provenance, outcome)
    return Run(name, *given, warnings=[], temperature=found.temperature)


def _from_directory(path: Path) -> Run:
    if repeats.is_repeats(path):
        seeds = list(repeats.seed_directories(path).values())
        raise checkpoint.RunError(f"{path} holds {len(seeds)} repeats; choose one of them, for example {seeds[0]}")
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
    return Run(
        str(path),
        config,
        directory.statistics,
        best.variables,
        directory.provenance,
        outcome,
        warnings,
        directory,
    )


def load_screener(path: str | Path) -> Run:
    """A trained model as `load_run` finds it, for bogus screening.

    Raises:
        checkpoint.RunError, models.file.ModelError: as `load_run`.
        ValueError: it is no first-detection model that knows the class bogus.
    """
    run = load_run(path)
    screening.check_screener(run.config, path)
    return run
