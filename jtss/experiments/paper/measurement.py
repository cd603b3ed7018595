"""Train some cells as one program, and test each of them."""

import datetime
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import data, engine, environment, predict, screening, seeds, training
from jtss.configs import Config
from jtss.experiments.paper import commit, results
from jtss.experiments.paper.cells import Cell
from jtss.experiments.paper.results import Result
from jtss.features import Statistics
from jtss.loading import Member, Outcome, Run
from jtss.prepared import Prepared, prepare
from jtss.reports import evaluation
from jtss.reports.metrics import confusion_matrix
from jtss.schema import SPLIT_NAMES, Sequences
from jtss.selection import join, take
from jtss.stopping import StopSignals
from jtss.training import TrainState

Say = Callable[[str], None]
SAY_EVERY_SECONDS = 60
TEST = "test"


class Stopped(Exception):
    """A training was given up because the program was asked to stop."""


class Trained(NamedTuple):
    """The last states of some cells, and the seconds that they took."""

    states: TrainState
    seconds: float


class Laboratory:
    """A data file with what trainings on it have in common; the last that was prepared stays in memory."""

    def __init__(self, path: Path, stop: StopSignals, say: Say, *, screened: bool = False):
        self.path, self.data_hash = path, str(data.attributes(path)["content_hash"])
        self._stop, self._say, self._screened = stop, say, screened
        self._view: tuple = ()
        self._prepared: Prepared | None = None
        self._test: Sequences | None = None

    def together(self, cells: Sequence[Cell]) -> int:
        """How many of the cells, of one program, fit into it here."""
        if len(cells) == 1:
            return 1
        prepared = self._prepare(cells[0].config)
        return seeds.fitting([cell.config for cell in cells], prepared.source, prepared.chunks)

    def measure(self, cells: Sequence[Cell]) -> list[Result]:
        """Train cells of one program together, and test each.

        Raises:
            Stopped: the program was asked to stop; nothing came of it.
            FloatingPointError: a loss is no number.
            data.DataError: the file does not fit the configuration.
        """
        prepared = self._prepare(cells[0].config)
        trained = self._train(cells, prepared)
        return [
            self._tested(cell, training.part(trained.states, i), prepared.statistics, trained.seconds, len(cells))
            for i, cell in enumerate(cells)
        ]

    def _prepare(self, config: Config) -> Prepared:
        stamp, metadata = config.stamp, config.metadata
        shape = (stamp.channels, stamp.source_side) if stamp.channels else ()
        view = (config.n_detections, config.classes, *shape, metadata, config.training.batch_size)
        if view != self._view:
            self._prepared = None  # its memory is needed for the next
            self._prepared, self._view = prepare(self.path, config, stream=False, say=self._say), view
        return self._prepared

    def _train(self, cells: Sequence[Cell], prepared: Prepared) -> Trained:
        config, began = cells[0].config, time.monotonic()
        states = training.join([training.init_state(cell.config) for cell in cells])
        said, finished = began, False
        for progress in engine.run(config, states, prepared.source, prepared.chunks, self._stop.may_break_off):
            states = progress.states
            finished = training.finished(config, states)
            if self._stop.agree():
                break
            if time.monotonic() - said > SAY_EVERY_SECONDS and not finished:
                said = time.monotonic()
                last = int(training.last_step(config, progress.figures.best_step).max())
                self._say(f"  step {int(progress.figures.step.max()):,} of {last:,}")
        if not finished:
            raise Stopped
        return Trained(jax.tree.map(np.array, states), time.monotonic() - began)

    def _tested(self, cell: Cell, state: TrainState, statistics: Statistics, seconds: float, together: int) -> Result:
        config, best = cell.config, state.best
        outcome = Outcome(int(state.step), int(state.step), int(best.step), float(best.loss), float(best.accuracy))
        run = Run(config.name, config, statistics, (Member(cell.seed, best.variables, outcome),), {}, [])
        answer = partial(predict.predict, run)
        tested = evaluation.evaluate(answer, [self._test_split()], config.classes, config.n_detections, TEST)
        confusion = confusion_matrix(tested.label, tested.predicted, len(config.classes))
        return Result(
            id=cell.id,
            config=results.settings(config),
            seed=cell.seed,
            data=str(self.path),
            data_hash=cell.data_hash,
            truth=results.as_digits(tested.label),
            predicted=results.as_digits(tested.predicted),
            confusion=confusion.tolist(),
            accuracy=float((tested.label == tested.predicted).mean()),
            validation_accuracy=outcome.validation_accuracy,
            best_step=outcome.best_step,
            steps=outcome.steps,
            seconds=round(seconds, 3),
            together=together,
            inference=evaluation.inference_time(answer, tested.sample),
            screened=self._screen(run) if self._screened else None,
            device=str(environment.hardware()["device"]),
            versions=environment.versions(),
            commit=commit.current(),
            finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

    def _screen(self, run: Run) -> dict:
        """Counts by class of the test objects that have two detections."""
        test = self._test_split()
        verdict = predict.screen_with(run)(test)
        everything = screening.Screened(test.label, np.ones(test.n_objects, bool), verdict)
        return {name: counts._asdict() for name, counts in screening.count(everything).items()}

    def _test_split(self) -> Sequences:
        """The labelled objects of the test split, which stay in memory."""
        if self._test is None:
            parts = []
            for batch in data.read(self.path):
                chosen = np.flatnonzero((batch.split == SPLIT_NAMES.index(TEST)) & (batch.label >= 0))
                parts.append(take(batch, chosen))
            self._test = join(parts)
        return self._test
