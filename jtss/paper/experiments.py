"""The experiments by name, and how one is made, from its request to its tables.

The data are checked before anything is trained, and under every table stands what a reader must know of it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from jtss import dataset, schema
from jtss.config import tsc
from jtss.config.settings import Config
from jtss.dataset import DataError
from jtss.inference.screening import BOGUS, N_SCREENED
from jtss.paper import bogus, durations, figure6, grids, layout, runner, table2, table6, table7, table8
from jtss.paper.claims import Claims
from jtss.paper.grids import Cell, Choice, Extent, Setup, choose
from jtss.paper.layout import Document
from jtss.paper.measurement import Laboratory
from jtss.paper.results import Measured, Result
from jtss.paper.runner import Left, Results
from jtss.paper.sitting import Conditions
from jtss.paper.store import Store
from jtss.paper.under_way import UnderWay
from jtss.training.signals import StopSignals

MOST_NAMED = 6
HOW_TO_READ = (
    "The paper's columns were measured on its own ZTF objects, ours on the data named here: they cannot be compared.",
    "± is the standard deviation over seeds; brackets are 95 % intervals over the test objects.",
)


def on_what(path: Path, found: Mapping[str, Result], data_hash: str) -> list[str]:
    """Which data, and that results on other data are left out."""
    attributes = dataset.attributes(path)
    source = f"{path} ({attributes['survey']}; content hash {data_hash}; made by {attributes['command']})"
    others = sum(result.data_hash != data_hash for result in found.values())
    left_out = f" {others} results on other data in the same store are left out." if others else ""
    return [f"Measured on the test split of {source}.{left_out}", *HOW_TO_READ]


def with_what(plan: Sequence[Setup], measured: Measured) -> list[str]:
    """Test objects, devices and commits of the results in the table."""
    results = [result for setup in plan for result in measured.of(setup)]
    if not results:
        return []
    sizes = sorted({len(result.truth) for result in results})
    objects = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}, by number of detections"
    devices = Counter(result.device for result in results)
    commits = sorted({f"{result.versions['jtss']} ({result.commit})" for result in results})
    lines = [f"Test objects: {objects}. Trained on: {'; '.join(devices)}. jtss {', '.join(commits)}."]
    if len(devices) > 1:
        lines.append("Times of different devices stand in the same column: do not compare them.")
    return lines


def missing(plan: Sequence[Setup], absent: Sequence[Cell], left: Left, begun: int) -> list[str]:
    """Which cells are not there, how many of them are begun, and why not; nothing where all are."""
    if not absent:
        return []
    total, counts = sum(setup.seeds for setup in plan), Counter(cell.setup for cell in absent)
    named = [f"{setup.label} ({n} of {setup.seeds} seeds)" for setup, n in list(counts.items())[:MOST_NAMED]]
    more = f"; and {len(counts) - MOST_NAMED} more configurations" if len(counts) > MOST_NAMED else ""
    lines = [f"MISSING: {len(absent)} of {total} cells: {'; '.join(named)}{more}."]
    if begun:
        lines.append(f"{begun} of these {'are' if begun > 1 else 'is'} begun and will go on from the last saved step.")
    ids = {cell.id for cell in absent}
    for holder, n in Counter(str(holder) for cell_id, holder in left.held.items() if cell_id in ids).items():
        lines.append(f"{n} of these are being trained by {holder}.")
    for reason, n in Counter(left.failed.values()).items():
        lines.append(f"{n} of these failed: {reason}.")
    if left.out_of_time:
        lines.append("Stopped before the end; the same command goes on.")
    return lines


def check(path: Path, setups: Sequence[Setup], *, screened: bool = False) -> None:
    """Look for the classes, the numbers of detections and the colours that all configurations read.

    Args:
        path: data file.
        setups: what will be trained.
        screened: whether bogus with two detections is needed in the test split.

    Raises:
        DataError: something is missing; names the file, what was found and what was expected.
    """
    for config in _distinct(setup.config for setup in setups):
        for split in schema.SPLIT_NAMES:
            found = dataset.count(path, config, split)
            if not all(found.values()):
                raise DataError(_too_few(path, config, split, found))
    colours = [setup for setup in setups if set(setup.config.metadata.static) & set(schema.COLOUR_NAMES)]
    if colours and not _has_allwise(path):
        raise DataError(
            f"{path}: no object has AllWISE magnitudes, expected some: {colours[0].label} reads"
            f" {', '.join(schema.COLOUR_NAMES)}; build the data set with --allwise"
        )
    if screened:
        _check_bogus(path)


def _distinct(configs: Iterable[Config]) -> Iterable[Config]:
    """One configuration for each number of detections and set of classes."""
    return {(config.n_detections, config.classes): config for config in configs}.values()


def _too_few(path: Path, config: Config, split: str, found: dict[str, int]) -> str:
    counted = ", ".join(f"{name} {n}" for name, n in found.items())
    with h5py.File(path, "r") as file:
        longest = int(np.diff(file["object_start"][:]).max())
    return (
        f"{path}: {split} objects with {config.n_detections} or more detections: {counted}; expected some of each class"
        f" (the longest sequence has {longest})"
    )


def _has_allwise(path: Path) -> bool:
    with h5py.File(path, "r") as file:
        return bool(np.isfinite(file["allwise"][:]).any())


def _check_bogus(path: Path) -> None:
    bogus = schema.CLASS_NAMES.index(BOGUS)
    with h5py.File(path, "r") as file:
        there = (file["label"][:] == bogus) & (file["split"][:] == schema.SPLIT_NAMES.index("test"))
        n = np.diff(file["object_start"][:])[there]
    if not (n >= N_SCREENED).any():
        raise DataError(
            f"{path}: {len(n)} test objects of class {BOGUS}, none with {N_SCREENED} detections; expected some"
            f" (simulated {BOGUS} has a single detection: this needs real alerts)"
        )


ALERTS = tuple(tsc.TABLE_8)
TEMPORAL = tuple(tsc.TABLE_6[2])


def _nothing_more(setups: Sequence[Setup], measured: Measured, choice: Choice) -> list[Setup]:
    return []


class Experiment(NamedTuple):
    """An experiment of the paper.

    Attributes:
        extent: what it consists of.
        grid: its configurations.
        document: its tables.
        finalists: configurations with more seeds, which the complete grid chooses; none elsewhere.
        store: whose results it shares.
        screened: whether bogus screening is measured, too.
    """

    extent: Extent
    grid: Callable[[Choice], list[Setup]]
    document: Callable[[Sequence[Setup], Measured, Choice], Document]
    finalists: Callable[[Sequence[Setup], Measured, Choice], list[Setup]] = _nothing_more
    store: str = ""
    screened: bool = False


EXPERIMENTS = {
    "table2": Experiment(
        Extent(5, models=tuple(tsc.TABLE_2)), grids.rotations, table2.document, finalists=table2.finalists
    ),
    "table6": Experiment(Extent(10, ALERTS, TEMPORAL), grids.temporal_models, table6.document),
    "table7": Experiment(Extent(5, ALERTS), grids.metadata_models, table7.document),
    "table8": Experiment(Extent(5, ALERTS), grids.complete_models, table8.document),
    "figure6": Experiment(Extent(10, ALERTS, TEMPORAL), grids.temporal_models, figure6.document, store="table6"),
    "bogus": Experiment(Extent(5), grids.screeners, bogus.document, screened=True),
}


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
    data_hash = str(dataset.attributes(request.data)["content_hash"])
    check(request.data, setups, screened=experiment.screened)
    store = Store(request.out / f"{experiment.store or request.name}.jsonl")
    return Bench(request, experiment, choice, setups, store, data_hash)


def dry_run(request: Request, say: Say, warn: Say) -> None:
    """Say which cells there are, which of them are missing, and how long these would take."""
    bench = prepare(request)
    found, under_way = _read(bench.store, warn), bench.under_way(warn)
    plan = bench.plan(found)
    for setup in plan:
        left = runner.missing([setup], bench.data_hash, found)
        say(f"{setup.label}: {_seeds(left, under_way)}")
    left = runner.missing(plan, bench.data_hash, found)
    n_validation = sum(dataset.count(request.data, plan[0].config, "validation").values())
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
    left = runner.run(runner.Work(bench.store, claims, laboratory, bench.plan, time_is_up, say))
    document = _document(bench, left, under_way)
    say("\n" + layout.text(document))
    return layout.write(request.out, document)


def _read(store: Store, warn: Say) -> Results:
    found, damaged = store.read()
    for line, reason in damaged:
        warn(f"{store.path}, line {line}: damaged ({reason}); passed over, a copy is in {store.aside.name}")
    return found


def _document(bench: Bench, left: Left, under_way: UnderWay) -> Document:
    found, _ = bench.store.read()
    measured, plan = Measured(found, bench.data_hash), bench.plan(found)
    document = bench.experiment.document(bench.setups, measured, bench.choice)
    absent = runner.missing(plan, bench.data_hash, found)
    common = [
        *bench.choice.remarks,
        *missing(plan, absent, left, begun=sum(under_way.step(cell) > 0 for cell in absent)),
        *on_what(bench.request.data, found, bench.data_hash),
        *with_what(plan, measured),
        f"Made by: {bench.request.command}",
    ]
    return document._replace(notes=[*common, *document.notes])
