"""An experiment from its request to its tables."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jtss import data
from jtss.experiments.paper import durations, needs, notes, typesetting, work
from jtss.experiments.paper.catalogue import EXPERIMENTS, Experiment
from jtss.experiments.paper.cells import Cell, Setup
from jtss.experiments.paper.choice import Choice, choose
from jtss.experiments.paper.claims import Claims
from jtss.experiments.paper.measured import Measured
from jtss.experiments.paper.measurement import Laboratory
from jtss.experiments.paper.sitting import Conditions
from jtss.experiments.paper.store import Store
from jtss.experiments.paper.tables import Document
from jtss.experiments.paper.under_way import UnderWay
from jtss.experiments.paper.work import Left, Results
from jtss.stopping import StopSignals

Say = Callable[[str], None]
CLAIMS, UNDER_WAY = "claims", "under_way"


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        name: of the experiment.
        data: data file.
        out: folder of the results, which processes may share.
        settings: "a.b=v" for every configuration.
        seeds, n, models: what to narrow the grid to; None and empty: nothing.
        budget: seconds after which it stops, wherever it is; None: no limit.
        command: the command line, for the record.
    """

    name: str
    data: Path
    out: Path
    settings: tuple[str, ...] = ()
    seeds: int | None = None
    n: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    budget: float | None = None
    command: str = ""


class Bench(NamedTuple):
    """A request with all that follows from it before anything is trained."""

    request: Request
    experiment: Experiment
    choice: Choice
    setups: list[Setup]
    store: Store
    data_hash: str

    def plan(self, found: Results) -> list[Setup]:
        """All configurations wanted, given what is measured."""
        return [*self.setups, *self.experiment.finalists(self.setups, Measured(found, self.data_hash), self.choice)]

    def under_way(self, warn: Say) -> UnderWay:
        """The trainings that are begun."""
        return UnderWay(self.request.out / UNDER_WAY / self.store.path.stem, warn)


def prepare(request: Request) -> Bench:
    """Look at everything that can be wrong.

    Raises:
        ValueError: an experiment, setting or part of the grid that does not exist; a data file that does not have what
            the experiment reads.
        OSError: the data file cannot be read.
    """
    experiment = EXPERIMENTS[request.name]
    choice = choose(
        request.name,
        experiment.extent,
        settings=request.settings,
        seeds=request.seeds,
        n=request.n,
        models=request.models,
    )
    setups = experiment.grid(choice)
    data_hash = str(data.attributes(request.data)["content_hash"])
    needs.check(request.data, setups, screened=experiment.screened)
    store = Store(request.out / f"{experiment.store or request.name}.jsonl")
    return Bench(request, experiment, choice, setups, store, data_hash)


def dry_run(request: Request, say: Say, warn: Say) -> None:
    """Say which cells there are, which of them are missing, and how long these would take."""
    bench = prepare(request)
    found, under_way = _read(bench.store, warn), bench.under_way(warn)
    plan = bench.plan(found)
    for setup in plan:
        left = work.missing([setup], bench.data_hash, found)
        say(f"{setup.label}: {_seeds(left, under_way)}")
    left = work.missing(plan, bench.data_hash, found)
    n_validation = sum(data.count(request.data, plan[0].config, "validation").values())
    took = durations.in_words(durations.seconds({cell: under_way.step(cell) for cell in left}, n_validation))
    total = sum(setup.seeds for setup in plan)
    how = "one seed after another; loading, compiling and what patience adds not counted"
    say(f"{len(left)} of {total} cells are missing: at least {took} here, {how}")
    if request.name == "table2" and len(plan) == len(bench.setups):
        say("when the grid is complete, the best and the baseline get more seeds")


def _seeds(left: list[Cell], under_way: UnderWay) -> str:
    """The seeds that are missing, and at which step those are that were begun."""
    if not left:
        return "complete"
    steps = [(cell.seed, under_way.step(cell)) for cell in left]
    return "seeds " + ", ".join(f"{seed} (at step {step:,})" if step else str(seed) for seed, step in steps)


def perform(request: Request, stop: StopSignals, say: Say, warn: Say) -> list[Path]:
    """Measure what is missing, as far as the time allows, and write the tables of what is there.

    Returns:
        What is written.

    Raises:
        ValueError, OSError: as `prepare`.
    """
    bench, began = prepare(request), time.monotonic()
    under_way = bench.under_way(warn)
    under_way.sweep(_read(bench.store, warn))

    def time_is_up() -> bool:
        return stop.agree() or (request.budget is not None and time.monotonic() - began >= request.budget)

    request.out.mkdir(parents=True, exist_ok=True)
    claims = Claims(request.out / CLAIMS / bench.store.path.stem)
    conditions = Conditions(time_is_up, stop.may_break_off, say)
    laboratory = Laboratory(request.data, under_way, conditions, screened=bench.experiment.screened)
    left = work.run(work.Work(bench.store, claims, laboratory, bench.plan, time_is_up, say))
    document = _document(bench, left, under_way)
    say("\n" + typesetting.text(document))
    return typesetting.write(request.out, document)


def _read(store: Store, warn: Say) -> Results:
    found, damaged = store.read()
    for line, reason in damaged:
        warn(f"{store.path}, line {line}: damaged ({reason}); passed over, a copy is in {store.aside.name}")
    return found


def _document(bench: Bench, left: Left, under_way: UnderWay) -> Document:
    found, _ = bench.store.read()
    measured, plan = Measured(found, bench.data_hash), bench.plan(found)
    document = bench.experiment.document(bench.setups, measured, bench.choice)
    absent = work.missing(plan, bench.data_hash, found)
    common = [
        *bench.choice.remarks,
        *notes.missing(plan, absent, left, begun=sum(under_way.step(cell) > 0 for cell in absent)),
        *notes.on_what(bench.request.data, found, bench.data_hash),
        *notes.with_what(plan, measured),
        f"Made by: {bench.request.command}",
    ]
    return document._replace(notes=[*common, *document.notes])
