"""The experiments by name, and how one is made, from its request to its tables.

The data are checked before anything is trained, and under every table stands what a reader must know of it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset, schema
from jtss.config import tsc
from jtss.config.settings import Config
from jtss.dataset import DataError
from jtss.inference.screening import BOGUS, N_SCREENED
from jtss.paper import bogus, figure6, grids, layout, runner, table2, table6, table7, table8
from jtss.paper.grids import Choice, Extent, Setup, Trial, choose
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured, Results
from jtss.paper.runner import Deadline, Left, Runner
from jtss.runs import directory, files
from jtss.training import estimate, trainer

Say = Callable[[str], None]
TRAININGS = "trainings"  # folder of the run directories
MOST_NAMED = 6
HOW_TO_READ = (
    "The paper's columns were measured on its own ZTF objects, ours on the data named here: they cannot be compared.",
    "± is the standard deviation over seeds; brackets are 95 % intervals over the test objects.",
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
        screens: whether bogus with two detections is needed in the test split.
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
    data_hash: str

    @property
    def measured(self) -> Measured:
        """What is known."""
        return Measured(self.results.known, self.data_hash)

    def plan(self) -> list[Setup]:
        """All configurations wanted, given what is measured by now."""
        self._look(self.setups)
        more = self.experiment.finalists(self.setups, self.measured, self.choice)
        self._look(more)
        return [*self.setups, *more]

    def _look(self, setups: Sequence[Setup]) -> None:
        self.results.read(trial for setup in setups for trial in grids.trials(setup, self.data_hash))


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
    data_hash = str(dataset.attributes(request.data)["content_hash"])
    check(request.data, setups, screens=experiment.screens)
    name_old_results(request.out, warn)
    return Bench(request, experiment, choice, setups, Results(request.out / TRAININGS, warn), data_hash)


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
        left = runner.missing([setup], bench.data_hash, bench.results)
        steps |= {trial: _step(bench, trial) for trial in left}
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


def _step(bench: Bench, trial: Trial) -> int:
    """How far a training is; 0 where it is not begun."""
    return max(directory.saved_steps(bench.results.run(trial)), default=0)


def _seeds(left: dict[Trial, int]) -> str:
    """The seeds that are missing, and at which step those are that were begun."""
    if not left:
        return "complete"
    named = [f"{trial.seed} (at step {step:,})" if step else str(trial.seed) for trial, step in left.items()]
    return f"seeds {', '.join(named)}"


def perform(request: Request, stop: trainer.Stop, say: Say, warn: Say) -> tuple[list[Path], int]:
    """Measure what is missing, as far as the time allows, and write the tables of what is there.

    Returns:
        What is written, and how many trainings failed.

    Raises:
        ValueError, OSError: as `prepare`.
    """
    bench, deadline = prepare(request, warn), Deadline(stop, request.budget)
    left = Runner(bench.plan, request.data, bench.results, deadline, say, warn, request.command).run()
    document = _document(bench, left)
    say("\n" + layout.text(document))
    paths, index = layout.write(request.out, document), request.out / f"{request.name}-trainings.csv"
    files.write(index, layout.as_csv(_index(bench)))
    return [*paths, index], len(left.failed)


def _index(bench: Bench) -> Table:
    """The run directory of each training that is measured."""
    rows = []
    for setup in bench.plan():
        for each in bench.measured.of(setup):
            percents = f"{100 * each.validation_accuracy:.2f}", f"{100 * each.accuracy:.2f}"
            rows.append((setup.label, str(each.seed), *percents, f"{TRAININGS}/{each.id}"))
    heads = ("configuration", "seed", "validation accuracy [%]", "test accuracy [%]", "run directory")
    return Table("trainings", "Trainings", tuple(map(Column, heads)), rows)


def _document(bench: Bench, left: Left) -> Document:
    plan = bench.plan()
    document = bench.experiment.document(bench.setups, bench.measured, bench.choice)
    absent = runner.missing(plan, bench.data_hash, bench.results)
    common = [
        *bench.choice.remarks,
        *what_is_missing(plan, absent, left, begun=sum(_step(bench, trial) > 0 for trial in absent)),
        *on_what(bench.request.data, bench.data_hash),
        *with_what(plan, bench.measured),
        f"Made by: {bench.request.command}",
    ]
    return document._replace(notes=[*common, *document.notes])


def on_what(path: Path, data_hash: str) -> list[str]:
    """Which data, and how to read what was measured on them."""
    attributes = dataset.attributes(path)
    source = f"{path} ({attributes['survey']}; content hash {data_hash}; made by {attributes['command']})"
    return [f"Measured on the test split of {source}.", *HOW_TO_READ]


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


def what_is_missing(plan: Sequence[Setup], absent: Sequence[Trial], left: Left, begun: int) -> list[str]:
    """Which trainings are not there, how many of them are begun, and why not; nothing where all are."""
    if not absent:
        return []
    total, counts = sum(setup.seeds for setup in plan), Counter(trial.setup for trial in absent)
    named = [f"{setup.label} ({n} of {setup.seeds} seeds)" for setup, n in list(counts.items())[:MOST_NAMED]]
    more = f"; and {len(counts) - MOST_NAMED} more configurations" if len(counts) > MOST_NAMED else ""
    lines = [f"MISSING: {len(absent)} of {total} trainings: {'; '.join(named)}{more}."]
    if begun:
        lines.append(f"{begun} of these {'are' if begun > 1 else 'is'} begun and will go on from the last saved step.")
    ids = {trial.id for trial in absent}
    for holder, n in Counter(holder for trial_id, holder in left.held.items() if trial_id in ids).items():
        lines.append(f"{n} of these are being trained by {holder}.")
    lines += [f"FAILED: {why}." for why in list(left.failed.values())[:MOST_NAMED]]
    if len(left.failed) > MOST_NAMED:
        lines.append(f"{len(left.failed) - MOST_NAMED} more failed; each is named by a warning.")
    if left.failed:
        lines.append("What failed is tried again by the same command; where its folder is moved away, from the start.")
    if left.stopped:
        lines.append("Stopped before the end; the same command goes on.")
    return lines


def check(path: Path, setups: Sequence[Setup], *, screens: bool = False) -> None:
    """Look for the classes, the numbers of detections and the colours that all configurations read.

    Args:
        path: data file.
        setups: what will be trained.
        screens: whether bogus with two detections is needed in the test split.

    Raises:
        DataError: something is missing; names the file, what was there and what was expected.
    """
    read = {(setup.config.n_detections, setup.config.classes): setup.config for setup in setups}
    for config in read.values():
        for split in schema.SPLIT_NAMES:
            counts = dataset.count(path, config, split)
            if not all(counts.values()):
                raise DataError(_too_few(path, config, split, counts))
    colours = [setup for setup in setups if set(setup.config.metadata.static) & set(schema.COLOUR_NAMES)]
    if colours and not _has_allwise(path):
        raise DataError(
            f"{path}: no object has AllWISE magnitudes, expected some: {colours[0].label} reads"
            f" {', '.join(schema.COLOUR_NAMES)}; build the data set with --allwise"
        )
    if screens:
        _check_bogus(path)


def _too_few(path: Path, config: Config, split: str, counts: dict[str, int]) -> str:
    counted = ", ".join(f"{name} {n}" for name, n in counts.items())
    with dataset.open_checked(path) as file:
        longest = int(dataset.alert_counts(file).max())
    return (
        f"{path}: {split} objects with {config.n_detections} or more detections: {counted}; expected some of each class"
        f" (the longest sequence has {longest})"
    )


def _has_allwise(path: Path) -> bool:
    with dataset.open_checked(path) as file:
        return bool(np.isfinite(file["allwise"][:]).any())


def _check_bogus(path: Path) -> None:
    with dataset.open_checked(path) as file:
        of_test = file["split"][:] == schema.SPLIT_NAMES.index("test")
        n = dataset.alert_counts(file)[of_test & (file["label"][:] == schema.CLASS_NAMES.index(BOGUS))]
    if not (n >= N_SCREENED).any():
        raise DataError(
            f"{path}: {BOGUS} cannot be screened here: none of the {len(n)} test objects of class {BOGUS} has"
            f" {N_SCREENED} detections, and each is judged by its first two. Simulated {BOGUS} is detected once only;"
            f" this needs a data set of real alerts with {BOGUS} among its labels"
        )
