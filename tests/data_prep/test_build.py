"""Packets to a data set, end to end, by the command line."""

import csv
import json
import os
import random
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

from data_prep import build as data_prep_build
from data_prep.__main__ import main
from data_prep.simulate.packets import encode_file
from helpers.make_packets import alert, images, night, save, save_tar, with_cutout
from helpers.places import ROOT
from helpers.run_build import Builder
from helpers.sky_service import SkyService
from jtss.schema import ALERT, SPLIT_NAMES


@pytest.fixture
def build(tmp_path):
    return Builder(tmp_path)


def test_the_order_and_packing_of_the_input_change_nothing(build, tmp_path):
    """Also with copies of one candid that differ: the content decides, not who comes first."""
    records = [*night(), alert("ZTF18c", 30, images(77)), alert("ZTF18c", 30, images(78))]
    shuffled = random.Random(1).sample(records, len(records))
    one_each = save(tmp_path / "alerts", records[:12])
    extra = {f"deep/{i}.avro": encode_file([record], "snappy") for i, record in enumerate(records[12:])}
    hashes = [
        build([one_each, save_tar(tmp_path / "rest.tar", extra)]).content_hash,
        build([tmp_path / "rest.tar", one_each]).content_hash,
        build({"all.avro": encode_file(records)}).content_hash,
        build({"all.avro": encode_file(shuffled, "deflate")}).content_hash,
        build({"b.avro": encode_file(shuffled[:5], "snappy"), "a.avro": encode_file(shuffled[5:])}).content_hash,
        build([save_tar(tmp_path / "night.tar.gz", {"x.avro": encode_file(shuffled)})], "--workers", "2").content_hash,
    ]
    assert len(set(hashes)) == 1


def test_labels_allwise_and_split(build, tmp_path):
    records = [alert(f"ZTF18{i:04d}", i + 1, ra=10.0 + i) for i in range(8)]
    labels, allwise = tmp_path / "labels.csv", tmp_path / "allwise.csv"
    labels.write_text("objectId,label\n" + "".join(f"ZTF18{i:04d},{'SN' if i < 4 else 'TDE'}\n" for i in range(7)))
    allwise.write_text("ra,dec,w1mpro,w2mpro,w3mpro,w4mpro\n12.0001,2.0,15,14,12,\n11.0,2.001,1,1,1,1\n")
    result = build({"a.avro": encode_file(records)}, "--labels", str(labels), "--allwise", str(allwise))
    assert result.columns["label"].tolist() == [1, 1, 1, 1, -1, -1, -1, -1]
    splits = [SPLIT_NAMES[i] if i >= 0 else "" for i in result.columns["split"]]
    assert sorted(splits) == ["", "", "", "", "test", "train", "train", "validation"]
    np.testing.assert_array_equal(result.columns["allwise"][2], np.float32([15, 14, 12, np.nan]))
    assert np.isnan(result.columns["allwise"][[0, 1, 3]]).all()
    assert result.ledger["notes"] == {
        "allwise_matched": 1,
        "objects with label TDE, not a class": 3,
        "history_not_given": 8,
        "objects without label": 1,
        "test objects of SN, fewer than 200": 1,
        "test objects of SN, not all with 5 alerts": 1,
    }


def test_subclasses_and_those_that_do_not_count(build, tmp_path):
    """Also of two objects of one source with conflicting labels, which have neither class nor subclass."""
    decs = [2.0, 10.0, 20.0, 30.0, 40.0, 40.0 + 1 / 3600]
    records = [alert(f"ZTF18{i}", i + 1, dec=dec) for i, dec in enumerate(decs)]
    rows = ["0,SN,SN Ia", "1,AGN,Seyfert", "2,VS,SN Ia", "3,VS,SX Phe", "4,AGN,quasar", "5,VS,young star"]
    (tmp_path / "labels.csv").write_text("objectId,label,Subclass\n" + "".join(f"ZTF18{row}\n" for row in rows))
    result = build({"a.avro": encode_file(records)}, "--labels", str(tmp_path / "labels.csv"))
    assert result.columns["label"].tolist() == [1, 0, 2, 2, -1, -1]
    assert result.columns["subclass"].tolist() == [0, 8, -1, -1, -1, -1]
    assert {name: count for name, count in result.ledger["notes"].items() if "subclass" in name} == {
        "objects with subclass SN Ia, not of their class": 1,
        "objects with subclass SX Phe, not a subclass": 1,
    }


