"""Repeats: the folder is read as it was written, and the table has the sample's mean and deviation."""

import csv
import io
import json
import math
import os
import statistics

import numpy as np
import pytest

from jtss.config import named
from jtss.reports.sections import seeds as sections_seeds
from jtss.runs import seeds as runs_seeds


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


TOGETHER = {"together": sections_seeds.scores(report(0.96, 0.7, 0.9))}
REPORTS = {0: report(0.9, 0.8, 1.0), 3: report(0.94, 0.84, 0.7, step=2000), 7: report(0.95, 0.9, 0.8)}


def test_mean_and_sample_deviation():
    found = sections_seeds.summarise(REPORTS) | TOGETHER
    values = [0.9, 0.94, 0.95]
    assert found["mean"]["accuracy"] == pytest.approx(statistics.mean(values))
    assert found["sd"]["accuracy"] == pytest.approx(statistics.stdev(values))
    assert found["sd"]["recall"]["SN"] == pytest.approx(statistics.stdev([1.0, 0.7, 0.8]))
    assert found["mean"]["confusion_matrix"] == pytest.approx(np.array([[112 / 3, 8 / 3], [0, 20]]))
    assert found["sd"]["confusion_matrix"][0] == pytest.approx([statistics.stdev([36, 38, 38])] * 2)
    assert [row["seed"] for row in found["repeats"]] == [0, 3, 7]
    assert found["repeats"][1]["best_step"] == 2000


def test_one_seed_has_no_deviation(tmp_path):
    found = sections_seeds.summarise({5: report(0.9, 0.8, math.nan)}) | TOGETHER
    assert math.isnan(found["sd"]["accuracy"])
    json_path, csv_path = sections_seeds.write(tmp_path / "new", found)
    assert json.loads(json_path.read_text(), parse_constant=pytest.fail)["sd"] == {
        "accuracy": None,
        "recall": {"AGN": None, "SN": None},
        "confusion_matrix": [[None, None], [None, None]],
    }
    assert csv_path.read_text().splitlines()[-2] == "sd,,,,"
    assert "90.00 ± – %" in sections_seeds.text(found)


def test_table_and_text_have_every_row():
    found = sections_seeds.summarise(REPORTS) | TOGETHER
    rows = list(csv.DictReader(io.StringIO(sections_seeds.csv(found))))
    assert [row["seed"] for row in rows] == ["0", "3", "7", "mean", "sd", "together"]
    assert float(rows[1]["recall_SN"]) == 0.7
    assert (rows[5]["best_step"], float(rows[5]["recall_AGN"])) == ("", 0.7)
    assert float(rows[4]["accuracy"]) == pytest.approx(statistics.stdev([0.9, 0.94, 0.95]))
    lines = sections_seeds.text(found).splitlines()
    assert lines[0].split() == ["seed", "best", "step", "accuracy", "recall", "AGN", "recall", "SN"]
    assert lines[2].split() == ["3", "2,000", "94.0", "%", "84.0", "%", "70.0", "%"]
    assert lines[4].split()[:6] == ["mean", "±", "sd", "93.00", "±", "2.65"]
    assert lines[5].split() == ["together", "96.0", "%", "70.0", "%", "90.0", "%"]
    assert len({len(line) for line in lines}) == 1


def made(tmp_path, text, *seeds):
    (tmp_path / "repeats.json").write_text(text)
    for seed in seeds:
        (tmp_path / f"seed-{seed}").mkdir()
    return tmp_path


def test_the_folder_is_read_in_order(tmp_path):
    path = made(tmp_path, json.dumps({"config": "demo", "seeds": [2, 0]}), 0, 2)
    assert runs_seeds.is_repeats(path)
    assert list(runs_seeds.seed_directories(path).items()) == [(2, path / "seed-2"), (0, path / "seed-0")]


def test_a_run_directory_is_no_folder_of_repeats(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert not runs_seeds.is_repeats(tmp_path)
    assert not runs_seeds.is_repeats(tmp_path / "none")


def test_a_start_that_was_killed_can_be_repeated(tmp_path, monkeypatch):
    path = tmp_path / "run"
    runs_seeds.require_new(path)
    (path / "seed-0").mkdir(parents=True)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            runs_seeds.write(path, named.get("demo"), [0, 1], 2)
    runs_seeds.require_new(path)
    runs_seeds.write(path, named.get("demo"), [0, 1], 2)
    assert (runs_seeds.seeds_together(path), sorted(os.listdir(path))) == (2, ["repeats.json", "seed-0"])
    with pytest.raises(FileExistsError, match="has repeats in it; go on with them by --resume"):
        runs_seeds.require_new(path)


def test_repeats_are_not_begun_among_other_things(tmp_path):
    (tmp_path / ".other.partial").touch()
    with pytest.raises(FileExistsError, match="exists and is no folder of repeats"):
        runs_seeds.require_new(tmp_path)


def test_of_several_processes_the_first_looks_and_writes(tmp_path, monkeypatch):
    (tmp_path / "mine").touch()
    monkeypatch.setattr("jax.process_index", lambda: 1)
    runs_seeds.require_new(tmp_path)
    runs_seeds.write(tmp_path, named.get("demo"), [0, 1], 2)
    assert os.listdir(tmp_path) == ["mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "repeats.json: damaged"),
        ("[]", "repeats.json: damaged"),
        ('{"seeds": ["x"]}', "repeats.json: damaged"),
        ('{"seeds": "03"}', "repeats.json: damaged .*expected a list of integers, each once"),
        ('{"seeds": [0, 0]}', "repeats.json: damaged .*expected a list of integers, each once"),
        ('{"seeds": [false]}', "repeats.json: damaged .*expected a list of integers, each once"),
        ('{"seeds": [Infinity]}', "repeats.json: damaged .*expected a list of integers, each once"),
        ("[" * 100_000, "repeats.json: damaged"),
        ('{"seeds": []}', "a seed is missing"),
        ('{"seeds": [0, 1, 2]}', "repeats.json: seed-1, seed-2 is missing"),
    ],
)
def test_a_damaged_folder_is_named(tmp_path, text, message):
    with pytest.raises(runs_seeds.RepeatsError, match=message) as caught:
        runs_seeds.seed_directories(made(tmp_path, text, 0))
    assert "\n" not in str(caught.value)
