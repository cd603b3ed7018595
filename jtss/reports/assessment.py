"""From a trained model and a data file to a report: loads, evaluates, warns and writes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from jtss import data, environment, loading, predict, repeats
from jtss.configs import Config
from jtss.loading import Run
from jtss.reports import evaluation, priors, repeat_scores, report, selective_report, subject, together
from jtss.reports.evaluation import ALL_SPLITS, Evaluation
from jtss.reports.selective_report import PURITY
from jtss.reports.together import Contender

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to evaluate on, and how.

    Attributes:
        data: data set; None: the one that the model was trained on, which a model that ships does not know.
        split: name of a split, or "all".
        screener: first-detection model for bogus screening, None for none.
        command: the command line, for the report.
        priors: shares of the classes on the sky; None: the paper's, where the model has its classes.
        purity: what thresholds are chosen for.
        others: paths of more models, to set beside the one that the report is of.
    """

    data: Path | None
    split: str
    screener: Run | None
    command: str
    priors: dict[str, float] | None = None
    purity: float = PURITY
    others: tuple[Path, ...] = ()


def assess(
    path: Path, request: Request, out: Path | None, warn: Say, seeds: dict | None = None
) -> tuple[dict, tuple[Path, Path]]:
    """Evaluate a trained model and write its report.

    Args:
        path: run directory, folder of repeats, or name of a model that ships.
        request: what on.
        out: folder of the report; None: a folder named after the data, the split and the screening, in the run
            directory; for a model that ships in the current one, and named after the model, too; beside other models
            "-compared".
        warn: takes what a reader must know before believing the numbers.
        seeds: what the seeds of a folder of repeats say by themselves, see `repeat_scores.summarise`.

    Returns:
        The report's document, and the paths of report.json and report.html.

    Raises:
        ValueError: run or data cannot be read or do not fit, or nothing can be evaluated.
        OSError: the report cannot be written.
    """
    run, screener, others = loading.load_run(path), request.screener, [*map(loading.load_run, request.others)]
    sky = priors.sky_of(request.priors, run.config.classes, run.config.training.class_balance == "uniform")
    selective_report.check_purity(request.purity)
    data_path = request.data or training_data(run)
    if not data_path.exists():
        raise FileNotFoundError(f"{data_path}: no such file; if the data set of {path} moved, say where by --data")
    described = subject.describe_data(data_path, data.attributes(data_path), request.split, run.provenance["data_hash"])
    warnings = [*run.warnings, *chain.from_iterable(other.warnings for other in others), *subject.beware(described)]
    for other in others:
        theirs = subject.describe_data(
            data_path, data.attributes(data_path), request.split, other.provenance["data_hash"]
        )
        warnings += [f"{other.label}: {text}" for text in subject.beware(theirs)]
    curve = run.metrics()  # read here: a damaged record must not show only after hours
    evaluated = _evaluate(run, data_path, request)
    warnings += subject.beware_of_few(evaluated)
    compared = _compare(run, evaluated, others, data_path, request) if others else None
    for warning in warnings:
        warn(warning)
    time = evaluation.inference_time(partial(predict.predict, run), evaluated.sample)
    found = report.document(
        evaluated,
        model=subject.describe_model(run),
        data=described,
        inference=time | {"device": environment.hardware()["device"]},
        curve=curve,
        command=request.command,
        warnings=warnings,
        screener=screener and subject.describe_model(screener),
        sky=sky,
        purity=request.purity,
        compared=compared,
        seeds=seeds,
    )
    return found, report.write(out or _folder(run, described, request), found, evaluated)


def _compare(run: Run, evaluated: Evaluation, others: list[Run], path: Path, request: Request) -> dict:
    """The scores of all models on the objects that all of them can read, in the order of their detections."""
    contenders = [Contender(run.label, run.config.n_detections, evaluated)]
    contenders += [Contender(one.label, one.config.n_detections, _evaluate(one, path, request)) for one in others]
    return together.scores(sorted(contenders, key=lambda one: one.n_detections))


def training_data(run: Run) -> Path:
    """The data set that a run was trained on; FileNotFoundError for a model that ships, which does not know it."""
    if run.folder is None:
        raise FileNotFoundError(
            f"{run.label} ships without the data it was trained on; name a data set by --data F.h5, or classify alerts"
            " by --alerts"
        )
    return Path(run.provenance["data"])


def _evaluate(run: Run, path: Path, request: Request) -> Evaluation:
    screen = request.screener and predict.screen_with(request.screener)
    classes, n = run.config.classes, run.config.n_detections
    evaluated = evaluation.evaluate(partial(predict.predict, run), data.read(path), classes, n, request.split, screen)
    _require_objects(evaluated, path, request.split, run.config)
    return evaluated


def _require_objects(evaluated: Evaluation, path: Path, split: str, config: Config) -> None:
    """Raise ValueError, saying why, where nothing could be evaluated."""
    if evaluated.sample is not None:
        return
    if evaluated.longest < config.n_detections:
        raise ValueError(
            f"{path}: its longest sequence has {evaluated.longest} detections, config {config.name} reads"
            f" {config.n_detections}"
        )
    counts = ", ".join(f"{count} {name}" for name, count in evaluated.counts.items())
    hint = "" if split == ALL_SPLITS else "; --split all takes every labelled object"
    raise ValueError(f"{path}: nothing to evaluate in the {split} split ({counts}){hint}")


def _folder(run: Run, described: dict, request: Request) -> Path:
    own_test_split = described["is_training_file"] and described["split"] == "test"
    parts = [] if own_test_split else [Path(described["path"]).stem, described["split"]]
    parts += (["screened"] if request.screener else []) + (["compared"] if request.others else [])
    return own_folder(run, "-".join(["evaluation", *parts]))


def own_folder(run: Run, name: str) -> Path:
    """A folder in the run directory; for a model that ships in the current one, and named after the model, too."""
    return run.folder / name if run.folder else Path(f"{run.label}-{name}")


def _once(warn: Say) -> Say:
    """Says nothing that was said already: what is true of the data is true for every seed."""
    said: set[str] = set()

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            warn(line)

    return say


def assess_repeats(
    path: Path, request: Request, out: Path | None, warn: Say, say: Say
) -> tuple[dict, tuple[Path, Path]]:
    """Evaluate every seed of a folder of repeats on the same data, then all as one model; write one table of them all.

    Args:
        path: folder of repeats.
        request, out, warn: as in `assess`; the report of a seed is in a folder of its own, the one of all beside the
            table.
        say: takes a line for every seed.

    Returns:
        The summary, and the paths of repeats.json and repeats.csv.

    Raises:
        ValueError, OSError: as in `assess`, for any of the seeds.
    """
    loading.load_run(path)  # whether the seeds are repeats at all must not show only after all are evaluated
    reports, warn = {}, _once(warn)
    for seed, directory in repeats.seed_directories(path).items():
        reports[seed], (_, html_path) = assess(directory, request, out and out / directory.name, warn)
        say(f"seed {seed}: {html_path}")
    summary = repeat_scores.summarise(reports)
    together, (json_path, html_path) = assess(path, request, out, warn, summary)
    say(f"together: {html_path}")
    summary |= {"together": repeat_scores.scores(together)}
    return summary, repeat_scores.write(json_path.parent, summary)
