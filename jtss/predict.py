"""Probabilities of a trained model for sequences of detections."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import numpy as np

from jtss import checkpoint, model, repeats, screening, training
from jtss.checkpoint import RunDirectory
from jtss.configs import Config, TrainingConfig
from jtss.data import examples, standardised
from jtss.model import Batch, Variables
from jtss.schema import Sequences
from jtss.screening import Screen

BATCH_SIZE = 64


@dataclass(frozen=True)
class Run:
    """A trained model with everything that it needs to read alerts."""

    directory: RunDirectory
    variables: Variables
    step: int  # at which the best validation loss was reached
    warnings: list[str]  # what was wrong with later states

    @property
    def config(self) -> Config:
        return self.directory.config

    @property
    def provenance(self) -> dict:
        return self.directory.provenance

    def metrics(self) -> list[dict]:
        return self.directory.metrics()


def load_run(path: str | Path) -> Run:
    """The best model of a run directory.

    Raises:
        checkpoint.RunError: not a run directory, or damaged; or a folder of repeats, of which one is to be chosen.
    """
    if repeats.is_repeats(Path(path)):
        seeds = list(repeats.seed_directories(Path(path)).values())
        raise checkpoint.RunError(f"{path} holds {len(seeds)} repeats; choose one of them, for example {seeds[0]}")
    directory = checkpoint.open_run(path)
    like = jax.eval_shape(partial(training.init_state, directory.config))
    state, warnings = directory.states().restore(like)
    if state is None or not np.isfinite(float(state.best.loss)):
        reason = "; ".join(warnings) or "nothing is saved since its first validation"
        raise checkpoint.RunError(f"{path}: there is no model yet: {reason}; go on by train.py --resume {path}")
    if not training.finished(directory.config, state):
        planned = int(training.last_step(directory.config, np.asarray(state.best.step)))
        warnings = [*warnings, f"{path} is not finished: it was saved at step {int(state.step)} of {planned}"]
    return Run(directory, state.best.variables, int(state.best.step), warnings)


def load_screener(path: str | Path) -> Run:
    """The best model of a run directory, for bogus screening.

    Raises:
        checkpoint.RunError: as `load_run`.
        ValueError: it is no first-detection model that knows the class bogus.
    """
    run = load_run(path)
    screening.check_screener(run.config, path)
    return run


def screen_with(run: Run) -> Screen:
    """Screening by the model `run`."""
    return partial(screening.screen, partial(predict, run), run.config.classes)


def predict(run: Run, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Classify the objects that have enough detections.

    Args:
        run: a trained model for n detections.
        sequences: N objects; of each, the first n detections are used.

    Returns:
        [B] int64, which of the N objects have n detections or more; and their probabilities [B, L] float32, in the
        order of `run.config.classes`. What else is in `sequences` changes an object's values by rounding at most.
    """
    chosen = examples(sequences, run.config)
    batch = standardised(chosen, run.directory.statistics)
    parts = [np.empty((0, len(run.config.classes)), np.float32)]
    for first in range(0, len(chosen.index), BATCH_SIZE):
        rows = slice(first, first + BATCH_SIZE)
        parts.append(probabilities(run, Batch(*(part[rows] for part in batch))))
    return chosen.index, np.concatenate(parts)


def probabilities(run: Run, batch: Batch) -> np.ndarray:
    """[B, L] float32 for up to `BATCH_SIZE` objects; a short batch is filled up, so that one program serves all."""
    n_objects = len(batch.static)
    filled = Batch(*(np.resize(part, (BATCH_SIZE, *part.shape[1:])) for part in batch))
    return np.asarray(_forward(_network(run.config), run.variables, filled))[:n_objects]


def _network(config: Config) -> Config:
    """The config without what does not shape the network, so that runs that differ in it share one program."""
    return replace(config, name="network", origin="", paper_accuracy="", training=TrainingConfig())


@partial(jax.jit, static_argnums=0)
def _forward(config: Config, variables: Variables, batch: Batch) -> jax.Array:
    logits, _ = model.apply(config, variables, batch, train=False)
    return jax.nn.softmax(logits)
