"""The mean confusion matrix of the repeats of a configuration, as a table and as a picture."""

from typing import NamedTuple

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
    """Mean counts over the repeats that are there, ± their standard deviation."""
    found, seeds = measured.confusion(setup), len(measured.of(setup))
    caption = f"{title}: mean of {seeds} of {setup.seeds} seeds"
    if found is None:
        return Confusion(tables.confusion(name, caption, None, setup.config.classes), [])
    matrix, deviation = found
    table = tables.confusion(name, caption, matrix, setup.config.classes, deviation)
    picture = plots.confusion_figure(matrix, setup.config.classes, deviation)
    return Confusion(table, [Picture(name, caption, picture)])
