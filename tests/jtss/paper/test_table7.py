"""Table 7 from results that are known."""

import csv
import io

from helpers.made_experiments import made_document
from jtss.paper import layout


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
    assert layout.text(made_document("table7", table7_partly, n=[2, 3, 4], seeds=3)) == GOLDEN


def test_table_7_as_csv_has_numbers_as_numbers_and_nothing_for_what_is_missing():
    (table,) = made_document("table7", table7_partly, n=[2, 4], seeds=3).tables
    two, four = csv.DictReader(io.StringIO(layout.as_csv(table)))
    assert (two["paper: with [%]"], two["paper: p"]) == ("98.0 ± 0.56", "0.01")
    assert [float(two[f"here: with [%]{more}"]) for more in ("", " sd", " seeds")] == [96, 1, 3]
    assert float(two["here: gain [points]"]) == 5
    assert [four[f"here: with [%]{more}"] for more in ("", " sd", " lower", " seeds")] == ["", "", "", "0"]
    assert (four["here: gain [points]"], four["here: p"]) == ("", "")
