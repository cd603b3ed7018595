"""A document as text for the terminal, as CSV, as LaTeX and as an HTML page."""

import csv
import io
import textwrap
from pathlib import Path

from jtss import whole_files
from jtss.experiments.paper.tables import Document, Table, numbers, shown
from jtss.reports import page

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
        whole_files.write(folder / name, content)
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
