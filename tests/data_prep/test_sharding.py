"""A data set divided by sky: which object is where, the same whatever the order of alerts, whole or not at all."""

import os
import random
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from data_prep import build as data_prep_build
from data_prep import sharding
from data_prep.__main__ import main
from data_prep.simulate.packets import encode_file
from helpers.made_sequences import COLUMN, sequences
from helpers.made_shards import divided
from helpers.make_packets import CANDIDATE, alert, limit, save
from jtss import dataset, schema
from jtss.dataset import INDEX, IndexWriter
from jtss.errors import InputError
from jtss.schema import COLUMNS

ARCSEC = 1 / 3600
NOWHERE = {"ra": np.nan, "dec": np.nan}


@pytest.fixture
def alerts(tmp_path):
    """Of eight objects, named against the order of their pixels; B is on a border, D where four pixels meet."""
    start = CANDIDATE["jd"]
    records = [alert("ZTF18a", 1, ra=270.0, dec=0.0), alert("ZTF18c", 2, ra=45.0, dec=60.0)]
    records += [alert("ZTF18d", 3 + i, jd=start + i, ra=45.0 + i * ARCSEC, dec=0.0) for i in range(2)]
    records += [alert("ZTF18b", 10 + i, jd=start + i, ra=135 + (1 - 2 * i) * ARCSEC, dec=0.0) for i in range(2)]
    records += [alert("ZTF18e", 20, **NOWHERE), alert("ZTF18f", 21, ra=225.0, dec=-89.0, history=[limit(2), limit(3)])]
    records += [alert("ZTF18g", 22, ra=0.0, dec=0.0), alert("ZTF18h", 23, ra=270.0, dec=10.0)]
    (tmp_path / "labels.csv").write_text("objectId,label\n" + "".join(f"ZTF18{o},SN\n" for o in "abcdefgh"))
    return records


def build(tmp_path, records, name, *options, status=0):
    """A data set made of records by the command; its path."""
    folder = save(tmp_path / f"alerts of {name}", records) if isinstance(records, list) else records
    out, labels = tmp_path / name, tmp_path / "labels.csv"
    arguments = ["build", "--alerts", folder, "--out", out, "--labels", labels, "--workers", "1", *options]
    assert main(list(map(str, arguments))) == status
    return out


def content(path) -> dict[str, bytes]:
    """Every file below a folder but for when it was made, by its hash."""
    files = sorted(Path(path).rglob("*.h5"))
    return {str(file.relative_to(path)): dataset.attributes(file)["content_hash"] for file in files}


def places(path) -> dict[str, list[str]]:
    """Names of the objects in every file of a data set."""
    with dataset.open_checked(path) as file:
        names = [shard.name for shard in dataset.shards(file)]
    return {name: [o for part in dataset.read(path / name) for o in part.object_id] for name in names}


def test_every_object_is_in_the_file_of_its_first_alert(tmp_path, alerts):
    """Base pixels by the figure that defines them: 4 to 7 stand on the equator at 0°, 90°, … , and meet halfway; 0 to 3
    and 8 to 11 stand at 45°, 135°, … to the north and south. B begins a second of arc within 6, and goes on in 5."""
    found = places(build(tmp_path, alerts, "set", "--shards", "0"))
    (of_corner,) = (name for name, objects in found.items() if "ZTF18d" in objects)
    assert of_corner in {f"Norder=0/Npix={pixel}.h5" for pixel in (0, 4, 5, 8)}  # which meet at 45°, 0°
    assert {name: rest for name, objects in found.items() if (rest := [o for o in objects if o != "ZTF18d"])} == {
        "Norder=0/Npix=0.h5": ["ZTF18c"],
        "Norder=0/Npix=4.h5": ["ZTF18g"],
        "Norder=0/Npix=6.h5": ["ZTF18b"],
        "Norder=0/Npix=7.h5": ["ZTF18a", "ZTF18h"],
        "Norder=0/Npix=10.h5": ["ZTF18f"],
        "no_position.h5": ["ZTF18e"],
    }


@pytest.mark.parametrize("order", [0, 1, 2])
def test_it_has_the_objects_of_a_plain_build_bit_by_bit(tmp_path, alerts, order):
    one, many = build(tmp_path, alerts, "one.h5"), build(tmp_path, alerts, "many", "--shards", str(order))
    expected, found = (schema.join(list(dataset.read(path))) for path in (one, many))
    assert list(found.object_id) != list(expected.object_id)
    ordered = schema.take(found, np.argsort(found.object_id.astype(str)))
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(ordered, name), getattr(expected, name), err_msg=name)
    of_one, of_many = dataset.attributes(one), dataset.attributes(many)
    assert of_many["merged_content_hash"] == of_one["content_hash"] != of_many["content_hash"]
    for name in ("ledger", "survey", "feature_names", "schema_version"):
        np.testing.assert_array_equal(of_many[name], of_one[name])
    assert sorted(os.listdir(tmp_path)) == [f"alerts of {name}" for name in ("many", "one.h5")] + [
        "labels.csv", "many", "one.h5",
    ]  # fmt: skip


