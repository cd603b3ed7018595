"""The report of an evaluation: report.json has every number, report.html shows them."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from jtss import environment, whole_files
from jtss.reports import documents, page, plots, screening_report
from jtss.reports.cards import Card
from jtss.reports.evaluation import EVALUATED, Evaluation
from jtss.reports.metrics import Reliability
from jtss.reports.scores import scores
from jtss.reports.stamp_plots import card_picture
from jtss.reports.wording import UNDEFINED, interval, percent

REPORT_VERSION = 2
SCORES = {"precision": "precision", "recall": "recall", "f1": "F1"}
CURVE = ("step", "train_loss", "validation_loss", "validation_accuracy")


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
    """
    screened = evaluation.screened
    return {
        "report_version": REPORT_VERSION,
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": command,
        "warnings": list(warnings),
        "model": model,
        "data": {**data, "objects": evaluation.counts},
        "results": scores(evaluation),
        "bogus_screening": screened and screening_report.scores(evaluation, screened, screener),
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
    if found["bogus_screening"]:
        lines += ["", screening_report.text(found["bogus_screening"]), ""]
    return "\n".join([*lines, inference_text(found["inference"])])


def html(found: dict, evaluation: Evaluation) -> str:
    """The page: one section per question, in the order in which a reader asks them; none for what is not known."""
    title = f"{found['model']['name']} on {Path(found['data']['path']).name}, {found['data']['split']} split"
    parts = [page.paragraph(text, "warning") for text in found["warnings"]]
    parts += [_accuracy(found), _classes(found, evaluation)]
    if found["bogus_screening"]:
        parts.append(screening_report.section(found["bogus_screening"]))
    parts += [_calibration(found), _errors(evaluation), *_learning(found), _data(found), _origin(found)]
    return page.page(title, *parts)


def _balanced(score: dict) -> str:
    return f"{percent(score['value'])} (mean recall of the classes), bootstrap interval {interval(score['interval'])}"


def _accuracy(found: dict) -> str:
    results, inference = found["results"], found["inference"]
    accuracy = results["accuracy"]
    level = f"{100 * accuracy['confidence']:.0f} %"
    return "".join(
        [
            page.paragraph(f"{percent(accuracy['value'])} accuracy", "headline"),
            page.paragraph(
                f"{level} interval {interval(accuracy['interval'])} (bootstrap over {results['n_objects']:,} objects);"
                f" Wilson's: {interval(accuracy['wilson_interval'])}",
                "muted",
            ),
            page.facts(
                [
                    ("balanced accuracy", _balanced(results["balanced_accuracy"])),
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
        f" {inference['batch_size']} objects on {inference['device']}, compilation left out)"
    )


def _classes(found: dict, evaluation: Evaluation) -> str:
    results = found["results"]
    rows = [
        [(name, ""), (f"{numbers['support']:,}", "")]
        + [(percent(numbers[score]["value"]), interval(numbers[score]["interval"])) for score in SCORES]
        for name, numbers in results["classes"].items()
    ]
    level = f"{100 * results['accuracy']['confidence']:.0f} %"
    methods = "Wilson's for precision and recall, bootstrap over objects for F1"
    picture = plots.confusion_figure(np.array(results["confusion_matrix"]), evaluation.classes)
    return page.section(
        "Classes",
        page.pictures([("Confusion matrix: rates and counts", picture)]),
        page.table(["class", "objects", *SCORES.values()], rows),
        page.paragraph(f"{UNDEFINED}: undefined. Small: {level} intervals: {methods}.", "muted"),
    )


def _calibration(found: dict) -> str:
    bins = {key: np.array(values) for key, values in found["results"]["reliability"].items()}
    picture = plots.reliability_figure(Reliability(**{**bins, "error": float(bins["error"])}))
    text = "Where the points lie below the diagonal, the model claims more than it keeps."
    return page.section("Calibration", page.pictures([("Reliability diagram", picture)]), page.paragraph(text, "muted"))


def _errors(evaluation: Evaluation) -> str:
    if not evaluation.errors:
        return page.section("Most confident errors", page.paragraph("No object was classified wrongly."))
    items = [
        (f"{shown.object_id}, true class {shown.true_class}, stamps and probabilities", card_picture(shown))
        for shown in evaluation.errors
    ]
    text = "One row per detection. A stamp is 64″ wide, stretched by itself; tinted: no data. Bold: the true class."
    return page.section("Most confident errors", page.paragraph(text, "muted"), page.pictures(items, small=True))


def _learning(found: dict) -> list[str]:
    curve = {key: np.array(values, float) for key, values in found["learning_curve"].items()}
    if not curve["step"].size:
        return []
    picture = plots.learning_figure(*(curve[key] for key in CURVE), found["model"]["best_step"])
    return [page.section("Training", page.pictures([("Learning curve", picture)]))]


def _data(found: dict) -> str:
    data = found["data"]
    pairs = _pairs({key: value for key, value in data.items() if key != "objects"})
    pairs += [(f"objects {name}", f"{count:,}") for name, count in sorted(data["objects"].items())]
    return page.section("Data", page.facts(pairs))


def _origin(found: dict) -> str:
    pairs = [*_pairs(found["model"]), ("command", found["command"]), ("evaluated", found["created"])]
    pairs += _pairs(found["hardware"]) + [(f"{name} version", value) for name, value in found["versions"].items()]
    return page.section("Model, command and machine", page.facts(pairs))


def _pairs(values: dict) -> list[tuple[str, str]]:
    return [(key.replace("_", " "), _words(value)) for key, value in values.items()]


def _words(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
