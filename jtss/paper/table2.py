"""TSC Table 2, Figures 2 and 4: copies, range of rotation and crop of the first-alert network."""

import math
from collections.abc import Sequence

import numpy as np

from jtss.config import tsc
from jtss.metrics import comparisons
from jtss.paper import grids, layout
from jtss.paper.grids import Choice, Setup
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured, best, ranking

N_TOP = 5
BASELINE = tsc.TABLE_2["M_b"][:3]
FINAL_SEEDS = 4  # times the seeds of the grid: 20 in the paper
COLUMNS = (
    Column("model"),
    Column("paper: hyperparameters"),
    Column("paper: accuracy [%]"),
    Column("paper: p"),
    Column("here: hyperparameters"),
    Column("here: validation [%]"),
    Column("here: accuracy [%]", "accuracy"),
    Column("here: p", "p"),
    Column("here: p, Holm", "p"),
)
FINAL_COLUMNS = (
    Column("model"),
    Column("paper: p"),
    Column("here: hyperparameters"),
    Column("here: accuracy [%]", "accuracy"),
    Column("here: gain [points]", "gain"),
    Column("here: p", "p"),
)


def finalists(setups: Sequence[Setup], measured: Measured, choice: Choice) -> list[Setup]:
    """The best of the grid and the baseline, with four times the seeds; none before both are known."""
    if not all(map(measured.is_complete, setups)):
        return []
    winner = best([setup for setup in setups if setup.row != BASELINE], measured)
    chosen = [setup for setup in setups if setup.row == BASELINE] + ([winner] if winner else [])
    return grids.more_seeds(chosen, FINAL_SEEDS * choice.seeds) if len(chosen) == 2 else []


def document(setups: Sequence[Setup], measured: Measured, choice: Choice) -> Document:
    """The top of the grid, the paper's own rows, and the comparison of the best with the baseline."""
    p_values = _p_values(setups, measured)
    tables = [Table("table2-own-rows", "The paper's rows, measured here", COLUMNS, _own(setups, measured, p_values))]
    if _is_whole(choice):
        top = Table("table2", "TSC Table 2: the best of the grid", COLUMNS, _top(setups, measured, p_values))
        tables.insert(0, top)
    final, pictures = _final(finalists(setups, measured, choice), measured)
    notes = _notes(sum(map(measured.is_complete, setups)), setups, choice)
    return Document("table2", "TSC Table 2: random rotations of the first alert", tables + final, pictures, notes)


def _notes(complete: int, setups: Sequence[Setup], choice: Choice) -> list[str]:
    """What a reader must know of a best of many."""
    seeds = choice.seeds
    least = 2 / math.comb(2 * seeds, seeds)
    power = f"{seeds} seeds against {seeds} cannot give less than {min(least, 1):.2g}"
    final = f"{FINAL_SEEDS * seeds} seeds, of which {seeds} took part in the choice, by validation accuracy"
    ranked = f"M_1 to M_5 are the best of {complete} complete configurations (of {len(setups)})"
    return [
        f"{ranked}, ranked by mean validation accuracy, as in the paper; accuracy and p are of the test split."
        if _is_whole(choice)
        else "The grid of the paper's Table 1 was not searched: the best is that of the rows above.",
        "p: two-sided permutation test over seeds against the baseline M_b, one comparison at a time, as in the paper.",
        f"Holm: p corrected for all {max(complete - 1, 0)} comparisons with the baseline; {power} before correction.",
        f"The best against the baseline, when the grid is complete and has both: {final}.",
    ]


def _is_whole(choice: Choice) -> bool:
    return set(choice.models) == set(tsc.TABLE_2)


PValues = dict[Setup, tuple[float, float]]  # as it is, and after Holm


def _p_values(setups: Sequence[Setup], measured: Measured) -> PValues:
    baseline = next((setup for setup in setups if setup.row == BASELINE), None)
    others = [setup for setup in setups if setup is not baseline and measured.is_complete(setup)]
    alone = {setup: measured.p_value(setup, baseline) for setup in others if baseline}
    alone = {setup: p for setup, p in alone.items() if p is not None}
    corrected = comparisons.holm(np.array(list(alone.values())))
    return {setup: (p, float(holm)) for (setup, p), holm in zip(alone.items(), corrected, strict=True)}


def _top(setups: Sequence[Setup], measured: Measured, p_values: PValues) -> list[tuple]:
    random = tsc.FULLY_RANDOM_DEG
    ranked = ranking([s for s in setups if s.row != BASELINE and s.row[2] != random], measured)
    chosen: dict[str, Setup | None] = {f"M_{i + 1}": ranked[i] if i < len(ranked) else None for i in range(N_TOP)}
    chosen["M_r"] = best([setup for setup in setups if setup.row[2] == random], measured)
    chosen["M_b"] = next(setup for setup in setups if setup.row == BASELINE)
    return [_row(name, setup, measured, p_values) for name, setup in chosen.items()]


def _own(setups: Sequence[Setup], measured: Measured, p_values: PValues) -> list[tuple]:
    by_row = {setup.row: setup for setup in setups}
    rows = {name: by_row.get(row[:3]) for name, row in tsc.TABLE_2.items()}
    return [_row(name, setup, measured, p_values) for name, setup in rows.items() if setup]


def _row(name: str, setup: Setup | None, measured: Measured, p_values: PValues) -> tuple:
    paper = tsc.TABLE_2[name]
    theirs = name, grids.rotation_label(paper[:3]), paper.accuracy, paper.p_value
    if setup is None:
        return *theirs, "missing", "missing", None, None, None
    p, holm = ("reference", "reference") if setup.row == BASELINE else p_values.get(setup, (None, None))
    validation = measured.validation_accuracy(setup)
    shown = f"{100 * validation:.2f}" if measured.of(setup) else "missing"
    return *theirs, grids.rotation_label(setup.row), shown, measured.accuracy(setup), p, holm


def _final(setups: Sequence[Setup], measured: Measured) -> tuple[list[Table], list]:
    """The comparison with more seeds; nothing before the grid is complete."""
    if len(setups) < 2:
        return [], []
    baseline, winner = setups
    rows = [
        (
            "baseline M_b",
            "reference",
            grids.rotation_label(baseline.row),
            measured.accuracy(baseline),
            *2 * ("reference",),
        ),
        (
            "best",
            tsc.P_OF_20,
            grids.rotation_label(winner.row),
            measured.accuracy(winner),
            measured.gain(winner, baseline),
            measured.p_value(winner, baseline),
        ),
    ]
    more = [
        layout.mean_confusion("table2-confusion-baseline", "TSC Figure 2, baseline", baseline, measured),
        layout.mean_confusion("table2-confusion-best", "TSC Figure 4, best", winner, measured),
    ]
    title = "The best against the baseline, with more seeds"
    tables = [Table("table2-final", title, FINAL_COLUMNS, rows), *(confusion.table for confusion in more)]
    return tables, [picture for confusion in more for picture in confusion.pictures]
