"""Train some cells as one program, and test each of them."""

import datetime
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from jtss import dataset
from jtss.config.settings import Config
from jtss.inference import predict, screening
from jtss.inference.model import Member, Model, Outcome
from jtss.metrics.classification import confusion_matrix
from jtss.network.inputs import Statistics
from jtss.paper import results, sitting
from jtss.paper.grids import Cell
from jtss.paper.results import Result
from jtss.paper.sitting import Conditions
from jtss.paper.under_way import Begun, UnderWay
from jtss.reports import evaluation
from jtss.runs import provenance
from jtss.schema import SPLIT_NAMES, Sequences, join, take
from jtss.training import seeds
from jtss.training.batches import Prepared, prepare

TEST = "test"


class Laboratory:
    """A data file with what trainings on it have in common; the last that was prepared stays in memory."""

    def __init__(self, path: Path, under_way: UnderWay, conditions: Conditions, *, screened: bool = False):
        self.path, self.data_hash = path, str(dataset.attributes(path)["content_hash"])
        self._under_way, self._conditions, self._screened = under_way, conditions, screened
        self._view: tuple = ()
        self._prepared: Prepared | None = None
        self._test: Sequences | None = None

    def choose(self, cells: Sequence[Cell]) -> list[Cell]:
        """Which of the cells, of one program, train together now: as many as fit, from the step that most of them have.

        A kill while a group was being saved leaves some of it one save ahead; these go back to where all are.
        """
        if len(cells) == 1:
            return list(cells)
        counts = Counter(step for cell in cells for step in self._under_way.steps(cell))
        step = max(counts, key=lambda step: (counts[step], step), default=0)
        alike = [cell for cell in cells if step in self._under_way.steps(cell)] or list(cells)
        for cell in alike:
            self._under_way.go_back(cell, step)
        good = [cell for cell in alike if self._under_way.latest(cell).step == step] or alike[:1]
        prepared = self._prepare(cells[0].config)
        return good[: seeds.fitting([cell.config for cell in good], prepared.source, prepared.chunks)]

    def measure(self, cells: Sequence[Cell]) -> list[Result]:
        """Train cells of one program, which are at the same step, together, and test each.

        Raises:
            sitting.Stopped: time was up.
            FloatingPointError: a loss is no number.
            data.DataError: the file does not fit the configuration.
        """
        prepared = self._prepare(cells[0].config)
        trained = sitting.train(cells, prepared, self._under_way, self._conditions)
        return [
            self._tested(cell, each, prepared.statistics, len(cells)) for cell, each in zip(cells, trained, strict=True)
        ]

    def forget(self, cell: Cell) -> None:
        """Remove the saved states of a cell whose result is written down."""
        self._under_way.forget(cell)

    def _prepare(self, config: Config) -> Prepared:
        stamp, metadata = config.stamp, config.metadata
        shape = (stamp.channels, stamp.source_side) if stamp.channels else ()
        view = (config.n_detections, config.classes, *shape, metadata, config.training.batch_size)
        if view != self._view:
            self._prepared = None  # its memory is needed for the next
            self._prepared, self._view = prepare(self.path, config, stream=False, say=self._conditions.say), view
        return self._prepared

    def _tested(self, cell: Cell, trained: Begun, statistics: Statistics, together: int) -> Result:
        config, (state, spent) = cell.config, trained
        best = state.best
        outcome = Outcome(int(state.step), int(state.step), int(best.step), float(best.loss), float(best.accuracy))
        run = Model(config.name, config, statistics, (Member(cell.seed, best.variables, outcome),), {}, [])
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
            seconds=round(spent.seconds, 3),
            together=together,
            inference=evaluation.inference_time(answer, tested.sample),
            screened=self._screen(run) if self._screened else None,
            device=", then ".join(spent.devices),
            versions=provenance.versions(),
            commit=", ".join(spent.commits),
            finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

    def _screen(self, run: Model) -> dict:
        """Counts by class of the test objects that have two detections."""
        test = self._test_split()
        verdict = predict.screen_with(run)(test)
        everything = screening.Screened(test.label, np.ones(test.n_objects, bool), verdict)
        return {name: counts._asdict() for name, counts in screening.count(everything).items()}

    def _test_split(self) -> Sequences:
        """The labelled objects of the test split, which stay in memory."""
        if self._test is None:
            parts = []
            for batch in dataset.read(self.path):
                chosen = np.flatnonzero((batch.split == SPLIT_NAMES.index(TEST)) & (batch.label >= 0))
                parts.append(take(batch, chosen))
            self._test = join(parts)
        return self._test
