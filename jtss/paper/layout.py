"""Documents of tables and pictures, and how they are written: text for the terminal, CSV, LaTeX and an HTML page."""

import csv
import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import files
from jtss.metrics.intervals import Interval
from jtss.paper.grids import Setup
from jtss.paper.results import Measured, Spread
from jtss.reports import figures, page

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


WIDTH = 120
LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "θ": r"$\theta$",
    "°": r"$^\circ$",
    "–": "--",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
    "§": r"\S{}",
}


def write(folder: Path, document: Document) -> list[Path]:
    """NAME.html, NAME.tex, a CSV for each table and a PNG for each picture; what is there is replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    contents: dict[str, str | bytes] = {
        f"{document.name}.html": html(document),
        f"{document.name}.tex": latex(document),
    }
    contents |= {f"{table.name}.csv": as_csv(table) for table in document.tables}
    contents |= {f"{picture.name}.png": picture.png for picture in document.pictures}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        files.write(folder / name, content)
    return [folder / name for name in contents]


def _cells(table: Table) -> list[list[str]]:
    """Head and rows as text."""
    kinds = [column.kind for column in table.columns]
    body = [[shown(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in table.rows]
    return [[column.head for column in table.columns], *body]


def text(document: Document) -> str:
    """For the terminal."""
    parts = [document.title]
    for table in document.tables:
        lines = _cells(table)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * width for width in widths])
        rows = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
        parts.append("\n".join([table.title, *(row.rstrip() for row in rows)]))
    notes = [textwrap.fill(note, WIDTH, initial_indent="- ", subsequent_indent="  ") for note in document.notes]
    return "\n\n".join([*parts, "\n".join(notes)])


def as_csv(table: Table) -> str:
    """Numbers as numbers: an accuracy has columns for its spread, its interval and its seeds."""
    rows = []
    for row in table.rows:
        values: dict[str, object] = {}
        for value, column in zip(row, table.columns, strict=True):
            values |= numbers(value, column)
        rows.append(values)
    heads = list(dict.fromkeys(head for row in rows for head in row)) or [column.head for column in table.columns]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def latex(document: Document) -> str:
    """A tabular for each table; needs no package. The notes are comments before them."""
    parts = ["".join(f"% {line}\n" for line in [document.title, *document.notes])]
    for table in document.tables:
        head, *rows = [" & ".join(map(_escaped, line)) + r" \\" for line in _cells(table)]
        body = ["\\begin{tabular}{" + "l" * len(table.columns) + "}", r"\hline", head, r"\hline", *rows, r"\hline"]
        parts.append("\n".join([f"% {table.title}", *body, "\\end{tabular}\n"]))
    return "\n".join(parts)


def _escaped(cell: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in cell)


def html(document: Document) -> str:
    """One page with everything in it."""
    parts = []
    for table in document.tables:
        head, *rows = _cells(table)
        parts.append(page.section(table.title, page.table(head, [list(map(_with_remark, row)) for row in rows])))
    if document.pictures:
        pictures = page.pictures((picture.caption, picture.png) for picture in document.pictures)
        captions = "".join(page.paragraph(picture.caption, "muted") for picture in document.pictures)
        parts.append(page.section("Pictures", pictures, captions))
    parts.append(page.section("Notes", *(page.paragraph(note) for note in document.notes)))
    return page.page(document.title, *parts)


def _with_remark(cell: str) -> tuple[str, str]:
    """What stands in brackets goes below; a number and its deviation stay in one line."""
    value, bracket, remark = cell.partition(" (")
    return value.replace(" ± ", "\u00a0±\u00a0"), bracket.strip() + remark


class Confusion(NamedTuple):
    """A matrix as a table, and as a picture where there is anything to draw."""

    table: Table
    pictures: list[Picture]


def mean_confusion(name: str, title: str, setup: Setup, measured: Measured) -> Confusion:
    """Mean counts over the seeds that are there, ± their standard deviation."""
    counts, seeds = measured.confusion(setup), len(measured.of(setup))
    caption = f"{title}: mean of {seeds} of {setup.seeds} seeds"
    if counts is None:
        return Confusion(confusion(name, caption, None, setup.config.classes), [])
    matrix, deviation = counts
    table = confusion(name, caption, matrix, setup.config.classes, deviation)
    picture = figures.confusion_figure(matrix, setup.config.classes, deviation)
    return Confusion(table, [Picture(name, caption, picture)])
