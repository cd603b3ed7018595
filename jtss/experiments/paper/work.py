"""Who does what: take what is missing and free, measure it, write it down, until there is nothing more to take."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from jtss import engine
from jtss.experiments.paper import cells
from jtss.experiments.paper.cells import Cell, Setup
from jtss.experiments.paper.claims import Claims, Holder
from jtss.experiments.paper.results import Result
from jtss.experiments.paper.store import Store

Say = Callable[[str], None]
Results = dict[str, Result]


class Measures(Protocol):
    """What measures cells; `measurement.Laboratory` does."""

    data_hash: str

    def together(self, cells: Sequence[Cell]) -> int: ...

    def measure(self, cells: Sequence[Cell]) -> list[Result]: ...


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
        time_is_up: asked before each program of seeds.
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
        measurement.Stopped: the program was asked to stop; what is finished is kept, what is under way is given up.
        DataError, OSError: as the laboratory and the store.
    """
    failed: dict[str, str] = {}
    while not work.time_is_up():
        claimed, held = _claim(work, failed)
        if not claimed:
            return Left(held, failed, False)
        try:
            failed |= _measure(work, claimed)
        finally:
            for cell in claimed:
                work.claims.release(cell.id)
    return Left({}, failed, True)


def missing(setups: Sequence[Setup], data_hash: str, found: Results) -> list[Cell]:
    """The cells that are not measured, in the order of the plan."""
    return [cell for setup in setups for cell in cells.of(setup, data_hash) if cell.id not in found]


def _claim(work: Work, failed: dict[str, str]) -> tuple[list[Cell], dict[str, Holder]]:
    """Claim seeds of the first configuration that has any free; returns them, and which cells others hold."""
    held: dict[str, Holder] = {}
    found, _ = work.store.read()
    for setup in work.plan(found):
        wanted = [cell for cell in missing([setup], work.laboratory.data_hash, found) if cell.id not in failed]
        claimed, as_one = [], engine.in_one_dispatch(setup.config)
        for cell in wanted:
            holder = work.claims.take(cell.id)
            if holder is None:
                claimed.append(cell)
                if not as_one:
                    break  # its seeds train one by one, and others may take the next
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

    Where seeds of one program fail together, each is tried alone: one may be at fault.
    """
    group = claimed[: work.laboratory.together(claimed)]
    for cell in claimed[len(group) :]:
        work.claims.release(cell.id)
    began = time.monotonic()
    work.say(f"{group[0].setup.label}: seed{'s' * (len(group) > 1)} {', '.join(str(cell.seed) for cell in group)} …")
    failed = _write_down(work, group)
    if failed and len(group) > 1:
        alone = [_write_down(work, [cell]) for cell in group]
        failed = {cell_id: reason for each in alone for cell_id, reason in each.items()}
    work.say(f"  {time.monotonic() - began:.0f} s")
    return failed


def _write_down(work: Work, group: Sequence[Cell]) -> dict[str, str]:
    """Measure cells in one program; returns all of them, and why, where that fails."""
    try:
        measured = work.laboratory.measure(group)
    except FloatingPointError as error:
        seeds = ", ".join(str(cell.seed) for cell in group)
        work.say(f"WARNING: {group[0].setup.label}, seed {seeds}: {error}")
        return {cell.id: str(error) for cell in group}
    for result in measured:
        work.store.append(result)
        work.say(f"  seed {result.seed}: {100 * result.accuracy:.2f} %, best step {result.best_step:,}")
    return {}
