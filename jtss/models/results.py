"""What a model file keeps of an evaluation: the scores of a report.json, and what they were measured on."""

import json
from collections.abc import Sequence
from pathlib import Path

from jtss.models import portable
from jtss.models.file import ModelError
from jtss.reports.evaluation import ALL_SPLITS
from jtss.reports.report import REPORT_VERSION

READABLE = (2, 3, REPORT_VERSION)  # what is read here is the same in all
SIMULATED = "(simulated)"  # how the name of a simulated survey ends
SCORES = ("n_objects", "accuracy", "balanced_accuracy", "cross_entropy_nat", "calibration_error")


def from_report(path: Path, version: str, trained_on_hash: str, seeds: list[int] | None = None) -> dict:
    """The scores of a report.

    Args:
        path: report.json of evaluate.py.
        version: of the model, as its reports have it.
        trained_on_hash: content hash of its training data.
        seeds: of the trainings that it averages, which reports before version 4 do not tell; None: not to be compared.

    Returns:
        {title, data, command, created, warnings, SCORES…, confusion_matrix, classes}.

    Raises:
        ModelError: no report of this version, of another model, or of the model behind a bogus screening.
    """
    try:
        found = json.loads(path.read_text())
        if found["report_version"] not in READABLE:
            raise ModelError(
                f"{path}: report version {found['report_version']}, expected one of {', '.join(map(str, READABLE))}"
            )
        model, data, results = found["model"], found["data"], found["results"]
        theirs, ours = (model["version"], model["trained_on_hash"]), (version, trained_on_hash)
        if theirs != ours:
            raise ModelError(f"{path}: of model {', trained on '.join(theirs)}; expected {', trained on '.join(ours)}")
        if seeds is not None and model.get("seeds", seeds) != seeds:
            raise ModelError(f"{path}: of the seeds {model['seeds']}, expected {seeds}")
        if found["bogus_screening"]:
            raise ModelError(f"{path}: made with --screen-bogus, expected a report of the model alone")
        kept = ("split", "content_hash", "survey", "is_training_file", "objects")
        return {
            "title": title(data),
            "data": {"name": Path(data["path"]).name, "made_by": portable.command(data["made_by"])}
            | {key: data[key] for key in kept},
            "command": portable.command(found["command"]),
            "created": found["created"],
            "warnings": found["warnings"],
            **{key: results[key] for key in (*SCORES, "confusion_matrix", "classes")},
        }
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: no report.json of evaluate.py ({error!r})") from None


def temperature(paths: Sequence[Path]) -> float | None:
    """The temperature of the first report on the training file that could fit one; None where none could.

    Args:
        paths: report.json files that `from_report` could read.
    """
    for found in (json.loads(path.read_text()) for path in paths):
        fitted = found.get("calibration", {}).get("temperature")
        if found["data"]["is_training_file"] and fitted is not None:
            return float(fitted)
    return None


def title(data: dict) -> str:
    """What a report measured, from what it says of its data: "simulated test split", "real alerts"."""
    kind = "simulated" if data["survey"].endswith(SIMULATED) else "real"
    return f"{kind} alerts" if data["split"] == ALL_SPLITS else f"{kind} {data['split']} split"
