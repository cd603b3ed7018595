"""The tables from results that are known, in all their forms."""

import csv
import io

import numpy as np
import pytest

from helpers.made_experiments import DATA_HASH, made_result
from jtss.config import tsc
from jtss.paper import grids, layout
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured, best, over_objects


def made(name, accuracy_of, **narrowed):
    """The document of an experiment with the accuracies `accuracy_of(setup, seed)`; None: not measured."""
    experiment = EXPERIMENTS[name]
    choice = choose(name, experiment.extent, **narrowed)
    setups = experiment.grid(choice)
    known = {}
    for setup in setups:
        for trial in grids.trials(setup._replace(seeds=20), DATA_HASH):
            accuracy = accuracy_of(setup, trial.seed)
            if accuracy is not None:
                known[trial.id] = made_result(trial, accuracy, 100)
    return experiment.document(setups, Measured(known, DATA_HASH), choice)


def rows_of(document, i=0):
    table = document.tables[i]
    kinds = [column.kind for column in table.columns]
    return [tuple(map(layout.shown, row, kinds)) for row in table.rows]


def table7_partly(setup, seed):
    """With AllWISE 95 to 99 %, without 90 to 92; of 3 alerts with AllWISE one seed only, of 4 none."""
    n, allwise = setup.row
    if allwise and (n == 4 or (n == 3 and seed)):
        return None
    return (0.95 + seed / 100) if allwise else 0.90 + seed / 100


GOLDEN = """\
TSC Table 7: metadata only, without and with AllWISE

Results
alerts  paper: without AllWISE [%]  paper: with [%]  paper: p  here: without AllWISE [%]  here: with [%]                    here: gain [points]  here: p
------  --------------------------  ---------------  --------  -------------------------  --------------------------------  -------------------  -------
2       95.07 ± 0.57                98.0 ± 0.56      0.01      91.00 ± 1.00 (85.3–96.0)   96.00 ± 1.00 (92.0–99.0)          +5.00 (1.7–9.3)      0.1
3       96.1 ± 0.32                 98.27 ± 0.27     0.01      91.00 ± 1.00 (85.3–96.0)   95.00 (90.0–99.0) [1 of 3 seeds]  +4.00 (1.0–8.0)      missing
4       96.9 ± 0.25                 98.37 ± 0.29     0.008     91.00 ± 1.00 (85.3–96.0)   missing                           missing              missing

- p: two-sided permutation test over seeds, one for each row, not corrected for the number of rows."""  # noqa: E501


def test_table_7_as_text():
    assert layout.text(made("table7", table7_partly, n=[2, 3, 4], seeds=3)) == GOLDEN


def test_table_7_as_csv_has_numbers_as_numbers_and_nothing_for_what_is_missing():
    (table,) = made("table7", table7_partly, n=[2, 4], seeds=3).tables
    two, four = csv.DictReader(io.StringIO(layout.as_csv(table)))
    assert (two["paper: with [%]"], two["paper: p"]) == ("98.0 ± 0.56", "0.01")
    assert [float(two[f"here: with [%]{more}"]) for more in ("", " sd", " seeds")] == [96, 1, 3]
    assert float(two["here: gain [points]"]) == 5
    assert [four[f"here: with [%]{more}"] for more in ("", " sd", " lower", " seeds")] == ["", "", "", "0"]
    assert (four["here: gain [points]"], four["here: p"]) == ("", "")


def test_latex_has_no_sign_that_breaks_it():
    columns = (Column("a & b [%]"), Column("x_1", "accuracy"))
    rows = [("{±} \\ θ #$~^ 5–7 −1 <", None)]
    text = layout.latex(Document("t", "title", [Table("t", "sub", columns, rows)], [], ["100 % sure"]))
    assert text.splitlines() == [
        "% title",
        "% 100 % sure",
        "",
        "% sub",
        r"\begin{tabular}{ll}",
        r"\hline",
        r"a \& b [\%] & x\_1 \\",
        r"\hline",
        r"\{$\pm$\} \textbackslash{} $\theta$ \#\$\textasciitilde{}\textasciicircum{} 5--7 $-$1 $<$ & missing \\",
        r"\hline",
        r"\end{tabular}",
    ]


