"""The script: both of its uses from files to files, and one line for every mistake that a user can make."""

import json
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from data_prep import ingest
from data_prep.ledger import Ledger
from helpers.made_runs import SCRIPT, TINY, make_run, table_of, write_data
from helpers.make_packets import alert, images, night, save
from helpers.programs import ENVIRONMENT, jtss
from jtss import dataset
from jtss.commands import evaluate as command
from jtss.dataset import Writer
from jtss.inference import predict
from jtss.pretrained import load
from jtss.training import trained

FEW = "Fewer than 30 objects of AGN (4), SN (4) and VS (4): read the intervals, not the values alone."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data file, a run directory of an untrained model that claims to be trained on it, and alert packets."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    save(folder / "packets", night())
    return folder


@pytest.mark.parametrize("words", [("a", "b"), ("-m", "a", "b"), ("a", "-m", "b"), ("-m", "a", "-m", "b")])
def test_models_are_named_with_m_or_without(monkeypatch, words):
    models = []
    monkeypatch.setattr(command, "_evaluate", lambda given, _: models.extend(given))
    assert not jtss("evaluate", *words)
    assert [*map(str, models)] == ["a", "b"]


def test_a_model_is_needed(capsys):
    assert jtss("evaluate", "--split", "all") == 2
    assert "a model is required: -m NAME|FILE|RUN" in capsys.readouterr().err


def test_report_on_the_test_split_of_the_training_file(evaluate, folder):
    status, out, err = evaluate()
    assert (status, err) == (0, f"WARNING: {FEW}\n")
    found = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    assert found["data"]["objects"] == {
        "evaluated": 12,
        "in another split": 12,
        "with too few detections": 1,
        "without label": 1,
    }
    assert found["data"]["is_training_file"] is True
    assert found["model"]["version"] == "0.1.0+20260102T030405.s5"
    assert found["learning_curve"]["validation_accuracy"] == [0.4]
    assert found["inference"]["device"]
    assert found["warnings"] == [FEW]
    assert found["bogus_screening"] is None
    assert np.sum(found["results"]["confusion_matrix"]) == 12
    assert f"{100 * found['results']['accuracy']['value']:.1f} % accuracy" in out
    assert "not evaluated: 1 without label" in out
    assert (folder / "run" / "evaluation" / "report.html").is_file()


def test_what_the_accuracy_rests_on_is_measured_where_asked_for(evaluate, folder, tmp_path):
    assert json.loads((folder / "run" / "evaluation" / "report.json").read_text())["ablations"] is None
    status, out, _ = evaluate("--ablations", "--out", tmp_path / "report")
    assert status == 0
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    plain, *changed = found["ablations"]["inputs"]
    assert plain["accuracy"] == found["results"]["accuracy"]["value"]
    assert plain["objects"] == found["results"]["n_objects"] == 12
    assert [row["name"] for row in changed] == [
        "stamps zeroed",
        "another object's stamps",
        "another object's metadata",
        "counters hidden",
        "without AllWISE",
    ]
    assert found["ablations"]["versions"] == []  # of models of single alerts
    assert "what it rests on, 12 objects:" in out
    assert "What it rests on" in (tmp_path / "report" / "report.html").read_text()


def test_the_training_split_is_evaluated_with_a_loud_warning(evaluate, tmp_path):
    status, _, err = evaluate("--split", "train", "--out", tmp_path / "report")
    assert status == 0
    assert err.startswith("WARNING: Evaluated on the training split")
    assert "training split" in (tmp_path / "report" / "report.html").read_text()


