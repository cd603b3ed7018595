"""From a run directory, or from repeats, to the files that ship."""

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from jtss import loading, registry, sums, whole_files
from jtss.loading import Run
from jtss.models import card, file, portable, results, shipped
from jtss.models.file import ModelError, TrainedModel
from jtss.reports import subject

NAME = re.compile(r"[a-z0-9_]+")


def export(run: Path, name: str, folder: Path, *, reports: Sequence[Path] = ()) -> Path:
    """Write the best model of a run, its card, and the sums of the folder anew; returns the model's path.

    Args:
        run: run directory, or folder of repeats, which become one model.
        name: of the model; what ships under it is replaced.
        folder: of the models; made where it is missing.
        reports: report.json files of evaluations of this run.

    Raises:
        ValueError: the run, a report or the name does not fit.
        OSError: a file cannot be read or written.
    """
    trained = from_run(run, reports)
    _check_name(name, trained)
    _check_others(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    path, content = shipped.path_of(name, folder), file.to_bytes(trained)
    described = card.text(name, trained, hashlib.sha256(content).hexdigest())  # before anything is replaced
    whole_files.write(path, content)
    whole_files.write(path.with_suffix(".md"), described)
    sums.write(folder)
    return path


def _check_name(name: str, trained: TrainedModel) -> None:
    if not NAME.fullmatch(name):
        raise ModelError(f"--name {name}: expected lower-case letters, digits and underscores")
    if name in registry.CONFIGS and name != trained.config.name:
        raise ModelError(f"--name {name} is a configuration, but the run is of {trained.config.name}")


def _check_others(name: str, folder: Path) -> None:
    """The sums are written anew, and damage of another model must not get one."""
    for path in shipped.files(folder):
        fault = sums.fault_of(path)
        if fault and path.stem != name:
            raise ModelError(f"{path}: {fault}; put that right first")


def from_run(path: Path, reports: Sequence[Path] = ()) -> TrainedModel:
    """The best model of a run directory, or those of a folder of repeats, with all that a reader must know of them.

    Raises:
        ValueError, OSError: see `export`.
    """
    run = loading.load_run(path)
    if run.folder is None:
        raise ModelError(f"{path} ships already, expected a run directory")
    if "training_data" not in run.provenance:
        raise ModelError(f"{run.folder}: its provenance.json has no training_data; train again, this version keeps it")
    try:
        provenance = file.check_provenance(run.config.classes, _provenance(run))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{run.folder}: provenance.json or metrics.jsonl: damaged ({error!r})") from None
    version, content_hash = subject.version(run), run.provenance["data_hash"]
    seeds = [member.seed for member in run.members]
    scores = [results.from_report(report, version, content_hash, seeds) for report in reports]
    variables = tuple(member.variables for member in run.members)
    fitted = results.temperature(reports)
    return TrainedModel(run.config, run.statistics, variables, provenance, scores, temperature=fitted)


def _provenance(run: Run) -> dict:
    """As `file.TrainedModel` says."""
    given, learnt = run.provenance, run.provenance["training_data"]
    return given | {
        "command": portable.command(given["command"]),
        "data": Path(given["data"]).name,
        "training_data": learnt | {"command": portable.command(learnt["command"])},
        "training": [
            {"seed": member.seed, **member.outcome._asdict(), "seconds": _seconds(directory.metrics())}
            | {"device": directory.provenance["device"]}
            for member, directory in zip(run.members, run.directories, strict=True)
        ],
    }


def _seconds(metrics: list[dict]) -> float:
    """Time of the training [s]; the records of each of its lives begin at 0."""
    seconds = [record["seconds"] for record in metrics]
    return sum(last for last, following in pairwise([*seconds, 0]) if following < last)
