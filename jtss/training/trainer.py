"""What training writes down: a line of metrics for each validation, a state from time to time."""

import time
from collections.abc import Sequence

import numpy as np

from jtss import devices
from jtss.runs.directory import RunDirectory
from jtss.training import step
from jtss.training.loop import Progress
from jtss.training.step import TrainState

SAVE_EVERY_SECONDS = 60
SHARE_OF_TIME = 0.02  # that saving may take; then it is done less often


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
        for i, directory in enumerate(self._directories):
            directory.states().save(step.part(states, i))
