"""Pictures of a class: real stamps over simulated ones, channel by channel."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from data_prep.compare.samples import Sample
from jtss.schema import CHANNEL_NAMES, FILL_LIMIT

OBJECTS = 12
PANEL_INCHES = 1.15
CLIP_PERCENT = (1.0, 99.5)
SOURCES = ("real", "simulated")


def choose(sample: Sample, label: str, seed: int) -> list[tuple[str, int]]:
    """objectId and candid of the first alert of a few objects of a class."""
    of_class = np.flatnonzero(sample.label == label)
    order = of_class[np.lexsort((sample.values["mjd"][of_class], sample.object_id[of_class]))]
    _, first = np.unique(sample.object_id[order], return_index=True)
    rng = np.random.default_rng(seed)
    chosen = order[rng.choice(first, min(OBJECTS, len(first)), replace=False)]
    return list(zip(sample.object_id[chosen].tolist(), sample.candid[chosen].tolist(), strict=True))


def draw(path: Path, label: str, stamps: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    """Draw real stamps over simulated ones for each channel.

    Args:
        path: the PNG to write.
        stamps: real and simulated; each [3, H, W] DN.
    """
    n_columns = max(map(len, stamps))
    n_rows = len(SOURCES) * len(CHANNEL_NAMES)
    figure = Figure(figsize=((n_columns + 0.4) * PANEL_INCHES, (n_rows + 0.6) * PANEL_INCHES), layout="compressed")
    panels = figure.subplots(n_rows, n_columns, squeeze=False)
    for row in range(n_rows):
        channel, of = divmod(row, len(SOURCES))
        _draw_row(panels[row], [stamp[channel] for stamp in stamps[of]], f"{CHANNEL_NAMES[channel]}\n{SOURCES[of]}")
    low, high = CLIP_PERCENT
    figure.suptitle(
        f"{label}: first alerts of objects chosen at random; each stamp scaled between the {low:g} and {high:g} % "
        "quantiles of its pixels; NaN in blue",
        fontsize=9,
    )
    figure.savefig(path, format="png", dpi=110)


def _draw_row(panels: np.ndarray, images: list[np.ndarray], title: str) -> None:
    colours = colormaps["gray"].with_extremes(bad="tab:blue")
    for panel in panels:
        panel.set(xticks=[], yticks=[], frame_on=False)
    panels[0].set_ylabel(title, fontsize=7, color="tab:red" if title.endswith(SOURCES[0]) else "black")
    for panel, image in zip(panels, images, strict=False):
        panel.imshow(clipped(image), cmap=colours, vmin=0, vmax=1, origin="lower", interpolation="nearest")


def clipped(image: np.ndarray) -> np.ndarray:
    """[H, W] scaled to [0, 1] between two percentiles of its pixels; fill values become NaN, NaN stays."""
    light = np.where(np.abs(image) <= FILL_LIMIT, image, np.nan).astype(float)
    low, high = np.nanpercentile(light, CLIP_PERCENT)
    return ((light - low) / (high - low if high > low else 1.0)).clip(0, 1)
