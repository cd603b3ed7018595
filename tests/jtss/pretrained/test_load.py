"""A model by what a user calls it: a path before a name, and the same numbers by either."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from helpers import without_locks
from helpers.made_models import made_model
from helpers.made_runs import COUNTS, LABEL
from helpers.made_sequences import sequences
from helpers.places import ROOT
from jtss import api
from jtss.inference import predict
from jtss.pretrained import file, load
from jtss.pretrained.file import ModelError
from jtss.training.trained import learning_curve

HERE = "tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_model(tmp_path_factory.mktemp("models"), HERE)


def test_a_shipped_model_says_the_same_as_its_run_to_the_last_bit(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(file, "FOLDER", folder / "files")
    monkeypatch.chdir(tmp_path)
    given, made = sequences(COUNTS, label=LABEL, seed=3), load.load_model(folder / "run")
    found = load.load_model(HERE)
    for one, other in zip(predict.predict(found, given), predict.predict(made, given), strict=True):
        np.testing.assert_array_equal(one, other)
    outcomes = [[(member.seed, member.outcome) for member in run.members] for run in (found, made)]
    assert (found.config, found.statistics, outcomes[0]) == (made.config, made.statistics, outcomes[1])
    assert (found.label, found.folder, learning_curve(found), found.warnings) == (HERE, None, [], [])
    assert outcomes[0][0][1].best_step == 5


def test_a_path_that_exists_comes_before_a_name(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(file, "FOLDER", folder / "files")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "run", tmp_path / HERE)
    assert load.load_model(HERE).folder is not None


def test_an_unknown_name_lists_the_known_ones(folder, monkeypatch):
    monkeypatch.setattr(file, "FOLDER", folder / "files")
    with pytest.raises(ModelError, match="n9: no such run directory and no pretrained model; pretrained models: t"):
        load.load_model("n9")
    with pytest.raises(ModelError, match="no pretrained model is named n9; pretrained models: tiny"):
        file.load("n9", folder / "files")
    assert file.listing(folder / "nowhere") == "pretrained models: none"


def test_an_exported_model_is_loaded_by_the_path_of_its_file(folder):
    path, given = folder / "files" / f"{HERE}.h5", sequences(COUNTS, label=LABEL, seed=3)
    exported = load.load_model(path)
    for one, other in zip(
        predict.predict(exported, given), predict.predict(load.load_model(folder / "run"), given), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert api.load_model(path).card == path.with_suffix(".md").read_text(encoding="utf-8")


def test_a_data_set_is_no_model(folder):
    with pytest.raises(ModelError, match=r"made.h5: not a directory; expected a run directory or the name"):
        load.load_model(folder / "made.h5")


def test_a_model_needs_no_lock(folder, tmp_path):
    """Some file systems of networks have none; and a model is never changed while it is read."""
    path = folder / "files" / f"{HERE}.h5"
    code = f"from jtss.pretrained import load; print(load.load_model({str(path)!r}).config.n_detections)"
    environment = without_locks.environment(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
