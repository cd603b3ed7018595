"""Bogus screening from files to files: what is rejected is marked and counted, never lost."""

import json
from dataclasses import replace

import pytest

from helpers.made_runs import FIRST, TINY, make_run, table_of, write_data
from helpers.make_packets import night, save
from jtss.config.settings import TemporalConfig

COUNTS = [3] * 12 + [2, 1, 3, 2]
LABEL = [i % 3 for i in range(12)] + [4, 4, 4, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sequence model, two screeners (one calls everything bogus, one nothing), data with true bogus, packets."""
    folder = tmp_path_factory.mktemp("screening")
    path = folder / "made.h5"
    write_data(path, COUNTS, label=LABEL, split=[2] * 16)
    make_run(folder / "run", TINY, path)
    make_run(folder / "all", FIRST, path, favoured="bogus")
    make_run(folder / "none", FIRST, path, favoured="asteroid")
    make_run(folder / "short", replace(TINY, n_detections=2, temporal=TemporalConfig(kernel=1)), path)
    save(folder / "packets", night())
    return folder


def test_a_rejected_object_stays_in_the_table(evaluate, folder):
    evaluate("--alerts", folder / "packets", "--out", "before.csv")
    status, out, _ = evaluate("--alerts", folder / "packets", "--out", "t.csv", "--screen-bogus", folder / "all")
    assert status == 0
    before, after = table_of("before.csv"), table_of("t.csv")
    assert {row["oid"] for row in after} == {row["oid"] for row in before}
    n = {row["oid"]: int(row["n_detections"]) for row in before}
    screened = {row["oid"] for row in after if row["note"] == "screened_bogus"}
    assert screened == {oid for oid, count in n.items() if count >= 2} != set()
    assert all(row["class_name"] == "" for row in after)
    assert ["screened_bogus", str(len(screened))] in [line.split() for line in out.splitlines()]


def test_a_screener_that_finds_nothing_changes_nothing(evaluate, folder):
    evaluate("--alerts", folder / "packets", "--out", "before.csv")
    evaluate("--alerts", folder / "packets", "--out", "t.csv", "--screen-bogus", folder / "none")
    assert table_of("t.csv") == table_of("before.csv")


def test_the_report_counts_true_bogus_and_both_accuracies(evaluate, folder):
    status, out, _ = evaluate("--screen-bogus", folder / "none")
    found = json.loads((folder / "run" / "evaluation-screened" / "report.json").read_text())
    numbers = found["bogus_screening"]
    assert status == 0
    assert {name: (counts["objects"], counts["screened"]) for name, counts in numbers["classes"].items()} == {
        "AGN": (5, 5),
        "SN": (4, 4),
        "VS": (4, 4),
        "bogus": (3, 2),
    }
    assert all(counts["rejected"]["count"] == 0 for counts in numbers["classes"].values())
    assert numbers["accuracy_with_rejected"]["value"] == found["results"]["accuracy"]["value"]
    assert numbers["model"]["run"] == str(folder / "none")
    assert "accuracy with rejected objects counted as errors" in out
    page = (folder / "run" / "evaluation-screened" / "report.html").read_text()
    assert "Bogus screening" in page


def test_where_everything_is_rejected_nothing_is_left(evaluate, folder, tmp_path):
    status, _, err = evaluate("--screen-bogus", folder / "all")
    assert status == 2
    assert "12 rejected as bogus" in err.splitlines()[-1]
    assert "3 of class bogus" in err.splitlines()[-1]


@pytest.mark.parametrize("arguments", [[], ["--alerts", "."]])
def test_a_model_that_cannot_screen_is_named(evaluate, folder, arguments):
    status, _, err = evaluate(*arguments, "--screen-bogus", folder / "short")
    assert (status, len(err.splitlines())) == (2, 1)
    assert f"{folder / 'short'}: config demo has n_detections=2 and the classes AGN, SN, VS" in err
    assert "needs n_detections=1 and the class bogus" in err
