"""Who trains what: take what is missing and nobody holds, train it, test it, until there is nothing more to take.

A training is a run directory as `jtss train` makes it. Who trains it holds its lock, its checkpoints are how far it is,
and test.json, which is written last, is what it came to. So any number of processes and machines share a folder.
"""

import datetime
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import dataset, files
from jtss.config.settings import Config
from jtss.inference import predict, screening
from jtss.inference.model import Model
from jtss.inference.screening import BOGUS
from jtss.network.inputs import Statistics
from jtss.paper import grids, needs, results
from jtss.paper.grids import Setup, Trial
from jtss.paper.results import Result, Results
from jtss.reports import evaluation
from jtss.runs import directory, provenance
from jtss.runs.directory import RunDirectory
from jtss.runs.states import RunError
from jtss.schema import SPLIT_NAMES, Sequences, join, take
from jtss.training import batches, loop, seeds, step, trained, trainer
from jtss.training.batches import Prepared
from jtss.training.loop import Progress
from jtss.training.step import TrainState

Say = Callable[[str], None]
SAY_EVERY_SECONDS = 60
TEST = "test"


class Deadline:
    """A stop that is asked for by another, or that comes when the time is up."""

    def __init__(self, stop: trainer.Stop, seconds: float | None):
        self._stop, self._end = stop, time.monotonic() + (math.inf if seconds is None else seconds)
        self.agreed = 0

    def agree(self) -> bool:
        self.agreed = self.agreed or int(self._stop.agree() or time.monotonic() >= self._end)
        return bool(self.agreed)

    def may_break_off(self) -> bool:
        return self._stop.may_break_off()


class Left(NamedTuple):
    """What is not measured: by id who trains it, and why it failed; and whether the work was stopped."""

    held: dict[str, str]
    failed: dict[str, str]
    stopped: bool


