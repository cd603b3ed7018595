"""Table 2 from results that are known."""

import pytest

from helpers.made_experiments import made_document, rows_of
from jtss.config import tsc


def grid_of_table_2(setup, seed):
    crop, copies, range_deg = setup.row
    if setup.row == (21, 4, 0.0):
        return 0.90 + seed % 2 / 100
    return 0.91 + (crop == 39) * 0.02 + (copies == 5) * 0.01 + (range_deg == 360) * 0.04 + seed % 2 / 100


@pytest.mark.slow
def test_table_2_ranks_the_grid_and_compares_the_best_with_more_seeds():
    document = made_document("table2", grid_of_table_2)
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
    document = made_document("table2", lambda setup, seed: None if setup.row[0] == 39 else 0.9)
    assert [table.name for table in document.tables] == ["table2", "table2-own-rows"]
    assert rows_of(document, 1)[3][4:] == ("a 39, k 8, θ 28.8°", "missing", "missing", "missing", "missing")
