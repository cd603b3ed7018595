"""How a report is written: pieces of a self-contained HTML page, plain values as JSON, and numbers as text.

The page has no scripts and fetches nothing: pictures are inside, and it can be read on a phone.
"""

import base64
import json
import math
from collections.abc import Iterable, Sequence
from html import escape

UNDEFINED = "–"
STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: #fff; color: #1c1c1c;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid #ddd; padding-bottom: 0.2rem; }
p { margin: 0.4rem 0; }
.headline { font-size: 2.1rem; font-weight: 600; line-height: 1.2; margin: 0.6rem 0 0; }
.muted { color: #595959; font-size: 0.92rem; }
.warning { background: #fdf0e6; border-left: 4px solid #d55e00; padding: 0.5rem 0.8rem; margin: 0.8rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.5rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.7rem 0.3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee; }
th { font-weight: 600; }
td.wrap { overflow-wrap: anywhere; }
.scroll td { white-space: nowrap; }
th.group { padding-top: 1rem; color: #595959; font-weight: 500; }
summary { cursor: pointer; padding: 0.5rem 0; color: #0072b2; }
td .muted { white-space: nowrap; font-size: 0.8rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; max-width: 100%; }
img { display: block; max-width: 100%; height: auto; }
.small img { width: 19rem; }
@media (max-width: 30rem) { .scroll table { font-size: 0.85rem; } .scroll td .muted { font-size: 0.68rem; }
  .scroll th, .scroll td { padding-right: 0.45rem; } }
"""


def page(title: str, *parts: str) -> str:
    """The whole document."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text; `kind` is "", "muted", "headline" or "warning"."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A table of names and values, both plain text."""
    rows = (
        f'<tr><th scope="row">{escape(name)}</th><td class="wrap">{escape(value)}</td></tr>' for name, value in pairs
    )
    return f"<table>{''.join(rows)}</table>"


def table(head: Sequence[str], rows: Iterable[Sequence[tuple[str, str]] | str]) -> str:
    """A table of cells (text, remark); it scrolls sideways within itself where the screen is narrow.

    A row that is a text heads those below it.
    """
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(_row(row, len(head)) for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(title: str, *parts: str) -> str:
    """Finished HTML parts that show when their title is clicked, and in print."""
    return f"<details><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def pictures(items: Iterable[tuple[str, bytes]], small: bool = False) -> str:
    """PNG pictures with a description each, side by side as far as the screen is wide; `small` ones three abreast."""
    figures = (
        f'<figure><img alt="{escape(text)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>'
        for text, png in items
    )
    return f'<div class="pictures{" small" if small else ""}">{"".join(figures)}</div>'


def section(title: str, *parts: str) -> str:
    """A headed section of finished HTML parts."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def plain(value):
    """The same nested value with NaN and infinity as None, for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(value) -> str:
    """A nested plain value as JSON; what is not finite becomes null."""
    return json.dumps(plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def percent(value: float) -> str:
    """A fraction as percent, "–" where undefined."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else UNDEFINED


def interval(limits: Sequence[float]) -> str:
    """An interval of fractions as percent, "" where undefined."""
    lower, upper = limits
    return f"{100 * lower:.1f}–{100 * upper:.1f} %" if math.isfinite(lower) else ""


def points(fraction: float) -> str:
    """A difference or deviation of fractions in percentage points, "–" where undefined."""
    return f"{100 * fraction:.2f}" if math.isfinite(fraction) else UNDEFINED


def gain(difference: float, limits: Sequence[float]) -> str:
    """A difference of fractions and its interval in percentage points, with their signs."""
    value, lower, upper = (f"{100 * number:+.1f}".replace("-", "−") for number in (difference, *limits))
    return f"{value} points ({lower} to {upper})"


def spread(values: Sequence[float]) -> str:
    """Fractions as percent: the one there is, or the lowest and the highest."""
    least, most = min(values), max(values)
    return percent(most) if least == most else f"{100 * least:.1f}–{percent(most)}"


def decimal(value: float, digits: int = 3) -> str:
    """A number with fixed digits, "–" where undefined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else UNDEFINED


def _row(row: Sequence[tuple[str, str]] | str, width: int) -> str:
    if isinstance(row, str):
        return f'<tr><th class="group" scope="rowgroup" colspan="{width}">{escape(row)}</th></tr>'
    return f"<tr>{''.join(map(_cell, row))}</tr>"


def _cell(cell: tuple[str, str]) -> str:
    text, remark = cell
    return f"<td>{escape(text)}" + (f'<br><span class="muted">{escape(remark)}</span>' if remark else "") + "</td>"
