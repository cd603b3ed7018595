"""Several trainings of one network: how many run as one program, how seeds go on, and what they come to."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from jtss.config.settings import Config, override
from jtss.invocation import option
from jtss.runs.directory import RunDirectory
from jtss.runs.states import RunError, Saved
from jtss.training import loop, step
from jtss.training.batches import Source, ValidationChunks
from jtss.training.step import TrainState


def with_seed(config: Config, seed: int) -> Config:
    return override(config, [f"training.seed={seed}"])


def fitting(
    configs: Sequence[Config], source: Source, chunks: ValidationChunks, stop_asked: Callable[[], bool] = lambda: False
) -> int:
    """How many of the trainings can be one program, by trying: all, or half of them, or a quarter, …

    One on a CPU with images: convolutions with other weights for each take 1.5 (JAX 0.10) to 3 (JAX 0.12) times as long
    together as one after another (four seeds of `demo` with batches of 32, measured).

    Args:
        configs: what is trained, of the same `step.shared`.
        source: the training set.
        chunks: the validation set.
        stop_asked: where it holds, the trial is broken off, and what it was tried with is the answer.
    """
    if not loop.in_one_dispatch(configs[0]):
        return 1
    together = len(configs)
    while together > 1:
        states = step.join([step.init_state(config) for config in configs[:together]])
        try:
            next(loop.run(configs[0], states, source, chunks, stop_asked), None)
            return together
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            together = -(-together // 2)
    return 1


def restore(directories: Sequence[RunDirectory], warn: Callable[[str], None]) -> TrainState:
    """The latest states of seeds that train together; those not finished are brought to the latest step that all have.

    A seed of which nothing is saved is at its beginning, step 0. Later states than these are removed.

    Raises:
        RunError: there is no such step, or a seed has damaged states only; nothing is changed on the disk then.
    """
    latest = [_latest(directory) for directory in directories]
    states = _at_one_step(directories, [state for state, _ in latest])
    for directory, (before, warnings), state in zip(directories, latest, states, strict=True):
        for line in warnings:
            warn(line)
        if state.step < before.step:
            warn(f"{directory.path}: goes back from step {before.step} to step {state.step}, where another seed is")
        directory.states().clear_after(int(state.step))
        directory.forget_metrics_after(int(state.step))
    return step.join(states)


def _latest(directory: RunDirectory) -> Saved:
    state, warnings = _saved(directory)
    if state is None and "began_with" in directory.provenance:
        raise RunError(
            f"{directory.path}: was to begin with the weights of {directory.provenance['began_with']['model']}, which"
            f" were not saved; expected a new start with another {option('out')}"
        )
    return Saved(step.init_state(directory.config) if state is None else state, warnings)


def _saved(directory: RunDirectory, at: int | None = None) -> Saved:
    state, warnings = directory.states().restore(step.init_state(directory.config), at=at)
    return Saved(jax.tree.map(np.array, state), warnings)


def _at_one_step(directories: Sequence[RunDirectory], latest: list[TrainState]) -> list[TrainState]:
    """The states, with those not finished taken from the latest step that all of these have in a good state."""
    states = list(latest)
    going = [i for i, directory in enumerate(directories) if not _finished(directory, latest[i])]
    while len(steps := {int(states[i].step) for i in going}) > 1:
        for i in (i for i in going if states[i].step > min(steps)):
            states[i] = _saved(directories[i], at=min(steps)).state
            if states[i] is None:
                raise _no_common_step([directories[i] for i in going], [latest[i] for i in going])
    return states


def _no_common_step(directories: Sequence[RunDirectory], latest: Sequence[TrainState]) -> RunError:
    folder = directories[0].path.parent
    steps = ", ".join(f"{d.path.name} {state.step}" for d, state in zip(directories, latest, strict=True))
    return RunError(
        f"{folder}: the seeds cannot go on together, having no step in common that is saved (latest: {steps});"
        f" finish each alone, as by --resume {directories[0].path}"
    )


def _finished(directory: RunDirectory, state: TrainState) -> bool:
    return step.finished(directory.config, state)


def table(seeds: Sequence[int], states: TrainState) -> str:
    """Best step, validation loss and accuracy of each seed, and their mean ± standard deviation.

    A seed that was not validated yet has no values, and as long as there is one, or one seed only, there is no mean.
    """
    best = jax.tree.map(np.asarray, states.best._replace(variables=()))
    lines = ["seed   best step   validation loss   validation accuracy"]
    for seed, at, loss, accuracy in zip(seeds, best.step, best.loss, best.accuracy, strict=True):
        lines.append(_row(seed, at, loss, accuracy) if at else f"{seed:<6} {'–':>9}   {'–':>15}   {'–':>17}")
    if len(seeds) > 1 and best.step.all():
        lines.append(_row("mean", "", best.loss.mean(), best.accuracy.mean()))
        lines.append(_row("±", "", np.std(best.loss, ddof=1), np.std(best.accuracy, ddof=1)))
    return "\n".join(lines)


def _row(name: int | str, step: int | str, loss: float, accuracy: float) -> str:
    return f"{name:<6} {step:>9}   {loss:>15.4f}   {100 * accuracy:>17.2f} %"
