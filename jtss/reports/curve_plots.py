"""Pictures of what lies beyond one accuracy: coverage, slices, ROC and precision–recall curves."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jtss.reports.plots import BLUE, CLASS_COLOURS, GREY, png, tidy
from jtss.reports.wording import decimal

ROW_HEIGHT = 0.26  # inches


def coverage_figure(curve: dict[str, Sequence[float]]) -> bytes:
    """Draw accuracy against coverage.

    Args:
        curve: coverage [T] and accuracy [T].
    """
    coverage, accuracy = 100 * np.array(curve["coverage"]), 100 * np.array(curve["accuracy"])
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.step(coverage, accuracy, where="post", color=BLUE, linewidth=1.8)
    axes.set_xlim(0, 101)
    shown = accuracy[coverage >= 5]  # the first few objects jump between 0 and 100 %
    axes.set_ylim(min(shown.min() - 1, 95) if shown.size else 0, 100.5)
    axes.set_xlabel("coverage: objects classified, the surest first [%]", fontsize=12)
    axes.set_ylabel("accuracy [%]", fontsize=12)
    axes.set_title("Accuracy against coverage", fontsize=13)
    tidy(axes)
    return png(figure)


def slices_figure(cuts: Sequence[dict]) -> bytes:
    """Draw the accuracy of every slice with its interval; slices with few objects are hollow.

    Args:
        cuts: as `slices.scores` gives them.
    """
    rows = [(cut["name"], row) for cut in cuts for row in cut["slices"]]
    figure = Figure(figsize=(4.7, 0.9 + ROW_HEIGHT * (len(rows) + 0.8 * len(cuts))), layout="constrained")
    axes = figure.add_subplot()
    places, labels, place, last = [], [], 0.0, None
    for name, row in rows:
        if name != last:
            place += 1.8 if last is not None else 0
            axes.text(
                0.01,
                place - 0.75,
                name,
                transform=axes.get_yaxis_transform(),
                fontsize=10,
                color="#595959",
                weight="bold",
            )
        else:
            place += 1
        last = name
        value, (lower, upper) = 100 * row["accuracy"], (100 * limit for limit in row["wilson_interval"])
        axes.plot([lower, upper], [place, place], color=GREY if row["few"] else BLUE, linewidth=1.6)
        face = "white" if row["few"] else BLUE
        axes.plot(value, place, "o", color=GREY if row["few"] else BLUE, markerfacecolor=face, markersize=6)
        places.append(place)
        labels.append(f"{row['name']}  ({row['objects']:,})")
    axes.set_yticks(places, labels, fontsize=10)
    axes.set_ylim(place + 0.8, -1.4)
    axes.set_xlim(right=100.8)
    axes.set_xlabel("accuracy [%]", fontsize=11)
    tidy(axes)
    axes.tick_params(axis="y", length=0)
    return png(figure)


def roc_figure(curves: dict[str, dict]) -> bytes:
    """Draw the ROC curve of every class; those that are undefined are left out.

    Args:
        curves: as `ranking_report.scores` gives them.
    """
    figure = Figure(figsize=(4.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    low = 1.0
    for name, found in curves.items():
        false, true = (np.array(found["roc"][key]) for key in ("false_positive_rate", "true_positive_rate"))
        if false.size:
            colour, label = CLASS_COLOURS.get(name, GREY), f"{name}  {decimal(found['auc'], 4)}"
            axes.step(false, true, where="post", color=colour, linewidth=1.8, label=label)
            low = min(low, true[false <= 0.001].max())
    axes.set_xscale("symlog", linthresh=0.01, linscale=0.5)
    axes.set_xticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
    axes.set_xlim(0, 1)
    axes.set_xlabel("false positive rate (logarithmic from 1 %)", fontsize=11)
    _finish(axes, "ROC; area under it", "true positive rate", low, "lower right")
    return png(figure)


def precision_recall_figure(curves: dict[str, dict]) -> bytes:
    """Draw the precision–recall curve of every class; those that are undefined are left out.

    Args:
        curves: as `ranking_report.scores` gives them.
    """
    figure = Figure(figsize=(4.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    low = 1.0
    for name, found in curves.items():
        recall, precision = (np.array(found["precision_recall"][key]) for key in ("recall", "precision"))
        if recall.size:
            colour, label = CLASS_COLOURS.get(name, GREY), f"{name}  {decimal(found['average_precision'], 4)}"
            axes.plot(recall, precision, color=colour, linewidth=1.8, label=label)
            low = min(low, precision[recall <= 0.95].min(initial=1.0))
    axes.set_xlim(0, 1.01)
    axes.set_xlabel("recall", fontsize=11)
    _finish(axes, "Precision–recall; average precision", "precision, in this test", low, "lower left")
    return png(figure)


def _finish(axes: Axes, title: str, name: str, low: float, place: str) -> None:
    """Where all curves stay high, only that part is shown."""
    axes.set_ylim(max(0.0, np.floor(10 * low - 1.5) / 10), 1.005)
    axes.set_ylabel(name, fontsize=11)
    axes.set_title(title, fontsize=12)
    tidy(axes)
    if axes.get_lines():
        axes.legend(frameon=False, fontsize=10, loc=place)
