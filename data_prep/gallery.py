"""A picture of what is in a data set: stamps of a few objects of each class."""

from pathlib import Path

import h5py
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from data_prep.inspection import open_checked
from jtss.schema import CHANNEL_NAMES, CLASS_NAMES

OBJECTS_PER_CLASS = 8
PANEL_INCHES = 1.1


def draw(path: str | Path, picture: str | Path, seed: int = 0) -> None:
    """Draw the science, template and difference stamps of the first detections of a few objects of each class.

    Args:
        path: the data set.
        picture: the PNG to write.
        seed: which objects.

    Raises:
        InputError: as `inspection.open_checked`.
    """
    with open_checked(path) as file:
        chosen = _choose(file["label"][:], seed)
        n_rows = len(chosen) * len(CHANNEL_NAMES)
        figure = Figure(
            figsize=((OBJECTS_PER_CLASS + 1) * PANEL_INCHES, (n_rows + 1) * PANEL_INCHES), layout="compressed"
        )
        panels = figure.subplots(n_rows, OBJECTS_PER_CLASS, squeeze=False)
        for block, (name, objects) in enumerate(chosen.items()):
            top = block * len(CHANNEL_NAMES)
            _draw_class(panels[top : top + len(CHANNEL_NAMES)], file, name, objects)
    figure.suptitle(
        "First detections; rows: science, template, difference, each scaled to [0, 1]; NaN in blue", fontsize=9
    )
    figure.savefig(picture, format="png", dpi=110)


def _choose(label: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Indices of a few objects of each class that there is."""
    rng = np.random.default_rng(seed)
    chosen = {}
    for code, name in [*enumerate(CLASS_NAMES), (-1, "unlabelled")]:
        members = np.flatnonzero(label == code)
        if len(members):
            chosen[name] = np.sort(rng.choice(members, min(OBJECTS_PER_CLASS, len(members)), replace=False))
    return chosen


def _draw_class(panels: np.ndarray, file: h5py.File, name: str, objects: np.ndarray) -> None:
    colours = colormaps["gray"].with_extremes(bad="tab:blue")
    for panel in panels.flat:
        panel.set_axis_off()
    for column, index in enumerate(objects):
        row = file["object_start"][index]
        stamps = file["stamps"][row].astype(np.float32)
        panels[0, column].set_title(f"{name}\n{file['object_id'].asstr()[index]}", fontsize=6)
        for channel, panel in enumerate(panels[:, column]):
            panel.imshow(stamps[..., channel], cmap=colours, vmin=0, vmax=1, origin="lower", interpolation="nearest")
