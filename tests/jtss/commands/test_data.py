"""`jtss data`: what its commands say of what they made."""

import sys

import h5py
import pytest
from astropy.table import Table

from data_prep.__main__ import main
from data_prep.audit import audit as audit_audit
from data_prep.simulate import dataset as simulate_dataset
from data_prep.workers import WorkerError
from helpers.make_packets import alert, images, save
from helpers.programs import jtss
from jtss import exits


@pytest.fixture
def one_image(tmp_path):
    """Options of a build of eight supernovae with the same stamps: two are for test, two for validation."""
    records = [alert(f"ZTF18{i:04d}", i + 1, images(5), ra=10.0 + i) for i in range(8)]
    labels = tmp_path / "labels.csv"
    labels.write_text("objectId,label\n" + "".join(f"ZTF18{i:04d},SN\n" for i in range(8)))
    folder, out = save(tmp_path / "alerts", records), tmp_path / "out.h5"
    return ["build", "--alerts", str(folder), "--labels", str(labels), "--out", str(out), "--workers", "1"]


def test_build_warns_of_leaks_and_keeps_the_file(one_image, tmp_path, capsys):
    assert main(one_image) == 0
    captured = capsys.readouterr()
    assert "objects with a science stamp that also occurs, byte for byte, in another split: 8" in captured.out
    assert captured.err.splitlines()[-1].endswith("out.h5 leaks: accuracies measured with it may be too high")
    assert main(["audit", str(tmp_path / "out.h5")]) == 1


