"""What a report says of accuracy in slices of the test set."""

from jtss.metrics import slices
from jtss.reports import figures, page
from jtss.reports.evaluation import Evaluation
from jtss.reports.page import UNDEFINED, interval, percent

MEANING = (
    "Magnitude, filter, offset, latitude and detections so far are those of the last alert that the model reads. A low"
    " accuracy may be due to the mixture of classes in a slice: the table has the number of objects of each class that"
    f" are classified correctly. Hollow points (few): fewer than {slices.FEW} objects. Intervals are Wilson's, 95 %."
)
ONE_DETECTION = "For a model of single alerts there is no time since the first detection; see detections so far."


def scores(evaluation: Evaluation, n_detections: int) -> list[dict]:
    """The numbers of every cut, as plain values; see `slices.scores`."""
    predicted, labels = evaluation.predicted, evaluation.label
    every = slices.cuts(evaluation.properties, n_detections)
    return [slices.scores(cut, predicted, labels, evaluation.classes) for cut in every]


def section(cuts: list[dict], classes: tuple[str, ...], n_detections: int) -> str:
    """The numbers, as a section of the page."""
    parts = [page.pictures([("Accuracy of every slice with its interval", figures.slices_figure(cuts))])]
    if n_detections == 1:
        parts.append(page.paragraph(ONE_DETECTION, "muted"))
    present = [name for name in classes if any(row["classes"][name]["objects"] for row in cuts[0]["slices"])]
    rows = [row for cut in cuts for row in (cut["name"], *_rows(cut, present))]
    parts.append(page.folded("All slices as numbers", page.table(["", "objects", "accuracy", *present], rows)))
    return page.section("Accuracy in slices", *parts, page.paragraph(MEANING, "muted"))


def _rows(cut: dict, classes: list[str]) -> list[list[tuple[str, str]]]:
    rows = []
    for row in cut["slices"]:
        cells = [(_part(row["classes"][name]), "") for name in classes]
        accuracy = (percent(row["accuracy"]), interval(row["wilson_interval"]))
        rows.append([(row["name"], ""), (f"{row['objects']:,}", "few" if row["few"] else ""), accuracy, *cells])
    return rows


def _part(of_class: dict) -> str:
    return f"{of_class['correct']:,} of {of_class['objects']:,}" if of_class["objects"] else UNDEFINED
