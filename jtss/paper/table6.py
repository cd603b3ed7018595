"""TSC Table 6: six temporal models on images and time gaps, each in the best of its sizes."""

from collections.abc import Sequence

import numpy as np

from jtss.config import named, tsc
from jtss.metrics import comparisons
from jtss.paper.grids import Choice, Setup
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured, best, ranking

REFERENCE = "lstm"
COLUMNS = (
    Column("alerts"),
    Column("model"),
    Column("paper: size"),
    Column("paper: accuracy [%]"),
    Column("paper: p"),
    Column("paper: time"),
    Column("here: size"),
    Column("here: accuracy [%]", "accuracy"),
    Column("here: to LSTM [points]", "gain"),
    Column("here: p", "p"),
    Column("here: p, Holm", "p"),
    Column("here: time [ms]", "time"),
    Column("here: sizes tried"),
)
NOTES = (
    "Size: that of the highest mean validation accuracy among those complete; accuracy and p are of the test split.",
    "The paper does not say which split chose its sizes; Figure 6 speaks of the test accuracy.",
    "p: two-sided permutation test over seeds against the LSTM of the same number of alerts.",
    "Holm: p corrected for all comparisons of this table. No p knows that each row is the best of several sizes.",
    "Sizes: TSC Table 5, and 256 units, which five rows of the paper's Table 6 have though its Table 5 does not.",
    "Time: per object in batches, from stamps in memory to probabilities; the paper gives no unit.",
)


def document(setups: Sequence[Setup], measured: Measured, choice: Choice) -> Document:
    """One row for each number of detections and model."""
    compared, rows = [], []
    for n in choice.n:
        chosen = {kind: best(_sizes(setups, n, kind), measured) for kind in choice.models}
        compared += [(n, kind, chosen[kind], chosen.get(REFERENCE)) for kind in choice.models]
    p_values = [_p_value(*row[1:], measured) for row in compared]
    corrected = iter(comparisons.holm(np.array([p for p in p_values if isinstance(p, float)])))
    for (n, kind, setup, reference), p in zip(compared, p_values, strict=True):
        holm = float(next(corrected)) if isinstance(p, float) else p
        sizes = _sizes(setups, n, kind)
        tried = f"{len(ranking(sizes, measured))} of {len(sizes)}"
        rows.append((str(n), kind, *_paper(n, kind), *_here(setup, reference, kind, measured, p, holm), tried))
    title = "TSC Table 6: temporal models, images and time gaps only"
    return Document("table6", title, [Table("table6", "Results", COLUMNS, rows)], [], list(NOTES))


def _sizes(setups: Sequence[Setup], n: int, kind: str) -> list[Setup]:
    return [setup for setup in setups if setup.row == (n, kind)]


def _paper(n: int, kind: str) -> tuple[str, ...]:
    size, accuracy = tsc.TABLE_6[n][kind]
    return named.architecture(size), accuracy, tsc.TABLE_6_P[n][kind], tsc.TABLE_6_TIME[n][kind]


def _p_value(kind: str, setup: Setup | None, reference: Setup | None, measured: Measured) -> float | str | None:
    if kind == REFERENCE:
        return "reference"
    return measured.p_value(setup, reference) if setup and reference else None


def _here(setup: Setup | None, reference: Setup | None, kind: str, measured: Measured, p, holm) -> tuple:
    """Size, accuracy, difference to the LSTM, p-values and time."""
    if setup is None:
        return "missing", None, None, p, holm, None
    gain = "reference" if kind == REFERENCE else reference and measured.gain(setup, reference)
    size = named.architecture(setup.config.temporal)
    return size, measured.accuracy(setup), gain, p, holm, measured.milliseconds(setup)
