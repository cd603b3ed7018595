"""Pictures of what lies beyond one accuracy: coverage, slices, ROC and precision–recall curves."""

from collections.abc import Sequence

import numpy as np
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
    figure = Figure(figsize=(6.2, 0.9 + ROW_HEIGHT * (len(rows) + 0.6 * len(cuts))), layout="constrained")
    axes = figure.add_subplot()
    places, labels, place, last = [], [], 0.0, None
    for name, row in rows:
        if name != last:
            place += 1.6 if last is not None else 0
            axes.text(0.01, place - 0.85, name, transform=axes.get_yaxis_transform(), fontsize=9.5, color="#595959")
        else:
            place += 1
        last = name
        value, (lower, upper) = 100 * row["accuracy"], (100 * limit for limit in row["wilson_interval"])
        axes.plot([lower, upper], [place, place], color=GREY if row["few"] else BLUE, linewidth=1.6)
        face = "white" if row["few"] else BLUE
        axes.plot(value, place, "o", color=GREY if row["few"] else BLUE, markerfacecolor=face, markersize=6)
        places.append(place)
        labels.append(f"{row['name']}  ({row['objects']:,})")
    axes.set_yticks(places, labels, fontsize=9.5)
    axes.set_ylim(place + 0.8, -1.4)
    axes.set_xlim(right=100.8)
    axes.set_xlabel("accuracy [%], Wilson interval; hollow: few objects", fontsize=11)
    tidy(axes)
    axes.tick_params(axis="y", length=0)
    return png(figure)


def class_curves_figure(curves: dict[str, dict]) -> bytes:
    """Draw the ROC and the precision–recall curve of every class, side by side.

    Args:
        curves: as `ranking_report.scores` gives them; classes whose curves are undefined are left out.
    """
    figure = Figure(figsize=(9.2, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, found in curves.items():
        colour = CLASS_COLOURS.get(name, GREY)
        if found["roc"]["false_positive_rate"]:
            label = f"{name}  {decimal(found['auc'])}"
            left.step(
                found["roc"]["false_positive_rate"],
                found["roc"]["true_positive_rate"],
                where="post",
                color=colour,
                linewidth=1.8,
                label=label,
            )
        if found["precision_recall"]["recall"]:
            label = f"{name}  {decimal(found['average_precision'])}"
            recall, precision = found["precision_recall"]["recall"], found["precision_recall"]["precision"]
            right.plot(recall, precision, color=colour, linewidth=1.8, label=label)
    left.set_xscale("symlog", linthresh=0.01, linscale=0.5)
    left.set_xticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
    left.set_xlim(0, 1)
    left.set_xlabel("false positive rate (logarithmic from 1 %)", fontsize=11)
    left.set_ylabel("true positive rate", fontsize=11)
    left.set_title("ROC; area under it", fontsize=13)
    right.set_xlim(0, 1.01)
    right.set_xlabel("recall", fontsize=11)
    right.set_ylabel("precision, in this test", fontsize=11)
    right.set_title("Precision–recall; average precision", fontsize=13)
    for axes in (left, right):
        axes.set_ylim(0, 1.02)
        tidy(axes)
        if axes.get_lines():
            axes.legend(frameon=False, fontsize=10, loc="lower right" if axes is left else "lower left")
    return png(figure)
