"""What a report of averaged seeds says of each seed by itself: how much of the result is luck of the training."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from jtss.reports import page, plots
from jtss.reports.repeat_scores import values_of
from jtss.reports.wording import percent, points

MEANING = (
    "The report is of the mean of these seeds' probabilities; here is each by itself. ± is the standard deviation over"
    " seeds: it tells what another training would change, not what other objects would."
)


def section(found: dict, classes: Sequence[str]) -> str:
    """The numbers, as a section of the page."""
    rows = [
        [(f"seed {row['seed']}", f"step {row['best_step']:,}"), *((percent(value), "") for value in values_of(row))]
        for row in found["repeats"]
    ]
    both = zip(values_of(found["mean"]), values_of(found["sd"]), strict=True)
    rows.append([("mean", ""), *((percent(mean), f"± {points(sd)}" if isfinite(sd) else "") for mean, sd in both)])
    mean, deviation = (np.array(found[part]["confusion_matrix"]) for part in ("mean", "sd"))
    return page.section(
        "Seed by seed",
        page.table(["", "accuracy", *(f"recall {name}" for name in classes)], rows),
        page.pictures([("Mean confusion matrix of the seeds", plots.confusion_figure(mean, classes, deviation))]),
        page.paragraph(MEANING, "muted"),
    )