@dataclass
class Runner:
    """Trains what is missing of a plan.

    Attributes:
        plan: all configurations wanted, given the results known so far; it looks for new ones.
        data: the data file; what was last prepared of it stays in memory.
        results: of all processes.
        stop: asked after each turn of the training loop.
        say, warn: take a line for the reader.
        command: the command line, for the record.
        failed: trainings that are not tried, by id, and why.
    """

    plan: Callable[[], list[Setup]]
    data: Path
    results: Results
    stop: trainer.Stop
    say: Say
    warn: Say
    command: str
    failed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self._failed = dict(self.failed)
        self._view, self._prepared = None, None

    def run(self) -> Left:
        """Train and test all that no other process holds.

        Raises:
            DataError: the data file is damaged.
            OSError: a file cannot be read or written; the disk is full.
        """
        while not self.stop.agree():
            with self._claiming():
                locks, held = self._claim()
            if not locks:
                return Left(held, self._failed, False)
            try:
                self._go_on_with(locks)
            finally:
                for lock in locks.values():
                    lock.close()
        return Left({}, self._failed, True)

    @contextmanager
    def _claiming(self) -> Iterator[None]:
        """One process at a time: two that begin together would share the seeds of a program, and its rounding differs.

        A training in a smaller program comes to the same but for the last bits.
        """
        self.results.folder.mkdir(parents=True, exist_ok=True)
        with files.hold_lock(self.results.folder / directory.LOCK, wait=True):
            yield

    def _claim(self) -> tuple[dict[Trial, ExitStack], dict[str, str]]:
        """Lock trainings of the first program that has any free; returns their locks, and who holds others, by id."""
        held: dict[str, str] = {}
        for setups in programs(self.plan()):
            locks: dict[Trial, ExitStack] = {}
            for trial in self.results.missing(setups):
                if trial.id in self._failed:
                    continue
                lock = self.results.run(trial) / directory.LOCK
                lock.parent.mkdir(parents=True, exist_ok=True)
                with ExitStack() as stack:
                    try:
                        stack.enter_context(files.hold_lock(lock))
                    except files.LockedError:
                        held[trial.id] = lock.read_text(errors="replace").strip() or "another process"
                        continue
                    self.results.read([trial])  # another may have finished it since
                    if trial.id not in self.results.known:
                        locks[trial] = stack.pop_all()
                if locks and not loop.in_one_dispatch(trial.config):
                    break  # they train one by one, and others may take the next
            if locks:
                return locks, held
        return {}, held

    def _go_on_with(self, locks: dict[Trial, ExitStack]) -> None:
        """Train as many as can be one program, free the others, and test each; remembers those that failed, and why.

        Where trainings of one program fail together, each is tried alone: one may be at fault.
        """
        began, trials = time.monotonic(), self._at_one_step(list(locks))
        prepared = self._prepare(trials)
        configs, may_break_off = [trial.config for trial in trials], self.stop.may_break_off
        trials = trials[: seeds.fitting(configs, prepared.source, prepared.chunks, may_break_off)]
        for trial in locks.keys() - trials:
            locks[trial].close()
        self.say(f"{in_words(trials)} …")
        failed = self._train(trials, prepared)
        if failed and len(trials) > 1:
            self.say("  they failed as one program; each is tried alone")
            left = [trial for trial in trials if trial.id not in self.results.known]
            failed = {key: why for trial in left for key, why in self._train([trial], prepared).items()}
        for why in failed.values():
            self.warn(why)
        self._failed |= failed
        self.say(f"  {time.monotonic() - began:.0f} s")

    def _at_one_step(self, trials: list[Trial]) -> list[Trial]:
        """Those that have the step that most of them have; of equally many the furthest."""
        steps = {trial: self.results.steps(trial) for trial in trials}
        counts = Counter(at for each in steps.values() for at in each)
        common = max(counts, key=lambda at: (counts[at], at))
        return [trial for trial in trials if common in steps[trial]]

    def _prepare(self, trials: Sequence[Trial]) -> Prepared:
        """The data of trainings of one program, standardised as for those of them that were begun."""
        config, statistics = trials[0].config, next(filter(None, map(self._statistics, trials)), None)
        view = batches.view(config)
        if view != self._view or statistics not in (None, self._prepared.statistics):
            self._view, self._prepared = None, None  # its memory is needed for the next
            self._prepared = batches.prepare(self.data, config, stream=False, say=self.say, statistics=statistics)
            self._view = view
        return self._prepared

    def _statistics(self, trial: Trial) -> Statistics | None:
        try:
            return directory.open_run(self.results.run(trial)).statistics
        except RunError:  # not begun; or damaged, which is said where it is trained
            return None

    def _train(self, trials: Sequence[Trial], prepared: Prepared) -> dict[str, str]:
        """Train some as one program, and test those that get to their end; returns which failed, and why."""
        try:
            runs = [self._run(trial, prepared.statistics) for trial in trials]
            states = trainer.train_group(runs, prepared, self.stop, warn=self.warn, watch=self._watch)
            for i, (trial, run) in enumerate(zip(trials, runs, strict=True)):
                state = step.part(states, i)
                if not step.finished(run.config, state):
                    self.say(f"  stopped at step {int(state.step):,}: {in_words([trial])}")
                elif not self.stop.agree():
                    _require_finite(run, state)
                    self._test(trial, run)
        except (FloatingPointError, RunError, FileExistsError) as error:
            _require_room(error)
            return {trial.id: f"{in_words([trial])}: {error}" for trial in trials if trial.id not in self.results.known}
        return {}

    def _run(self, trial: Trial, statistics: Statistics) -> RunDirectory:
        """The run directory of a training, which is made where it is not begun."""
        path = self.results.run(trial)
        if (path / directory.CONFIG).exists():
            run = directory.open_run(path)
            if grids.identity(run.config, run.provenance["data_hash"]) != trial.id:
                raise RunError(f"{path}: another training than its name says")
            return run
        record = trainer.provenance_of(self.command, self.data, trial.config) | {"commit": provenance.commit()}
        run = RunDirectory(path, trial.config, statistics, record)
        run.write()
        return run

    @contextmanager
    def _watch(self, config: Config, states: TrainState, _n_validation: int) -> Iterator[Callable[[Progress], None]]:
        begun, said = int(np.max(states.step)), time.monotonic()
        if begun:
            self.say(f"  goes on from step {begun:,}")

        def show(progress: Progress) -> None:
            nonlocal said
            if time.monotonic() - said > SAY_EVERY_SECONDS:
                said, last = time.monotonic(), step.last_step(config, progress.figures.best_step).max()
                self.say(f"  step {progress.figures.step.max():,} of {last:,}")

        yield show

    def _test(self, trial: Trial, run: RunDirectory) -> None:
        """Test what the run directory holds, and write test.json."""
        model = trained.load(run.path)
        if model.warnings:  # it would be tested as it was at an earlier step
            raise RunError("; ".join(model.warnings))
        (outcome,) = (member.outcome for member in model.members)
        answer, config, begun = partial(predict.predict, model), run.config, run.provenance
        tested = evaluation.evaluate(answer, [self._test_split], config.classes, config.n_detections, TEST)
        result = Result(
            id=trial.id,
            seed=trial.seed,
            data=str(self.data),
            data_hash=trial.data_hash,
            truth=results.as_digits(tested.label),
            predicted=results.as_digits(tested.predicted),
            accuracy=float((tested.label == tested.predicted).mean()),
            validation_accuracy=outcome.validation_accuracy,
            best_step=outcome.best_step,
            steps=outcome.steps,
            inference=evaluation.inference_time(answer, tested.sample),
            screened=self._screen(model),
            device=_listed(begun["device"], provenance.hardware()["device"]),
            commit=_listed(begun.get("commit", provenance.UNKNOWN), provenance.commit()),
            versions=provenance.versions(),
            finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        results.write(run.path, result)
        self.results.read([trial])
        self.say(f"  {in_words([trial])}: {100 * result.accuracy:.2f} %, best step {result.best_step:,}; {run.path}")

    def _screen(self, model: Model) -> dict | None:
        """Counts by class of unseen objects that have two detections; None where the model cannot screen."""
        if model.config.n_detections != 1 or BOGUS not in model.config.classes:
            return None
        unseen = self._unseen
        verdict = predict.screen_with(model)(unseen)
        everything = screening.Screened(unseen.label, np.ones(unseen.n_objects, bool), verdict)
        return {name: counts._asdict() for name, counts in screening.count(everything).items()}

    @cached_property
    def _unseen(self) -> Sequences:
        """The labelled objects that no training has seen, which stay in memory: of the test split, and of none."""
        batches = dataset.read(self.data)
        return join([take(batch, np.flatnonzero(needs.unseen(batch.label, batch.split))) for batch in batches])

    @cached_property
    def _test_split(self) -> Sequences:
        return take(self._unseen, np.flatnonzero(self._unseen.split == SPLIT_NAMES.index(TEST)))


def programs(plan: Sequence[Setup]) -> Iterator[list[Setup]]:
    """Configurations that follow each other in the plan and can train as one program: those that differ in θ only.

    The plan's order is kept, since a budget may end before the plan does.
    """
    for _, setups in groupby(plan, key=lambda setup: step.shared(setup.config)):
        yield list(setups)


def in_words(trials: Sequence[Trial]) -> str:
    """Configurations and their seeds."""
    parts = []
    for label, of_it in groupby(trials, key=lambda trial: trial.setup.label):
        numbers = [str(trial.seed) for trial in of_it]
        parts.append(f"{label}, seed{'s' * (len(numbers) > 1)} {', '.join(numbers)}")
    return "; ".join(parts)


def _require_room(error: Exception) -> None:
    """Raise an OSError, which stops the experiment, where a training failed for a full disk: all others would, too."""
    if files.full_disk(error):
        raise OSError(f"{error}. The experiment stops; make room, then the same command goes on") from None


def _require_finite(run: RunDirectory, state: TrainState) -> None:
    """A loss that is no number in the very last step leaves a state that looks finished."""
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.variables)):
        raise FloatingPointError(f"{run.path}: its weights are no numbers at step {int(state.step)}")


def _listed(before: str, now: object) -> str:
    """What a training was begun with and what it ended with, once where it is the same."""
    return ", then ".join(dict.fromkeys((before, str(now))))
