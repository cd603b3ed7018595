"""What an evaluation is about: the model, the data, and what to beware of, in plain values for the report."""

import re
from pathlib import Path

from jtss.checkpoint import RunError
from jtss.evaluation import ALL_SPLITS
from jtss.predict import Run, load_run
from jtss.table import Classifier

PROVENANCE = ("command", "data", "data_hash", "started", "versions", "device")


def load(path: Path) -> Run:
    """The model of a run directory that says where it comes from.

    Raises:
        RunError: not a run directory, damaged, or without record of its origin.
    """
    run = load_run(path)
    missing = [name for name in PROVENANCE if name not in run.provenance]
    if missing:
        raise RunError(f"{path}/provenance.json: {', '.join(missing)} missing")
    return run


def learning_curve(run: Run) -> list[dict]:
    """The records of training, one per validation.

    Raises:
        RunError: they cannot be read.
    """
    try:
        return run.metrics()
    except (OSError, ValueError) as error:
        raise RunError(f"{run.directory.path}/metrics.jsonl: cannot be read ({error})") from error


def classifier(run: Run) -> Classifier:
    """Name, version, classes and reach of a trained model."""
    return Classifier(run.config.name, version(run.provenance), run.config.classes, run.config.n_detections)


def version(provenance: dict) -> str:
    """Version of the program that trained, and when it began, e.g. 0.1.0+20260102T030405: no two models share it."""
    year, month, day, hour, minute, second = re.findall(r"\d+", provenance["started"])[:6]
    return f"{provenance['versions']['jtss']}+{year}{month}{day}T{hour}{minute}{second}"


def describe_model(run: Run) -> dict:
    """The model: what it is, and what it was trained on and with."""
    config, provenance = run.config, run.provenance
    return {
        "name": config.name,
        "version": version(provenance),
        "origin": config.origin,
        "classes": list(config.classes),
        "n_detections": config.n_detections,
        "run": str(run.directory.path),
        "best_step": run.step,
        "trained_on": provenance["data"],
        "trained_on_hash": provenance["data_hash"],
        "training_command": provenance["command"],
        "training_device": provenance["device"],
    }


def describe_data(path: Path, attributes: dict, split: str, trained_on_hash: str) -> dict:
    """The data: which file, which part of it, and whether the model was trained on that file."""
    return {
        "path": str(path),
        "split": split,
        "content_hash": attributes["content_hash"],
        "survey": attributes["survey"],
        "made_by": attributes["command"],
        "is_training_file": attributes["content_hash"] == trained_on_hash,
    }


def beware(data: dict) -> list[str]:
    """What a reader must know before believing the numbers, worst first."""
    if data["split"] == "train":
        return ["Evaluated on the training split: the numbers show what was learnt by heart, not how new objects fare."]
    if data["split"] == ALL_SPLITS and data["is_training_file"]:
        return ["Evaluated on all splits of the training file: most of these objects were trained on."]
    if data["split"] == "validation" and data["is_training_file"]:
        return ["Evaluated on the validation split, which chose the training step to keep: slightly too good."]
    return []
