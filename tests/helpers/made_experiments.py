"""Results of trainings that never were, for tests of what is done with results."""

import hashlib

import numpy as np

from jtss.metrics.classification import confusion_matrix
from jtss.paper import results
from jtss.paper.results import Result

DATA_HASH = "f00d"


def made_result(cell, accuracy=None, n_objects=30, **changes):
    """A result of the cell; where no accuracy is given, it follows from the cell's id."""
    rng = np.random.default_rng(int(hashlib.sha256(cell.id.encode()).hexdigest()[:8], 16))
    n_classes = len(cell.config.classes)
    truth = np.arange(n_objects) % n_classes
    wrong = round((1 - (rng.uniform(0.8, 1) if accuracy is None else accuracy)) * n_objects)
    predicted = truth.copy()
    predicted[:wrong] = (truth[:wrong] + 1) % n_classes
    values = {
        "id": cell.id,
        "config": results.settings(cell.config),
        "seed": cell.seed,
        "data": "made.h5",
        "data_hash": cell.data_hash,
        "truth": results.as_digits(truth),
        "predicted": results.as_digits(predicted),
        "confusion": confusion_matrix(truth, predicted, n_classes).tolist(),
        "accuracy": float((truth == predicted).mean()),
        "validation_accuracy": 1 - wrong / n_objects,
        "best_step": 10,
        "steps": 20,
        "seconds": 1.5,
        "together": 1,
        "inference": {"median_s_per_object": 0.002},
        "screened": None,
        "device": "made",
        "versions": {"jtss": "0.1.0"},
        "commit": "abc",
        "finished": "2026-01-02T03:04:05+00:00",
    }
    return Result(**values | changes)


class MadeLaboratory:
    """Trains nothing, and remembers what it was asked to train."""

    data_hash = DATA_HASH

    def __init__(self, most_together=5, failing=(), before=lambda cells: None):
        self.trained, self.forgotten = [], []
        self._most, self._failing, self._before = most_together, failing, before

    def choose(self, cells):
        return cells[: self._most]

    def forget(self, cell):
        self.forgotten.append(cell.id)

    def measure(self, cells):
        self._before(cells)
        if cells[0].setup.row in self._failing:
            raise FloatingPointError("training loss is nan at step 3 (seed 0)")
        self.trained += [cell.id for cell in cells]
        return [made_result(cell) for cell in cells]
