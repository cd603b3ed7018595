"""What a report says of thresholds: how accurate the model is where only objects it is confident of are classified."""

import numpy as np

from jtss.metrics import classification, priors
from jtss.metrics.classification import ratio
from jtss.metrics.intervals import CONFIDENCE, wilson_interval, with_interval
from jtss.reports import figures, page
from jtss.reports.evaluation import Predictions
from jtss.reports.page import UNDEFINED, decimal, interval, percent

PURITY = 0.95
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
POINTS = 200  # of a curve that are kept
VALIDATION, THEMSELVES = "the validation split", "the objects evaluated"


def check_purity(purity: float) -> None:
    """Raise ValueError where a purity to choose thresholds for is none."""
    if not 0 < purity <= 1:
        raise ValueError(f"--purity {purity:g}: expected more than 0, at most 1")


def scores(
    predictions: Predictions,
    validation: Predictions | None,
    classes: tuple[str, ...],
    proportions: np.ndarray | None,
    purity: float = PURITY,
) -> dict:
    """Accuracy against coverage, and thresholds for a purity, as plain values; undefined ones are NaN.

    Args:
        predictions: for the objects evaluated.
        validation: for other objects, to choose the thresholds by; None: by those evaluated, which is optimistic.
        classes: L names.
        proportions: [L]; class priors; None: those of the objects evaluated.
        purity: to be reached.
    """
    curve = classification.coverage_curve(predictions.probabilities, predictions.label)
    thinned = np.unique(np.linspace(0, len(curve.count) - 1, POINTS).round().astype(int))
    chosen_by = validation or predictions
    return {
        "wanted_purity": purity,
        "at_shares_of_the_sky": proportions is not None,
        "thresholds_chosen_on": VALIDATION if validation else THEMSELVES,
        "objects_chosen_on": len(chosen_by.label),
        "confidence": CONFIDENCE,
        "coverage": [_point(curve, classification.at_coverage(curve, fraction)) for fraction in COVERAGES],
        "curve": {name: np.asarray(values)[thinned].tolist() for name, values in curve._asdict().items()},
        "classes": {
            name: _threshold(predictions, chosen_by, i, len(classes), proportions, purity)
            for i, name in enumerate(classes)
        },
    }


def _point(curve: classification.Coverage, at: int) -> dict:
    hits = round(float(curve.accuracy[at] * curve.count[at]))
    return {
        "coverage": float(curve.coverage[at]),
        "objects": int(curve.count[at]),
        "threshold": float(curve.threshold[at]),
        "accuracy": float(curve.accuracy[at]),
        "wilson_interval": [float(limit) for limit in wilson_interval(hits, int(curve.count[at]))],
    }


def _threshold(
    predictions: Predictions,
    chosen_by: Predictions,
    i: int,
    n_classes: int,
    proportions: np.ndarray | None,
    purity: float,
) -> dict:
    predicted = chosen_by.probabilities.argmax(axis=1) == i
    weights = _weights(chosen_by.label, n_classes, proportions)[predicted]
    probability, true = chosen_by.probabilities[predicted, i], chosen_by.label[predicted] == i
    threshold = classification.threshold_for_purity(probability, true, weights, purity)
    support = np.bincount(predictions.label, minlength=n_classes)
    kept = classification.predicted_above(predictions.probabilities, predictions.label, i, threshold, n_classes)
    these = support / support.sum() if proportions is None else proportions
    undefined = not np.isfinite(threshold)
    limits = (np.nan, np.nan) if undefined else wilson_interval(int(kept[i]), int(support[i]))
    return {
        "threshold": threshold,
        "kept": int(kept.sum()),
        "purity": with_interval(
            priors.purity(kept, support, these, i), priors.purity_interval(kept, support, these, i)
        ),
        "completeness": with_interval(np.nan if undefined else ratio(kept[i], support[i]), limits),
    }


def _weights(labels: np.ndarray, n_classes: int, proportions: np.ndarray | None) -> np.ndarray:
    return np.ones(len(labels)) if proportions is None else priors.weights(labels, proportions)


def section(scores: dict) -> str:
    """The numbers, as a section of the page."""
    points = [
        [
            (percent(point["coverage"]), f"{point['objects']:,} objects"),
            (decimal(point["threshold"]), ""),
            (percent(point["accuracy"]), interval(point["wilson_interval"])),
        ]
        for point in scores["coverage"]
    ]
    picture = figures.coverage_figure(scores["curve"])
    return page.section(
        "Thresholds on the probability",
        page.pictures([("Accuracy against coverage", picture)]),
        page.table(["coverage", "lowest probability", "accuracy"], points),
        page.paragraph(
            "Coverage is the fraction of objects that are classified if those of a lower probability are set aside; the"
            " accuracy is of those classified, at the class proportions of this test set.",
            "muted",
        ),
        _thresholds(scores),
    )


def _thresholds(scores: dict) -> str:
    rows = [
        [(name, ""), (decimal(of["threshold"]), "" if np.isfinite(of["threshold"]) else "not reached")]
        + [(f"{of['kept']:,}", "")]
        + [(percent(of[key]["value"]), interval(of[key]["interval"])) for key in ("purity", "completeness")]
        for name, of in scores["classes"].items()
    ]
    where = "the class priors above" if scores["at_shares_of_the_sky"] else "the class proportions of this test set"
    chosen_on = scores["thresholds_chosen_on"]
    caveat = "" if chosen_on == VALIDATION else ", the same that purity is measured on, which is optimistic"
    text = (
        f"Thresholds for a purity of {percent(scores['wanted_purity'])} at {where}: the lowest probability of the"
        f" predicted class that reaches it on {chosen_on} ({scores['objects_chosen_on']:,} objects{caveat}). The table"
        " has the purity and completeness measured on the objects evaluated."
    )
    level = f"{100 * scores['confidence']:.0f} %"
    note = (
        f"{UNDEFINED}: undefined. In small print: {level} intervals. Where the lower limit of a purity is below the one"
        " asked for, these objects are too few to guarantee it."
    )
    head = ["class", "threshold", "kept", "purity", "completeness"]
    return page.paragraph(text) + page.table(head, rows) + page.paragraph(note, "muted")
