"""A folder of repeats: every seed is evaluated on the same objects, and one table says what they have in common."""

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.made_runs import COUNTS, LABEL, TINY, caller, make_run, table_of, write_data
from helpers.made_sequences import sequences
from helpers.make_packets import night, save
from jtss.config.settings import override
from jtss.inference import predict
from jtss.pretrained import file, load
from jtss.pretrained.file import ModelError
from jtss.reports import export
from jtss.runs import directory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Repeats with the seeds 0 and 3, the first of which always answers AGN, the second SN."""
    folder = tmp_path_factory.mktemp("repeats")
    write_data(folder / "made.h5")
    for seed, favoured in ((0, "AGN"), (3, "SN")):
        config = override(TINY, [f"training.seed={seed}"])
        make_run(folder / "run" / f"seed-{seed}", config, folder / "made.h5", favoured=favoured)
    (folder / "run" / "repeats.json").write_text(json.dumps({"config": "demo", "seeds": [0, 3]}))
    return folder


@pytest.fixture(scope="module")
def said(folder):
    """What the script says of the ensemble: exit status, stdout, stderr; its reports are in the folder then."""
    out, err = io.StringIO(), io.StringIO()
    captured = SimpleNamespace(readouterr=lambda: (out.getvalue(), err.getvalue()))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        return caller(folder, patch, captured)()


def test_one_table_of_all_seeds_and_a_report_of_each(said, folder):
    status, out, _ = said
    assert status == 0
    found = json.loads((folder / "run" / "evaluation" / "repeats.json").read_text())
    reports = [json.loads((folder / "run" / f"seed-{i}" / "evaluation" / "report.json").read_text()) for i in (0, 3)]
    accuracies = [report["results"]["accuracy"]["value"] for report in reports]
    assert [row["accuracy"] for row in found["repeats"]] == accuracies
    assert found["repeats"][1]["recall"] == {"AGN": 0, "SN": 1, "VS": 0}
    assert found["mean"]["accuracy"] == pytest.approx(np.mean(accuracies))
    assert found["sd"]["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    table = table_of(folder / "run" / "evaluation" / "repeats.csv")
    assert [row["seed"] for row in table] == ["0", "3", "mean", "sd", "ensemble"]
    assert f"{100 * np.mean(accuracies):.2f} ± {100 * np.std(accuracies, ddof=1):.2f} %" in out


def test_what_is_true_of_the_data_is_warned_of_once(said):
    lines = said[2].splitlines()
    assert any("Fewer than 30 objects" in line for line in lines)
    assert len(lines) == len(set(lines))


@pytest.mark.usefixtures("said")
def test_a_seed_by_itself_has_the_same_numbers(evaluate, folder, tmp_path):
    evaluate("--out", tmp_path / "alone", ckpt="run/seed-3")
    alone = json.loads((tmp_path / "alone" / "report.json").read_text())
    assert alone["results"] == report_of(folder, 3)["results"]


@pytest.mark.usefixtures("said")
def test_all_seeds_together_are_the_mean_of_their_probabilities(folder):
    given = sequences(COUNTS, label=LABEL, seed=3)
    (_, together), *alone = (
        predict.predict(load.load_model(path), given)
        for path in (folder / "run", folder / "run" / "seed-0", folder / "run" / "seed-3")
    )
    np.testing.assert_allclose(together, (alone[0][1] + alone[1][1]) / 2, atol=1e-6)
    assert np.abs(alone[0][1] - alone[1][1]).max() > 0.1
    report = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    assert (report["model"]["seeds"], report["model"]["best_steps"]) == ([0, 3], [5, 5])
    assert report["model"]["version"].endswith(".s5.s5")
    found = json.loads((folder / "run" / "evaluation" / "repeats.json").read_text())
    assert found["together"]["accuracy"] == report["results"]["accuracy"]["value"]
    assert report["learning_curve"]["step"] == []
    entropies = [report_of(folder, seed)["results"]["cross_entropy_nat"] for seed in (0, 3)]
    assert report["results"]["cross_entropy_nat"] < 0.9 * min(entropies)  # half right of two classes, not of one
    assert report["seeds"]["sd"]["confusion_matrix"] == found["sd"]["confusion_matrix"]
    matrices = [report_of(folder, seed)["results"]["confusion_matrix"] for seed in (0, 3)]
    np.testing.assert_allclose(report["seeds"]["mean"]["confusion_matrix"], np.mean(matrices, axis=0))
    np.testing.assert_allclose(report["seeds"]["sd"]["confusion_matrix"], np.std(matrices, axis=0, ddof=1))
    page = (folder / "run" / "evaluation" / "report.html").read_text()
    assert "Seeds of the ensemble" in page
    assert f"± {100 * found['sd']['recall']['AGN']:.2f}" in page


def report_of(folder, seed):
    return json.loads((folder / "run" / f"seed-{seed}" / "evaluation" / "report.json").read_text())


@pytest.mark.usefixtures("said")
def test_repeats_classify_alerts_and_ship_as_one_model(evaluate, folder, monkeypatch, capsys, tmp_path):
    save(tmp_path / "packets", night())
    report = folder / "run" / "evaluation" / "report.json"
    path = export.export(folder / "run", "both", tmp_path / "files", reports=[report])
    monkeypatch.setattr(file, "FOLDER", tmp_path / "files")
    monkeypatch.chdir(tmp_path)
    assert evaluate("--alerts", "packets", "--out", "a.csv")[0] == 0
    by_name = caller(Path(), monkeypatch, capsys)
    assert by_name("--alerts", "packets", "--out", "b.csv", ckpt="both")[0] == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    assert len({row["classifier_version"] for row in table_of(tmp_path / "a.csv")}) == 1
    card = path.with_suffix(".md").read_text()
    assert "ensemble of 2 trainings with different seeds (0, 3), whose probabilities are averaged" in card
    assert card.count("iterations, ") == 2


@pytest.mark.parametrize(
    ("settings", "data_seed", "what"),
    [(["training.learning_rate=0.5"], 0, "configuration"), ([], 9, "data")],
)
def test_runs_that_are_no_repeats_are_not_averaged(tmp_path, settings, data_seed, what):
    write_data(tmp_path / "one.h5")
    write_data(tmp_path / "other.h5", seed=data_seed)
    make_run(tmp_path / "run" / "seed-0", TINY, tmp_path / "one.h5")
    config = override(TINY, ["training.seed=1", *settings])
    make_run(tmp_path / "run" / "seed-1", config, tmp_path / ("other.h5" if data_seed else "one.h5"))
    (tmp_path / "run" / "repeats.json").write_text(json.dumps({"config": "demo", "seeds": [0, 1]}))
    with pytest.raises(directory.RunError, match=f"seed-1: other {what} than .*seed-0, expected a repeat"):
        load.load_model(tmp_path / "run")


def test_a_copy_of_a_seed_is_no_repeat(folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "seed-3")
    shutil.copytree(tmp_path / "run" / "seed-0", tmp_path / "run" / "seed-3")
    with pytest.raises(directory.RunError, match="seed-3: its seed is 0, expected 3"):
        load.load_model(tmp_path / "run")


@pytest.mark.usefixtures("said")
def test_the_report_of_another_seed_is_refused(folder):
    with pytest.raises(ModelError, match=r"report.json: of the seeds \[3\], expected \[0\]"):
        export.from_run(folder / "run" / "seed-0", [folder / "run" / "seed-3" / "evaluation" / "report.json"])


def test_a_missing_seed_is_named(evaluate, folder):
    shutil.copytree(folder / "run", folder / "part")
    shutil.rmtree(folder / "part" / "seed-3")
    status, _, err = evaluate(ckpt="part")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "repeats.json: seed-3 is missing" in err
