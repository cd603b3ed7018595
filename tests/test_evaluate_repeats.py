"""A folder of repeats: every seed is evaluated on the same objects, and one table says what they have in common."""

import json
import shutil

import numpy as np
import pytest
from made_runs import TINY, make_run, table_of, write_data

from jtss import overrides


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Repeats with the seeds 0 and 3, the second of which always answers SN."""
    folder = tmp_path_factory.mktemp("repeats")
    write_data(folder / "made.h5")
    for seed, favoured in ((0, None), (3, "SN")):
        config = overrides.override(TINY, [f"training.seed={seed}"])
        make_run(folder / "run" / f"seed-{seed}", config, folder / "made.h5", favoured=favoured)
    (folder / "run" / "repeats.json").write_text(json.dumps({"config": "demo", "seeds": [0, 3]}))
    return folder


def test_one_table_of_all_seeds_and_a_report_of_each(evaluate, folder):
    status, out, _ = evaluate()
    assert status == 0
    found = json.loads((folder / "run" / "evaluation" / "repeats.json").read_text())
    reports = [json.loads((folder / "run" / f"seed-{i}" / "evaluation" / "report.json").read_text()) for i in (0, 3)]
    accuracies = [report["results"]["accuracy"]["value"] for report in reports]
    assert [row["accuracy"] for row in found["repeats"]] == accuracies
    assert found["repeats"][1]["recall"] == {"AGN": 0, "SN": 1, "VS": 0}
    assert found["mean"]["accuracy"] == pytest.approx(np.mean(accuracies))
    assert found["sd"]["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    table = table_of(folder / "run" / "evaluation" / "repeats.csv")
    assert [row["seed"] for row in table] == ["0", "3", "mean", "sd"]
    assert f"{100 * np.mean(accuracies):.2f} ± {100 * np.std(accuracies, ddof=1):.2f} %" in out


def test_a_seed_by_itself_has_the_same_numbers(evaluate, folder, tmp_path):
    evaluate("--out", tmp_path / "together")
    evaluate("--out", tmp_path / "alone", ckpt="run/seed-3")
    together, alone = (tmp_path / "together" / "seed-3" / "report.json", tmp_path / "alone" / "report.json")
    assert json.loads(together.read_text())["results"] == json.loads(alone.read_text())["results"]


@pytest.mark.parametrize("arguments", [["--alerts", "."], ["--screen-bogus", "{folder}/run"]])
def test_what_needs_one_model_asks_to_choose_one(evaluate, folder, arguments):
    status, _, err = evaluate(*(text.format(folder=folder) for text in arguments))
    assert (status, len(err.splitlines())) == (2, 1)
    assert f"{folder / 'run'} holds 2 repeats; choose one of them, for example {folder / 'run' / 'seed-0'}" in err


def test_a_missing_seed_is_named(evaluate, folder):
    shutil.copytree(folder / "run", folder / "part")
    shutil.rmtree(folder / "part" / "seed-3")
    status, _, err = evaluate(ckpt="part")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "repeats.json: seed-3 is missing" in err
