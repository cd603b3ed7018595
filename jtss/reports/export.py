"""From a run directory, or an ensemble of seeds, to the files that ship: the model, its card and their sums.

A model file keeps the scores of its evaluations, and the commands without the folders of the machine where they were
given, which mean nothing elsewhere.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from jtss import files
from jtss.config import named
from jtss.errors import shortly
from jtss.files import file_fault, write_sums
from jtss.inference import held_out, model
from jtss.inference.known_alerts import KnownAlerts
from jtss.inference.model import Model
from jtss.invocation import option
from jtss.pretrained import file, load
from jtss.pretrained.file import ModelError, TrainedModel
from jtss.reports import card
from jtss.reports.card import SIMULATED
from jtss.reports.evaluation import ALL_SPLITS
from jtss.reports.report import REPORT_VERSION
from jtss.training.trained import directories

READABLE = (2, 3, REPORT_VERSION)  # what is read here is the same in all
SCORES = ("n_objects", "accuracy", "balanced_accuracy", "cross_entropy_nat", "calibration_error")
SAME_DATA = ("content_hash", "split")  # of two reports on the same objects
NAME = re.compile(r"[a-z0-9_]+")
OUTSIDE = ("/", "..", "~")  # what a path that leads out of the current folder begins with


def export(
    run: Path,
    name: str,
    folder: Path,
    *,
    reports: Sequence[Path] = (),
    beside: Sequence[Path] = (),
    data: Sequence[Path] = (),
) -> Path:
    """Write the best model of a run, its card, and the sums of the folder anew; returns the model's path.

    Args:
        run: run directory, or folder of an ensemble's seeds.
        name: of the model; what is there under it is replaced.
        folder: of the models; made where it is missing.
        reports: report.json files of evaluations of this run.
        beside: report.json files of other models that learnt from the same data, as that of metadata or of images
            alone, on what `reports` are on; their scores stand on the card.
        data: of a model of packets, where the data files that it was trained on are now; none: where they were then.

    Raises:
        ValueError: the run, a report, the name or the data set does not fit.
        OSError: a file cannot be read or written.
    """
    trained = from_run(run, reports, data)
    trained = replace(trained, results=with_others(trained.results, beside, trained.provenance["data_hash"]))
    _check_name(name, trained)
    return _write(name, folder, trained)


def _write(name: str, folder: Path, trained: TrainedModel) -> Path:
    """The file of a model, its card and the sums; returns the path of the first."""
    _check_others(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    path, content = file.path_of(name, folder), file.to_bytes(trained)
    described = card.text(name, trained, hashlib.sha256(content).hexdigest())  # before anything is replaced
    files.write(path, content)
    files.write(path.with_suffix(".md"), described)
    write_sums(folder)
    return path


def _check_name(name: str, trained: TrainedModel) -> None:
    if not NAME.fullmatch(name):
        raise ModelError(f"--name {name}: expected lower-case letters, digits and underscores")
    if name in named.CONFIGS and name != trained.config.name:
        raise ModelError(f"--name {name} is a configuration, but the run is of {trained.config.name}")


def _check_others(name: str, folder: Path) -> None:
    """The sums are written anew, and damage of another model must not get one."""
    for path in file.files(folder):
        fault = file_fault(path)
        if fault and path.stem != name:
            raise ModelError(f"{path}: {fault}; repair or remove it first")


def from_run(path: Path, reports: Sequence[Path] = (), data: Sequence[Path] = ()) -> TrainedModel:
    """The best model of a run directory, or those of an ensemble's seeds, with all that a reader must know of them.

    Raises:
        ValueError, OSError: see `export`.
    """
    run = load.load_model(path)
    if run.folder is None:
        raise ModelError(f"{path} is pretrained already, expected a run directory")
    if "training_data" not in run.provenance:
        raise ModelError(f"{run.folder}: its provenance.json has no training_data; train again, this version keeps it")
    try:
        provenance = file.check_provenance(run.config.classes, _provenance(run))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{run.folder}: provenance.json or metrics.jsonl: damaged ({shortly(error)})") from None
    version, content_hash = model.version(run), run.provenance["data_hash"]
    seeds = [member.seed for member in run.members]
    scores = [from_report(report, version, content_hash, seeds) for report in reports]
    variables = tuple(member.variables for member in run.members)
    own = [path for path, one in zip(reports, scores, strict=True) if one["data"]["content_hash"] == content_hash]
    fitted = {"temperature": temperature(own), "known_alerts": _known_alerts(run, data)}
    return TrainedModel(run.config, run.statistics, variables, provenance, scores, **fitted)


def _known_alerts(run: Model, data: Sequence[Path]) -> KnownAlerts | None:
    """Of a model of packets, by the data that it was trained on; None of a model of sequences."""
    given = option("data", " ".join(map(str, data)))
    if not run.config.packet.rows:
        if data:
            raise ModelError(f"{given}: {run.folder} is a model of sequences, expected one of packets")
        return None
    learnt = run.provenance.get("mixture", [run.provenance])
    paths = data or [Path(one["data"]) for one in learnt]
    if len(paths) != len(learnt):
        raise ModelError(f"{given}: {len(paths)} files, but {run.folder} was trained on {len(learnt)}, expected all")
    for path, one in zip(paths, learnt, strict=True):
        if not path.is_file():
            raise ModelError(
                f"{path}: no such file, expected the data set that {run.folder} was trained on"
                f" ({one['training_data']['command']}): name it by {option('data', 'F.h5')}"
            )
    return held_out.fit(run, *paths)


def _provenance(run: Model) -> dict:
    """As `file.TrainedModel` says."""
    given, learnt = run.provenance, run.provenance["training_data"]
    began = {"began_with": _without_folders(given["began_with"])} if "began_with" in given else {}
    mixed = {"mixture": [_file_of(one) for one in given["mixture"]]} if "mixture" in given else {}
    return (
        given
        | began
        | mixed
        | {
            "command": command(given["command"]),
            "data": Path(given["data"]).name,
            "training_data": learnt | {"command": command(learnt["command"])},
            "training": [
                {"seed": member.seed, **member.outcome._asdict(), "seconds": _seconds(directory.metrics())}
                | {"device": directory.provenance["device"]}
                for member, directory in zip(run.members, directories(run), strict=True)
            ],
        }
    )


def _without_folders(began: dict) -> dict:
    """Where a training began, without the folders of this machine."""
    return began | {"model": Path(began["model"]).name, "learnt_from": [_file_of(one) for one in began["learnt_from"]]}


def _file_of(one: dict) -> dict:
    learnt = one["training_data"]
    learnt = learnt | ({"command": command(learnt["command"])} if "command" in learnt else {})
    return one | {"data": Path(one["data"]).name, "training_data": learnt}


def _seconds(metrics: list[dict]) -> float:
    """Time of the training [s]; the records of each of its lives begin at 0."""
    seconds = [record["seconds"] for record in metrics]
    return sum(last for last, following in pairwise([*seconds, 0]) if following < last)


def from_report(path: Path, version: str, trained_on_hash: str, seeds: list[int] | None = None) -> dict:
    """The scores of a report.

    Args:
        path: report.json of evaluate.py.
        version: of the model, as its reports have it.
        trained_on_hash: content hash of its training data.
        seeds: of the trainings that it averages, which reports before version 4 do not tell; None: not to be compared.

    Returns:
        {title, data, command, created, warnings, SCORES…, confusion_matrix, classes, ablations}.

    Raises:
        ModelError: a folder, no report of this version, of another model, or of the model behind a bogus screening.
    """
    if path.is_dir():
        raise ModelError(f"{path}: a folder, expected the report.json that jtss evaluate writes of a model")
    try:
        report = json.loads(path.read_text())
        if report["report_version"] not in READABLE:
            raise ModelError(
                f"{path}: report version {report['report_version']}, expected one of {', '.join(map(str, READABLE))}"
            )
        model, data, results = report["model"], report["data"], report["results"]
        theirs, ours = (model["version"], model["trained_on_hash"]), (version, trained_on_hash)
        if theirs != ours:
            raise ModelError(f"{path}: of model {', trained on '.join(theirs)}; expected {', trained on '.join(ours)}")
        if seeds is not None and model.get("seeds", seeds) != seeds:
            raise ModelError(f"{path}: of the seeds {model['seeds']}, expected {seeds}")
        if report["bogus_screening"]:
            raise ModelError(f"{path}: made with --screen-bogus, expected a report of the model alone")
        kept = ("split", "content_hash", "survey", "is_training_file", "objects")
        return {
            "title": title(data),
            "data": {"name": Path(data["path"]).name, "made_by": command(data["made_by"])}
            | {key: data[key] for key in kept},
            "command": command(report["command"]),
            "created": report["created"],
            "warnings": report["warnings"],
            **{key: results[key] for key in (*SCORES, "confusion_matrix", "classes")},
            "ablations": report.get("ablations"),  # which reports of before do not tell
        }
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: no report.json of evaluate.py ({shortly(error)})") from None


def with_others(results: list[dict], paths: Sequence[Path], trained_on_hash: str) -> list[dict]:
    """The results, each with what other models score on the same objects, as `beside`.

    Args:
        results: see `from_report`.
        paths: report.json files of the others.
        trained_on_hash: content hash of the training data of the model, which must be theirs.

    Raises:
        ModelError: no report of this version, of a model that learnt from other data, or on data of no result.
    """
    beside: list[list[dict]] = [[] for _ in results]
    for path in paths:
        try:
            report = json.loads(path.read_text())
            other, data, scores = report["model"], report["data"], report["results"]
            if other["trained_on_hash"] != trained_on_hash:
                raise ModelError(
                    f"{path}: of a model trained on {other['trained_on_hash']}, expected {trained_on_hash}, as this one"
                )
            same = [i for i, one in enumerate(results) if all(one["data"][key] == data[key] for key in SAME_DATA)]
            if not same:
                raise ModelError(f"{path}: on data on which this model has no report: give one by --report")
            kept = {key: scores[key] for key in ("n_objects", "accuracy", "balanced_accuracy")}
            row = {"name": other["name"], "reads": other["reads"], "n_seeds": len(other["seeds"]), **kept}
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: no report.json of this version of jtss evaluate ({shortly(error)})") from None
        for i in same:
            beside[i].append(row)
    return [one | ({"beside": rows} if rows else {}) for one, rows in zip(results, beside, strict=True)]


def temperature(paths: Sequence[Path]) -> float | None:
    """The temperature of the first report on the training file that could fit one; None where none could.

    Args:
        paths: report.json files that `from_report` could read.
    """
    for report in (json.loads(path.read_text()) for path in paths):
        fitted = report.get("calibration", {}).get("temperature")
        if report["data"]["is_training_file"] and fitted is not None:
            return float(fitted)
    return None


def calibrate(model_name: str, folder: Path, report: Path, *, name: str | None = None, priors: bool = False) -> Path:
    """Give a model the temperature, and the results, of its report on a data set other than its own.

    Args:
        model_name: the model: its file, or its name, in the package where `name` is given and else in `folder`.
        folder: of the models, where it is written.
        report: report.json of an evaluation of this model, with a temperature.
        name: of the model to write; None: the file, card and sum of this one are replaced.
        priors: also note the proportions of the classes among the objects of the report, for `--priors fitted`.

    Raises:
        InputError: the model is damaged, or the report is of another model or fitted no temperature; or it has no
            object of a class whose prior is asked for.
        OSError: a file cannot be read or written.
    """
    path = Path(model_name)
    given = (path.stem, path.parent) if file.is_model(path) else (model_name, file.FOLDER if name else folder)
    stored = file.load(*given)
    if name is not None:
        _check_name(name, stored)
    of_model = load.pretrained(model_name, stored)
    scores = from_report(
        report, model.version(of_model), of_model.provenance["data_hash"], [one.seed for one in of_model.members]
    )
    fitted = json.loads(report.read_text()).get("calibration", {}).get("temperature")
    if fitted is None:
        raise ModelError(f"{report}: no temperature in it, expected a report with 30 or more validation objects")
    calibration = {key: scores["data"][key] for key in ("made_by", "content_hash", "split")}
    if priors:
        calibration["priors"] = _proportions(scores, report)
    provenance = stored.provenance | {"calibration": calibration}
    changes = {"provenance": provenance, "temperature": float(fitted), "results": [*stored.results, scores]}
    return _write(name or given[0], folder, replace(stored, **changes))


def _proportions(scores: dict, report: Path) -> dict[str, float]:
    """Share of each class among the objects that a report is of."""
    support = {name: of["support"] for name, of in scores["classes"].items()}
    if absent := [name for name, n in support.items() if not n]:
        raise ModelError(
            f"{report}: no object of class {', '.join(absent)}, whose prior would be 0, so that nothing would ever be"
            f" called so; expected objects of all classes, or leave {option('priors', True)} out and give the priors to"
            " classify"
        )
    return {name: n / sum(support.values()) for name, n in support.items()}


def title(data: dict) -> str:
    """What a report measured, from what it says of its data: "simulated test split", "real alerts"."""
    kind = "simulated" if data["survey"].endswith(SIMULATED) else "real"
    return f"{kind} alerts" if data["split"] == ALL_SPLITS else f"{kind} {data['split']} split"


def path(text: str) -> str:
    """A path that leads out of the folder where a command was given, or to a script, becomes the name at its end."""
    given = PurePosixPath(text)
    return given.name if given.suffix == ".py" or (given.parts and given.parts[0] in OUTSIDE) else text


def command(text: str) -> str:
    """The same for every word of a command, and for what stands behind a `=`."""
    words = (word.rpartition("=") for word in shlex.split(text))
    return shlex.join(f"{option}{equals}{path(value)}" for option, equals, value in words)
