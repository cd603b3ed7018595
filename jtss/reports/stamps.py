"""Portraits of objects: the stamps of their detections above the probabilities that a model gave them."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure

from jtss.inference.classify import Tally
from jtss.inference.portraits import Portrait
from jtss.reports.colours import CLASS_COLOURS, GREY
from jtss.reports.figures import png
from jtss.schema import CHANNEL_NAMES, STAMP_SIDE

FILTERS = {1: "g", 2: "r", 3: "i"}
ARCSEC_PER_PIXEL = 1.01
NO_DATA = "#F5D9B8"  # a tone that no grey pixel has: here the camera saw nothing
GAP = 3  # pixels between stamps
PORTRAIT_WIDTH, ROW_HEIGHT, HEAD_HEIGHT, BAR_HEIGHT = 3.2, 0.88, 0.85, 0.23  # inches
NOTE_LENGTH = 34  # characters that fit above a portrait


def stretch(stamp: np.ndarray) -> np.ndarray:
    """Bring the faint sky and the bright source of a stamp [S, S] into [0, 1] for the eye, NaN kept.

    Subtract the median, divide by the noise (from the median absolute deviation), asinh, then clip to percentiles.
    """
    seen = stamp[np.isfinite(stamp)]
    if not seen.size or seen.min() == seen.max():
        return np.where(np.isfinite(stamp), 0.5, np.nan)
    middle = np.median(seen)
    noise = 1.4826 * np.median(np.abs(seen - middle)) or seen.std()
    curved = np.arcsinh((stamp - middle) / (3 * noise))
    low, high = np.nanpercentile(curved, [1, 99.8])
    if not low < high:
        low, high = np.nanmin(curved), np.nanmax(curved)
    return np.clip((curved - low) / (high - low), 0, 1)


def mosaic(stamps: np.ndarray) -> np.ndarray:
    """Lay stamps [N, S, S, C] out as one picture [N (S + gap) - gap, C (S + gap) - gap, 3] of colours in [0, 1].

    One row per detection, one column per channel, north up; pixels without data are tinted.
    """
    n, side, _, n_channels = stamps.shape
    step = side + GAP
    picture = np.ones((n * step - GAP, n_channels * step - GAP, 3))
    for row, channel in np.ndindex(n, n_channels):
        grey = stretch(stamps[row, ::-1, :, channel])[..., None]
        tile = np.where(np.isfinite(grey), grey, to_rgb(NO_DATA))
        picture[row * step : row * step + side, channel * step : channel * step + side] = tile
    return picture


def draw_stamps(axes: Axes, shown: Portrait) -> None:
    """Draw one row per detection, named by time and filter, and one column per channel."""
    axes.imshow(mosaic(shown.stamps))
    n, side, _, n_channels = shown.stamps.shape
    axes.set_xticks(np.arange(n_channels) * (side + GAP) + side / 2, CHANNEL_NAMES, fontsize=10)
    days = shown.jd - shown.jd[0]
    times = ["first", *(f"+{day:.{1 if day < 100 else 0}f} d" for day in days[1:])]
    bands = [FILTERS.get(int(fid), "") for fid in shown.fid]
    labels = [f"{time}\n{band}".strip() for time, band in zip(times, bands, strict=True)]
    axes.set_yticks(np.arange(n) * (side + GAP) + side / 2, labels, fontsize=10)
    axes.tick_params(length=0, labeltop=True, labelbottom=False, pad=3)
    axes.spines[:].set_visible(False)


def draw_bars(axes: Axes, shown: Portrait) -> None:
    """Draw the probabilities as bars; the true class, where known, is named in bold."""
    places = np.arange(len(shown.classes))
    colours = [CLASS_COLOURS.get(name, GREY) for name in shown.classes]
    axes.barh(places, shown.probabilities, color=colours, height=0.72)
    for place, probability in zip(places, shown.probabilities, strict=True):
        inside = probability > 0.8
        axes.text(
            probability + (-0.02 if inside else 0.02),
            place,
            f"{100 * probability:.1f} %",
            ha="right" if inside else "left",
            va="center",
            color="white" if inside else "#222222",
            fontsize=10,
        )
    axes.set_yticks(places, shown.classes, fontsize=10)
    for tick in axes.get_yticklabels():
        if tick.get_text() == shown.true_class:
            tick.set_fontweight("bold")
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def headline(shown: Portrait) -> str:
    """The prediction in words, and the truth where known."""
    best = int(np.argmax(shown.probabilities))
    words = f"{shown.classes[best]} {100 * shown.probabilities[best]:.1f} %"
    return f"{words}  (true: {shown.true_class})" if shown.true_class else words


def portrait_height(n_detections: int, n_classes: int) -> float:
    """Height of a portrait [inch]."""
    return HEAD_HEIGHT + ROW_HEIGHT * n_detections + BAR_HEIGHT * n_classes


def draw_portrait(figure: Figure | SubFigure, shown: Portrait) -> None:
    """Draw one object: title, stamps, bars."""
    note = textwrap.shorten(shown.note, NOTE_LENGTH, placeholder="…")  # the table has it whole
    head = f"{shown.object_id}\n{headline(shown)}" + (f"\n{note}" if note else "")
    figure.suptitle(head, fontsize=11, parse_math=False)
    heights = [ROW_HEIGHT * len(shown.stamps), BAR_HEIGHT * len(shown.classes)]
    stamps, bars = figure.subplots(2, 1, height_ratios=heights)
    draw_stamps(stamps, shown)
    draw_bars(bars, shown)


def portrait_picture(shown: Portrait) -> bytes:
    """One object as PNG."""
    height = portrait_height(len(shown.stamps), len(shown.classes))
    figure = Figure(figsize=(PORTRAIT_WIDTH, height), layout="constrained")
    draw_portrait(figure, shown)
    return png(figure)


def sheet_picture(portraits: list[Portrait], title: str, columns: int = 4) -> bytes:
    """Several objects on one PNG, read row by row.

    Args:
        portraits: at least one object; all with the same number of detections and classes.
        title: what they are.
        columns: portraits side by side.

    Raises:
        ValueError: no portraits.
    """
    if not portraits:
        raise ValueError("a sheet of no objects: expected at least one")
    columns = min(columns, len(portraits))
    rows = -(-len(portraits) // columns)
    height = portrait_height(len(portraits[0].stamps), len(portraits[0].classes))
    figure = Figure(figsize=(PORTRAIT_WIDTH * columns, height * rows + 0.7), layout="constrained")
    side = STAMP_SIDE * ARCSEC_PER_PIXEL
    figure.suptitle(f"{title}\nstamps {side:.0f}″ wide; tinted: no data", fontsize=13, parse_math=False)
    places = figure.subfigures(rows, columns, squeeze=False, wspace=0.06, hspace=0.06).ravel()
    for place, shown in zip(places, portraits, strict=False):
        draw_portrait(place, shown)
    return png(figure)


def draw(path: Path, tally: Tally, name: str) -> str:
    """Write the picture of the objects to show, where there are any; returns a line that says so."""
    if not tally.shown:
        return "no object was classified, so there is no picture"
    path.write_bytes(sheet_picture(tally.shown, f"{name}: the first objects of each predicted class"))
    return f"picture: {path}"
