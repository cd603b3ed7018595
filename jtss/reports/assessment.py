"""From a trained model and a data file to a report: loads, evaluates, describes, warns and writes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from jtss import dataset, files
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.inference import predict
from jtss.inference.model import Model, reads, refuse_own_sky, training_files, version
from jtss.invocation import option
from jtss.metrics import priors
from jtss.pretrained import load
from jtss.reports import evaluation, following, report
from jtss.reports.evaluation import ALL_SPLITS, Evaluation
from jtss.reports.report import Further
from jtss.reports.sections import ablations, models, over_time, seeds, selective, subclasses, unusual
from jtss.reports.sections.models import Contender
from jtss.reports.sections.selective import PURITY
from jtss.runs import provenance
from jtss.runs.ensemble import seed_directories
from jtss.schema import SPLIT_NAMES
from jtss.training.trained import learning_curve

Say = Callable[[str], None]

FEW_OBJECTS = 30  # of a class; below, the interval of a recall near 90 % spans more than 20 points


@dataclass(frozen=True)
class Request:
    """What to evaluate on, and how.

    Attributes:
        data: data set; None: the one that the model was trained on, which a pretrained model does not know.
        split: name of a split, or "all".
        screener: first-detection model for bogus screening, None for none.
        command: the command line, for the report.
        priors: proportion of each class; None: the paper's, where the model has its classes.
        purity: to choose thresholds for.
        others: paths of more models, to compare with the one that the report is of.
        ablations: whether to measure what the accuracy rests on, too.
    """

    data: Path | None
    split: str
    screener: Model | None
    command: str
    priors: dict[str, float] | None = None
    purity: float = PURITY
    others: tuple[Path, ...] = ()
    ablations: bool = False


def assess(
    path: Path, request: Request, out: Path | None, warn: Say, ensemble: dict | None = None
) -> tuple[dict, tuple[Path, Path]]:
    """Evaluate a trained model and write its report.

    Args:
        path: run directory, folder of an ensemble's seeds, or name of a pretrained model.
        request: what on.
        out: folder of the report; None: a folder named after the data, the split and the screening, in the run
            directory; for a pretrained model in the current one, and named after the model, too; with other models
            "-compared".
        warn: takes what a reader must know before believing the numbers.
        ensemble: what its seeds say by themselves, see `sections.seeds.summarise`.

    Returns:
        The report's document, and the paths of report.json and report.html.

    Raises:
        ValueError: run or data cannot be read or do not fit, or nothing can be evaluated.
        OSError: the report cannot be written.
    """
    run, screener, others = load.load_model(path), request.screener, [*map(load.load_model, request.others)]
    balanced = run.config.training.class_balance != "natural"
    class_priors = priors.class_priors(request.priors, run.config.classes, balanced)
    _check(request)
    data_path, described = _data(path, run, others, request)
    folder = out or _folder(run, described, request)
    files.require_writable(folder)
    curve = learning_curve(run)  # read here: a damaged record must not show only after hours
    keep = ablations.MOST_OBJECTS if request.ablations else 0
    own = _contender(run, data_path, request, keep, follow=bool(run.config.packet.rows))
    contenders = [_contender(other, data_path, request) for other in others]
    evaluated = own.evaluation
    warnings = [*_model_warnings(run, others, described), *class_warnings(evaluated)]
    comparison = models.scores(sorted([own, *contenders], key=lambda one: one.n_detections)) if others else None
    for warning in warnings:
        warn(warning)
    time = evaluation.inference_time(partial(predict.predict, run), evaluated.sample)
    document = report.make_document(
        evaluated,
        model=describe_model(run),
        data=described,
        inference=time | {"device": provenance.hardware()["device"]},
        curve=curve,
        command=request.command,
        warnings=warnings,
        screener=screener and describe_model(screener),
        class_priors=class_priors,
        purity=request.purity,
        further=Further(
            comparison,
            ensemble,
            rests_on=evaluated.kept and ablations.scores(run, evaluated.kept),
            in_time=evaluated.followed and over_time.scores(own, contenders),
            of_subclasses=evaluated.followed and subclasses.scores(evaluated.followed),
            found_unusual=_found_unusual(run, evaluated),
        ),
    )
    return document, report.write(folder, document, evaluated)


def _found_unusual(run: Model, evaluated: Evaluation) -> dict | None:
    if run.known_alerts is None or evaluated.kept is None:
        return None
    return unusual.scores(run, evaluated.kept, evaluated.of_other_classes)


def _check(request: Request) -> None:
    """Raise ValueError where the purity is not between 0 and 1, or there is no such split."""
    selective.check_purity(request.purity)
    if request.split not in (*SPLIT_NAMES, ALL_SPLITS):
        raise InputError(f"split {request.split!r}, expected one of {', '.join((*SPLIT_NAMES, ALL_SPLITS))}")


def _data(path: Path, run: Model, others: list[Model], request: Request) -> tuple[Path, dict]:
    """The data set asked for, or that of the model at `path`, with what it is to that model.

    Raises:
        ValueError, FileNotFoundError: there is none, or `refuse_own_sky` refuses it.
    """
    data_path = request.data or training_data(run)
    if not data_path.exists():
        raise FileNotFoundError(
            f"{data_path}: no such file; if the data set of {path} moved, say where by {option('data')}"
        )
    described = describe_data(data_path, dataset.attributes(data_path), request.split, _learnt(run))
    for one in (run, *others):
        refuse_own_sky(one, data_path, described["made_by"])
    return data_path, described


def _model_warnings(run: Model, others: list[Model], data: dict) -> list[str]:
    """Warnings of what the models were trained on, and of their states; `data` is described for `run`."""
    warnings = [*run.warnings, *chain.from_iterable(other.warnings for other in others), *split_warnings(data)]
    for other in others:
        theirs = data | {"is_training_file": data["content_hash"] in _learnt(other)}
        warnings += [f"{other.label}: {text}" for text in split_warnings(theirs)]
    return warnings


def assess_ensemble(
    path: Path, request: Request, out: Path | None, warn: Say, say: Say
) -> tuple[dict, tuple[Path, Path]]:
    """Evaluate every seed of an ensemble on the same data, then the ensemble; write one table of them all.

    Args:
        path: folder of the seeds.
        request, out, warn: as in `assess`; the report of a seed is in a folder of its own, the one of the
            ensemble beside the table.
        say: takes a line for every seed.

    Returns:
        The summary, and the paths of repeats.json and repeats.csv.

    Raises:
        ValueError, OSError: as in `assess`, for any of the seeds.
    """
    load.load_model(path)  # whether the seeds fit each other must not show only after all are evaluated
    reports, warn = {}, _once(warn)
    for seed, directory in seed_directories(path).items():
        reports[seed], (_, html_path) = assess(directory, request, out and out / directory.name, warn)
        say(f"seed {seed}: {html_path}")
    summary = seeds.summarise(reports)
    ensemble, (json_path, html_path) = assess(path, request, out, warn, summary)
    say(f"ensemble: {html_path}")
    summary |= {seeds.ENSEMBLE: seeds.scores(ensemble)}
    return summary, seeds.write(json_path.parent, summary)


def describe_model(run: Model) -> dict:
    """The model: what it is, and what it was trained on and with."""
    config, provenance = run.config, run.provenance
    return {
        "name": config.name,
        "version": version(run),
        "origin": config.origin,
        "classes": list(config.classes),
        "reads": reads(config),
        "n_detections": config.n_detections,
        "run": run.label,
        "seeds": [member.seed for member in run.members],
        "best_steps": [member.outcome.best_step for member in run.members],
        "trained_on": provenance["data"],
        "trained_on_hash": provenance["data_hash"],
        "training_command": provenance["command"],
        "training_device": provenance["device"],
    }


def _learnt(run: Model) -> set[str]:
    """The content hashes of all data files that a model has learnt from."""
    return {one["data_hash"] for one in training_files(run.provenance)}


def describe_data(path: Path, attributes: dict, split: str, learnt: set[str]) -> dict:
    """The data: which file, which part of it, and whether it is one of those that the model has learnt from."""
    return {
        "path": str(path),
        "split": split,
        "content_hash": attributes["content_hash"],
        "survey": attributes["survey"],
        "made_by": attributes["command"],
        "is_training_file": attributes["content_hash"] in learnt,
    }


def class_warnings(evaluation: Evaluation) -> list[str]:
    """Warnings where the objects evaluated are too few, or none, to say something of a class."""
    support = np.bincount(evaluation.label, minlength=len(evaluation.classes))
    counted = list(zip(evaluation.classes, support.tolist(), strict=True))
    absent = [name for name, count in counted if not count]
    few = [f"{name} ({count})" for name, count in counted if 0 < count < FEW_OBJECTS]
    warnings = []
    if absent:
        them = "it" if len(absent) == 1 else "them"
        warnings.append(f"No objects of {_and(absent)} were evaluated: the numbers say nothing about {them}.")
    if few:
        warnings.append(f"Fewer than {FEW_OBJECTS} objects of {_and(few)}: read the intervals, not the values alone.")
    return warnings


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def split_warnings(data: dict) -> list[str]:
    """What a reader must know before believing the numbers, worst first."""
    if data["split"] == "train" and data["is_training_file"]:
        return ["Evaluated on the training split: the numbers show memorisation, not how new objects are classified."]
    if data["split"] == ALL_SPLITS and data["is_training_file"]:
        return ["Evaluated on all splits of the training file: the model was trained on most of these objects."]
    if data["split"] == "validation" and data["is_training_file"]:
        return ["Evaluated on the validation split, by which the step to keep was chosen: slightly optimistic."]
    return []


def training_data(run: Model) -> Path:
    """The data set that a run was trained on; FileNotFoundError for a pretrained model, which does not know it."""
    if run.folder is None:
        raise FileNotFoundError(
            f"{run.label} is pretrained, without the data it was trained on; name a data set by --data F.h5, or"
            " classify alert packets"
        )
    return Path(run.provenance["data"])


def own_folder(run: Model, name: str) -> Path:
    """A folder in the run directory; for a pretrained model in the current one, and named after the model, too."""
    return run.folder / name if run.folder else Path(f"{run.label}-{name}")


def _contender(run: Model, path: Path, request: Request, keep: int = 0, follow: bool = False) -> Contender:
    screen = request.screener and predict.screen_with(request.screener)
    classes, n = run.config.classes, run.config.n_detections
    follows = partial(following.follow, run) if follow else None
    evaluated = evaluation.evaluate(
        partial(predict.predict, run), dataset.read(path), classes, n, request.split, screen, keep, follows
    )
    _require_objects(evaluated, path, request.split, run.config)
    return Contender(run.label, n, evaluated)


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
    hint = "" if split == ALL_SPLITS else f"; {option('split', ALL_SPLITS)} takes every labelled object"
    raise ValueError(f"{path}: nothing to evaluate in the {split} split ({counts}){hint}")


def _folder(run: Model, described: dict, request: Request) -> Path:
    own_test_split = described["content_hash"] == run.provenance["data_hash"] and described["split"] == "test"
    parts = [] if own_test_split else [Path(described["path"]).stem, described["split"]]
    parts += (["screened"] if request.screener else []) + (["compared"] if request.others else [])
    return own_folder(run, "-".join(["evaluation", *parts]))


def _once(warn: Say) -> Say:
    """Says nothing that was said already: what is true of the data is true for every seed."""
    said: set[str] = set()

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            warn(line)

    return say
