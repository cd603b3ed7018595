"""The trainer: begins runs or goes on with saved ones, trains them, and writes down what happens.

Whoever trains, a command, a notebook or an experiment, does it with `start` or `resume` and then `train`; what it looks
like meanwhile is the caller's, through `watch`.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

import jax
import numpy as np

from jtss import dataset, devices
from jtss.config import settings
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.invocation import option, spelled
from jtss.runs import directory, ensemble, provenance
from jtss.runs.directory import RunDirectory
from jtss.training import loop, mixture, step, warm_start
from jtss.training.batches import Prepared, prepare
from jtss.training.loop import Progress
from jtss.training.mixture import Mixture
from jtss.training.seeds import fitting, restore, with_seed
from jtss.training.step import TrainState
from jtss.training.warm_start import WarmStart

Say = Callable[[str], None]
Watch = Callable[[Config, TrainState, int], AbstractContextManager[Callable[[Progress], None]]]
SAVE_EVERY_SECONDS = 60
SHARE_OF_TIME = 0.02  # that saving may take; then it is done less often


class Stop(Protocol):
    """Asked after every turn whether to stop; see `jtss.training.signals.StopSignals`."""

    agreed: int  # what all processes stop for, 0: nothing

    def agree(self) -> bool: ...

    def may_break_off(self) -> bool: ...


class NeverStop:
    """Trains to the end."""

    agreed = 0

    def agree(self) -> bool:
        return False

    def may_break_off(self) -> bool:
        return False


class Training(NamedTuple):
    """Runs that are ready to be trained.

    Attributes:
        out: the run directory, or the folder of several seeds.
        directories: one per seed.
        at_once: how many of them are one program.
        prepared: their data.
    """

    out: Path
    directories: list[RunDirectory]
    at_once: int
    prepared: Prepared


def start(
    config: Config,
    data: Path | Mixture,
    out: Path,
    *,
    command: str,
    say: Say,
    n_seeds: int = 1,
    stream: bool = False,
    warm: WarmStart | None = None,
) -> Training:
    """Make new run directories.

    Args:
        config: what to train; the first seed is its own.
        data: data file, or a mixture of several.
        out: run directory; for several seeds the folder of theirs.
        command: the command line, for the record.
        say: is told what takes long or is unusual.
        n_seeds: how many trainings that differ in the seed.
        stream: leave the training set in its file even where it fits into memory.
        warm: the model whose weights the runs begin with; None: with random weights.

    Raises:
        InputError: data that cannot be read or do not fit; or a model that has seen objects of the test.
        FileExistsError: something is at `out`.
    """
    devices.check_divisible(config.training.batch_size)
    data = mixture.as_mixture(data)
    mixture.check(data)
    record = provenance_of(command, data, config)
    if warm is not None:
        warm_start.check_unseen(warm, data.paths, say)
        record["began_with"] = warm_start.record(warm)
    numbers = [config.training.seed + i for i in range(n_seeds)]
    configs = {out: config}
    if len(numbers) > 1:
        ensemble.require_new(out)
        configs = {ensemble.seed_directory(out, seed): with_seed(config, seed) for seed in numbers}
    for folder, its_config in configs.items():
        directory.require_new(folder, its_config, record)
    prepared = prepare(data, config, stream=stream, say=say, statistics=warm_start.statistics(warm))
    at_once = fitting(list(configs.values()), prepared.source, prepared.chunks)
    directories = [
        directory.create(folder, its_config, prepared.statistics, record) for folder, its_config in configs.items()
    ]
    if len(numbers) > 1:
        ensemble.write(out, config, numbers, at_once)
    if warm is not None:
        for which, one in enumerate(directories):
            one.states().save(warm_start.state(warm, one.config, which))
    return Training(out, directories, at_once, prepared)


def resume(run: Path, *, say: Say, warn: Say, data: Sequence[Path] = (), stream: bool = False) -> Training:
    """Go on with the run directory, or the folder of seeds, at `run`.

    Args:
        run: what `start` made.
        say: is told what takes long or is unusual.
        warn: is told in what this machine differs from the one of before.
        data: where the data files are now, if they moved, in the order in which they were given.
        stream: as in `start`.

    Raises:
        InputError: no run, a damaged one, or other data than it began with.
        FileNotFoundError: its data file is not there.
    """
    at_once, paths = 1, [run]
    if ensemble.is_ensemble(run):
        at_once, paths = ensemble.seeds_at_once(run), list(ensemble.seed_directories(run).values())
    directories = [directory.open_run(path) for path in paths]
    first = directories[0]
    devices.check_divisible(first.config.training.batch_size)
    mixed = _where_now(first, data)
    now = about_this_machine()
    differences = settings.differences({name: first.provenance[name] for name in now}, now, ("then", "now"))
    if differences:
        warn(f"the run may come to other bits than where it began: {'; '.join(differences)}")
    prepared = prepare(mixed, first.config, stream=stream, say=say, statistics=first.statistics)
    return Training(run, directories, at_once, prepared)


def _where_now(run: RunDirectory, data: Sequence[Path]) -> Mixture:
    """The data of a run, where they are now."""
    recorded = mixture.recorded(run.provenance)
    if data and len(data) != len(recorded.paths):
        raise InputError(
            f"{option('data')}: {len(data)} files, but {run.path} was trained on {len(recorded.paths)}, expected all"
        )
    paths = tuple(data) or recorded.paths
    for path, learnt in zip(paths, run.provenance.get("mixture", [run.provenance]), strict=True):
        if not path.exists():
            raise FileNotFoundError(
                f"{path}: the data set of {run.path} is not there; if it moved, say where by --data"
            )
        content_hash = dataset.attributes(path)["content_hash"]
        if content_hash != learnt["data_hash"]:
            raise InputError(
                f"{path}: content hash {content_hash}, but {run.path} was trained on {learnt['data_hash']}"
            )
    return recorded._replace(paths=paths)


def provenance_of(command: str, data: Path | Mixture, config: Config) -> dict:
    """What provenance.json says of a run that begins now.

    Raises:
        InputError: data that cannot be read.
    """
    return {
        "command": command,
        **mixture.describe(mixture.as_mixture(data), config),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **about_this_machine(),
    }


def about_this_machine() -> dict:
    """Versions and device, as provenance.json has them."""
    return {"versions": provenance.versions(), "device": provenance.hardware()["device"]}


def unwatched(_config: Config, _states: TrainState, _n_validation: int) -> AbstractContextManager:
    """Shows nothing."""
    return nullcontext(lambda progress: None)


def train(training: Training, stop: Stop, *, warn: Say, watch: Watch = unwatched) -> list[TrainState]:
    """Train the runs, `at_once` as one program, each from its saved state on; returns those trained, in their order.

    Raises:
        LockedError: another process trains in one of the directories.
        FloatingPointError: a loss is no number; the best model is saved.
        InputError, OSError: a state cannot be read or written.
    """
    finals: list[TrainState] = []
    with ExitStack() as locks:
        for one in training.directories:
            locks.enter_context(one.locked())
        for first in range(0, len(training.directories), training.at_once):
            group = training.directories[first : first + training.at_once]
            states = train_group(group, training.prepared, stop, warn=warn, watch=watch)
            finals += [step.part(states, i) for i in range(len(group))]
            if stop.agreed:
                break
    return finals


def train_group(
    group: Sequence[RunDirectory], prepared: Prepared, stop: Stop, *, warn: Say, watch: Watch = unwatched
) -> TrainState:
    """Train some runs as one program, from their saved states on; returns the final states, which are saved.

    The caller holds the locks of their directories.
    """
    config = group[0].config
    states = restore(group, warn=warn)
    if step.finished(config, states):
        return states
    recorder = Recorder(group, states)
    recorder.save(states)  # from here on there is something to resume
    at_start = jax.tree.map(np.array, states)
    if stop.agree():
        return at_start
    progress = None
    try:
        with watch(config, states, prepared.n_validation) as show:
            for progress in loop.run(config, states, prepared.source, prepared.chunks, stop.may_break_off):
                recorder.record(progress)
                show(progress)
                if stop.agree():
                    break
    except FloatingPointError as error:
        recorder.save(progress.states)  # the best model is in it
        going_on = f"; the other seeds go on, each by: {spelled('train', '--resume', 'ITS_FOLDER')}"
        raise FloatingPointError(f"{error}{going_on if len(group) > 1 else ''}") from None
    if progress is None:  # a stop in the first turn, which may have taken the memory of the states
        stop.agree()
        return at_start
    if not step.finished(config, progress.states):
        stop.agree()
    recorder.save(progress.states)
    return progress.states


class Pace:
    """When to save, in seconds of a monotonic clock: every minute, or less often where saving takes long."""

    def __init__(self, now: float):
        self._saved, self._pause = now, SAVE_EVERY_SECONDS

    def is_due(self, now: float) -> bool:
        return now - self._saved > self._pause

    def saved(self, began: float, now: float) -> None:
        """Take note of a save."""
        self._saved, self._pause = now, max(SAVE_EVERY_SECONDS, (now - began) / SHARE_OF_TIME)


class Recorder:
    """Writes for each of R seeds into its own run directory."""

    def __init__(self, directories: Sequence[RunDirectory], states: TrainState):
        self._directories = directories
        self._began = time.monotonic()
        self._pace = Pace(self._began)
        self._steps = np.array(states.step)
        self._losses: list[list[float]] = [[] for _ in directories]  # since the last validation

    def record(self, progress: Progress) -> None:
        """Take note of a turn of the loop."""
        figures, now = progress.figures, time.monotonic()
        for i in np.flatnonzero(figures.step > self._steps):  # the others are finished
            self._losses[i].append(float(figures.loss[i]))
            if figures.validation_loss is not None:
                self._directories[i].append_metrics(
                    {
                        "step": int(figures.step[i]),
                        "train_loss": sum(self._losses[i]) / len(self._losses[i]),
                        "validation_loss": float(figures.validation_loss[i]),
                        "validation_accuracy": float(figures.validation_accuracy[i]),
                        "seconds": round(now - self._began, 3),
                    }
                )
                self._losses[i] = []
        self._steps = figures.step
        # only after a validation, so that a resumed run has all losses of its next line of metrics
        if figures.validation_loss is not None and devices.any_process(self._pace.is_due(now)):
            self.save(progress.states)
            self._pace.saved(now, time.monotonic())

    def save(self, states: TrainState) -> None:
        """Save the state of every seed; what is saved already is left as it is."""
        for i, run in enumerate(self._directories):
            run.states().save(step.part(states, i))