def test_a_build_succeeds_whatever_becomes_of_its_audit(one_image, tmp_path, capsys, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(audit_audit, "audit", interrupted)
    assert main(one_image) == 0
    assert "out.h5 is written but not audited: interrupted" in capsys.readouterr().err
    assert (tmp_path / "out.h5").is_file()


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A simulated sky of three objects."""
    path = tmp_path_factory.mktemp("data") / "sky.h5"
    assert jtss("data", "simulate", "--objects", 3, "--seed", 4, "--workers", 1, "--out", path) == 0
    return path


def test_a_simulation_says_what_it_made_and_replaces_nothing(sky, tmp_path, capsys):
    again = tmp_path / "again.h5"
    words = ("data", "simulate", "--objects", 3, "--seed", 4, "--workers", 1, "--classes", "AGN, SN,VS", "--out", again)
    assert not jtss(*words)
    with h5py.File(sky) as one, h5py.File(again) as other:
        assert one.attrs["content_hash"] == other.attrs["content_hash"]
        content, command = one.attrs["content_hash"], other.attrs["command"]
    assert command == f"jtss data simulate --objects 3 --seed 4 --workers 1 --classes 'AGN, SN,VS' --out {again}"
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{again}: 3 objects, content {content[:16]}",
        "splits of sequences: among objects with 5 alerts, for test / validation: AGN 0 / 0, SN 0 / 0, VS 0 / 0",
    ]
    assert jtss(*words) == 2
    assert "again.h5" in capsys.readouterr().err
    assert not jtss(*words, "--force")


def test_packets_of_a_simulated_sky_are_built_into_the_same_objects(sky, tmp_path, capsys):
    packets, out = tmp_path / "packets", tmp_path / "built.h5"
    assert not jtss("data", "simulate", "--objects", 3, "--seed", 4, "--workers", 1, "--packets", packets)
    made = f"{packets}: 3 objects in 3 Avro files, labels.csv, allwise.csv"
    assert capsys.readouterr().out.splitlines()[-1] == made
    given = ("--alerts", packets / "alerts", "--labels", packets / "labels.csv", "--allwise", packets / "allwise.csv")
    assert not jtss("data", "build", *given, "--workers", 1, "--out", out)
    printed = capsys.readouterr().out
    with h5py.File(sky) as one, h5py.File(out) as other:
        assert set(one["candid"][:]) == set(other["candid"][:])
        n, content = len(other["stamps"]), other.attrs["content_hash"]
    assert f"{out}: 3 objects, {n} alerts, hash {content}" in printed
    assert "audit: 0 leaks" in printed


def test_a_data_set_is_inspected(sky, tmp_path, capsys):
    assert not jtss("data", "inspect", sky, "--gallery", tmp_path / "stamps.png")
    out = capsys.readouterr().out
    assert "3 objects" in out
    assert out.endswith(f"{tmp_path}/stamps.png: gallery of stamps\n")
    assert jtss("data", "inspect", sky, "--gallery", tmp_path / "stamps.png") == 2
    assert "stamps.png exists; choose another name or add --force" in capsys.readouterr().err
    assert not jtss("data", "inspect", sky, "--gallery", tmp_path / "stamps.png", "--force")
    assert (tmp_path / "stamps.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("simulate", "--objects", "0", "--out", "x.h5"), "0, expected at least 1"),
        (("simulate", "--out", "x.h5", "--packets", "y"), "not allowed with argument"),
        (("simulate",), "one of the arguments --out --packets --stream is required"),
        (("simulate", "--classes", "AGN,QSO", "--out", "x.h5"), "QSO"),
        (("build", "--out", "x.h5"), "the following arguments are required: --alerts"),
        (("inspect", "absent.h5"), "absent.h5: no such file"),
        (("compare", "--simulated", "a", "--real", "b"), "the following arguments are required: --out"),
        (("mend",), "invalid choice: 'mend'"),
    ],
)
def test_a_mistake_is_named_and_makes_nothing(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert jtss("data", *words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_simulation_whose_workers_die_asks_for_one(tmp_path, capsys, monkeypatch):
    def died(*_words, **_options):
        raise WorkerError("a worker process died, perhaps for lack of memory")

    monkeypatch.setattr(simulate_dataset, "simulate", died)
    assert main(["simulate", "--out", str(tmp_path / "out.h5")]) == 2
    assert capsys.readouterr().err.endswith("for lack of memory; ask for one worker (--workers 1)\n")


SOME = ("data", "simulate", "--objects", 6, "--seed", 4, "--workers", 1)


def test_a_simulated_sky_becomes_a_stream(tmp_path, capsys, monkeypatch):
    """Of the packets that `--packets` writes, in the order of time, and no file is left."""
    pytest.importorskip("confluent_kafka")
    from helpers.mock_kafka import mock_kafka
    from jtss.serving.framing import Schemas, read_message

    monkeypatch.chdir(tmp_path)
    with mock_kafka() as kafka:
        kafka.create("night", 1)
        assert not jtss(*SOME, "--stream", "night", "--bootstrap", kafka.bootstrap, "--rate", 1e6)
        found = [read_message(message.value(), "", Schemas(None)) for message in kafka.messages("night")]
    assert [*tmp_path.iterdir()] == []
    assert capsys.readouterr().out == f"{len(found)} packets of 6 objects to the topic night\n"
    times = [alert.jd for alert in found]
    assert len(times) > 6
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stream", "night"), "--stream night: expected --bootstrap HOST:PORT with it"),
        (("--out", "sky.h5", "--rate", "1"), "--rate: only with --stream"),
        (("--packets", "sky", "--set-kafka", "a=b"), "--set-kafka: only with --stream"),
    ],
)
def test_a_stream_needs_its_options_and_they_need_it(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert jtss(*SOME, *words) == exits.FAILED
    assert message in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_a_stream_without_its_package_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert jtss(*SOME, "--stream", "night", "--bootstrap", "127.0.0.1:1") == exits.FAILED
    assert "--stream needs the package confluent-kafka" in capsys.readouterr().err


def test_labels_of_another_table_by_other_names_make_the_same_file(one_image, tmp_path, capsys):
    assert main(one_image) == 0
    Table({"ztf_id": [f"ZTF18{i:04d}" for i in range(8)], "class": ["SN"] * 8}).write(tmp_path / "labels.fits")
    options = list(one_image)
    options[options.index("--labels") + 1] = str(tmp_path / "labels.fits")
    options[options.index("--out") + 1] = str(tmp_path / "again.h5")
    assert main([*options, "--columns", "objectId=ztf_id,label=class"]) == 0
    with h5py.File(tmp_path / "out.h5") as one, h5py.File(tmp_path / "again.h5") as other:
        assert one.attrs["content_hash"] == other.attrs["content_hash"]
    capsys.readouterr()
    assert main([*options, "--force"]) == 2
    assert "labels.fits: no column objectId; found ztf_id, class" in capsys.readouterr().err
    del options[options.index("--labels") : options.index("--labels") + 2]
    assert main([*options, "--force", "--columns", "label=class"]) == 2
    assert "--columns: only with --labels" in capsys.readouterr().err
