"""TSC Table 8 and Figure 7: the complete network for each number of detections."""

from collections.abc import Sequence

from jtss.config import named, tsc
from jtss.paper import layout
from jtss.paper.grids import Choice, Setup
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured

COLUMNS = (
    Column("alerts"),
    Column("model"),
    Column("architecture"),
    Column("paper: accuracy [%]"),
    Column("here: accuracy [%]", "accuracy"),
    Column("here: inference [ms]", "time"),
)


def document(setups: Sequence[Setup], measured: Measured, choice: Choice) -> Document:
    """One row, and one confusion matrix, for each number of detections."""
    rows, tables, pictures = [], [], []
    for setup in setups:
        (n,), temporal = setup.row, setup.config.temporal
        architecture, paper = named.architecture(temporal), tsc.TABLE_8[n][1]
        accuracy, time = measured.accuracy(setup), measured.milliseconds(setup)
        rows.append((str(n), temporal.kind, architecture, paper, accuracy, time))
        more = layout.mean_confusion(f"table8-confusion-n{n}", f"TSC Figure 7, {setup.label}", setup, measured)
        tables.append(more.table)
        pictures += more.pictures
    title = "TSC Table 8: the complete network"
    notes = [
        "The paper has its confusion matrices (Figure 7) as pictures only: there are no numbers of it to set beside."
    ]
    return Document("table8", title, [Table("table8", "Results", COLUMNS, rows), *tables], pictures, notes)
