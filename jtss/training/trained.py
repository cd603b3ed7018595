"""The model that a training left in its run directory, or several trainings in a folder of seeds as an ensemble."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np

from jtss.inference.model import Member, Model, Outcome
from jtss.invocation import spelled
from jtss.runs import directory
from jtss.runs import ensemble as ensembles
from jtss.runs.directory import RunDirectory
from jtss.runs.states import RunError
from jtss.training.seeds import with_seed
from jtss.training.step import finished, init_state, last_step


def load(path: Path) -> Model:
    """The best model of a run directory; of a folder of seeds, all of them as one model.

    Raises:
        RunError, ensembles.EnsembleError: neither, or damaged; or the seeds are not of one training.
    """
    return _of_seeds(path) if ensembles.is_ensemble(path) else _of_directory(path)


def directories(model: Model) -> list[RunDirectory]:
    """The run directory of each member; none for a pretrained model.

    Raises:
        RunError, ensembles.EnsembleError: one is missing or damaged.
    """
    if model.folder is None:
        return []
    ensemble = ensembles.is_ensemble(model.folder)
    paths = ensembles.seed_directories(model.folder).values() if ensemble else [model.folder]
    return [directory.open_run(path) for path in paths]


def learning_curve(model: Model) -> list[dict]:
    """One dict per validation of a single training, none of an ensemble or a pretrained model; `RunDirectory.metrics`.

    Raises:
        RunError: the record is missing or damaged.
    """
    runs = directories(model)
    return runs[0].metrics() if len(runs) == 1 else []


def _of_seeds(path: Path) -> Model:
    parts = []
    for seed, folder in ensembles.seed_directories(path).items():
        parts.append(_of_directory(folder))
        own = parts[-1].config.training.seed
        if own != seed:
            raise RunError(f"{folder}: its seed is {own}, expected {seed}")
    first, *others = parts
    for other in others:
        _check_same_training(first, other)
    return replace(
        first,
        label=str(path),
        members=tuple(member for part in parts for member in part.members),
        warnings=[warning for part in parts for warning in part.warnings],
        folder=path,
    )


def _check_same_training(first: Model, other: Model) -> None:
    """Raise RunError where the two differ in more than the seed."""
    one, theirs = directory.beginning(first.provenance), directory.beginning(other.provenance)
    same = {
        "configuration": with_seed(other.config, first.config.training.seed) == first.config,
        "data": theirs["data hash"] == one["data hash"],
        "weights to begin with": theirs["weights to begin with"] == one["weights to begin with"],
        "statistics of the metadata": other.statistics == first.statistics,
    }
    different = [name for name, holds in same.items() if not holds]
    if different:
        raise RunError(
            f"{other.label}: other {' and '.join(different)} than {first.label}, expected a repeat with another seed"
        )


def _of_directory(path: Path) -> Model:
    run = directory.open_run(path)
    config, like = run.config, jax.eval_shape(partial(init_state, run.config))
    state, warnings = run.states().restore(like)
    if state is None or not np.isfinite(float(state.best.loss)):
        reason = "; ".join(warnings) or "nothing is saved since its first validation"
        raise RunError(f"{path}: there is no model yet: {reason}; go on by: {spelled('train', '--resume', path)}")
    best, planned = state.best, int(last_step(config, np.asarray(state.best.step)))
    outcome = Outcome(int(state.step), planned, int(best.step), float(best.loss), float(best.accuracy))
    if not finished(config, state):
        warnings = [*warnings, f"{path} is not finished: it was saved at step {outcome.steps} of {planned}"]
    members = (Member(config.training.seed, best.variables, outcome),)
    return Model(str(path), config, run.statistics, members, run.provenance, warnings, folder=path)
