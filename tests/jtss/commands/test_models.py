"""Models that ship: made of a run, found by name, the same to the last bit, and never used where they are damaged."""

import json
import re
import shutil
from dataclasses import replace
from functools import partial

import h5py
import jax
import numpy as np
import pytest

from helpers.made_models import made_model
from helpers.made_runs import write_data
from helpers.programs import jtss
from jtss import dataset, files
from jtss.config import named
from jtss.network import network
from jtss.network.inputs import GroupStatistics, Statistics
from jtss.pretrained import file, load
from jtss.pretrained.file import ModelError, TrainedModel
from jtss.reports import card, export

HERE = "tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_model(tmp_path_factory.mktemp("models"), HERE)


def random_model(name, n_members=1):
    """The named network with random weights."""
    config, rng = named.get(name), np.random.default_rng(1)
    shapes = jax.eval_shape(partial(network.init, config), jax.random.key(0))
    members = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), (shapes,) * n_members)
    groups = (config.metadata.dynamic, config.metadata.static)
    fitted = Statistics(
        *(GroupStatistics(names, *map(tuple, rng.normal(size=(4, len(names))).tolist())) for names in groups)
    )
    provenance = {name: kind() for name, kind in file.PROVENANCE.items()}
    provenance |= {"command": "π", "training": [dict.fromkeys(file.TRAINING, 7)] * n_members}
    provenance["training_data"] = {"survey": "made", "command": "π", "objects": {}}
    return TrainedModel(config, fitted, members, provenance, [{"a": None}])


@pytest.mark.parametrize(
    ("name", "n_members"),
    [("n1_baseline", 1), ("n3_metadata", 3), ("n4_lstm", 1), ("n5_best", 1), ("n2_gamma_images", 1), ("demo", 11)],
)
def test_every_kind_of_network_comes_back_as_it_went(name, n_members, tmp_path):
    made = random_model(name, n_members)
    path = tmp_path / "model.h5"
    path.write_bytes(file.to_bytes(made))
    found = file.read(path)
    assert replace(found, members=()) == replace(made, members=())
    jax.tree.map(np.testing.assert_array_equal, found.members, made.members)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../x", "--name ../x: expected lower-case letters, digits and underscores"),
        ("n3_best", "--name n3_best is a configuration, but the run is of demo"),
    ],
)
def test_names_that_mislead_are_refused(folder, tmp_path, name, message):
    with pytest.raises(ModelError, match=message):
        export.export(folder / "run", name, tmp_path)


def test_the_program_exports_lists_and_shows(folder, monkeypatch, capsys, tmp_path):
    def call(*arguments):
        status = jtss("models", *arguments, "--folder", tmp_path)
        return status, *capsys.readouterr()

    report = folder / "run" / "evaluation" / "report.json"
    assert call("export", folder / "run", "--name", "demo", "--report", report)[0] == 0
    _, out, _ = call("list")
    right = json.loads(report.read_text())["results"]["accuracy"]["value"]
    validation = load.load_model(folder / "run").members[0].outcome.validation_accuracy
    accuracies = rf" +validation {100 * validation:.1f} %\n +real test split {100 * right:.1f} % of 12"
    assert re.fullmatch(rf"demo +n = 3  AGN, SN, VS +0\.\d MB\n{accuracies}\n", out)
    assert call("card", "demo")[1] == (tmp_path / "demo.md").read_text()
    status, _, err = call("card", "n9")
    assert (status, err) == (2, "jtss: error: no pretrained model is named n9; pretrained models: demo\n")


def test_data_that_do_not_say_where_they_are_from_are_named(tmp_path):
    write_data(tmp_path / "made.h5")
    with h5py.File(tmp_path / "made.h5", "a") as opened:
        del opened.attrs["survey"]
    with pytest.raises(dataset.DataError, match=r"made.h5: the attribute survey is missing"):
        dataset.describe(tmp_path / "made.h5", named.get("demo"))


def test_what_ships_is_as_it_was_made_and_tells_nothing_of_the_machine():
    assert file.faults(file.FOLDER) == []
    for path in file.FOLDER.glob("*.md"):
        model, described = path.with_suffix(".h5"), path.read_text()
        assert described == card.text(path.stem, file.load(path.stem, file.FOLDER), files.sum_of(model)), path
        assert not re.search(r"(?<![\w.~])/(home|root|tmp|work|Users|mnt)/", described), path


def test_a_model_file_is_calibrated_where_it_is(folder, tmp_path, capsys):
    """And not in the package, whose folder the command takes for names."""
    shutil.copytree(folder / "files", tmp_path / "files")
    report = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps(report | {"calibration": {"temperature": 1.5}}))
    packaged = sorted(file.FOLDER.iterdir())
    path = tmp_path / "files" / f"{HERE}.h5"
    assert jtss("models", "calibrate", path, tmp_path / "report.json") in (0, None)
    assert f"model: {path}" in capsys.readouterr().out
    assert sorted(file.FOLDER.iterdir()) == packaged
    assert file.load(HERE, tmp_path / "files").temperature == 1.5  # its sum is right
