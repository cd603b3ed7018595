"""The experiments by name: their extent, grid and table."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jtss import registry
from jtss.experiments.paper import bogus, figure6, grids, numbers, table2, table6, table7, table8
from jtss.experiments.paper.cells import Setup
from jtss.experiments.paper.choice import Choice, Extent
from jtss.experiments.paper.measured import Measured
from jtss.experiments.paper.tables import Document

ALERTS = tuple(registry.TABLE_8)
TEMPORAL = tuple(registry.TABLE_6[2])


def _nothing_more(setups: Sequence[Setup], measured: Measured, choice: Choice) -> list[Setup]:
    return []


class Experiment(NamedTuple):
    """An experiment of the paper.

    Attributes:
        extent: what it consists of.
        grid: its configurations.
        document: its tables.
        finalists: configurations with more seeds, which the complete grid chooses; none elsewhere.
        store: whose results it shares.
        screened: whether bogus screening is measured, too.
    """

    extent: Extent
    grid: Callable[[Choice], list[Setup]]
    document: Callable[[Sequence[Setup], Measured, Choice], Document]
    finalists: Callable[[Sequence[Setup], Measured, Choice], list[Setup]] = _nothing_more
    store: str = ""
    screened: bool = False


EXPERIMENTS = {
    "table2": Experiment(
        Extent(5, models=tuple(numbers.TABLE_2)), grids.rotations, table2.document, finalists=table2.finalists
    ),
    "table6": Experiment(Extent(10, ALERTS, TEMPORAL), grids.temporal_models, table6.document),
    "table7": Experiment(Extent(5, ALERTS), grids.metadata_models, table7.document),
    "table8": Experiment(Extent(5, ALERTS), grids.complete_models, table8.document),
    "figure6": Experiment(Extent(10, ALERTS, TEMPORAL), grids.temporal_models, figure6.document, store="table6"),
    "bogus": Experiment(Extent(5), grids.screeners, bogus.document, screened=True),
}