def test_the_page_holds_tables_notes_and_pictures(tmp_path):
    document = made("table8", lambda setup, seed: 0.9, n=[2], seeds=2)
    paths = {path.name for path in layout.write(tmp_path, document)}
    assert paths == {
        "table8.html",
        "table8.tex",
        "table8.csv",
        "table8-confusion-n2.csv",
        "table8-confusion-n2.png",
    }
    page = (tmp_path / "table8.html").read_text()
    assert "90.00\u00a0±\u00a00.00" in page
    assert "98.47\u00a0±\u00a00.1" in page
    assert "data:image/png;base64" in page
    assert "pictures only" in page
    assert (tmp_path / "table8-confusion-n2.png").read_bytes().startswith(b"\x89PNG")


def test_table_8_has_mean_confusion_matrices():
    document = made("table8", lambda setup, seed: 0.9 if seed else 0.8, n=[5], seeds=2)
    assert rows_of(document)[0][:5] == ("5", "lstm", "1L 128U", "98.43 ± 0.3", "85.00 ± 7.07 (78.5–91.0)")
    assert rows_of(document, 1)[0] == ("AGN", "28.5 ± 2.1 (83.8 %)", "5.5 ± 2.1 (16.2 %)", "0.0 ± 0.0 (0.0 %)")


def test_table_6_chooses_by_validation_and_tests_against_the_lstm():
    def accuracy(setup, seed):
        temporal = setup.config.temporal
        if temporal.kind == "lstm":
            return 0.90 + (temporal.units == 64) * (temporal.layers == 2) * 0.02 + seed / 100
        return 0.95 + (temporal.taps == 3) * 0.02 + seed / 100

    document = made("table6", accuracy, n=[3], models=["lstm", "gamma"], seeds=2)
    lstm, gamma = rows_of(document)
    assert lstm[:7] == ("3", "lstm", "1L 64U", "92.0 ± 0.3", "reference", "29.63", "2L 64U")
    assert lstm[8:] == ("reference", "reference", "reference", "2", "12 of 12")
    assert gamma[:7] == ("3", "gamma", "k = 7", "91.4 ± 0.5", "0.06", "7.84", "k = 3")
    assert gamma[8].startswith("+5.00 (")
    assert gamma[9:] == ("0.33", "0.33", "2", "8 of 8")


def test_table_6_says_how_many_sizes_are_tried_and_leaves_out_what_is_not_complete():
    def accuracy(setup, seed):
        return None if seed and setup.config.temporal.kernel == 3 else 0.9 + setup.config.temporal.kernel / 100

    (row,) = rows_of(made("table6", accuracy, n=[3], models=["conv1d"], seeds=2))
    assert row[6] == "Ke = 2"
    assert row[-1] == "1 of 2"
    assert row[8:11] == ("missing", "missing", "missing")  # no LSTM to compare with


def grid_of_table_2(setup, seed):
    crop, copies, range_deg = setup.row
    if setup.row == (21, 4, 0.0):
        return 0.90 + seed % 2 / 100
    return 0.91 + (crop == 39) * 0.02 + (copies == 5) * 0.01 + (range_deg == 360) * 0.04 + seed % 2 / 100


def test_table_2_ranks_the_grid_and_compares_the_best_with_more_seeds():
    document = made("table2", grid_of_table_2)
    assert [table.name for table in document.tables] == [
        "table2",
        "table2-own-rows",
        "table2-final",
        "table2-confusion-baseline",
        "table2-confusion-best",
    ]
    top = rows_of(document)
    assert [row[0] for row in top] == list(tsc.TABLE_2)
    assert top[0][1:6] == ("a 33, k 6, θ 28.8°", "93.36 ± 0.4", "0.007", "a 39, k 5, θ 0°", "94.40")
    assert top[5][4] == "a 39, k 5, θ 360°"  # M_r, however good, is no row of the top five
    assert top[6][3:6] == ("reference", "a 21, k 4, θ 0°", "90.40")
    assert top[0][7:] == ("0.0079", "1")
    final = rows_of(document, 2)
    assert [row[2] for row in final] == ["a 21, k 4, θ 0°", "a 39, k 5, θ 360°"]
    assert final[1][1] == "0.01"
    assert final[1][5] == "< 0.001"
    assert document.tables[2].rows[1][3].seeds == 20
    assert len(document.pictures) == 2
    assert any("all 139 comparisons" in note and "less than 0.0079" in note for note in document.notes)


