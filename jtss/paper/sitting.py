"""A sitting: some cells go on as one program from where they are, to their end or until time is up."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jtss.config.settings import Config
from jtss.paper.grids import Cell
from jtss.paper.under_way import Begun, UnderWay
from jtss.runs import provenance
from jtss.runs import provenance as runs_provenance
from jtss.runs.states import RunError
from jtss.training import loop, step
from jtss.training.batches import Prepared
from jtss.training.step import TrainState
from jtss.training.trainer import Pace


class Stopped(Exception):
    """A training was broken off because time was up; what is done of it is saved."""


class Conditions(NamedTuple):
    """What a sitting keeps to.

    Attributes:
        time_is_up: asked after every turn of the training loop.
        may_break_off: whether a step under way may be given up.
        say: takes a line for the reader.
    """

    time_is_up: Callable[[], bool]
    may_break_off: Callable[[], bool]
    say: Callable[[str], None]


def train(cells: Sequence[Cell], prepared: Prepared, under_way: UnderWay, conditions: Conditions) -> list[Begun]:
    """Train cells of one program, which are at the same step unless they are finished; returns each at its end.

    Raises:
        Stopped: time was up.
        FloatingPointError: a loss is no number.
    """
    config, began = cells[0].config, time.monotonic()
    begun, device = [under_way.latest(cell) for cell in cells], str(provenance.hardware()["device"])
    states, pace, progress = step.join([each.state for each in begun]), Pace(began), None

    def so_far(states: TrainState) -> list[Begun]:
        spent = [each.spent.and_then(time.monotonic() - began, runs_provenance.commit(), device) for each in begun]
        states = jax.tree.map(np.array, states)
        return [Begun(step.part(states, i), each) for i, each in enumerate(spent)]

    def save(states: TrainState) -> None:
        try:
            for cell, each in zip(cells, so_far(states), strict=True):
                under_way.save(cell, each)
        except (RunError, OSError) as error:  # mostly a full disk, which a result may still fit on
            conditions.say(f"WARNING: {error}")

    if any(each.step for each in begun):
        conditions.say(f"  goes on from {_step(config, states)}")
    for progress in loop.run(config, states, prepared.source, prepared.chunks, conditions.may_break_off):
        states, now = progress.states, time.monotonic()
        if step.finished(config, states) or not np.all(np.isfinite(progress.figures.loss)):
            continue  # the loop ends when it has looked at the loss
        if conditions.time_is_up():
            break
        if pace.is_due(now):
            save(states)
            pace.saved(now, time.monotonic())
            conditions.say(f"  {_step(config, states)}")
    if step.finished(config, states):
        return so_far(states)
    if progress is not None:  # else it was broken off in the first turn, which may have taken the memory of the states
        save(states)
        conditions.say(f"  stopped at {_step(config, states)}")
    raise Stopped


def _step(config: Config, states: TrainState) -> str:
    last = step.last_step(config, np.array(states.best.step)).max()
    return f"step {np.max(states.step):,} of {last:,}"