def built(tmp_path, records, labels=None, allwise=None):
    """What `build` says of records, with labels {name: label} and a catalogue as text."""
    for name, text in (("allwise.csv", allwise), ("labels.csv", labels and "".join(f"{o},{t}\n" for o, t in labels))):
        (tmp_path / name).write_text({"labels.csv": "objectId,label\n"}.get(name, "") + (text or ""))
    return data_prep_build.build(
        [save(tmp_path / "alerts", records)],
        tmp_path / "out.h5",
        command="test",
        labels_path=labels and tmp_path / "labels.csv",
        allwise_path=allwise and tmp_path / "allwise.csv",
        workers=1,
    )


@pytest.mark.parametrize(("ra", "n_matched"), [(150.0, 2), (10.0, 0)])
def test_the_match_to_allwise_is_told_and_a_match_of_none_is_a_warning(tmp_path, ra, n_matched):
    records = [alert("ZTF18a", 1), alert("ZTF18b", 2), alert("ZTF18c", 3, dec=40.0)]
    told = built(tmp_path, records, allwise=f"ra,dec,w1,w2,w3,w4\n{ra},2.0,15,,,\n")
    assert told.ledger.as_dict()["notes"]["allwise_matched"] == n_matched
    for texts, expected in ((told.remarks, n_matched > 0), (told.warnings, n_matched == 0)):
        assert [text.startswith(f"AllWISE: {n_matched} of 3 objects matched") for text in texts] == [True] * expected


def test_a_source_without_usable_magnitudes_is_counted_apart(tmp_path):
    records = [alert("ZTF18a", 1), alert("ZTF18b", 2), alert("ZTF18c", 3, dec=40.0)]
    told = built(tmp_path, records, allwise="ra,dec,w1,w2,w3,w4\n150.0,2.0,-999,,,99\n150.0,40.0,15,,,\n")
    notes = told.ledger.as_dict()["notes"]
    assert (notes["allwise_matched"], notes["allwise_matched_without_magnitudes"]) == (1, 2)
    (remark,) = told.remarks
    assert remark.startswith("AllWISE: 1 of 3 objects matched, 2 more matched, without usable magnitudes; by 2")
    assert remark.endswith("0 without a source")


@pytest.mark.parametrize("ra", [150.0, 10.0])
def test_the_command_says_what_became_of_catalogue_and_labels(tmp_path, capsys, ra):
    alerts = save(tmp_path / "alerts", [alert("ZTF18a", 1)])
    (tmp_path / "allwise.csv").write_text(f"ra,dec,w1,w2,w3,w4\n{ra},2.0,15,,,\n")
    (tmp_path / "labels.csv").write_text("objectId,label\nZTF18a,SN\nZTF99,VS\n")
    options = ["--allwise", str(tmp_path / "allwise.csv"), "--labels", str(tmp_path / "labels.csv"), "--workers", "1"]
    assert main(["build", "--alerts", str(alerts), "--out", str(tmp_path / "out.h5"), *options]) == 0
    said = capsys.readouterr()
    assert "WARNING: labelled objects not among the alerts: 1 (ZTF99 VS)\n" in said.err
    if ra == 150.0:
        assert "\nAllWISE: 1 of 1 objects matched; by 2" in said.out
    else:
        assert "WARNING: AllWISE: 0 of 1 objects matched" in said.err


