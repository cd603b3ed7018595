"""TSC Figure 6: test accuracy against inference time, of every size of every temporal model."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from jtss.config import named
from jtss.paper.grids import Choice, Setup
from jtss.paper.layout import Column, Document, Picture, Table
from jtss.paper.results import Measured, best
from jtss.reports import figures

COLOURS = {
    "lstm": "#0072B2",
    "gru": "#D55E00",
    "rnn": "#009E73",
    "gamma": "#CC79A7",
    "tdnn": "#7F7F7F",
    "conv1d": "#E69F00",
}
COLUMNS = (
    Column("alerts"),
    Column("model"),
    Column("size"),
    Column("here: accuracy [%]", "accuracy"),
    Column("here: time [ms]", "time"),
    Column("best of its model"),
)
NOTES = (
    "Diamonds: the size of each model with the highest mean validation accuracy; in the paper, by test accuracy.",
    "The paper shows its own figure as a picture, in a unit that it does not give: nothing of it is drawn here.",
    "Time: per object in batches, from stamps in memory to probabilities.",
)


def document(setups: Sequence[Setup], measured: Measured, choice: Choice) -> Document:
    """One row for each size of each model, one picture for each number of detections."""
    marked = {best([s for s in setups if s.row == row], measured) for row in {s.row for s in setups}}
    rows, pictures = [], []
    for n in choice.n:
        of_n = [setup for setup in setups if setup.row[0] == n]
        by_model = sorted(of_n, key=lambda setup: choice.models.index(setup.row[1]))
        rows += [_row(setup, measured, setup in marked) for setup in by_model]
        drawn = [setup for setup in of_n if measured.of(setup)]
        if drawn:
            caption = f"TSC Figure 6, {n} alerts: test accuracy against inference time; bars: ± sd over seeds"
            pictures.append(Picture(f"figure6-n{n}", caption, _scatter(drawn, marked, measured, n)))
    title = "TSC Figure 6: accuracy against inference time"
    return Document("figure6", title, [Table("figure6", "Results", COLUMNS, rows)], pictures, list(NOTES))


def _row(setup: Setup, measured: Measured, is_best: bool) -> tuple:
    n, kind = setup.row
    size = named.architecture(setup.config.temporal)
    return str(n), kind, size, measured.accuracy(setup), measured.milliseconds(setup), "best" if is_best else None


def _scatter(setups: Sequence[Setup], marked: set[Setup | None], measured: Measured, n: int) -> bytes:
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    axes = figure.add_subplot()
    for setup in setups:
        accuracy, is_best = measured.accuracy(setup), setup in marked
        axes.errorbar(
            measured.milliseconds(setup),
            100 * accuracy.mean,
            yerr=100 * accuracy.sd if accuracy.seeds > 1 else None,
            fmt="D" if is_best else "o",
            markersize=10 if is_best else 6,
            alpha=1 if is_best else 0.5,
            color=COLOURS[setup.row[1]],
            linewidth=1,
        )
    for kind in dict.fromkeys(setup.row[1] for setup in setups):
        axes.plot([], [], "o", color=COLOURS[kind], label=kind)
    axes.plot([], [], "D", color="black", markerfacecolor="none", label="best size")
    axes.set_xlabel("inference time [ms per object]", fontsize=12)
    axes.set_ylabel("test accuracy [%]", fontsize=12)
    axes.set_title(f"{n} alerts", fontsize=14)
    axes.legend(frameon=False, fontsize=10, loc="center left", bbox_to_anchor=(1, 0.5))
    figures.tidy(axes)
    return figures.png(figure)