def test_the_order_of_alerts_and_the_number_of_workers_change_nothing(tmp_path, alerts):
    shuffled = random.Random(2).sample(alerts, len(alerts))
    (tmp_path / "shuffled").mkdir()
    (tmp_path / "shuffled" / "all.avro").write_bytes(encode_file(shuffled[5:]))
    (tmp_path / "shuffled" / "a.avro").write_bytes(encode_file(shuffled[:5]))
    made = [
        build(tmp_path, alerts, "one", "--shards", "1"),
        build(tmp_path, tmp_path / "shuffled", "two", "--shards", "1"),
        build(tmp_path, tmp_path / "shuffled", "three", "--shards", "1", "--workers", "2"),
    ]
    assert content(made[0]) == content(made[1]) == content(made[2])
    assert len(content(made[0])) > 6


def test_the_ledger_of_a_part_counts_its_own_alerts(tmp_path, alerts):
    out = build(
        tmp_path, [*alerts, alert("ZTF18a", 99, jd=CANDIDATE["jd"] + 0.1, ra=270.0, dec=0.0)], "set", "--shards", "0"
    )
    about = dataset.attributes(out / "Norder=0/Npix=7.h5")
    assert about["ledger"] == '{"read": 2, "kept": 2, "dropped": {}, "notes": {}}'
    assert about["origin"].endswith("index.h5 has their ledger")
    assert '"within_6_hours": 1' in dataset.attributes(out)["ledger"]


def at(*positions):
    """Objects of one alert at positions [deg]."""
    made = sequences([1] * len(positions))
    made.metadata[:, [COLUMN["ra"], COLUMN["dec"]]] = positions
    return made


@pytest.mark.parametrize("order", [1, 2])
def test_pixels_of_an_order_lie_in_those_of_the_one_before(tmp_path, order):
    rng = np.random.default_rng(0)
    sky = at(*np.stack([rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))], axis=-1))
    one, _ = divided(tmp_path, made=sky)
    with dataset.open_checked(one) as file:
        finer, coarser = (sharding.pixels(file, k, one) for k in (order, order - 1))
    np.testing.assert_array_equal(finer >> 2, coarser)
    assert len(np.unique(finer)) > 40


def test_a_position_off_the_sky_is_none(tmp_path):
    _, many = divided(tmp_path, made=at((400, 0), (10, 91), (np.nan, 3), (np.inf, 3), (360, 0), (0, 90), (-999, 0)))
    assert places(many)["no_position.h5"] == ["ZTF0", "ZTF1", "ZTF2", "ZTF3", "ZTF6"]


def test_its_objects_are_written_in_batches(tmp_path, monkeypatch):
    made = at(*[(10.0 * (i % 3), 0.0) for i in range(11)])
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    expected = divided(tmp_path / "a", made=made)[1]
    monkeypatch.setattr(sharding, "OBJECTS_AT_ONCE", 2)
    assert content(divided(tmp_path / "b", made=made)[1]) == content(expected)


def test_an_origin_goes_into_every_file(tmp_path):
    one, _ = divided(tmp_path)
    with h5py.File(one, "r+") as file:
        file.attrs["origin"] = "a set\nof others"
    (tmp_path / "again").mkdir()
    sharding.divide(one, tmp_path / "again", 0, known_as=one)
    for name, lines in ((INDEX, 2), ("no_position.h5", 3)):
        origin = dataset.attributes(tmp_path / "again" / name)["origin"].splitlines()
        assert (origin[:2], len(origin)) == (["a set", "of others"], lines)


# What is there already, and what goes wrong.


@pytest.fixture
def old(tmp_path, alerts):
    """A data set of other objects, in the way."""
    return build(tmp_path, save(tmp_path / "earlier", [alert("ZTF17x", 5)]), "set", "--shards", "2")


def test_an_old_one_is_replaced_by_force_only_and_whole(tmp_path, alerts, old, capsys):
    before = content(old)
    build(tmp_path, alerts, "set", "--shards", "0", status=2)
    assert "set exists; choose another name or add --force to replace it" in capsys.readouterr().err
    assert content(old) == before
    build(tmp_path, alerts, "set", "--shards", "0", "--force")
    assert content(old) == content(build(tmp_path, alerts, "other", "--shards", "0"))
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


