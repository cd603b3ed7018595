"""The report of an evaluation: report.json has every number, report.html shows them.

One section per question, in the order in which a reader asks them.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import files
from jtss.inference.portraits import Portrait
from jtss.metrics.priors import ClassPriors
from jtss.reports import figures, page
from jtss.reports.evaluation import ALL_SPLITS, EVALUATED, Evaluation, Predictions
from jtss.reports.page import UNDEFINED, interval, percent
from jtss.reports.sections import (
    ablations,
    accuracy,
    calibration,
    models,
    over_time,
    priors,
    ranking,
    screening,
    seeds,
    selective,
    slices,
    subclasses,
    unusual,
)
from jtss.reports.sections.selective import PURITY
from jtss.reports.stamps import portrait_picture
from jtss.runs import provenance

REPORT_VERSION = 4  # another where a key goes or its meaning changes, not where one is added
SCORES = {"precision": "precision", "recall": "recall", "f1": "F1"}
NAMES = {
    "is_training_file": "model trained on this file",
    "n_detections": "detections read",
    "name": "configuration",
    "run": "model",
    "trained_on_hash": "content hash of these",
    "n_devices": "devices",
    "n_cores": "processor cores",
}
CURVE = ("step", "train_loss", "validation_loss", "validation_accuracy")


class Further(NamedTuple):
    """Scores that not every report has, each as its section has it.

    Attributes:
        comparison: of several models, see `sections.models.scores`; None where there is only one.
        ensemble: what the seeds of an ensemble say by themselves, see `sections.seeds.summarise`; None where that was
            not asked.
        rests_on: see `sections.ablations.scores`; None where that was not asked.
        in_time: see `sections.over_time.scores`; None for a model of sequences, whose document has no such key.
        of_subclasses: see `sections.subclasses.scores`; None where no subclass is known.
        found_unusual: see `sections.unusual.scores`; None where that was not asked, or the model has no outlier score.
    """

    comparison: dict | None = None
    ensemble: dict | None = None
    rests_on: dict | None = None
    in_time: dict | None = None
    of_subclasses: dict | None = None
    found_unusual: dict | None = None


NOTHING_FURTHER = Further()


def make_document(
    evaluation: Evaluation,
    *,
    model: dict,
    data: dict,
    inference: dict,
    curve: Sequence[dict],
    command: str,
    warnings: Sequence[str],
    screener: dict | None = None,
    class_priors: ClassPriors | None = None,
    purity: float = PURITY,
    further: Further = NOTHING_FURTHER,
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
        class_priors: None where not known.
        purity: to choose thresholds for.
        further: what else was measured.
    """
    screened, proportions = evaluation.screened, class_priors and class_priors.proportions
    predictions = Predictions(evaluation.label, evaluation.probabilities)
    return {
        "report_version": REPORT_VERSION,
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": command,
        "warnings": list(warnings),
        "model": model,
        "data": {**data, "objects": evaluation.counts},
        "results": accuracy.scores(evaluation),
        "bogus_screening": screened and screening.scores(evaluation, screened, screener),
        "sky": class_priors
        and priors.scores(predictions.probabilities, predictions.label, evaluation.classes, class_priors),
        "by_detections": further.comparison,
        "seeds": further.ensemble,
        "ablations": further.rests_on,
        **({"over_time": further.in_time, "subclasses": further.of_subclasses} if further.in_time else {}),
        **({"unusual": further.found_unusual} if further.found_unusual else {}),
        "slices": slices.scores(evaluation, model["n_detections"]),
        "selective": selective.scores(predictions, evaluation.validation, evaluation.classes, proportions, purity),
        "ranking": ranking.scores(predictions.probabilities, predictions.label, evaluation.classes, proportions),
        "calibration": calibration.scores(predictions, evaluation.validation),
        "inference": inference,
        "learning_curve": {key: [_number(record.get(key)) for record in curve] for key in CURVE},
        "confident_errors": [_error(shown) for shown in evaluation.errors],
        "versions": provenance.versions(),
        "hardware": provenance.hardware(),
    }


