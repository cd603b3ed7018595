"""What a report says of bogus screening: how many of each true class were called bogus, and what that costs."""

import numpy as np

from jtss.inference import screening
from jtss.inference.screening import Screened
from jtss.metrics.classification import ratio
from jtss.metrics.intervals import wilson_interval
from jtss.reports import page
from jtss.reports.evaluation import Evaluation
from jtss.reports.page import interval, percent

SHARES = {"first_called_bogus": "first bogus", "second_called_bogus": "second bogus", "rejected": "rejected"}
MEANING = (
    "Of the objects with two detections or more (screened): how many had their first, their second detection called"
    " bogus, and how many both, which rejects an object."
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
        | {share: _share(getattr(counts, share), counts.screened) for share in SHARES}
        for name, counts in screening.count(screened).items()
    }
    return {
        "model": screener,
        "classes": classes,
        "accuracy_with_rejected": {"n_objects": total, **_share(right, total)},
    }


def _share(count: int, total: int) -> dict:
    limits = [float(limit) for limit in wilson_interval(count, total)]
    return {"count": count, "value": float(ratio(count, total)), "wilson_interval": limits}


def text(found: dict) -> str:
    """The numbers, for the terminal."""
    width = max(9, *map(len, found["classes"]))
    heads = ("objects", "screened", *SHARES.values())
    lines = [f"bogus screening by {found['model']['run']}, of all labelled objects of the split:"]
    lines.append(" " * width + "".join(f"{head:>17}" for head in heads))
    for name, numbers in found["classes"].items():
        shares = (f"{numbers[share]['count']:,} ({percent(numbers[share]['value'])})" for share in SHARES)
        cells = (f"{numbers['objects']:,}", f"{numbers['screened']:,}", *shares)
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>17}" for cell in cells))
    return "\n".join([*lines, _cost(found)])


def section(found: dict) -> str:
    """The numbers, as a section of the page."""
    rows = [
        [(name, ""), (f"{numbers['objects']:,}", ""), (f"{numbers['screened']:,}", "")]
        + [_cell(numbers[share]) for share in SHARES]
        for name, numbers in found["classes"].items()
    ]
    return page.section(
        "Bogus screening",
        page.paragraph(f"Screened by {found['model']['name']}, {found['model']['run']}."),
        page.table(["class", "objects", "screened", *SHARES.values()], rows),
        page.paragraph(_cost(found)),
        page.paragraph(MEANING, "muted"),
    )


def _cell(share: dict) -> tuple[str, str]:
    return f"{share['count']:,} ({percent(share['value'])})", interval(share["wilson_interval"])


def _cost(found: dict) -> str:
    accuracy = found["accuracy_with_rejected"]
    value, limits = percent(accuracy["value"]), interval(accuracy["wilson_interval"])
    return f"{value} accuracy with the rejected counted as errors, {limits} ({accuracy['n_objects']:,} objects)"