def test_table_2_with_an_unfinished_grid_has_no_final():
    document = made("table2", lambda setup, seed: None if setup.row[0] == 39 else 0.9)
    assert [table.name for table in document.tables] == ["table2", "table2-own-rows"]
    assert rows_of(document, 1)[3][4:] == ("a 39, k 8, θ 28.8°", "missing", "missing", "missing", "missing")


def test_figure_6_marks_the_best_of_each_model():
    document = made("figure6", lambda s, seed: 0.9 + s.config.temporal.kernel / 100, n=[4], models=["conv1d"], seeds=2)
    assert [row[2::3] for row in rows_of(document)] == [("Ke = 2", "–"), ("Ke = 3", "–"), ("Ke = 4", "best")]
    assert [picture.name for picture in document.pictures] == ["figure6-n4"]
    assert made("figure6", lambda s, seed: None, n=[4], models=["tdnn"], seeds=2).pictures == []


def test_bogus_counts_the_screened_by_class():
    experiment = EXPERIMENTS["bogus"]
    choice = choose("bogus", experiment.extent, seeds=2)
    (setup,) = experiment.grid(choice)

    def screened(rejected):
        first = {"objects": 30, "screened": 20, "first_called_bogus": 18, "second_called_bogus": 16}
        return {"AGN": first | {"first_called_bogus": 1, "second_called_bogus": 0, "rejected": 0}} | {
            "bogus": first | {"rejected": rejected}
        }

    known = {
        trial.id: made_result(trial, screened=screened(14 + trial.seed), n_objects=100)
        for trial in grids.trials(setup, DATA_HASH)
    }
    assert rows_of(experiment.document([setup], Measured(known, DATA_HASH), choice)) == [
        ("bogus", "first detection", "253", "86", "20", "90.0 ± 0.0"),
        ("bogus", "second detection", "253", "84", "20", "80.0 ± 0.0"),
        ("bogus", "both (rejected)", "–", "–", "20", "72.5 ± 3.5"),
        ("AGN", "first detection", "–", "–", "20", "5.0 ± 0.0"),
        ("AGN", "second detection", "–", "–", "20", "0.0 ± 0.0"),
        ("AGN", "both (rejected)", "–", "–", "20", "0.0 ± 0.0"),
    ]
    nothing = rows_of(experiment.document([setup], Measured({}, DATA_HASH), choice))
    assert {row[5] for row in nothing} == {"missing"}


def test_results_on_other_data_never_enter_a_table():
    experiment = EXPERIMENTS["table8"]
    choice = choose("table8", experiment.extent, n=[2], seeds=2)
    setups = experiment.grid(choice)
    known = {trial.id: made_result(trial) for trial in grids.trials(setups[0], "other data")}
    measured = Measured(known, DATA_HASH)
    assert measured.accuracy(setups[0]) is None
    assert best(setups, measured) is None


def test_the_interval_over_objects_is_the_bootstrap_of_their_mean():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, 400) / 5
    interval = over_objects(values)
    means = rng.choice(values, (4000, len(values))).mean(axis=1)
    np.testing.assert_allclose([interval.lower, interval.upper], np.percentile(means, [2.5, 97.5]), atol=0.004)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, "text", "–"),
        (None, "p", "missing"),
        (0.0004, "p", "< 0.001"),
        (0.0079365, "p", "0.0079"),
        (12.3456, "time", "12.3"),
        ("reference", "gain", "reference"),
        ((-0.012, (-0.03, 0.004)), "gain", "-1.20 (-3.0 to 0.4)"),
    ],
)
def test_a_cell_is_written_so(value, kind, expected):
    if kind == "gain" and not isinstance(value, str):
        value = (value[0], layout.Interval(*value[1]))
    assert layout.shown(value, kind) == expected
