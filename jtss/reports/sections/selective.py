"""What a report says of classifying only where the model is sure."""

import numpy as np

from jtss.metrics import classification, priors
from jtss.metrics.classification import ratio
from jtss.metrics.intervals import CONFIDENCE, wilson_interval
from jtss.reports import figures, page
from jtss.reports.evaluation import Answers
from jtss.reports.page import UNDEFINED, decimal, interval, percent

PURITY = 0.95
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
POINTS = 200  # of a curve that are kept
VALIDATION, THEMSELVES = "the validation split", "the objects evaluated"


def check_purity(wanted: float) -> None:
    """Raise ValueError where a wanted purity is none."""
    if not 0 < wanted <= 1:
        raise ValueError(f"--purity {wanted:g}: expected more than 0, at most 1")


def scores(
    answers: Answers,
    validation: Answers | None,
    classes: tuple[str, ...],
    shares: np.ndarray | None,
    wanted: float = PURITY,
) -> dict:
    """Accuracy against coverage, and thresholds for a purity, as plain values; undefined ones are NaN.

    Args:
        answers: for the objects evaluated.
        validation: for other objects, to choose the thresholds by; None: chosen by those evaluated, which flatters.
        classes: L names.
        shares: [L] of the classes on the sky; None: as many as there are of each.
        wanted: purity.
    """
    curve = classification.coverage_curve(answers.probabilities, answers.label)
    thinned = np.unique(np.linspace(0, len(curve.count) - 1, POINTS).round().astype(int))
    chosen_by = validation or answers
    return {
        "wanted_purity": wanted,
        "at_shares_of_the_sky": shares is not None,
        "thresholds_chosen_on": VALIDATION if validation else THEMSELVES,
        "objects_chosen_on": len(chosen_by.label),
        "confidence": CONFIDENCE,
        "coverage": [_point(curve, classification.at_coverage(curve, wanted_part)) for wanted_part in COVERAGES],
        "curve": {name: np.asarray(values)[thinned].tolist() for name, values in curve._asdict().items()},
        "classes": {
            name: _threshold(answers, chosen_by, i, len(classes), shares, wanted) for i, name in enumerate(classes)
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
    answers: Answers, chosen_by: Answers, i: int, n_classes: int, shares: np.ndarray | None, wanted: float
) -> dict:
    claimed = chosen_by.probabilities.argmax(axis=1) == i
    weights = _weights(chosen_by.label, n_classes, shares)[claimed]
    chance, true = chosen_by.probabilities[claimed, i], chosen_by.label[claimed] == i
    threshold = classification.threshold_for_purity(chance, true, weights, wanted)
    support = np.bincount(answers.label, minlength=n_classes)
    called = classification.predicted_above(answers.probabilities, answers.label, i, threshold, n_classes)
    these = support / support.sum() if shares is None else shares
    undefined = not np.isfinite(threshold)
    limits = (np.nan, np.nan) if undefined else wilson_interval(int(called[i]), int(support[i]))
    return {
        "threshold": threshold,
        "kept": int(called.sum()),
        "purity": _score(priors.purity(called, support, these, i), priors.purity_interval(called, support, these, i)),
        "completeness": _score(np.nan if undefined else ratio(called[i], support[i]), limits),
    }


def _weights(labels: np.ndarray, n_classes: int, shares: np.ndarray | None) -> np.ndarray:
    return np.ones(len(labels)) if shares is None else priors.weights(labels, shares)


def _score(value, limits) -> dict:
    return {"value": float(value), "interval": [float(limit) for limit in limits]}


def section(found: dict) -> str:
    """The numbers, as a section of the page."""
    points = [
        [
            (percent(point["coverage"]), f"{point['objects']:,} objects"),
            (decimal(point["threshold"]), ""),
            (percent(point["accuracy"]), interval(point["wilson_interval"])),
        ]
        for point in found["coverage"]
    ]
    picture = figures.coverage_figure(found["curve"])
    return page.section(
        "Only where it is sure",
        page.pictures([("Accuracy against coverage", picture)]),
        page.table(["coverage", "probability from", "accuracy"], points),
        page.paragraph("Accuracy of those kept, at the shares of this test.", "muted"),
        _thresholds(found),
    )


def _thresholds(found: dict) -> str:
    rows = [
        [(name, ""), (decimal(of["threshold"]), "" if np.isfinite(of["threshold"]) else "none keeps it")]
        + [(f"{of['kept']:,}", "")]
        + [(percent(of[key]["value"]), interval(of[key]["interval"])) for key in ("purity", "completeness")]
        for name, of in found["classes"].items()
    ]
    where = "at the shares of the sky above" if found["at_shares_of_the_sky"] else "at the shares of this test"
    by = found["thresholds_chosen_on"]
    honest = "" if by == VALIDATION else ", the same as below, which flatters"
    text = (
        f"Thresholds for a purity of {percent(found['wanted_purity'])} {where}: the lowest probability of the predicted"
        f" class that keeps it on {by} ({found['objects_chosen_on']:,} objects{honest}). Purity and completeness as"
        " measured on the objects evaluated:"
    )
    level = f"{100 * found['confidence']:.0f} %"
    note = (
        f"{UNDEFINED}: undefined. Small: {level} intervals. Where the lower limit of a purity is below what was wanted,"
        " these objects are too few to promise it."
    )
    head = ["class", "threshold", "kept", "purity", "completeness"]
    return page.paragraph(text) + page.table(head, rows) + page.paragraph(note, "muted")
