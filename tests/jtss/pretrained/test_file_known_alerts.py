"""What a model of packets keeps of known alerts in its file: it comes back as it went, and damage is named."""

from dataclasses import replace

import h5py
import jax
import numpy as np
import pytest

from helpers.made_models import made_model, run_of_packets
from jtss.files import write_sums
from jtss.inference import known_alerts
from jtss.pretrained import file, load
from jtss.pretrained.file import ModelError
from jtss.reports import export

NAME = "packets"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = run_of_packets(tmp_path_factory.mktemp("models"))
    export.export(made / "run", NAME, made / "files")
    return made


@pytest.fixture(scope="module")
def trained(folder):
    return file.load(NAME, folder / "files")


def test_it_comes_back_as_it_went_and_a_model_has_it(folder, trained, tmp_path):
    path = tmp_path / "again.h5"
    path.write_bytes(file.to_bytes(trained))
    assert path.read_bytes() == (folder / "files" / f"{NAME}.h5").read_bytes()
    found, loaded = file.read(path).known_alerts, load.pretrained(NAME, trained).known_alerts
    for name, values in trained.known_alerts._asdict().items():
        for other in (found, loaded):
            np.testing.assert_array_equal(getattr(other, name), values)
            assert getattr(other, name).dtype == values.dtype


def test_the_same_run_makes_the_same_bytes(folder, tmp_path):
    export.export(folder / "run", NAME, tmp_path)
    for name in (f"{NAME}.h5", f"{NAME}.md"):
        assert (tmp_path / name).read_bytes() == (folder / "files" / name).read_bytes()


def test_an_ensemble_has_a_part_of_each_member(trained, tmp_path):
    (member,), one = trained.members, trained.known_alerts
    other = jax.tree.map(lambda leaf: 2 * leaf, member)
    provenance = trained.provenance | {"training": trained.provenance["training"] * 2}
    both = one._replace(means=np.tile(one.means, (2, 1, 1)), whitening=np.tile(one.whitening, (2, 1, 1)))
    path = tmp_path / "both.h5"
    two = replace(trained, members=(member, other), provenance=provenance)
    path.write_bytes(file.to_bytes(replace(two, known_alerts=both)))
    np.testing.assert_array_equal(file.read(path).known_alerts.whitening, both.whitening)
    path.write_bytes(file.to_bytes(replace(two, known_alerts=one)))
    with pytest.raises(ModelError, match=r"known_alerts/means: float32 \(1, 5, 4\), expected float32 \(2, 5, 4\)"):
        file.read(path)


def test_a_file_of_the_format_before_is_read_without(trained, tmp_path):
    path = tmp_path / "older.h5"
    path.write_bytes(file.to_bytes(replace(trained, known_alerts=None)))
    with h5py.File(path, "a") as opened:
        assert opened.attrs["format_version"] == 4
        opened.attrs["format_version"] = 2
    found = file.read(path)
    assert found.known_alerts is None
    jax.tree.map(np.testing.assert_array_equal, found.members, trained.members)


def replaced(name, values):
    def damage(opened):
        del opened[f"known_alerts/{name}"]
        if values is not None:
            opened[f"known_alerts/{name}"] = values

    return damage


def changed(name, at, value):
    def damage(opened):
        opened[f"known_alerts/{name}"][at] = value

    return damage


def elsewhere(opened):
    del opened["known_alerts/distances"]
    n = known_alerts.N_QUANTILES
    opened.create_dataset("known_alerts/distances", (n,), np.float64, external=[("/etc/passwd", 0, 8 * n)])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (replaced("means", None), r"known_alerts/means: no such array, expected float32 \(1, 5, 4\)"),
        (
            replaced("whitening", np.zeros((1, 4, 3), np.float32)),
            r"whitening: float32 \(1, 4, 3\), expected",
        ),
        (replaced("distances", np.zeros(201, np.float32)), r"distances: float32 \(201,\), expected float64 \(201,\)"),
        (replaced("confidences", np.zeros(7)), r"known_alerts/confidences: float64 \(7,\), expected float64 \(201,\)"),
        (replaced("fitted", np.ones(5)), r"known_alerts/fitted: float64 \(5,\), expected int64 \(5,\)"),
        (changed("means", (0, 1, 2), np.nan), "known_alerts/means: nan, expected numbers"),
        (changed("distances", 100, -1.0), "known_alerts/distances: expected quantiles, which do not fall"),
        (changed("confidences", -1, 2.0), "known_alerts/confidences: expected quantiles"),
        (changed("held_out", 4, 0), "known_alerts/held_out: 0, expected one alert of each class"),
        (elsewhere, "known_alerts/distances: its values are in another file"),
        (
            lambda opened: opened.update({"known_alerts/more": [1]}),
            "more: int64 .*, expected no such array",
        ),
        (lambda opened: opened.pop("known_alerts") and opened.update(known_alerts=[1]), "known_alerts"),
    ],
)
def test_damage_is_named(folder, tmp_path, damage, message):
    path = tmp_path / f"{NAME}.h5"
    path.write_bytes((folder / "files" / path.name).read_bytes())
    with h5py.File(path, "a") as opened:
        damage(opened)
    write_sums(tmp_path)
    with pytest.raises(ModelError, match=message) as failed:
        file.load(NAME, tmp_path)
    assert str(failed.value).startswith(f"{path}: ")
    assert len(str(failed.value).splitlines()) == 1


def test_a_model_of_sequences_has_none(trained, tmp_path):
    folder = made_model(tmp_path, "tiny")
    of_sequences = file.load("tiny", folder / "files")
    assert of_sequences.known_alerts is None
    (tmp_path / "x.h5").write_bytes(file.to_bytes(replace(of_sequences, known_alerts=trained.known_alerts)))
    with pytest.raises(ModelError, match=r"known_alerts/.*, expected no such array"):
        file.read(tmp_path / "x.h5")
