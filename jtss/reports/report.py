"""The report of an evaluation: report.json has every number, report.html shows them."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from jtss import environment, whole_files
from jtss.reports import (
    calibration_report,
    documents,
    priors_report,
    ranking_report,
    screening_report,
    selective_report,
    slices_report,
    together_report,
)
from jtss.reports.cards import Card
from jtss.reports.evaluation import EVALUATED, Answers, Evaluation
from jtss.reports.priors import Sky
from jtss.reports.report_page import CURVE, SCORES, html, inference_text
from jtss.reports.scores import scores
from jtss.reports.selective_report import PURITY
from jtss.reports.wording import interval, percent

REPORT_VERSION = 4


def document(
    evaluation: Evaluation,
    *,
    model: dict,
    data: dict,
    inference: dict,
    curve: Sequence[dict],
    command: str,
    warnings: Sequence[str],
    screener: dict | None = None,
    sky: Sky | None = None,
    purity: float = PURITY,
    compared: dict | None = None,
    seeds: dict | None = None,
) -> dict:
    """Everything that the report says, as plain values; undefined numbers are NaN.

    Args:
        evaluation: at least one object.
        model: what was evaluated: name, version, directory, …
        data: what it was evaluated on: path, split, content hash, …
        inference: time per object.
        curve: records of training with `CURVE`'s keys; a missing or None value was not measured.
        command: the command line.
        warnings: what a reader must know before believing the numbers.
        screener: the first-detection model that screened for bogus, described as `model`; None where none did.
        sky: shares of the classes there; None where not known.
        purity: what thresholds are chosen for.
        compared: scores of several models, see `together.scores`; None where there is only one.
        seeds: what the seeds whose probabilities are averaged say by themselves, see `repeat_scores.summarise`; None
            where that was not asked.
    """
    screened, shares = evaluation.screened, None if sky is None else sky.shares
    answers = Answers(evaluation.label, evaluation.probabilities)
    return {
        "report_version": REPORT_VERSION,
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": command,
        "warnings": list(warnings),
        "model": model,
        "data": {**data, "objects": evaluation.counts},
        "results": scores(evaluation),
        "bogus_screening": screened and screening_report.scores(evaluation, screened, screener),
        "sky": sky and priors_report.scores(answers.probabilities, answers.label, evaluation.classes, sky),
        "by_detections": compared,
        "seeds": seeds,
        "slices": slices_report.scores(evaluation, model["n_detections"]),
        "selective": selective_report.scores(answers, evaluation.validation, evaluation.classes, shares, purity),
        "ranking": ranking_report.scores(answers.probabilities, answers.label, evaluation.classes, shares),
        "calibration": calibration_report.scores(answers, evaluation.validation),
        "inference": inference,
        "learning_curve": {key: [_number(record.get(key)) for record in curve] for key in CURVE},
        "confident_errors": [_error(shown) for shown in evaluation.errors],
        "versions": environment.versions(),
        "hardware": environment.hardware(),
    }


def _error(shown: Card) -> dict:
    return {
        "object_id": shown.object_id,
        "true_class": shown.true_class,
        "predicted_class": shown.classes[int(np.argmax(shown.probabilities))],
        "probabilities": dict(zip(shown.classes, map(float, shown.probabilities), strict=True)),
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def write(folder: Path, found: dict, evaluation: Evaluation) -> tuple[Path, Path]:
    """Write report.json and report.html into `folder`, each whole or not at all; returns their paths.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    json_path, html_path = folder / "report.json", folder / "report.html"
    numbers = documents.to_json(found)
    pages = html(found, evaluation)  # drawn before anything is replaced, so that both files tell of one evaluation
    whole_files.write(json_path, numbers)
    whole_files.write(html_path, pages)
    return json_path, html_path


def text(found: dict) -> str:
    """The main numbers, for the terminal."""
    results, classes = found["results"], found["results"]["classes"]
    names, width = list(classes), max(9, *map(len, classes))
    accuracy = f"{percent(results['accuracy']['value'])} accuracy, {interval(results['accuracy']['wilson_interval'])}"
    heads = ("objects", *SCORES.values(), *(f"→ {name}" for name in names))
    lines = [f"{accuracy} (Wilson's interval, {results['n_objects']:,} objects)", ""]
    lines.append(" " * width + "".join(f"{head:>11}" for head in heads))
    for name, row in zip(names, results["confusion_matrix"], strict=True):
        cells = [f"{classes[name]['support']:,}", *(percent(classes[name][score]["value"]) for score in SCORES)]
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>11}" for cell in (*cells, *(f"{n:,}" for n in row))))
    left_out = [(name, n) for name, n in found["data"]["objects"].items() if name != EVALUATED]
    lines += ["", *(f"not evaluated: {n:,} {name}" for name, n in sorted(left_out))]
    if found["sky"]:
        lines += ["", priors_report.text(found["sky"]), ""]
    if found["by_detections"]:
        lines += ["", together_report.text(found["by_detections"]), ""]
    if found["bogus_screening"]:
        lines += ["", screening_report.text(found["bogus_screening"]), ""]
    return "\n".join([*lines, inference_text(found["inference"])])
