"""Pictures of numbers, as PNG bytes. Figures are objects: nothing is shown and no global state is touched."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jtss.metrics.classification import Reliability, ratio
from jtss.reports.colours import BLUE, CLASS_COLOURS, GREY, VERMILION
from jtss.reports.page import decimal

DOTS_PER_INCH = 110
ROW_HEIGHT = 0.26  # inches


def png(figure: Figure) -> bytes:
    """Draw a figure into PNG bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def tidy(axes: Axes) -> None:
    """Light grid, no box: what is left is data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)


def confusion_figure(confusion: np.ndarray, classes: Sequence[str], deviation: np.ndarray | None = None) -> bytes:
    """Draw a confusion matrix: colour and percentage are the rate within the true class, below it the count.

    Args:
        confusion: [L, L] counts; true class in rows.
        classes: L names.
        deviation: [L, L] standard deviations over seeds of the counts, which are means then; a NaN is not shown.

    Returns:
        PNG. A class without objects has an empty row, marked "–".
    """
    n = len(classes)
    rates = ratio(confusion, confusion.sum(axis=1, keepdims=True))
    figure = Figure(figsize=(1.6 + 1.15 * n, 1.4 + 1.05 * n), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(np.nan_to_num(rates), cmap="Blues", vmin=0, vmax=1)
    for (true, predicted), rate in np.ndenumerate(rates):
        colour = "white" if rate > 0.55 else "#222222"
        text = f"{100 * rate:.1f} %" if np.isfinite(rate) else "–"
        axes.text(predicted, true - 0.08, text, ha="center", va="center", color=colour, fontsize=13)
        count = _count(confusion[true, predicted], None if deviation is None else deviation[true, predicted])
        axes.text(predicted, true + 0.22, count, ha="center", va="center", color=colour, fontsize=10)
    axes.set_xticks(range(n), classes, fontsize=12)
    axes.set_yticks(range(n), classes, fontsize=12)
    axes.set_xlabel("predicted class", fontsize=12)
    axes.set_ylabel("true class", fontsize=12)
    axes.set_title("Confusion matrix" if deviation is None else "Mean confusion matrix", fontsize=14)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0 %", "50 %", "100 %"])
    bar.set_label("fraction of the true class")
    bar.outline.set_visible(False)
    return png(figure)


def _count(count: float, deviation: float | None) -> str:
    if deviation is None:
        return f"{count:,}"
    digits = 1 if count < 1000 else 0  # so that it fits into its cell
    return f"{count:,.{digits}f}" + (f" ± {deviation:,.{digits}f}" if np.isfinite(deviation) else "")


def reliability_figure(bins: Reliability, title: str = "Reliability") -> bytes:
    """Draw accuracy against stated probability, and how many objects each bin holds."""
    figure = Figure(figsize=(4.2, 4.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    filled = bins.count > 0
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="perfectly calibrated")
    deviation = np.sqrt(ratio(bins.accuracy * (1 - bins.accuracy), bins.count))
    upper.errorbar(
        bins.confidence[filled],
        bins.accuracy[filled],
        yerr=deviation[filled],
        fmt="o-",
        color=BLUE,
        markersize=7,
        linewidth=1.6,
        capsize=3,
        label="measured, ± 1 standard error",
    )
    upper.set_ylim(-0.03, 1.03)
    upper.set_ylabel("fraction correct", fontsize=12)
    upper.set_title(f"{title}: calibration error {100 * bins.error:.1f} %", fontsize=12)
    upper.legend(frameon=False, loc="upper left", fontsize=10)
    centres, widths = (bins.edges[1:] + bins.edges[:-1]) / 2, np.diff(bins.edges)
    lower.bar(centres, bins.count, widths * 0.92, color=BLUE, alpha=0.7)
    lower.set_xlim(0, 1)
    lower.set_xlabel("stated probability of the predicted class", fontsize=12)
    lower.set_ylabel("objects", fontsize=12)
    for axes in (upper, lower):
        tidy(axes)
    return png(figure)


def learning_figure(
    step: np.ndarray,
    train_loss: np.ndarray,
    validation_loss: np.ndarray,
    validation_accuracy: np.ndarray,
    best_step: int,
) -> bytes:
    """Draw losses [nat] and validation accuracy against training step, with the step of the model that was kept.

    Args:
        step: [T] training steps.
        train_loss, validation_loss: [T] cross-entropy [nat]; NaN where not measured.
        validation_accuracy: [T]; NaN where not measured.
        best_step: step of the model that was kept.
    """
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for values, colour, name in ((train_loss, GREY, "training"), (validation_loss, BLUE, "validation")):
        there = np.isfinite(values)
        upper.plot(step[there], values[there], color=colour, linewidth=1.5, label=name)
    there = np.isfinite(validation_accuracy)
    lower.plot(step[there], 100 * validation_accuracy[there], color=BLUE, linewidth=1.5, label="validation")
    upper.set_ylabel("cross-entropy [nat]", fontsize=12)
    upper.set_ylim(bottom=0)
    lower.set_ylabel("accuracy [%]", fontsize=12)
    lower.set_xlabel("training step", fontsize=12)
    upper.set_title("Learning curve", fontsize=14)
    for axes in (upper, lower):
        axes.axvline(best_step, color=VERMILION, linestyle="--", linewidth=1.3, label=f"kept: step {best_step:,}")
        tidy(axes)
    upper.legend(frameon=False, fontsize=10)
    return png(figure)


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
    axes.set_xlabel("coverage: objects classified, the most confident first [%]", fontsize=12)
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
    axes.set_xlim(right=102)
    axes.set_xlabel("accuracy [%]", fontsize=11)
    tidy(axes)
    axes.tick_params(axis="y", length=0)
    return png(figure)


def roc_figure(curves: dict[str, dict]) -> bytes:
    """Draw the ROC curve of every class; those that are undefined are left out.

    Args:
        curves: as `sections.ranking.scores` gives them.
    """
    figure, axes = _square()
    low = 1.0
    for name, curve in curves.items():
        false, true = (np.array(curve["roc"][key]) for key in ("false_positive_rate", "true_positive_rate"))
        if false.size:
            axes.step(false, true, where="post", **_line(name, curve["auc"]))
            low = min(low, true[false <= 0.001].max())
    axes.set_xscale("symlog", linthresh=0.01, linscale=0.5)
    axes.set_xticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
    axes.set_xlim(0, 1)
    axes.set_xlabel("false positive rate (logarithmic from 1 %)", fontsize=11)
    _finish(axes, "ROC curve (area under it)", "true positive rate", low, "lower right")
    return png(figure)


def precision_recall_figure(curves: dict[str, dict]) -> bytes:
    """Draw the precision–recall curve of every class; those that are undefined are left out.

    Args:
        curves: as `sections.ranking.scores` gives them.
    """
    figure, axes = _square()
    low = 1.0
    for name, curve in curves.items():
        recall, precision = (np.array(curve["precision_recall"][key]) for key in ("recall", "precision"))
        if recall.size:
            axes.plot(recall, precision, **_line(name, curve["average_precision"]))
            low = min(low, precision[recall <= 0.95].min(initial=1.0))
    axes.set_xlim(0, 1.01)
    axes.set_xlabel("recall", fontsize=11)
    _finish(axes, "Precision–recall curve (average precision)", "precision (this test set)", low, "lower left")
    return png(figure)


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.2, 4.0), layout="constrained")
    return figure, figure.add_subplot()


def _line(name: str, score: float) -> dict:
    return {"color": CLASS_COLOURS.get(name, GREY), "linewidth": 1.8, "label": f"{name}  {decimal(score, 4)}"}


def _finish(axes: Axes, title: str, name: str, low: float, place: str) -> None:
    """Where all curves stay high, only that part is shown."""
    axes.set_ylim(max(0.0, np.floor(10 * low - 1.5) / 10), 1.005)
    axes.set_ylabel(name, fontsize=11)
    axes.set_title(title, fontsize=12)
    tidy(axes)
    if axes.get_lines():
        axes.legend(frameon=False, fontsize=10, loc=place)
