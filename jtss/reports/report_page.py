"""The page of a report: one section per question, in the order in which a reader asks them."""

from pathlib import Path

import numpy as np

from jtss.reports import (
    calibration_report,
    page,
    plots,
    priors_report,
    ranking_report,
    screening_report,
    seeds_report,
    selective_report,
    slices_report,
    together_report,
)
from jtss.reports.evaluation import Evaluation
from jtss.reports.stamp_plots import card_picture
from jtss.reports.wording import UNDEFINED, interval, percent

SCORES = {"precision": "precision", "recall": "recall", "f1": "F1"}
CURVE = ("step", "train_loss", "validation_loss", "validation_accuracy")


def html(found: dict, evaluation: Evaluation) -> str:
    """The page of a report's document; no section for what is not known."""
    title = f"{found['model']['name']} on {Path(found['data']['path']).name}, {found['data']['split']} split"
    parts = [page.paragraph(text, "warning") for text in found["warnings"]]
    parts += [_accuracy(found), _classes(found, evaluation), priors_report.section(found["sky"])]
    if found["seeds"]:
        parts.append(seeds_report.section(found["seeds"], evaluation.classes))
    if found["bogus_screening"]:
        parts.append(screening_report.section(found["bogus_screening"]))
    if found["by_detections"]:
        parts.append(together_report.section(found["by_detections"]))
    parts += [
        slices_report.section(found["slices"], evaluation.classes, found["model"]["n_detections"]),
        selective_report.section(found["selective"]),
        ranking_report.section(found["ranking"]),
        calibration_report.section(found["calibration"]),
        _errors(evaluation),
        *_learning(found),
        _data(found),
        _origin(found),
    ]
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
                f"{level} interval {interval(accuracy['wilson_interval'])} (Wilson's, of {results['n_objects']:,}"
                " objects)",
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
    picture = plots.learning_figure(*(curve[key] for key in CURVE), found["model"]["best_steps"][0])
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
