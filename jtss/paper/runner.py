"""Who does what: take what is missing and free, measure it, write it down, until there is nothing more to take."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from jtss.paper import grids
from jtss.paper.claims import Claims, Holder
from jtss.paper.grids import Cell, Setup
from jtss.paper.results import Result
from jtss.paper.sitting import Stopped
from jtss.paper.store import Store
from jtss.training import loop, step

Say = Callable[[str], None]
Results = dict[str, Result]


class Measures(Protocol):
    """What measures cells; `measurement.Laboratory` does."""

    data_hash: str

    def choose(self, cells: Sequence[Cell]) -> list[Cell]: ...

    def measure(self, cells: Sequence[Cell]) -> list[Result]: ...

    def forget(self, cell: Cell) -> None: ...


class Left(NamedTuple):
    """What was not measured here: cells that others hold, and cells that failed, by id; and whether time was up."""

    held: dict[str, Holder]
    failed: dict[str, str]
    out_of_time: bool


class Work(NamedTuple):
    """What the loop works with.

    Attributes:
        store: the results.
        claims: of all processes.
        laboratory: measures.
        plan: all configurations wanted, given what is there.
        time_is_up: asked before each program.
        say: takes a line for the reader.
    """

    store: Store
    claims: Claims
    laboratory: Measures
    plan: Callable[[Results], list[Setup]]
    time_is_up: Callable[[], bool]
    say: Say


def run(work: Work) -> Left:
    """Measure all that is missing and that no other process holds.

    Raises:
        DataError, OSError: as the laboratory and the store.
    """
    failed: dict[str, str] = {}
    while not work.time_is_up():
        claimed, held = _claim(work, failed)
        if not claimed:
            return Left(held, failed, False)
        try:
            failed |= _measure(work, claimed)
        except Stopped:
            break
        finally:
            for cell in claimed:
                work.claims.release(cell.id)
    return Left({}, failed, True)


def missing(setups: Sequence[Setup], data_hash: str, found: Results) -> list[Cell]:
    """The cells that are not measured, in the order of the plan."""
    return [cell for setup in setups for cell in grids.of(setup, data_hash) if cell.id not in found]


def programs(plan: Sequence[Setup]) -> Iterator[list[Setup]]:
    """Configurations that follow each other in the plan and can train as one program: those that differ in θ only.

    The plan's order is kept, since a budget may end before the plan does.
    """
    for _, setups in groupby(plan, key=lambda setup: step.shared(setup.config)):
        yield list(setups)


def _claim(work: Work, failed: dict[str, str]) -> tuple[list[Cell], dict[str, Holder]]:
    """Claim cells of the first program that has any free; returns them, and which cells others hold."""
    held: dict[str, Holder] = {}
    found, _ = work.store.read()
    for setups in programs(work.plan(found)):
        wanted = [cell for cell in missing(setups, work.laboratory.data_hash, found) if cell.id not in failed]
        claimed, as_one = [], loop.in_one_dispatch(setups[0].config)
        for cell in wanted:
            holder = work.claims.take(cell.id)
            if holder is None:
                claimed.append(cell)
                if not as_one:
                    break  # they train one by one, and others may take the next
            else:
                held[cell.id] = holder
        claimed = _still_missing(work, claimed)
        if claimed:
            return claimed, held
    return [], held


def _still_missing(work: Work, claimed: list[Cell]) -> list[Cell]:
    """Give back what another process finished between the reading of the store and the claim."""
    found = work.store.read()[0] if claimed else {}
    for cell in claimed:
        if cell.id in found:
            work.claims.release(cell.id)
    return [cell for cell in claimed if cell.id not in found]


def _measure(work: Work, claimed: Sequence[Cell]) -> dict[str, str]:
    """Measure as many of the cells as fit in one program, and write them down; returns those that failed, and why.

    Where cells of one program fail together, each is tried alone: one may be at fault.
    """
    group = work.laboratory.choose(claimed)
    taken = {cell.id for cell in group}
    for cell in claimed:
        if cell.id not in taken:
            work.claims.release(cell.id)
    began = time.monotonic()
    work.say(f"{_named(group)} …")
    failed = _write_down(work, group)
    if failed and len(group) > 1:
        alone = [_write_down(work, [cell]) for cell in group]
        failed = {cell_id: reason for each in alone for cell_id, reason in each.items()}
    for cell in group:
        if cell.id in failed:
            work.laboratory.forget(cell)
    work.say(f"  {time.monotonic() - began:.0f} s")
    return failed


def _write_down(work: Work, group: Sequence[Cell]) -> dict[str, str]:
    """Measure cells in one program; returns all of them, and why, where that fails."""
    try:
        measured = work.laboratory.measure(group)
    except FloatingPointError as error:
        work.say(f"WARNING: {_named(group)}: {error}")
        return {cell.id: str(error) for cell in group}
    for cell, result in zip(group, measured, strict=True):
        work.store.append(result)
        work.laboratory.forget(cell)
        work.say(f"  {_named([cell])}: {100 * result.accuracy:.2f} %, best step {result.best_step:,}")
    return {}


def _named(group: Sequence[Cell]) -> str:
    """Configurations and their seeds in words."""
    parts = []
    for label, cells_of_it in groupby(group, key=lambda cell: cell.setup.label):
        seeds = [str(cell.seed) for cell in cells_of_it]
        parts.append(f"{label}, seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}")
    return "; ".join(parts)