@pytest.mark.parametrize("foreign", ["thesis.tex", "Norder=2/.notes", "deep/index.h5"])
def test_a_folder_with_anything_else_is_never_replaced(tmp_path, alerts, old, foreign, capsys):
    (old / foreign).parent.mkdir(exist_ok=True)
    (old / foreign).write_text("precious")
    build(tmp_path, alerts, "set", "--shards", "0", "--force", status=2)
    assert f"has files that are of no data set, such as {foreign}" in capsys.readouterr().err
    assert (old / foreign).read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("file", ["--force"], r"--out .*file: a file, expected the name of a folder to write"),
        ("nowhere/set", [], "the folder .*nowhere does not exist"),
        ("set", ["--rejects", "{}/set/r.jsonl", "--force"], "r.jsonl: is or lies in the folder .*set, which is to be"),
        ("new", ["--rejects", "{}/new"], "new: is or lies in the folder .*new, which is to be written"),
        ("alerts", ["--force"], "alerts: has files that are of no data set, such as ZTF18a_1.avro"),
    ],
)
def test_targets_are_checked_before_anything_is_read(
    tmp_path, alerts, old, monkeypatch, capsys, name, options, message
):
    folder = save(tmp_path / "alerts", alerts)
    (tmp_path / "file").write_text("precious")
    monkeypatch.setattr("data_prep.build.ingest", lambda *_, **__: pytest.fail("something was read"))
    before = content(old)
    build(tmp_path, folder, name, "--shards", "0", *[text.format(tmp_path) for text in options], status=2)
    assert re.search(message, capsys.readouterr().err)
    assert (content(old), (tmp_path / "file").read_text()) == (before, "precious")


def test_without_shards_a_folder_is_not_replaced(tmp_path, alerts, old, capsys):
    build(tmp_path, alerts, "set", "--force", status=2)
    assert "a folder, expected the name of a file to write" in capsys.readouterr().err


def test_an_order_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(InputError, match="HEALPix order 3, expected 0 to 2"):
        sharding.check(tmp_path / "set", 3, [], force=False)


def test_a_missing_package_is_named_before_anything_is_read(tmp_path, alerts, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "astropy_healpix", None)
    build(tmp_path, alerts, "set", "--shards", "1", status=2)
    assert (
        "set: files by sky need the package astropy-healpix, which is not installed: pip install 'jtss[hats]'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full"), RuntimeError])
@pytest.mark.parametrize("place", ["take", "shard", "index", "rename"])
def test_what_goes_wrong_leaves_nothing_and_the_old_one(tmp_path, alerts, old, monkeypatch, place, error):
    before, folder = content(old), save(tmp_path / "alerts", alerts)
    names = sorted(os.listdir(tmp_path))
    rename, finished = os.rename, []

    def fail(*_, **__):
        raise error

    def fail_at_the_third(*given):
        finished.append(given)
        return sharding_finished(*given) if len(finished) < 3 else fail()

    def fail_to_publish(source, target):
        return fail() if Path(source).name == sharding.DIVIDED else rename(source, target)

    sharding_finished = sharding._finished
    module, name, instead = {
        "take": (dataset, "take", fail),
        "shard": (sharding, "_finished", fail_at_the_third),
        "index": (IndexWriter, "finish", fail),
        "rename": (os, "rename", fail_to_publish),
    }[place]
    monkeypatch.setattr(module, name, instead)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        data_prep_build.build([folder], old, command="test", workers=1, shards=0, force=True)
    assert content(old) == before
    assert sorted(os.listdir(tmp_path)) == names


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("set/thesis.tex", ["--force"], "set: has files that are of no data set, such as thesis.tex"),
        ("new/index.h5", [], "new exists; choose another name or add --force"),
        ("new", ["--force"], "new: a file, expected the name of a folder to write"),
    ],
)
def test_what_somebody_else_writes_meanwhile_stays(tmp_path, alerts, old, monkeypatch, capsys, name, options, message):
    finish, folder = IndexWriter.finish, save(tmp_path / "alerts", alerts)

    def meanwhile(*given, **named):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("precious")
        return finish(*given, **named)

    monkeypatch.setattr(IndexWriter, "finish", meanwhile)
    build(tmp_path, folder, name.split("/")[0], "--shards", "0", *options, status=2)
    assert message in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "precious"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_full_disk_names_the_data_set_not_a_hidden_file(tmp_path, alerts, monkeypatch, capsys):
    """Full when the first file of many is written; the one file before had room."""
    free = iter([10**12] * 13 + [10])
    monkeypatch.setattr(dataset.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    build(tmp_path, alerts, "set", "--shards", "0", status=2)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(
        f"{tmp_path}/set: writing failed (disk full: 0 MB left, 67 MB needed); the incomplete file is removed"
    )
    assert sorted(os.listdir(tmp_path)) == ["alerts of set", "labels.csv"]


def test_nothing_kept_names_the_data_set(tmp_path, capsys):
    (tmp_path / "labels.csv").write_text("objectId,label\n")
    build(tmp_path, [alert(stamps=[None] * 3)], "set", "--shards", "0", status=2)
    assert f"error: {tmp_path}/set is not written, for no alert was kept" in capsys.readouterr().err


def test_it_is_built_twice_among_its_alerts(tmp_path, alerts, monkeypatch):
    """Its own files are not counted as something else there."""
    monkeypatch.chdir(save(tmp_path / "night", alerts))
    ledgers = []
    for _ in range(2):
        assert main(["build", "--alerts", ".", "--out", "set", "--shards", "1", "--workers", "1", "--force"]) == 0
        ledgers.append(dataset.attributes("set")["ledger"])
    assert ledgers[0] == ledgers[1]
    assert "other_file" not in ledgers[0]
