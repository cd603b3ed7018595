"""TSC Table 7: what AllWISE colours add to a network of metadata only."""

from collections.abc import Sequence

from jtss.config import tsc
from jtss.paper.grids import Choice, Setup
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured

COLUMNS = (
    Column("alerts"),
    Column("paper: without AllWISE [%]"),
    Column("paper: with [%]"),
    Column("paper: p"),
    Column("here: without AllWISE [%]", "accuracy"),
    Column("here: with [%]", "accuracy"),
    Column("here: gain [points]", "gain"),
    Column("here: p", "p"),
)


def document(setups: Sequence[Setup], measured: Measured, choice: Choice) -> Document:
    """One row for each number of detections."""
    by_row, rows = {setup.row: setup for setup in setups}, []
    for n in choice.n:
        without, with_colours = by_row[n, False], by_row[n, True]
        rows.append(
            (
                str(n),
                *tsc.TABLE_7[n],
                tsc.TABLE_7_P[n],
                measured.accuracy(without),
                measured.accuracy(with_colours),
                measured.gain(with_colours, without),
                measured.p_value(with_colours, without),
            )
        )
    notes = ["p: two-sided permutation test over seeds, one for each row, not corrected for the number of rows."]
    title = "TSC Table 7: metadata only, without and with AllWISE"
    return Document("table7", title, [Table("table7", "Results", COLUMNS, rows)], [], notes)
