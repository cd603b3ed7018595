"""Files of models that are damaged, or whose sum is right and whose content does not fit: each is named in one line."""

import json
import re
import shutil

import h5py
import numpy as np
import pytest

from helpers.made_models import made_model
from helpers.programs import jtss
from jtss.files import write_sums
from jtss.pretrained import file
from jtss.pretrained.file import ModelError
from jtss.reports import export

HERE = "tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_model(tmp_path_factory.mktemp("models"), HERE)


@pytest.fixture
def files(folder, tmp_path):
    """A copy of the folder of models, to damage."""
    return shutil.copytree(folder / "files", tmp_path / "files")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip, r"tiny.h5: damaged: its SHA-256 sum is [0-9a-f]{64}, SHA256SUMS expects [0-9a-f]{64}$"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-7]),
            r"tiny.h5: damaged: its SHA-256 sum is [0-9a-f]{64}, SHA",
        ),
        (lambda path: path.unlink(), "tiny.h5: the file is missing, SHA256SUMS expects it"),
        (lambda path: path.with_name("SHA256SUMS").write_text(""), "tiny.h5: SHA256SUMS does not list it"),
        (lambda path: path.with_name("SHA256SUMS").unlink(), "tiny.h5: SHA256SUMS is missing beside it"),
    ],
)
def test_a_file_that_is_not_the_one_that_shipped_is_refused(files, damage, message):
    damage(files / "tiny.h5")
    with pytest.raises(ModelError, match=message):
        file.load(HERE, files)
    assert any(re.search(message, line) for line in file.faults(files))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(change):
    def damage(path):
        with h5py.File(path, "a") as opened:
            change(opened)

    return damage


def of_config(**changes):
    def change(opened):
        opened.attrs["config"] = json.dumps(json.loads(opened.attrs["config"]) | changes)

    return edit(change)


def of_provenance(name, change):
    def changed(opened):
        provenance = json.loads(opened.attrs["provenance"])
        opened.attrs["provenance"] = json.dumps(provenance | {name: change(provenance[name])})

    return edit(changed)


def of_trainings(change):
    return of_provenance("training", change)


def replaced(name, values):
    def change(opened):
        del opened[name]
        if values is not None:
            opened[name] = values

    return edit(change)


BIAS = "0/params/head/logits/bias"


def elsewhere(opened):
    del opened[BIAS]
    opened.create_dataset(BIAS, (3,), np.float32, external=[("/etc/passwd", 0, 12)])


def without_names(path):
    """Damage the tables of names of the groups, which HDF5 reads only when it looks for one."""
    content = path.read_bytes()
    assert b"SNOD" in content
    path.write_bytes(content.replace(b"SNOD", b"gone"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "not a readable HDF5 file"),
        (without_names, r"tiny.h5: damaged \("),
        (
            edit(lambda opened: opened.attrs.update(schema_version=1)),
            "schema_version 1, this program reads 2 or 3 or 4",
        ),
        (edit(lambda opened: opened.attrs.update(format_version=9)), "format_version 9, this program reads 2"),
        (
            edit(lambda opened: opened.attrs.pop("schema_version")),
            "schema_version None, this program reads 2 or 3 or 4",
        ),
        (edit(lambda opened: opened.attrs.update(config="{")), "attribute config: "),
        (
            edit(lambda opened: opened.attrs.update(format_version=[1, 1])),
            r"format_version \[1 1\], this program reads 2",
        ),
        (edit(lambda opened: opened.attrs.pop("statistics")), "attribute statistics: "),
        (edit(lambda opened: opened.attrs.update(provenance="[" * 60_000)), "attribute provenance: .*recursion"),
        (of_config(speed=3), "attribute config: Config: unknown fields"),
        (of_config(classes=["AGN", "SN"]), "attribute class_names: AGN, SN, VS, its config has AGN, SN"),
        (of_config(metadata={"dynamic": ["rb"], "static": []}), "statistics of the dynamic metadata"),
        (replaced(BIAS, np.zeros(4, np.float32)), rf"{BIAS}: float32 \(4,\), expected float32 \(3,\)"),
        (replaced(BIAS, np.zeros(3)), rf"{BIAS}: float64 \(3,\), expected float32 \(3,\)"),
        (of_trainings(lambda trainings: []), r"attribute provenance: training: expected a list with a dict"),
        (of_trainings(lambda trainings: [7]), r"attribute provenance: training: expected a list with a dict"),
        (
            of_trainings(lambda trainings: [{"seed": "a"}]),
            "attribute provenance: training: seed, steps, .*, seconds: n",
        ),
        (of_trainings(lambda trainings: 7), "attribute provenance: training: missing, or of another type"),
        (of_trainings(lambda trainings: [trainings[0] | {"seconds": float("nan")}]), "training: seconds: no num"),
        (
            edit(lambda opened: opened.attrs.update(provenance="{}")),
            "provenance: command, .*, training: missing",
        ),
        (edit(lambda opened: opened.attrs.update(results='"abc"')), "attribute results: expected a list of dicts"),
        (edit(lambda opened: opened.attrs.update(temperature="9" * 400)), "attribute temperature: "),
        (of_trainings(lambda trainings: trainings * 2), "1: no such group, expected the arrays of 2 trainings"),
        (of_provenance("training_data", lambda learnt: {}), "training_data: expected survey, command and objects"),
        (
            of_provenance("training_data", lambda learnt: learnt | {"objects": {"train": {"AGN": 3}}}),
            "training_data: objects: train: expected a number for each of AGN, SN, VS",
        ),
        (replaced(BIAS, None), rf"{BIAS}: no such array, expected float32 \(3,\)"),
        (replaced(BIAS, h5py.ExternalLink("other.h5", BIAS)), rf"{BIAS}: no such array"),
        (edit(elsewhere), rf"{BIAS}: its values are in another file"),
        (edit(lambda opened: opened.update(extra=[1])), r"extra: int64 \(1,\), expected no such array"),
    ],
)
def test_a_file_with_the_right_sum_that_does_not_fit_is_named(files, damage, message):
    damage(files / "tiny.h5")
    write_sums(files)
    with pytest.raises(ModelError, match=message) as failed:
        file.load(HERE, files)
    assert str(failed.value).startswith(f"{files / 'tiny.h5'}: ")
    assert len(str(failed.value).splitlines()) == 1
    assert file.faults(files) == [str(failed.value)]


def test_verify_looks_at_every_file(files, monkeypatch, capsys):
    def verified():
        return jtss("models", "verify", "--folder", files), capsys.readouterr()

    assert verified() == (0, ("pretrained models: tiny, all intact\n", ""))
    (files / "tiny.md").write_text("better\n")
    (files / "new.h5").touch()
    status, (out, err) = verified()
    assert (status, out) == (2, "")
    assert [line.split(": ")[2] for line in err.splitlines()] == [str(files / "new.h5"), str(files / "tiny.md")]


def test_damage_of_one_model_gets_no_new_sum_by_making_another(folder, files):
    flip(files / "tiny.h5")
    with pytest.raises(ModelError, match=r"tiny.h5: damaged: .*; repair or remove it first"):
        export.export(folder / "run", "other", files)
    assert not (files / "other.h5").exists()
    export.export(folder / "run", HERE, files)
    assert file.faults(files) == []
