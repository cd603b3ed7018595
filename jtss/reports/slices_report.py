"""What a report says of accuracy in parts of the sky."""

from jtss.reports import curve_plots, page, slices
from jtss.reports.evaluation import Evaluation
from jtss.reports.wording import interval, percent

MEANING = (
    "Magnitude, filter, offset, latitude and detections so far are those of the last alert that the model reads. Beside"
    " the accuracy (95 % Wilson interval) how many of each class are right: a slice may look bad because it holds"
    f" another mixture of classes. Few: fewer than {slices.FEW} objects, which says little."
)
ONE_DETECTION = "A model for single alerts has no days since the first detection; see the detections so far instead."


def scores(evaluation: Evaluation, n_detections: int) -> list[dict]:
    """The numbers of every cut, as plain values; see `slices.scores`."""
    predicted, labels = evaluation.predicted, evaluation.label
    every = slices.cuts(evaluation.properties, n_detections)
    return [slices.scores(cut, predicted, labels, evaluation.classes) for cut in every]


def section(found: list[dict], classes: tuple[str, ...], n_detections: int) -> str:
    """The numbers, as a section of the page."""
    parts = [page.pictures([("Accuracy of every slice with its interval", curve_plots.slices_figure(found))])]
    if n_detections == 1:
        parts.append(page.paragraph(ONE_DETECTION, "muted"))
    present = [name for name in classes if any(row["classes"][name]["objects"] for row in found[0]["slices"])]
    rows = [row for cut in found for row in _rows(cut, present)]
    parts += [page.table(["", "objects", "accuracy", *present], rows), page.paragraph(MEANING, "muted")]
    return page.section("Where it works", *parts)


def _rows(cut: dict, classes: list[str]) -> list[list[tuple[str, str]]]:
    rows = []
    for row in cut["slices"]:
        cells = [(f"{row['classes'][name]['correct']} of {row['classes'][name]['objects']}", "") for name in classes]
        accuracy = (percent(row["accuracy"]), interval(row["wilson_interval"]))
        rows.append(
            [(row["name"], cut["name"]), (f"{row['objects']:,}", "few" if row["few"] else ""), accuracy, *cells]
        )
    return rows
