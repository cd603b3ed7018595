"""Results of trainings that never were, and a trainer that makes them, for tests of what is done with results."""

import hashlib
from types import SimpleNamespace

import numpy as np

from helpers.made_training import STATISTICS
from jtss.paper import grids, layout, results, runner
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.results import Measured, Result
from jtss.training.step import Best, TrainState

DATA_HASH = "f00d"


def made_result(trial, accuracy=None, n_objects=30, **changes):
    """A result of the training; where no accuracy is given, it follows from its id."""
    rng = np.random.default_rng(int(hashlib.sha256(trial.id.encode()).hexdigest()[:8], 16))
    n_classes = len(trial.config.classes)
    truth = np.arange(n_objects) % n_classes
    wrong = round((1 - (rng.uniform(0.8, 1) if accuracy is None else accuracy)) * n_objects)
    predicted = truth.copy()
    predicted[:wrong] = (truth[:wrong] + 1) % n_classes
    values = {
        "id": trial.id,
        "seed": trial.seed,
        "data": "made.h5",
        "data_hash": trial.data_hash,
        "truth": results.as_digits(truth),
        "predicted": results.as_digits(predicted),
        "accuracy": float((truth == predicted).mean()),
        "validation_accuracy": 1 - wrong / n_objects,
        "best_step": 10,
        "steps": 20,
        "inference": {"median_s_per_object": 0.002},
        "screened": None,
        "device": "made",
        "commit": "abc",
        "versions": {"jtss": "0.1.0"},
        "finished": "2026-01-02T03:04:05+00:00",
    }
    return Result(**values | changes)


def write_result(folder, trial, *more, **changes):
    """test.json of a made result among the trainings in `folder`."""
    (folder / trial.id).mkdir(parents=True, exist_ok=True)
    results.write(folder / trial.id, made_result(trial, *more, **changes))


def made_document(name, accuracy_of, **narrowed):
    """The document of an experiment with the accuracies `accuracy_of(setup, seed)`; None: not measured."""
    experiment = EXPERIMENTS[name]
    choice = choose(name, experiment.extent, **narrowed)
    setups = experiment.grid(choice)
    known = {}
    for setup in setups:
        for trial in grids.trials(setup._replace(seeds=20), DATA_HASH):
            accuracy = accuracy_of(setup, trial.seed)
            if accuracy is not None:
                known[trial.id] = made_result(trial, accuracy, 100)
    return experiment.document(setups, Measured(known, DATA_HASH), choice)


def rows_of(document, i=0):
    table = document.tables[i]
    kinds = [column.kind for column in table.columns]
    return [tuple(map(layout.shown, row, kinds)) for row in table.rows]


class MadeTrainer:
    """Trains nothing and tests nothing, but in run directories; remembers which trainings were one program.

    Args:
        monkeypatch: puts it into the place of the trainer.
        most: trainings that fit into one program.
        failing: (row, seed) of trainings whose loss is no number.
        before: called with the run directories of a program before it is trained.
    """

    def __init__(self, monkeypatch, most=100, failing=(), before=lambda runs: None):
        self.prepared, self.programs, self.tested = [], [], []
        self.most, self.failing, self.before = most, failing, before
        prepared = SimpleNamespace(source=None, chunks=None, statistics=STATISTICS)
        monkeypatch.setattr(runner.batches, "prepare", lambda *given, **_: self.prepared.append(given) or prepared)
        monkeypatch.setattr(runner.seeds, "fitting", lambda configs, *_: min(len(configs), self.most))
        monkeypatch.setattr(runner.trainer, "train_group", self._train)
        monkeypatch.setattr(runner.Runner, "_test", self._test)

    @property
    def trained(self):
        """Names of the run directories, in the order of training."""
        return [name for program in self.programs for name in program]

    def _train(self, runs, prepared, stop, *, warn, watch):
        self.before(runs)
        if any((run.config.n_detections, run.config.training.seed) in self.failing for run in runs):
            raise FloatingPointError("training loss is nan")
        self.programs.append([run.path.name for run in runs])
        ends = np.array([0 if stop.agree() else run.config.training.iterations for run in runs])
        nothing = np.zeros(len(runs))
        return TrainState(nothing, nothing, ends, {}, (), Best(nothing, nothing, nothing, {}))

    def _test(self, trial, run):
        self.tested.append(trial.id)
        results.write(run.path, made_result(trial))
