"""Pictures of an explanation: scores by detection, what a patch takes away, what a value does."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from jtss.reports.explain import Occlusion, per_pixel
from jtss.reports.plots import BLUE, CLASS_COLOURS, GREY, VERMILION, png, tidy
from jtss.reports.stamp_plots import stretch

LEAST_SCALE = 0.02  # of probability: smaller drops are not blown up to full colour
LEAST_SHOWN = 0.01  # of probability
N_VALUES = 15


def trajectory_figure(answers: Sequence[dict]) -> bytes:
    """Draw the probability of each class after each number of detections; no class that is never likely.

    Args:
        answers: of models, in the order of their detections; see `explanation.document`.
    """
    figure = Figure(figsize=(4.9, 3.6), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(answers))
    likely = (name for of in answers for name, chance in of["probabilities"].items() if chance >= LEAST_SHOWN)
    classes = dict.fromkeys(likely)
    for name in classes:
        values = [100 * answer["probabilities"].get(name, np.nan) for answer in answers]
        axes.plot(places, values, "o-", color=CLASS_COLOURS.get(name, GREY), linewidth=1.8, markersize=7, label=name)
    axes.set_xticks(places, [f"n = {of['n_detections']}\n+{of['days']:.1f} d" for of in answers], fontsize=10)
    axes.set_xlim(-0.3, len(answers) - 0.7)
    axes.set_ylim(-3, 103)
    axes.set_ylabel("probability [%]", fontsize=12)
    axes.set_title("After each detection", fontsize=13)
    tidy(axes)
    figure.legend(frameon=False, fontsize=10, loc="outside lower center", ncols=len(classes))
    return png(figure)


def occlusion_figure(found: Occlusion, stamps: np.ndarray, channels: Sequence[str], times: Sequence[str]) -> bytes:
    """Draw the stamps that the model reads, and over them what hiding a place takes from the probability.

    Args:
        found: of these stamps.
        stamps: [N, S, S, C].
        channels: C names.
        times: N names of the detections.
    """
    n, size, _, n_channels = stamps.shape
    drop = 100 * per_pixel(found, size)
    scale = max(float(np.abs(drop).max()), 100 * LEAST_SCALE)
    figure = Figure(figsize=(1.35 * n_channels + 0.7, 1.5 * n + 0.9), layout="constrained")
    grid = figure.subplots(n, n_channels, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        axes.imshow(stretch(stamps[row, :, :, column]), cmap="gray", origin="lower", vmin=0, vmax=1)
        shade = drop[row, column]
        drawn = axes.imshow(
            shade,
            cmap="RdBu_r",
            norm=TwoSlopeNorm(0, -scale, scale),
            alpha=0.75 * np.clip(np.abs(shade) / scale, 0, 1) ** 0.5,
            origin="lower",
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if row == 0:
            axes.set_title(channels[column], fontsize=10.5)
        if column == 0:
            axes.set_ylabel(times[row], fontsize=10)
    bar = figure.colorbar(drawn, ax=grid, shrink=0.8, location="bottom", aspect=30)
    bar.set_label("probability lost where hidden [points]", fontsize=10)
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)
    return png(figure)


def ablation_figure(values: Sequence[dict], name: str) -> bytes:
    """Draw the values that count most: to the right those that speak for the class.

    Args:
        values: those that count most first; see `explanation.document`.
        name: of the class.
    """
    shown = values[:N_VALUES]
    change = np.array([of["log_odds_change"] for of in shown])
    figure = Figure(figsize=(4.9, 0.9 + 0.3 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(np.arange(len(shown)), change, color=np.where(change > 0, BLUE, VERMILION), height=0.7)
    axes.axvline(0, color="#222222", linewidth=0.8)
    axes.set_yticks(np.arange(len(shown)), [of["name"] for of in shown], fontsize=10)
    axes.invert_yaxis()
    axes.set_xlabel(f"for {name} (right) or against: log-odds [nat]", fontsize=11)
    axes.set_title("Replaced by its training mean", fontsize=13)
    tidy(axes)
    axes.tick_params(axis="y", length=0)
    return png(figure)
