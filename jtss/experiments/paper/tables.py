"""Tables as values: what stands in a cell, and how it is written. How a whole table is set is `typesetting`'s."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jtss.experiments.paper.measured import Spread
from jtss.reports.statistics import Interval

MISSING = "missing"
NOTHING = "–"


class Column(NamedTuple):
    """A column: its head, and what its cells hold.

    `kind` is "text" (str), "accuracy" (Spread), "gain" (difference, Interval), "p" (float) or "time" (float, [ms]);
    None stands for what is not measured yet, and in a column of text for what there is not. A text in any column stands
    as it is.
    """

    head: str
    kind: str = "text"


class Table(NamedTuple):
    """Rows under columns; `name` is that of its file."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: list[tuple]


class Picture(NamedTuple):
    """PNG bytes; `name` is that of its file."""

    name: str
    caption: str
    png: bytes


class Document(NamedTuple):
    """What an experiment comes to."""

    name: str
    title: str
    tables: list[Table]
    pictures: list[Picture]
    notes: list[str]


def shown(value: object, kind: str) -> str:
    """A cell as text."""
    if value is None:
        return NOTHING if kind == "text" else MISSING
    if isinstance(value, str):
        return value
    return {"text": str, "accuracy": _accuracy, "gain": _gain, "p": _p, "time": lambda ms: f"{ms:.3g}"}[kind](value)


def _accuracy(value: Spread) -> str:
    sd = f" ± {100 * value.sd:.2f}" if math.isfinite(value.sd) else ""
    partly = f" [{value.seeds} of {value.wanted} seeds]" if value.seeds < value.wanted else ""
    return f"{100 * value.mean:.2f}{sd} ({_percents(value.interval)}){partly}"


def _gain(value: tuple[float, Interval]) -> str:
    difference, interval = value
    return f"{100 * difference:+.2f} ({_percents(interval)})"


def _percents(interval: Interval) -> str:
    lower, upper = (f"{100 * limit:.1f}" for limit in interval)
    return f"{lower} to {upper}" if interval.lower < 0 else f"{lower}–{upper}"


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 0.001 else "< 0.001"


def numbers(value: object, column: Column) -> dict[str, object]:
    """A cell as numbers for a program, by name; what is missing is empty."""
    head, kind = column
    if isinstance(value, str):
        return {head: value}
    if kind == "accuracy":
        return _spread_numbers(head, value)
    if kind == "gain":
        difference, interval = value or ("", ("", ""))
        return {
            head: _percent(difference),
            f"{head} lower": _percent(interval[0]),
            f"{head} upper": _percent(interval[1]),
        }
    return {head: "" if value is None else value}


def _spread_numbers(head: str, value: Spread | None) -> dict[str, object]:
    mean, sd, seeds, _, interval = value or ("", "", 0, 0, ("", ""))
    return {
        head: _percent(mean),
        f"{head} sd": _percent(sd),
        f"{head} lower": _percent(interval[0]),
        f"{head} upper": _percent(interval[1]),
        f"{head} seeds": seeds,
    }


def _percent(value: float | str) -> float | str:
    return round(100 * float(value), 4) if value != "" and math.isfinite(value) else ""


def confusion(
    name: str,
    title: str,
    matrix: np.ndarray | None,
    classes: Sequence[str],
    deviation: np.ndarray | None = None,
) -> Table:
    """A confusion matrix, mean counts [L, L] with their share of the true class; None where there is none yet.

    `deviation` is the standard deviation of the counts [L, L], which is not shown where it is NaN.
    """
    columns = (Column("true class"), *(Column(f"called {label}") for label in classes))
    rows = []
    for i, label in enumerate(classes):
        if matrix is None:
            rows.append((label, *(MISSING for _ in classes)))
            continue
        spread = np.full(len(classes), np.nan) if deviation is None else deviation[i]
        cells = zip(matrix[i], spread, strict=True)
        rows.append((label, *(f"{_counted(n, sd)} ({_share(n, matrix[i].sum())})" for n, sd in cells)))
    return Table(name, title, columns, rows)


def _counted(mean: float, deviation: float) -> str:
    return f"{mean:.1f} ± {deviation:.1f}" if np.isfinite(deviation) else f"{mean:.1f}"


def _share(count: float, total: float) -> str:
    return f"{100 * count / total:.1f} %" if total else NOTHING
