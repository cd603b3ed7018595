"""The summary of an ensemble's seeds has the sample's mean and deviation, and every table has every row."""

import csv
import io
import json
import math
import statistics

import numpy as np
import pytest

from jtss.reports.sections import seeds


def report(accuracy, *recall, step=10):
    hits = round(40 * accuracy)
    return {
        "model": {"name": "n3_conv1d", "best_steps": [step]},
        "data": {"path": "a.h5", "split": "test", "content_hash": "ab"},
        "results": {
            "n_objects": 60,
            "accuracy": {"value": accuracy},
            "confusion_matrix": [[hits, 40 - hits], [0, 20]],
            "classes": {name: {"recall": {"value": r}} for name, r in zip(("AGN", "SN"), recall, strict=True)},
        },
    }


ENSEMBLE = {"together": seeds.scores(report(0.96, 0.7, 0.9))}
REPORTS = {0: report(0.9, 0.8, 1.0), 3: report(0.94, 0.84, 0.7, step=2000), 7: report(0.95, 0.9, 0.8)}


def test_mean_and_sample_deviation():
    summary = seeds.summarise(REPORTS) | ENSEMBLE
    values = [0.9, 0.94, 0.95]
    assert summary["mean"]["accuracy"] == pytest.approx(statistics.mean(values))
    assert summary["sd"]["accuracy"] == pytest.approx(statistics.stdev(values))
    assert summary["sd"]["recall"]["SN"] == pytest.approx(statistics.stdev([1.0, 0.7, 0.8]))
    assert summary["mean"]["confusion_matrix"] == pytest.approx(np.array([[112 / 3, 8 / 3], [0, 20]]))
    assert summary["sd"]["confusion_matrix"][0] == pytest.approx([statistics.stdev([36, 38, 38])] * 2)
    assert [row["seed"] for row in summary["repeats"]] == [0, 3, 7]
    assert summary["repeats"][1]["best_step"] == 2000


def test_one_seed_has_no_deviation(tmp_path):
    summary = seeds.summarise({5: report(0.9, 0.8, math.nan)}) | ENSEMBLE
    assert math.isnan(summary["sd"]["accuracy"])
    json_path, csv_path = seeds.write(tmp_path / "new", summary)
    assert json.loads(json_path.read_text(), parse_constant=pytest.fail)["sd"] == {
        "accuracy": None,
        "recall": {"AGN": None, "SN": None},
        "confusion_matrix": [[None, None], [None, None]],
    }
    assert csv_path.read_text().splitlines()[-2] == "sd,,,,"
    assert "90.00 ± – %" in seeds.text(summary)


def test_table_and_text_have_every_row():
    summary = seeds.summarise(REPORTS) | ENSEMBLE
    rows = list(csv.DictReader(io.StringIO(seeds.csv(summary))))
    assert [row["seed"] for row in rows] == ["0", "3", "7", "mean", "sd", "ensemble"]
    assert float(rows[1]["recall_SN"]) == 0.7
    assert (rows[5]["best_step"], float(rows[5]["recall_AGN"])) == ("", 0.7)
    assert float(rows[4]["accuracy"]) == pytest.approx(statistics.stdev([0.9, 0.94, 0.95]))
    lines = seeds.text(summary).splitlines()
    assert lines[0].split() == ["seed", "best", "step", "accuracy", "recall", "AGN", "recall", "SN"]
    assert lines[2].split() == ["3", "2,000", "94.0", "%", "84.0", "%", "70.0", "%"]
    assert lines[4].split()[:6] == ["mean", "±", "sd", "93.00", "±", "2.65"]
    assert lines[5].split() == ["ensemble", "96.0", "%", "70.0", "%", "90.0", "%"]
    assert len({len(line) for line in lines}) == 1


def test_the_section_shows_every_seed_and_the_spread():
    page = seeds.section(seeds.summarise(REPORTS), ("AGN", "SN"))
    assert "seed 3" in page
    assert "step 2,000" in page
    assert "± 2.65" in page
    assert "±" not in seeds.section(seeds.summarise({5: report(0.9, 0.8, 1.0)}), ("AGN", "SN")).split("</table>")[0]
