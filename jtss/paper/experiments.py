"""The experiments by name, and how one is made, from its request to its tables.

The data are checked before anything is trained (`needs`), and under every table stands what a reader must know of it
(`notes`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from jtss import dataset, files
from jtss.config import tsc
from jtss.paper import bogus, figure6, grids, layout, needs, notes, table2, table6, table7, table8
from jtss.paper.grids import Choice, Extent, Setup, Trial, choose
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured, Results
from jtss.paper.runner import Deadline, Left, Runner
from jtss.training import estimate, trainer

Say = Callable[[str], None]
TRAININGS = "trainings"  # folder of the run directories
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
        screens: whether bogus with two detections is needed that no training sees.
    """

    extent: Extent
    grid: Callable[[Choice], list[Setup]]
    document: Callable[[Sequence[Setup], Measured, Choice], Document]
    finalists: Callable[[Sequence[Setup], Measured, Choice], list[Setup]] = _nothing_more
    screens: bool = False


EXPERIMENTS = {
    "table2": Experiment(
        Extent(5, models=tuple(tsc.TABLE_2)), grids.rotations, table2.document, finalists=table2.finalists
    ),
    "table6": Experiment(Extent(10, ALERTS, TEMPORAL), grids.temporal_models, table6.document),
    "table7": Experiment(Extent(5, ALERTS), grids.metadata_models, table7.document),
    "table8": Experiment(Extent(5, ALERTS), grids.complete_models, table8.document),
    "figure6": Experiment(Extent(10, ALERTS, TEMPORAL), grids.temporal_models, figure6.document),
    "bogus": Experiment(Extent(5), grids.screeners, bogus.document, screens=True),
}


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        name: of the experiment.
        data: data file.
        out: folder of the trainings and tables, which processes and experiments may share.
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
    results: Results

    def plan(self) -> list[Setup]:
        """All configurations wanted, given what is measured by now."""
        self.results.look(self.setups)
        more = self.experiment.finalists(self.setups, self.results.measured, self.choice)
        self.results.look(more)
        return [*self.setups, *more]


def prepare(request: Request, warn: Say) -> Bench:
    """Look at everything that can be wrong.

    Raises:
        ValueError: an experiment, setting or part of the grid that does not exist; a data file that does not have what
            the experiment reads.
        OSError: the data file cannot be read.
    """
    name, experiment = request.name, EXPERIMENTS[request.name]
    asked = {"settings": request.settings, "seeds": request.seeds, "n": request.n, "models": request.models}
    choice = choose(name, experiment.extent, **asked)
    setups = experiment.grid(choice)
    results = Results(request.out / TRAININGS, str(dataset.attributes(request.data)["content_hash"]), warn)
    needs.check(request.data, setups, screens=experiment.screens)
    name_old_results(request.out, warn)
    return Bench(request, experiment, choice, setups, results)


def name_old_results(out: Path, warn: Say) -> None:
    """Say what an earlier version left in the folder: its results have no weights, and none of it is used."""
    for path in sorted(out.glob("*.jsonl")):
        if path.stem in EXPERIMENTS:
            n = sum(bool(line.strip()) for line in path.read_bytes().splitlines())
            warn(f"{n} results of an earlier version in {path} are not used")
    if (begun := out / "under_way").is_dir():
        warn(f"what an earlier version began in {begun} is not gone on with")


def dry_run(request: Request, say: Say, warn: Say) -> None:
    """Say which trainings there are, which of them are missing, and how long these would take at least."""
    bench = prepare(request, warn)
    plan, steps = bench.plan(), {}
    for setup in plan:
        left = bench.results.missing([setup])
        steps |= {trial: max(bench.results.steps(trial)) for trial in left}
        say(f"{setup.label}: {_seeds({trial: steps[trial] for trial in left})}")
    # of the most detections, which the fewest objects have
    deepest = max((setup.config for setup in plan), key=lambda config: config.n_detections)
    n_validation = sum(dataset.count(request.data, deepest, "validation").values())
    going = [(trial.config, max(0, trial.config.training.iterations - done)) for trial, done in steps.items()]
    took, total = in_words(estimate.grid_seconds(going, n_validation)), sum(setup.seeds for setup in plan)
    how = "one after another; loading, compiling and what patience adds not counted"
    say(f"{len(steps)} of {total} trainings are missing: at least {took} here, {how}")
    if bench.experiment.finalists is not _nothing_more and len(plan) == len(bench.setups):
        say("when the grid is complete, the best and the baseline get more seeds")


def in_words(duration: float) -> str:
    """Seconds as "40 s", "12 min", "3 h" or "5 days"."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if duration >= 2 * size:
            return f"{duration / size:.0f} {unit}"
    return f"{duration:.0f} s"


def _seeds(left: dict[Trial, int]) -> str:
    """The seeds that are missing, and at which step those are that were begun."""
    if not left:
        return "complete"
    named = [f"{trial.seed} (at step {step:,})" if step else str(trial.seed) for trial, step in left.items()]
    return f"seeds {', '.join(named)}"


def train_here(
    bench: Bench, stop: trainer.Stop, say: Say, warn: Say, failed: Mapping[str, str] = MappingProxyType({})
) -> Left:
    """Train what is missing in this process, as far as the time allows, and of `failed` nothing."""
    request, deadline = bench.request, Deadline(stop, bench.request.budget)
    return Runner(bench.plan, request.data, bench.results, deadline, say, warn, request.command, failed).run()


def perform(
    request: Request, stop: trainer.Stop, say: Say, warn: Say, train: Callable[..., Left] = train_here
) -> tuple[list[Path], int]:
    """Measure what is missing, as far as the time allows, and write the tables of what is there.

    Args:
        request: what to measure.
        stop, say, warn: as `Runner` takes them.
        train: trains what is missing; here or elsewhere.

    Returns:
        What is written, and how many trainings failed.

    Raises:
        ValueError, OSError: as `prepare`.
    """
    bench = prepare(request, warn)
    left = train(bench, stop, say, warn)
    document = _document(bench, left)
    say("\n" + layout.text(document))
    paths, index = layout.write(request.out, document), request.out / f"{request.name}-trainings.csv"
    files.write(index, layout.as_csv(_index(bench)))
    return [*paths, index], len(left.failed)


def _index(bench: Bench) -> Table:
    """The run directory of each training that is measured."""
    rows = []
    for setup in bench.plan():
        for each in bench.results.measured.of(setup):
            percents = f"{100 * each.validation_accuracy:.2f}", f"{100 * each.accuracy:.2f}"
            rows.append((setup.label, str(each.seed), *percents, f"{TRAININGS}/{each.id}"))
    heads = ("configuration", "seed", "validation accuracy [%]", "test accuracy [%]", "run directory")
    return Table("trainings", "Trainings", tuple(map(Column, heads)), rows)


def _document(bench: Bench, left: Left) -> Document:
    plan = bench.plan()
    document = bench.experiment.document(bench.setups, bench.results.measured, bench.choice)
    absent = bench.results.missing(plan)
    begun = sum(max(bench.results.steps(trial)) > 0 for trial in absent)
    common = [
        *bench.choice.remarks,
        *notes.what_is_missing(plan, absent, left, begun),
        *notes.on_what(bench.request.data, bench.results.data_hash),
        *notes.with_what(plan, bench.results.measured),
        f"Made by: {bench.request.command}",
    ]
    return document._replace(notes=[*common, *document.notes])