def test_other_data_are_evaluated_and_named_so(evaluate, tmp_path):
    write_data(tmp_path / "other.h5", seed=5, split=[-1] * 26)
    status, _, err = evaluate("--data", tmp_path / "other.h5", "--split", "all", "--out", tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert (status, found["data"]["is_training_file"]) == (0, False)
    assert "training" not in err
    assert found["results"]["n_objects"] == 24


def test_alerts_become_a_table_and_no_object_is_lost(evaluate, folder, tmp_path):
    status, out, err = evaluate("--alerts", folder / "packets")
    assert status == 0
    assert "no --allwise given" in err
    rows = table_of(tmp_path / "predictions.csv")
    assert {row["oid"] for row in rows} == {record["objectId"] for record in night()}
    classified = [row for row in rows if row["class_name"]]
    assert [(row["oid"], row["candid"], row["class_name"]) for row in classified] == [
        ("ZTF18a", "12", name) for name in TINY.classes
    ]
    assert sum(float(row["probability"]) for row in classified) == pytest.approx(1, abs=1e-5)
    assert sorted(row["ranking"] for row in classified) == ["1", "2", "3"]
    assert {row["note"] for row in rows if not row["class_name"]} == {
        "too_few_detections: 1, needs 3",
        "too_few_detections: 2, needs 3",
    }
    assert out.startswith("alerts read")
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]


def test_broken_and_edge_alerts_are_in_the_table_with_the_reason(evaluate, tmp_path):
    start = 2459000.7
    records = [alert("ZTFgood", 1 + i, jd=start + i) for i in range(3)]
    records[1] = alert("ZTFgood", 2, images(2, (63, 40)), jd=start + 1, xpos=10.0)
    records += [alert("ZTFnone", 9, [None, None, None])]
    save(tmp_path / "packets", records)
    (tmp_path / "packets" / "cut.avro").write_bytes(b"Obj\x01 and no more")
    status, out, _ = evaluate(
        "--alerts", tmp_path / "packets", "--out", "p.parquet", "--picture", "p.png", "--rejects", "r.jsonl"
    )
    assert status == 0
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert {(row["oid"], row["note"]) for row in rows} == {("ZTFgood", "padded_edge"), ("ZTFnone", "missing_stamp")}
    assert rows[-1]["class_name"] is None
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    rejects = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert ("ZTFnone", "missing_stamp") in [(line["objectId"], line["reason"]) for line in rejects]
    assert any(line["file"].endswith("cut.avro") for line in rejects)
    assert "missing_stamp" in out


