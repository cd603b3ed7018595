"""What an evaluation is about: the model, the data, and what to beware of, in plain values for the report."""

import re
from pathlib import Path

import numpy as np

from jtss.loading import Run
from jtss.reports.evaluation import ALL_SPLITS, Evaluation
from jtss.reports.table import Classifier

FEW_OBJECTS = 30  # of a class; below, the interval of a recall near 90 % spans more than 20 points


def classifier(run: Run, calibrated: bool = False) -> Classifier:
    """Name, version, classes and reach of a trained model; where its probabilities are calibrated, its version says so.

    Raises:
        ValueError: it is to be calibrated and knows no temperature.
    """
    name = version(run)
    if calibrated:
        if run.temperature is None:
            raise ValueError(
                f"--calibrated: {run.label} has no temperature, expected a model that was exported with the report of"
                " its own test split: python -m jtss.models export RUN --report REPORT.json"
            )
        name += f".t{run.temperature:.4g}"
    return Classifier(run.config.name, name, run.config.classes, run.config.n_detections)


def version(run: Run) -> str:
    """Version of the program that trained, when it began, and the step kept, e.g. 0.1.0+20260102T030405.s300.

    Of several trainings together all steps, in the order of the seeds: 0.1.0+20260102T030405.s300.s280.
    """
    provenance = run.provenance
    year, month, day, hour, minute, second = re.findall(r"\d+", provenance["started"])[:6]
    steps = "".join(f".s{member.outcome.best_step}" for member in run.members)
    return f"{provenance['versions']['jtss']}+{year}{month}{day}T{hour}{minute}{second}{steps}"


def describe_model(run: Run) -> dict:
    """The model: what it is, and what it was trained on and with."""
    config, provenance = run.config, run.provenance
    return {
        "name": config.name,
        "version": version(run),
        "origin": config.origin,
        "classes": list(config.classes),
        "n_detections": config.n_detections,
        "run": run.label,
        "seeds": [member.seed for member in run.members],
        "best_steps": [member.outcome.best_step for member in run.members],
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


def beware_of_few(evaluation: Evaluation) -> list[str]:
    """Warnings where the objects evaluated are too few, or none, to say something of a class."""
    support = np.bincount(evaluation.label, minlength=len(evaluation.classes))
    counted = list(zip(evaluation.classes, support.tolist(), strict=True))
    absent = [name for name, count in counted if not count]
    few = [f"{name} ({count})" for name, count in counted if 0 < count < FEW_OBJECTS]
    warnings = []
    if absent:
        warnings.append(f"No object of {_and(absent)} was evaluated: the numbers say nothing of what the model knows.")
    if few:
        warnings.append(f"Fewer than {FEW_OBJECTS} objects of {_and(few)}: read the intervals, not the values alone.")
    return warnings


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def beware(data: dict) -> list[str]:
    """What a reader must know before believing the numbers, worst first."""
    if data["split"] == "train" and data["is_training_file"]:
        return ["Evaluated on the training split: the numbers show what was learnt by heart, not how new objects fare."]
    if data["split"] == ALL_SPLITS and data["is_training_file"]:
        return ["Evaluated on all splits of the training file: most of these objects were trained on."]
    if data["split"] == "validation" and data["is_training_file"]:
        return ["Evaluated on the validation split, which chose the training step to keep: slightly too good."]
    return []