def test_a_service_is_asked_for_what_is_near_the_objects_by_the_radius_that_is_given(tmp_path, capsys, monkeypatch):
    """And gives the file that a catalogue gives."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    alerts = save(tmp_path / "alerts", [alert("ZTF18a", 1), alert("ZTF18b", 2, dec=40.0)])
    near = [2.0 + 2.5 / 3600, 2.0 - 1.0 / 3600]
    rows = "".join(f"150,{dec:.17g},15,14,13,12\n" for dec in near)
    (tmp_path / "allwise.csv").write_text(f"ra,dec,w1,w2,w3,w4\n{rows}")
    hashes = []
    with SkyService([150.0, 150.0], near, [[15, 14, 13, 12]] * 2) as sky:
        for catalogue in (tmp_path / "allwise.csv", f"xmatch:{sky.url}/xmatch", f"tap:{sky.url}/tap"):
            out = tmp_path / f"{len(hashes)}.h5"
            words = ["--allwise", str(catalogue), "--allwise-radius", "3", "--workers", "1", "--out", str(out)]
            assert main(["build", "--alerts", str(alerts), *words]) == 0
            said = capsys.readouterr().out
            matched = (
                'AllWISE: 1 of 2 objects matched; by 3", 1 with several sources there, of which the nearest counts'
            )
            assert f"{matched}; 1 without a source" in said
            assert ("2 positions asked of" in said) == bool(hashes)
            with h5py.File(out) as file:
                hashes.append(file.attrs["content_hash"])
                assert json.loads(file.attrs["ledger"])["notes"]["allwise_several_within_the_radius"] == 1
    assert len(set(hashes)) == 1
    assert main(["build", "--alerts", str(alerts), "--allwise-radius", "3", "--out", str(tmp_path / "x.h5")]) == 2
    assert "--allwise-radius: only with --allwise" in capsys.readouterr().err


def test_labels_of_objects_that_are_not_there_are_counted_and_named(tmp_path):
    broken = with_cutout(alert("ZTF18b", 2), lambda _: b"")
    labels = [("ZTF18a", "SN"), ("ZTF18b", "AGN"), *((f"ZTF99{i}", "VS") for i in range(5))]
    told = built(tmp_path, [alert("ZTF18a", 1), broken], labels)
    notes = told.ledger.as_dict()["notes"]
    assert notes["labelled objects not among the alerts"] == 5
    assert notes["labelled objects that lost every alert"] == 1
    assert told.warnings == (
        "labelled objects not among the alerts: 5 (ZTF990 VS, ZTF991 VS, ZTF992 VS, …)",
        "labelled objects that lost every alert: 1 (ZTF18b AGN)",
        "no object of SN for test and validation, which need at least 4 labelled of a class",
    )


def test_one_source_under_two_ids_with_two_labels_has_none(tmp_path):
    """Also in a chain of three; a neighbour with the same label or none, or of no class, is no conflict."""
    arcsec, names = 1 / 3600, [f"ZTF18{name}" for name in "abcdefgh"]
    decs = [2.0, 2.0 + 1.5 * arcsec, 2.0 + 3 * arcsec, 10.0, 10.0 + arcsec, 10.0 - arcsec, 20.0, 20.0 + arcsec]
    records = [alert(name, i + 1, dec=dec) for i, (name, dec) in enumerate(zip(names, decs, strict=True))]
    labels = [*zip(names, ("AGN", "VS", "VS", "SN", "SN"), strict=False), (names[6], "AGN"), (names[7], "TDE")]
    told = built(tmp_path, records, labels)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["label"][:].tolist() == [-1, -1, -1, 1, 1, -1, 0, -1]
    assert told.ledger.as_dict()["notes"]["objects of one source with conflicting labels"] == 3
    assert told.warnings == (
        "objects of one source with conflicting labels: 3 (ZTF18a AGN, ZTF18b VS, ZTF18c VS)",
        "labels that are no class, whose objects stay unlabelled: TDE; the classes are AGN, SN, VS, asteroid, bogus",
        "no object of AGN, SN for test and validation, which need at least 4 labelled of a class",
    )


def test_alerts_all_over_the_sky_under_one_id_are_not_one_object(build):
    """As a data frame writes them that lacks the ids; with a third of them off, the rest is an object with a remark."""
    nowhere = [alert("nan", 100 + i, ra=70.0 * i, dec=20.0 * i - 40, jd=2459000.5 + i) for i in range(5)]
    mixed = [alert("None", 200 + i, dec=2.0 if i < 4 else 30.0, jd=2459000.5 + i) for i in range(6)]
    result = build({"a.avro": encode_file([*nowhere, *mixed, alert("ZTF18a", 1)])})
    assert result.ledger["dropped"] == {"positions_apart": 7}
    assert result.columns["candid"].tolist() == [200, 201, 202, 203, 1]
    assert result.ledger["notes"] == {"history_not_given": 12, "others_apart": 4}
    rejected = [(reject["objectId"], reject["candid"], reject["reason"]) for reject in result.rejects]
    assert rejected == [
        *(("nan", 100 + i, "positions_apart") for i in range(5)),
        *(("None", c, "positions_apart") for c in (204, 205)),
    ]


def run(tmp_path, capsys, *options):
    """Exit status and message of a build into `tmp_path` / out.h5."""
    status = main(["build", "--out", str(tmp_path / "out.h5"), "--workers", "1", *map(str, options)])
    return status, capsys.readouterr().err.splitlines()[-1]


def test_errors_of_use_are_one_line_and_leave_no_file(tmp_path, capsys):
    good = save(tmp_path / "alerts", night())
    labels = tmp_path / "labels.csv"
    labels.write_text("oid,class\n")
    for options, message in (
        (["--alerts", tmp_path / "nowhere"], r"python -m data_prep: error: .*nowhere: no such file or directory"),
        (
            ["--alerts", good, "--labels", labels],
            r"python -m data_prep: error: .*labels.csv: no column objectId, label; found oid, class",
        ),
        (
            ["--alerts", good, "--allwise", labels],
            r"python -m data_prep: error: .*labels.csv: no column ra or raj2000; found oid, class",
        ),
    ):
        status, line = run(tmp_path, capsys, *options)
        assert (status, bool(re.match(message, line))) == (2, True), line
        assert sorted(os.listdir(tmp_path)) == ["alerts", "labels.csv"]


@pytest.mark.parametrize(
    ("out", "rejects", "message"),
    [
        ("nowhere/out.h5", "r", "the folder .*nowhere does not exist"),
        ("out.h5", "nowhere/r", "the folder .*nowhere does not exist"),
        ("folder", "r", "--out .*folder: a folder, expected the name of a file"),
        ("out.h5", "folder", "--rejects .*folder: a folder, expected the name of a file"),
        ("out.h5", "folder/../out.h5", "--out and --rejects name the same file"),
    ],
)
def test_targets_are_checked_before_anything_is_read(tmp_path, capsys, monkeypatch, out, rejects, message):
    (tmp_path / "folder").mkdir()
    for module, name in ((data_prep_build.labels, "load"), (data_prep_build, "ingest")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("something was read"))
    options = ["--out", str(tmp_path / out), "--rejects", str(tmp_path / rejects), "--labels", "labels.csv", "--force"]
    assert main(["build", "--alerts", str(tmp_path), *options]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("way", ["itself", "relative", "symbolic link", "hard link"])
@pytest.mark.parametrize(
    ("one", "other"), [("--out", "--rejects"), ("--rejects", "--labels"), ("--out", "--allwise"), ("--out", "--alerts")]
)
def test_one_file_for_two_uses_is_refused_and_stays(tmp_path, capsys, monkeypatch, one, other, way):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data_prep_build, "ingest", lambda *_, **__: pytest.fail("something was read"))
    paths = {"--out": "o.h5", "--rejects": "r.jsonl", "--labels": "l.csv", "--allwise": "c.csv", "--alerts": "a.avro"}
    for name in paths.values():
        (tmp_path / name).write_text("precious")
    target = tmp_path / paths[other]
    again = {"itself": target, "relative": os.path.join("..", tmp_path.name, target.name)}.get(way, tmp_path / "again")
    if "link" in way:
        again.symlink_to(target) if way == "symbolic link" else again.hardlink_to(target)
    arguments = [text for option, path in (paths | {one: again}).items() for text in (option, str(path))]
    assert main(["build", *arguments, "--force"]) == 2
    assert re.search("name the same file|is read as well", capsys.readouterr().err)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"precious"}


def test_a_night_in_the_working_folder_is_built_twice_with_the_same_counts(tmp_path, monkeypatch):
    """Its own temporary files and results lie among the alerts, and the labels."""
    monkeypatch.chdir(save(tmp_path / "night", night()))
    (tmp_path / "night" / "labels.csv").write_text("objectId,label\nZTF18a,SN\n")
    outputs = ["--out", "o.h5", "--rejects", "r.jsonl", "--force"]
    command = ["build", "--alerts", ".", "--labels", "labels.csv", "--workers", "1", *outputs]
    ledgers = []
    for _ in range(2):
        assert main(command) == 0
        with h5py.File("o.h5") as file:
            ledgers.append(json.loads(file.attrs["ledger"]))
    assert ledgers[0] == ledgers[1]
    assert ledgers[0]["read"] == 12
    assert "other_file" not in ledgers[0]["notes"]


def test_nothing_kept_is_an_error_but_the_rejects_are_written(tmp_path, capsys):
    folder = tmp_path / "alerts"
    folder.mkdir()
    (folder / "a.avro").write_bytes(encode_file([alert()])[:-20])
    options = ["--alerts", str(folder), "--out", str(tmp_path / "out.h5"), "--rejects", str(tmp_path / "rejects.jsonl")]
    assert main(["build", *options, "--workers", "1"]) == 2
    assert "no alert was kept" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["alerts", "rejects.jsonl"]
    assert json.loads((tmp_path / "rejects.jsonl").read_text())["reason"] == "bad_block"


def test_overwriting_needs_force(tmp_path, capsys):
    folder = save(tmp_path / "alerts", night())
    (tmp_path / "out.h5").write_text("precious")
    status, line = run(tmp_path, capsys, "--alerts", folder)
    assert status == 2
    assert "out.h5 exists" in line
    assert (tmp_path / "out.h5").read_text() == "precious"
    assert main(["build", "--alerts", str(folder), "--out", str(tmp_path / "out.h5"), "--workers", "1", "--force"]) == 0
    with h5py.File(tmp_path / "out.h5") as file:
        assert file.attrs["command"].startswith("python -m data_prep build --alerts ")


def test_file_names_need_not_be_text(tmp_path):
    """Bytes that are not UTF-8 in each path, by the real command line."""
    folder = save(tmp_path / os.fsdecode(b"alerts\xff"), night())
    out, rejects = tmp_path / os.fsdecode(b"out\xfe.h5"), tmp_path / os.fsdecode(b"rejects\xfd")
    options = ["--alerts", folder, "--out", out, "--rejects", rejects, "--workers", "1"]
    command = [sys.executable, "-m", "data_prep", "build", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONUTF8": "1"})
    assert done.returncode == 0, done.stderr
    with h5py.File(out) as file:
        assert "alerts\\udcff" in file.attrs["command"]
    assert "alerts\\udcff" in rejects.read_text()


@pytest.mark.slow
def test_real_alerts(ztf_dir, build):
    """The whole folder; which detections are left must agree with the count made when the folder was put together."""
    result = build([ztf_dir / "alerts"], "--labels", str(ztf_dir / "labels.csv"), "--workers", "2")
    assert result.ledger["read"] == 1421
    assert result.ledger["dropped"] == {"within_6_hours": 78, "beyond_first_5": 35, "stamp_shape": 16}
    with (ztf_dir / "labels.csv").open() as file:
        expected = {row["objectId"]: min(5, int(row["n_detections_6h"])) for row in csv.DictReader(file)}
    at_the_edge = {reject["objectId"] for reject in result.rejects if reject["reason"] == "stamp_shape"}
    names = [name.decode() for name in result.columns["object_id"]]
    n_alerts = np.add.reduceat(result.columns["kind"] == ALERT, result.columns["object_start"][:-1])
    found = dict(zip(names, n_alerts, strict=True))
    assert {name: found.get(name, 0) for name in expected.keys() - at_the_edge} == {
        name: count for name, count in expected.items() if name not in at_the_edge
    }
