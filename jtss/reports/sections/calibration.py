"""What a report says of calibration: whether probabilities mean what they say, before and after temperature scaling."""

import numpy as np

from jtss.inference import calibration
from jtss.metrics import classification
from jtss.metrics.classification import Reliability
from jtss.reports import figures, page
from jtss.reports.evaluation import Predictions
from jtss.reports.page import decimal, percent

FITTED = "fitted to {n:,} labelled objects of the validation split"
NO_VALIDATION = "not fitted, since no labelled objects of the validation split remain besides those evaluated"
TOO_FEW = "not fitted, since the {n:,} labelled objects of the validation split are too few"
MEANING = (
    "Where the points lie below the diagonal, the model is overconfident. Temperature scaling divides the logarithms of"
    " the probabilities by the temperature and normalises: above 1 it makes a model less confident; the predicted class"
    " never changes. All of this holds at the class proportions of this test set: for others, scale by the temperature"
    " first, then multiply by the class priors and normalise."
)


def scores(predictions: Predictions, validation: Predictions | None) -> dict:
    """Calibration before and after scaling, as plain values; undefined ones are NaN.

    Args:
        predictions: for the objects evaluated.
        validation: for other objects, to fit the temperature to.
    """
    fitted = np.nan if validation is None else calibration.fit(validation.probabilities, validation.label)
    known = bool(np.isfinite(fitted))
    limits = (np.nan, np.nan)
    if known:
        limits = calibration.interval(validation.probabilities, validation.label, fitted)
    words = NO_VALIDATION if validation is None else (FITTED if known else TOO_FEW).format(n=len(validation.label))
    after = calibration.scaled(predictions.probabilities, fitted) if known else None
    return {
        "temperature": float(fitted),
        "temperature_interval": [float(limit) for limit in limits],
        "temperature_is": words,
        "before": _scores(predictions.probabilities, predictions.label),
        "after": None if after is None else _scores(after, predictions.label),
    }


def _scores(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    bins = classification.reliability(probabilities, labels)
    return {
        "cross_entropy_nat": classification.cross_entropy(probabilities, labels),
        "brier": classification.brier(probabilities, labels),
        "calibration_error": bins.error,
        "mean_confidence": float(probabilities.max(axis=1).mean(dtype=np.float64)),
        "reliability": {name: np.asarray(values).tolist() for name, values in bins._asdict().items()},
    }


def section(scores: dict) -> str:
    """The numbers, as a section of the page."""
    kinds = {name: scores[name] for name in ("before", "after") if scores[name]}
    rows = [
        [
            (f"{name} scaling", ""),
            (percent(of["calibration_error"]), ""),
            (decimal(of["brier"], 4), ""),
            (decimal(of["cross_entropy_nat"], 4), ""),
            (percent(of["mean_confidence"]), ""),
        ]
        for name, of in kinds.items()
    ]
    pictures = [(f"Reliability diagram {name} scaling", _picture(name, of)) for name, of in kinds.items()]
    head = ["", "calibration error", "Brier score", "cross-entropy [nat]", "mean confidence"]
    return page.section(
        "Calibration",
        page.pictures(pictures),
        page.paragraph(_temperature(scores)),
        page.table(head, rows),
        page.paragraph(MEANING, "muted"),
    )


def _temperature(scores: dict) -> str:
    value, (lower, upper) = decimal(scores["temperature"]), scores["temperature_interval"]
    if not np.isfinite(scores["temperature"]):
        return f"Temperature {value}: {scores['temperature_is']}."
    idle = " It is consistent with 1, which leaves the probabilities as they are." if lower <= 1 <= upper else ""
    return f"Temperature {value} ({decimal(lower)}–{decimal(upper)}, 95 %): {scores['temperature_is']}.{idle}"


def _picture(name: str, scores: dict) -> bytes:
    bins = {key: np.array(values) for key, values in scores["reliability"].items()}
    return figures.reliability_figure(
        Reliability(**{**bins, "error": float(bins["error"])}), f"{name.capitalize()} scaling"
    )
