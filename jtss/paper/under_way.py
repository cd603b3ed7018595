"""Trainings under way: a folder for each cell that was begun, so that it goes on where it was stopped or killed.

ID/states/      its saved states; see `jtss.runs.states`
ID/spent.json   what has gone into them: seconds, commits, devices
ID.damaged      a training of which nothing could be used, set aside

Only who has claimed a cell changes its folder.
"""

import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss.paper.grids import Cell
from jtss.runs import files
from jtss.runs.states import RunError, States
from jtss.training import step as training
from jtss.training.step import TrainState


class Spent(NamedTuple):
    """What has gone into a training: seconds, and the commits and devices that it was done with."""

    seconds: float = 0.0
    commits: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def and_then(self, seconds: float, commit: str, device: str) -> "Spent":
        """With another sitting; what was there already is not named twice."""
        commits, devices = dict.fromkeys((*self.commits, commit)), dict.fromkeys((*self.devices, device))
        return Spent(self.seconds + seconds, tuple(commits), tuple(devices))


class Begun(NamedTuple):
    """A training as far as it is: its state, as arrays of numpy, and what has gone into it."""

    state: TrainState
    spent: Spent

    @property
    def step(self) -> int:
        return int(self.state.step)


class UnderWay:
    """The trainings in `folder`; `warn` takes a line for each that is damaged."""

    def __init__(self, folder: Path, warn: Callable[[str], None]):
        self._folder, self._warn = folder, warn

    def steps(self, cell: Cell) -> list[int]:
        """Of the saved states, latest first, whether or not they are damaged."""
        return self._states(cell).steps()

    def step(self, cell: Cell) -> int:
        """Of the latest saved state, whether or not it is damaged; 0 where nothing is saved."""
        return max(self.steps(cell), default=0)

    def go_back(self, cell: Cell, step: int) -> None:
        """Remove the states after `step`."""
        self._states(cell).clear_after(step)

    def latest(self, cell: Cell) -> Begun:
        """The latest good state, or that before the first step; later ones, which are damaged, are set aside.

        Raises:
            OSError: a file cannot be read or be set aside.
        """
        beginning, states = training.init_state(cell.config), self._states(cell)
        if not states.steps():
            return _begun(beginning, Spent())
        try:
            state, warnings = states.restore(beginning)
            spent = _parse(self._spent(cell))
        except RunError as error:
            aside = self._folder / f"{cell.id}.damaged"
            self._warn(f"{error}; this training begins anew, what there was is in {aside}")
            shutil.rmtree(aside, ignore_errors=True)
            (self._folder / cell.id).rename(aside)
            return _begun(beginning, Spent())
        for line in warnings:
            self._warn(line)
        states.clear_after(int(state.step))
        return _begun(state, spent)

    def save(self, cell: Cell, begun: Begun) -> None:
        """Keep a state.

        Raises:
            RunError, OSError: it cannot be saved, mostly because the disk is full; names the file.
        """
        path = self._spent(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, json.dumps(begun.spent._asdict()) + "\n")  # the first: no state is without it
        self._states(cell).save(begun.state)

    def forget(self, cell: Cell) -> None:
        """Remove what is saved, if anything is."""
        self._remove(cell.id)

    def sweep(self, finished: Collection[str]) -> None:
        """Remove what was left of cells, by id, whose results were written down just before a kill."""
        for cell_id in finished:
            self._remove(cell_id)

    def _remove(self, cell_id: str) -> None:
        shutil.rmtree(self._folder / cell_id, ignore_errors=True)

    def _states(self, cell: Cell) -> States:
        return States(self._folder / cell.id / "states", {"cell": {"id": cell.id}})

    def _spent(self, cell: Cell) -> Path:
        return self._folder / cell.id / "spent.json"


def _begun(state: TrainState, spent: Spent) -> Begun:
    return Begun(jax.tree.map(np.array, state), spent)


def _parse(path: Path) -> Spent:
    try:
        values = json.loads(path.read_text())
        return Spent(float(values["seconds"]), *(tuple(map(str, values[name])) for name in ("commits", "devices")))
    except FileNotFoundError:
        raise RunError(f"{path} is missing") from None
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path}: damaged ({error!r})") from None
