"""A temperature goes from the report into the model's file and card, into probabilities only where it is asked for."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from helpers.made_runs import TINY, caller, make_run, table_of, write_data
from helpers.make_packets import night, save
from jtss import files
from jtss.pretrained import file
from jtss.pretrained.file import ModelError
from jtss.reports import card, export


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model exported with a report that says a temperature of 50, and one exported without a report."""
    folder = tmp_path_factory.mktemp("calibrated")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    export.export(folder / "run", "plain", folder / "files")
    trained = replace(export.from_run(folder / "run"), temperature=50.0)
    file.path_of("warm", folder / "files").write_bytes(file.to_bytes(trained))
    files.write_sums(folder / "files")
    save(folder / "packets", night())
    return folder


@pytest.fixture
def evaluate(folder, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file, "FOLDER", folder / "files")
    return caller(Path(), monkeypatch, capsys)


def test_it_is_applied_only_where_asked_for(evaluate, folder):
    given = ("--alerts", folder / "packets", "--out")
    for name, *more in (("plain.csv",), ("warm.csv",), ("scaled.csv", "--calibrated")):
        assert evaluate(*given, name, *more, ckpt="plain" if name == "plain.csv" else "warm")[0] == 0
    plain, warm, scaled = (
        [row for row in table_of(name) if row["class_name"]] for name in ("plain.csv", "warm.csv", "scaled.csv")
    )
    assert plain == warm
    p = np.array([[float(row["probability"]) for row in warm]])
    powers = np.maximum(p, np.finfo(np.float32).tiny) ** (1 / 50)
    expected = powers / powers.sum()
    np.testing.assert_allclose([float(row["probability"]) for row in scaled], expected[0], rtol=1e-5)
    assert {row["classifier_version"] for row in scaled} == {warm[0]["classifier_version"] + ".t50"}


def test_a_model_without_temperature_says_how_to_get_one(evaluate, folder, tmp_path):
    status, _, err = evaluate("--alerts", folder / "packets", "--calibrated", ckpt="plain")
    assert status == 2
    assert "--calibrated: plain has no temperature, expected a model that was exported with" in err
    assert list(tmp_path.iterdir()) == []
    assert evaluate("--calibrated", ckpt="warm")[0] == 2


def test_a_file_without_temperature_has_the_bytes_it_always_had(folder):
    path = folder / "files" / "plain.h5"
    assert file.read(path).temperature is None
    assert file.to_bytes(file.read(path)) == path.read_bytes()
    assert b"temperature" not in path.read_bytes()
    assert file.read(folder / "files" / "warm.h5").temperature == 50


@pytest.mark.parametrize("value", [0, -1, "warm", None, True])
def test_a_temperature_that_is_none_is_refused(folder, tmp_path, value):
    trained = replace(file.read(folder / "files" / "plain.h5"), temperature=2.5)
    content = file.to_bytes(trained)
    (tmp_path / "m.h5").write_bytes(content)
    with h5py.File(tmp_path / "m.h5", "a") as opened:
        opened.attrs["temperature"] = json.dumps(value)
    with pytest.raises(ModelError, match=r"attribute temperature: .*, expected a positive number"):
        file.read(tmp_path / "m.h5")


def test_the_card_tells(folder):
    trained = file.read(folder / "files" / "warm.h5")
    assert "Temperature 50.000, fitted to the validation split" in card.text("warm", trained, "77")
    assert "Temperature" not in card.text("plain", replace(trained, temperature=None), "77")
