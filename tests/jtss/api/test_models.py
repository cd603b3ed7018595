"""What a model says in a notebook is what it says in a shell."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.table import Table

import jtss
from helpers.made_runs import SPLIT, untrained
from helpers.made_sequences import sequences
from helpers.make_packets import alert, night, save
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT
from helpers.programs import jtss as shell
from jtss.errors import InputError

CLASSES = ("AGN", "SN", "VS", "asteroid", "bogus")


@pytest.fixture(scope="module")
def model():
    return jtss.load_model("n1_enhanced")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("trained"))


def test_the_first_example_runs_and_shows_the_class(tmp_path):
    save(tmp_path / "TONIGHT", night())
    example = "\n".join(line[4:] for line in jtss.__doc__.splitlines() if line.startswith("    "))
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert {"object_id", "candid", "class", "probability", "note"} <= set(done.stdout.split())
    assert "ZTF18e" in done.stdout


def test_class_priors_are_those_of_the_shell(tmp_path):
    """The same probabilities to all their digits, and the same version."""
    save(tmp_path / "night", night())
    shares = {"AGN": 0.4, "SN": 0.1, "VS": 0.3, "asteroid": 0.15, "bogus": 0.05}
    words = ["--priors", ",".join(f"{name}={share}" for name, share in shares.items()), "--out", tmp_path / "t.csv"]
    assert shell("classify", tmp_path / "night", "-m", "n1_enhanced", *words) == 0
    table = jtss.load_model("n1_enhanced").classify(tmp_path / "night", priors=shares)
    rows = Table.read(tmp_path / "t.csv")
    assert set(rows["classifier_version"]) == {table.meta["version"]}
    assert table.meta["version"].endswith(".priors")
    ours = {(row["object_id"], name): row[f"P_{name}"] for row in table for name in CLASSES}
    assert ours == {(row["oid"], row["class_name"]): np.float32(row["probability"]) for row in rows}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"AGN": 0.5, "SN": 0.5}, "^priors=: AGN, SN, but the classes of the model are AGN, SN, VS, asteroid, bogus$"),
        (dict.fromkeys(CLASSES, 0.3), "^priors={.*}: the fractions add up to 1.5, expected 1$"),
        ("AGN=.5,SN=.5", "^priors='AGN=.5,SN=.5': expected a fraction for each class"),
        ({}, "^priors={}: "),
    ],
)
def test_priors_that_are_none_are_bad_input(model, shares, message):
    with pytest.raises(InputError, match=message):
        model.classify(alert(), priors=shares)


def test_probabilities_of_a_data_set(trained):
    run = jtss.load_model(trained / "run")
    data = jtss.open_dataset(trained / "made.h5")
    assert (len(data), data.attrs["survey"], run.n_detections) == (len(SPLIT), "made", 3)
    found = run.predict_proba(data)
    assert (found.shape, found.dtype) == ((len(SPLIT), 3), np.float32)
    long_enough = np.concatenate([batch.n_alerts for batch in data.batches()]) >= 3
    np.testing.assert_array_equal(np.isfinite(found).all(axis=1), long_enough)
    np.testing.assert_array_equal(run.predict_proba(trained / "made.h5"), found)
    made = sequences((3, 2))
    made.stamps[:3] = np.nan
    assert np.isnan(run.predict_proba(made)).all()
    assert "made.h5" in run.card


def test_models_are_listed(model):
    table = jtss.list_models()
    assert {"n1_enhanced", "n3_best"} <= set(table["name"])
    assert (table["accuracy"] > 0.5).all()
    assert "n1_enhanced" in model.card
    assert repr(model) == "<Model n1_enhanced: AGN, SN, VS, asteroid, bogus from 1 detection>"
    assert repr(jtss.load_model("any")) == "<Model any: AGN, SN, VS, asteroid, bogus from one packet>"


@pytest.mark.slow
def test_an_unguarded_script_runs_once_however_many_alerts(tmp_path, ztf_dir):
    script = tmp_path / "script.py"
    alerts = str(ztf_dir / "alerts")
    script.write_text(
        f"import jtss\nprint('begins')\nprint(len(jtss.load_model('n1_enhanced').classify({alerts!r})))\n"
    )
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "begins\n1282\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["n1_enhanced", "n3_best"])
def test_the_shell_says_the_same(tmp_path, ztf_dir, name):
    out = tmp_path / "predictions.csv"
    command = [sys.executable, "evaluate.py", "--ckpt", name, "--alerts", ztf_dir / "alerts", "--out", out]
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)
    rows = Table.read(out)
    table = jtss.load_model(name).classify(ztf_dir / "alerts")
    assert set(rows["oid"]) == set(table["object_id"])
    by_object = {row["object_id"]: row for row in table}
    for row in rows:
        ours = by_object[row["oid"]]
        assert ours["candid"] == row["candid"]
        assert ours["n_detections"] == row["n_detections"]
        if row["class_name"] is np.ma.masked:
            assert ours["class"] == ""
        else:
            assert ours[f"P_{row['class_name']}"] == pytest.approx(row["probability"], abs=1e-6)
            assert (ours["class"] == row["class_name"]) == (row["ranking"] == 1)
