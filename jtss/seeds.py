"""Repeats of a training with several seeds: a run directory each, trained together as far as they fit.

repeats.json        {"config", "seeds", "together"}: what is repeated, and how many seeds are one program
seed-0, seed-1, …   run directories
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from jtss import engine, training
from jtss.checkpoint import RunDirectory
from jtss.configs import Config
from jtss.overrides import override
from jtss.sources import Source
from jtss.training import TrainState, ValidationChunks

FILE = "repeats.json"


def require_new(path: Path) -> None:
    """Raise FileExistsError where `path` is something else than a folder for repeats that is empty."""
    if (path / FILE).exists():
        raise FileExistsError(f"{path} exists and has repeats in it; go on with them by --resume {path}")
    if path.exists() and (not path.is_dir() or any(not entry.name.startswith("seed-") for entry in path.iterdir())):
        raise FileExistsError(f"{path} exists and is no folder of repeats; choose another name with --out")


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


def write(path: Path, config: Config, seeds: Sequence[int], together: int) -> None:
    """Write `repeats.json` into the folder of the repeats."""
    values = {"config": config.name, "seeds": list(seeds), "together": together}
    partial = path / f".{FILE}.partial"
    partial.write_text(json.dumps(values, indent=2) + "\n")
    partial.rename(path / FILE)


def read(path: Path) -> dict:
    """Read it.

    Raises:
        ValueError: damaged; names the file.
    """
    try:
        values = json.loads((path / FILE).read_text())
        return {"config": str(values["config"]), "seeds": list(values["seeds"]), "together": int(values["together"])}
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path / FILE}: damaged ({error!r})") from None


def folder(path: Path, seed: int) -> Path:
    """The run directory of one seed."""
    return path / f"seed-{seed}"


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