def _error(shown: Portrait) -> dict:
    return {
        "object_id": shown.object_id,
        "true_class": shown.true_class,
        "predicted_class": shown.classes[int(np.argmax(shown.probabilities))],
        "probabilities": dict(zip(shown.classes, map(float, shown.probabilities), strict=True)),
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def write(folder: Path, document: dict, evaluation: Evaluation) -> tuple[Path, Path]:
    """Write report.json and report.html into `folder`, each whole or not at all; returns their paths.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    json_path, html_path = folder / "report.json", folder / "report.html"
    numbers = page.to_json(document)
    pages = html(document, evaluation)  # drawn before anything is replaced, so that both files tell of one evaluation
    files.write(json_path, numbers)
    files.write(html_path, pages)
    return json_path, html_path


def html(document: dict, evaluation: Evaluation) -> str:
    """The page of a report's document; no section for what is not known."""
    parts = [page.paragraph(text, "warning") for text in document["warnings"]]
    parts += [_accuracy(document), _classes(document, evaluation), priors.section(document["sky"])]
    if document["seeds"]:
        parts.append(seeds.section(document["seeds"], evaluation.classes))
    if document["bogus_screening"]:
        parts.append(screening.section(document["bogus_screening"]))
    if document["by_detections"]:
        parts.append(models.section(document["by_detections"]))
    if document["ablations"]:
        parts.append(ablations.section(document["ablations"]))
    if document.get("over_time"):
        parts.append(over_time.section(document["over_time"]))
    if document.get("subclasses"):
        parts.append(subclasses.section(document["subclasses"]))
    if document.get("unusual"):
        parts.append(unusual.section(document["unusual"]))
    parts += [
        slices.section(document["slices"], evaluation.classes, document["model"]["n_detections"]),
        selective.section(document["selective"]),
        ranking.section(document["ranking"]),
        calibration.section(document["calibration"]),
        _errors(evaluation),
        *_learning(document),
        _data(document),
        _origin(document),
    ]
    return page.page(title(document), *parts)


def title(document: dict) -> str:
    """Which model on which data: "n1_enhanced on sky.h5, test split"."""
    data = document["data"]
    part = "all splits" if data["split"] == ALL_SPLITS else f"{data['split']} split"
    return f"{document['model']['name']} on {Path(data['path']).name}, {part}"


def _accuracy(document: dict) -> str:
    results, inference = document["results"], document["inference"]
    accuracy, balanced = results["accuracy"], results["balanced_accuracy"]
    level, n_objects = f"{100 * accuracy['confidence']:.0f} %", results["n_objects"]
    mean = f"{percent(balanced['value'])} (mean recall of the classes)"
    return "".join(
        [
            page.paragraph(f"{percent(accuracy['value'])} accuracy", "headline"),
            page.paragraph(
                f"{level} interval {interval(accuracy['wilson_interval'])} (Wilson's), {n_objects:,} objects",
                "muted",
            ),
            page.facts(
                [
                    ("balanced accuracy", f"{mean}, bootstrap interval {interval(balanced['interval'])}"),
                    ("cross-entropy", f"{results['cross_entropy_nat']:.4f} nat"),
                    ("Brier score", f"{results['brier']:.4f} (0 best, 2 worst)"),
                    ("inference", inference_text(inference)),
                ]
            ),
        ]
    )


def inference_text(inference: dict) -> str:
    """The inference time in words."""
    return (
        f"{1e3 * inference['median_s_per_object']:.3g} ms per object (median of {inference['repeats']} runs of"
        f" {inference['batch_size']} objects on {inference['device']}, without compilation)"
    )


def _classes(document: dict, evaluation: Evaluation) -> str:
    results = document["results"]
    rows = [
        [(name, ""), (f"{numbers['support']:,}", "")]
        + [(percent(numbers[score]["value"]), interval(numbers[score]["interval"])) for score in SCORES]
        for name, numbers in results["classes"].items()
    ]
    level = f"{100 * results['accuracy']['confidence']:.0f} %"
    methods = "Wilson's for precision and recall, bootstrap over objects for F1"
    picture = figures.confusion_figure(np.array(results["confusion_matrix"]), evaluation.classes)
    return page.section(
        "Classes",
        page.pictures([("Confusion matrix: rates and counts", picture)]),
        page.table(["class", "objects", *SCORES.values()], rows),
        page.paragraph(f"{UNDEFINED}: undefined. In small print: {level} intervals, {methods}.", "muted"),
    )


def _errors(evaluation: Evaluation) -> str:
    if not evaluation.errors:
        return page.section("Most confident errors", page.paragraph("No object was misclassified."))
    items = [
        (f"{shown.object_id}, true class {shown.true_class}, stamps and probabilities", portrait_picture(shown))
        for shown in evaluation.errors
    ]
    text = "One row per detection. Each stamp is 64″ wide and has its own stretch; tinted: no data. Bold: true class."
    return page.section("Most confident errors", page.paragraph(text, "muted"), page.pictures(items, small=True))


def _learning(document: dict) -> list[str]:
    curve = {key: np.array(values, float) for key, values in document["learning_curve"].items()}
    if not curve["step"].size:
        return []
    picture = figures.learning_figure(*(curve[key] for key in CURVE), document["model"]["best_steps"][0])
    return [page.section("Training", page.pictures([("Learning curve", picture)]))]


def _data(document: dict) -> str:
    data = document["data"]
    pairs = _pairs({key: value for key, value in data.items() if key != "objects"})
    pairs += [(f"objects {name}", f"{count:,}") for name, count in sorted(data["objects"].items())]
    return page.section("Data", page.facts(pairs))


def _origin(document: dict) -> str:
    pairs = [*_pairs(document["model"]), ("command", document["command"]), ("evaluated", document["created"])]
    pairs += _pairs(document["hardware"]) + [(f"{name} version", value) for name, value in document["versions"].items()]
    return page.section("Provenance", page.facts(pairs))


def _pairs(values: dict) -> list[tuple[str, str]]:
    return [(NAMES.get(key, key.replace("_", " ")), _words(value)) for key, value in values.items()]


def _words(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def text(document: dict) -> str:
    """The main numbers, for the terminal."""
    results, classes = document["results"], document["results"]["classes"]
    names, width = list(classes), max(9, *map(len, classes))
    accuracy, n_objects = results["accuracy"], results["n_objects"]
    limits = f"{100 * accuracy['confidence']:.0f} % interval {interval(accuracy['wilson_interval'])}"
    heads = ("objects", *SCORES.values(), *(f"→ {name}" for name in names))
    lines = [f"{percent(accuracy['value'])} accuracy ({limits}), {n_objects:,} objects", ""]
    lines.append(" " * width + "".join(f"{head:>11}" for head in heads))
    for name, row in zip(names, results["confusion_matrix"], strict=True):
        cells = [f"{classes[name]['support']:,}", *(percent(classes[name][score]["value"]) for score in SCORES)]
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>11}" for cell in (*cells, *(f"{n:,}" for n in row))))
    left_out = [(name, n) for name, n in document["data"]["objects"].items() if name != EVALUATED]
    lines += ["", *(f"not evaluated: {n:,} {name}" for name, n in sorted(left_out))]
    if document["sky"]:
        lines += ["", priors.text(document["sky"]), ""]
    if document["by_detections"]:
        lines += ["", models.text(document["by_detections"]), ""]
    if document.get("over_time"):
        told = document["subclasses"] and subclasses.text(document["subclasses"])
        lines += ["", over_time.text(document["over_time"]), *filter(None, [told]), ""]
    if document["bogus_screening"]:
        lines += ["", screening.text(document["bogus_screening"]), ""]
    if document["ablations"]:
        lines += ["", ablations.text(document["ablations"]), ""]
    if document.get("unusual"):
        lines += ["", unusual.text(document["unusual"]), ""]
    return "\n".join([*lines, inference_text(document["inference"])])
