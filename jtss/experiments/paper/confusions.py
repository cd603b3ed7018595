"""The mean confusion matrix of the repeats of a configuration, as a table and as a picture."""

from typing import NamedTuple

import numpy as np

from jtss.experiments.paper import tables
from jtss.experiments.paper.cells import Setup
from jtss.experiments.paper.measured import Measured
from jtss.experiments.paper.tables import Picture, Table
from jtss.reports import plots


class Confusion(NamedTuple):
    """A matrix as a table, and as a picture where there is anything to draw."""

    table: Table
    pictures: list[Picture]


def of(name: str, title: str, setup: Setup, measured: Measured) -> Confusion:
    """Mean counts over the repeats that are there."""
    matrix, seeds = measured.confusion(setup), len(measured.of(setup))
    caption = f"{title}: mean of {seeds} of {setup.seeds} seeds"
    table = tables.confusion(name, caption, matrix, setup.config.classes)
    if matrix is None:
        return Confusion(table, [])
    picture = plots.confusion_figure(np.round(matrix, 1), setup.config.classes)
    return Confusion(table, [Picture(name, caption, picture)])
