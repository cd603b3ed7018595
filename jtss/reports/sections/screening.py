"""What a report says of bogus screening: how many of each true class were predicted as bogus, and what that costs."""

import numpy as np

from jtss.inference import screening
from jtss.inference.screening import Screened
from jtss.metrics.classification import ratio
from jtss.metrics.intervals import wilson_interval
from jtss.reports import page
from jtss.reports.evaluation import Evaluation
from jtss.reports.page import interval, percent

RATES = {"first_called_bogus": "first bogus", "second_called_bogus": "second bogus", "rejected": "rejected"}
MEANING = (
    "Of the objects with two or more detections (screened): those whose first detection is predicted to be bogus, those"
    " whose second is, and those for which both are, which are rejected."
)


def scores(evaluation: Evaluation, screened: Screened, screener: dict) -> dict:
    """The numbers of the screening, as plain values; undefined ones are NaN.

    Args:
        evaluation: of the classifier, on the objects that were not rejected.
        screened: what the screening said.
        screener: the model that screened: name, version, …
    """
    hits = int(np.sum(evaluation.predicted == evaluation.label))
    right, total = screening.hits_with_rejected(screened, hits, len(evaluation.label))
    classes = {
        name: {"objects": counts.objects, "screened": counts.screened}
        | {rate: _rate(getattr(counts, rate), counts.screened) for rate in RATES}
        for name, counts in screening.count(screened).items()
    }
    return {
        "model": screener,
        "classes": classes,
        "accuracy_with_rejected": {"n_objects": total, **_rate(right, total)},
    }


def _rate(count: int, total: int) -> dict:
    limits = [float(limit) for limit in wilson_interval(count, total)]
    return {"count": count, "value": float(ratio(count, total)), "wilson_interval": limits}


def text(scores: dict) -> str:
    """The numbers, for the terminal."""
    width = max(9, *map(len, scores["classes"]))
    heads = ("objects", "screened", *RATES.values())
    lines = [f"bogus screening by {scores['model']['run']}, of all labelled objects of the split:"]
    lines.append(" " * width + "".join(f"{head:>17}" for head in heads))
    for name, numbers in scores["classes"].items():
        rates = (f"{numbers[rate]['count']:,} ({percent(numbers[rate]['value'])})" for rate in RATES)
        cells = (f"{numbers['objects']:,}", f"{numbers['screened']:,}", *rates)
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>17}" for cell in cells))
    return "\n".join([*lines, _cost(scores)])


def section(scores: dict) -> str:
    """The numbers, as a section of the page."""
    rows = [
        [(name, ""), (f"{numbers['objects']:,}", ""), (f"{numbers['screened']:,}", "")]
        + [_cell(numbers[rate]) for rate in RATES]
        for name, numbers in scores["classes"].items()
    ]
    return page.section(
        "Bogus screening",
        page.paragraph(f"Screened by {scores['model']['name']}, {scores['model']['run']}."),
        page.table(["class", "objects", "screened", *RATES.values()], rows),
        page.paragraph(_cost(scores)),
        page.paragraph(MEANING, "muted"),
    )


def _cell(rate: dict) -> tuple[str, str]:
    return f"{rate['count']:,} ({percent(rate['value'])})", interval(rate["wilson_interval"])


def _cost(scores: dict) -> str:
    accuracy = scores["accuracy_with_rejected"]
    value, limits = percent(accuracy["value"]), interval(accuracy["wilson_interval"])
    return f"{value} accuracy with rejected objects counted as errors, {limits} ({accuracy['n_objects']:,} objects)"