def test_the_same_sequences_get_the_same_probabilities_from_packets_and_from_a_file(evaluate, folder, tmp_path):
    """No skew between training and use."""
    with ingest.ingest([folder / "packets"], workdir=tmp_path, progress=False) as ingested:
        (batch,) = ingested.batches()
    with Writer(tmp_path / "night.h5", survey="made", command="a test") as writer:
        writer.append(batch)
        writer.finish(split=batch.split, ledger=Ledger().as_dict())
    run = load.load_model(folder / "run")
    (stored,) = dataset.read(tmp_path / "night.h5")
    _, expected = predict.predict(run, stored)
    evaluate("--alerts", folder / "packets", "--out", "t.csv")
    found = [float(row["probability"]) for row in table_of("t.csv") if row["class_name"]]
    np.testing.assert_allclose(found, expected[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none.h5"], "none.h5: no such file"),
        (["--data", SCRIPT], "not a readable HDF5 file"),
        (
            ["--split", "validation"],
            "nothing to evaluate in the validation split (25 in another split, 1 without label)",
        ),
        (["--alerts", "nowhere"], "nowhere: no such file or directory"),
        (["--alerts", "."], ".: no alert packet in it"),
        (["--alerts", ".", "--out", "table.txt"], "expected one of .csv, .parquet, .jsonl"),
        (["--alerts", ".", "--out", "nowhere/table.csv"], "the folder nowhere does not exist"),
        (["--alerts", ".", "--picture", "nowhere/p.png"], "the folder nowhere does not exist"),
        (["--alerts", ".", "--allwise", "none.csv"], "none.csv: no such file"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing_behind(evaluate, tmp_path, arguments, message):
    status, _, err = evaluate(*arguments)
    lines = [line for line in err.splitlines() if line.startswith("evaluate.py: error: ")]
    assert status == 2
    assert "Traceback" not in err
    assert len(lines) == 1
    assert message in lines[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{", "config.json: damaged"),
        ("provenance.json", "{}", "provenance.json: command, data, data_hash, started, versions, device missing"),
        ("metrics.jsonl", "{\n", "metrics.jsonl, line 1: damaged"),
        ("config.json", None, "is not a run directory"),
    ],
)
def test_a_damaged_run_is_named(evaluate, folder, name, text, message):
    path = folder / "run" / name
    before = path.read_bytes()
    try:
        path.unlink()
        if text is not None:
            path.write_text(text)
        status, _, err = evaluate()
    finally:
        path.write_bytes(before)
    assert status == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_damaged_checkpoint_is_named(evaluate, folder):
    shutil.copytree(folder / "run", folder / "damaged")
    for path in (folder / "damaged" / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[::2])
    status, _, err = evaluate(ckpt="damaged")
    assert status == 2
    assert f"{folder / 'damaged' / 'checkpoints'}: no state can be used (300: " in err
    assert len(err.splitlines()) == 1


def test_the_checkpoint_of_another_config_is_refused(evaluate, folder):
    """Classes that the weights do not have, and weights of another network."""
    shutil.copytree(folder / "run", folder / "foreign")
    config = json.loads((folder / "foreign" / "config.json").read_text())
    for changes in ({"classes": ["AGN", "SN", "VS", "bogus"]}, {"n_detections": 4, "name": "other"}):
        (folder / "foreign" / "config.json").write_text(json.dumps(config | changes))
        status, _, err = evaluate(ckpt="foreign")
        assert (status, len(err.splitlines())) == (2, 1)
        assert "was made with other settings" in err
        assert all(name in err for name in changes)


def test_a_model_of_longer_sequences_than_the_file_has(evaluate, tmp_path):
    write_data(tmp_path / "short.h5", [1] * 24 + [2, 2])
    status, _, err = evaluate("--data", tmp_path / "short.h5")
    assert status == 2
    assert err == (
        f"evaluate.py: error: {tmp_path / 'short.h5'}: its longest sequence has 2 detections, config demo reads 3\n"
    )


def test_a_class_without_objects_is_named(evaluate, tmp_path):
    write_data(tmp_path / "other.h5", label=[i % 2 for i in range(26)])
    status, _, err = evaluate("--data", tmp_path / "other.h5", "--out", tmp_path)
    assert status == 0
    assert err.startswith("WARNING: No objects of VS were evaluated")
    assert "No objects of VS" in (tmp_path / "report.html").read_text()


def test_a_data_set_of_an_older_version_says_how_it_was_made(evaluate, tmp_path):
    write_data(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "a") as file:
        file.attrs["schema_version"] = 3
    status, _, err = evaluate("--data", tmp_path / "old.h5")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "old.h5: schema version 3, this program reads 4; rebuild it with: a test" in err


def test_no_run_at_all(evaluate):
    status, _, err = evaluate(ckpt="nothing")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "no such run directory" in err


@pytest.mark.slow
def test_as_a_program_with_processes_that_decode(folder, tmp_path):
    command = [sys.executable, SCRIPT, "--ckpt", folder / "run", "--alerts", folder / "packets", "--out", "t.jsonl"]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert {row["oid"] for row in rows} == {record["objectId"] for record in night()}


@pytest.mark.slow
def test_real_alerts_none_lost(evaluate, ztf_dir, tmp_path):
    status, _, _ = evaluate("--alerts", ztf_dir / "alerts", "--out", "real.csv")
    assert status == 0
    files = {path.name.split("_")[0] for path in (ztf_dir / "alerts").glob("*.avro")}
    assert {row["oid"] for row in table_of(tmp_path / "real.csv")} == files


def test_a_run_that_is_not_finished_is_evaluated_with_a_warning(evaluate, folder, monkeypatch):
    monkeypatch.setattr(trained, "finished", lambda *_: False)
    status, _, err = evaluate("--out", str(folder / "unfinished"))
    assert status == 0
    assert f"WARNING: {folder / 'run'} is not finished: it was saved at step 300 of 300" in err


def test_a_data_set_given_as_alerts_is_refused_and_no_table_replaced(evaluate, folder):
    table = folder / "kept.csv"
    table.write_text("kept")
    status, _, err = evaluate("--alerts", str(folder / "made.h5"), "--out", str(table), "--force")
    assert status == 2
    assert "nothing in it is an alert that can be used (a data set is for evaluation)" in err
    assert table.read_text() == "kept"
