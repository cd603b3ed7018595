"""Seeds of one training: how many train as one program, how they go on, and what they come to."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from jtss import engine, training
from jtss.checkpoint import RunDirectory
from jtss.configs import Config
from jtss.overrides import override
from jtss.sources import Source
from jtss.training import TrainState, ValidationChunks


def with_seed(config: Config, seed: int) -> Config:
    return override(config, [f"training.seed={seed}"])


def fitting(config: Config, source: Source, chunks: ValidationChunks, seeds: Sequence[int]) -> int:
    """How many of the seeds can train as one program, found out by trying: all, or half of them, or a quarter, …

    One, where a turn is not one program: on a CPU convolutions with other weights for each seed are much slower
    together than one after another.
    """
    if not engine.in_one_dispatch(config):
        return 1
    together = len(seeds)
    while together > 1:
        states = training.join([training.init_state(with_seed(config, seed)) for seed in seeds[:together]])
        try:
            next(engine.run(config, states, source, chunks))
            return together
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            together = -(-together // 2)
    return 1


def restore(directories: Sequence[RunDirectory], warn: Callable[[str], None]) -> TrainState:
    """The latest states of seeds that train together; those not finished are brought to the latest step that all have.

    A seed of which nothing is saved begins anew.
    """
    states = [_restore(directory, warn) for directory in directories]
    while len(steps := {int(state.step) for state in states if not _finished(directories[0], state)}) > 1:
        for i, directory in enumerate(directories):
            if not _finished(directory, states[i]):
                states[i] = _restore(directory, warn, at=min(steps))
    for directory, state in zip(directories, states, strict=True):
        directory.forget_metrics_after(int(state.step))
    return training.join(states)


def _restore(directory: RunDirectory, warn: Callable[[str], None], at: int | None = None) -> TrainState:
    start = training.init_state(directory.config)
    found = directory.states().restore(start, repair=True, at=at)
    for line in found.warnings:
        warn(line)
    if found.state is None and at is not None:
        warn(f"{directory.path}: no state of step {at} or before, where another seed is; it begins anew")
    return start if found.state is None else jax.tree.map(np.array, found.state)


def _finished(directory: RunDirectory, state: TrainState) -> bool:
    return training.finished(directory.config, state)


def table(seeds: Sequence[int], states: TrainState) -> str:
    """Best step, validation loss and accuracy of each seed, and their mean ± standard deviation."""
    best = jax.tree.map(np.asarray, states.best._replace(variables=()))
    lines = ["seed   best step   validation loss   validation accuracy"]
    for i, seed in enumerate(seeds):
        lines.append(f"{seed:<6} {best.step[i]:>9}   {best.loss[i]:>15.4f}   {100 * best.accuracy[i]:>17.2f} %")
    spread = np.std(best.accuracy, ddof=1), np.std(best.loss, ddof=1)
    lines.append(f"mean               {best.loss.mean():>15.4f}   {100 * best.accuracy.mean():>17.2f} %")
    lines.append(f"±                  {spread[1]:>15.4f}   {100 * spread[0]:>17.2f} %")
    return "\n".join(lines)
