"""`jtss data fetch` as a user runs it: what it says, what it refuses, and how it goes on after its end."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import h5py
import numpy as np
import pytest

from data_prep.simulate.archive import simulate_packets
from helpers.fake_services import NIGHTS, records_below, serving
from helpers.make_packets import CANDIDATE, alert
from helpers.places import ROOT
from helpers.programs import jtss, make
from jtss import dataset
from jtss.commands import common
from jtss.schema import SPLIT_NAMES

NAMES = ("ZTF18aaaaaaa", "ZTF18aaaaaab", "ZTF18aaaaaac")
QUICK = ("--rate", 1e6)


@pytest.fixture
def services():
    """Three objects of four alerts."""
    jd = CANDIDATE["jd"]
    records = [alert(name, 10 * i + k, jd=jd + k, dec=float(i)) for i, name in enumerate(NAMES, 1) for k in range(4)]
    with serving(records) as made:
        yield made


@pytest.fixture
def words(services, tmp_path):
    table = tmp_path / "objects.csv"
    table.write_text("objectId,label\n" + "".join(f"{name},SN\n" for name in NAMES))
    return ("data", "fetch", "--labels", table, "--out", tmp_path / "real", *QUICK, *services.options())


def test_it_says_what_came_and_what_to_do_next(services, words, tmp_path, capsys):
    assert jtss(*words, "--first", 2) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split() for line in out[:4]] == [
        ["objects", "asked", "for", "3"],
        ["got", "3"],
        ["alerts", "asked", "for", "6"],
        ["got", "6"],
    ]
    real = tmp_path / "real"
    assert out[-1] == f"next: jtss data build --alerts {real}/alerts --labels {real}/labels.csv --out FILE.h5"
    build = out[-1].split()[2:-1]
    assert not jtss(*build, tmp_path / "real.h5", "--workers", 1)
    with h5py.File(tmp_path / "real.h5") as file:
        assert [name.decode() for name in file["object_id"][:]] == list(NAMES)
    assert "jtss data fetch --labels" in (real / "fetched.jsonl").read_text()


def test_its_status_says_whether_to_call_it_again(services, words, capsys):
    services.plant_for_ever("packet 11", "missing")
    services.plant_for_ever("packet 20", "forbidden")
    assert jtss(*words) == 1
    assert "the same command asks for them" in capsys.readouterr().err
    services.heal()
    assert jtss(*words) == 0
    assert services.asked.count("packet 11") == 1


def test_the_columns_of_the_table_may_have_other_names(services, words, tmp_path, capsys):
    (tmp_path / "named.csv").write_text("oid,class\n" + f"{NAMES[0]},SN\n" * 2)
    named = ("--labels", tmp_path / "named.csv", "--columns", "objectId=oid,label=class")
    assert jtss(*words, *named, "--first", 1) == 0
    assert (tmp_path / "real" / "labels.csv").read_text() == f"objectId,label,subclass\n{NAMES[0]},SN,\n"
    assert jtss(*words, "--columns", "ra=x") == 2
    assert "--columns ra=x: expected OURS=THEIRS, where OURS is one of objectId" in capsys.readouterr().err


def test_nights_without_a_table(services, tmp_path, capsys):
    out = tmp_path / "real"
    words = ("data", "fetch", "--service", "nights", "--nights", *NIGHTS, "--out", out, *QUICK, *services.options())
    assert jtss(*words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: jtss data build --alerts {out}/nights --out FILE.h5"
    assert len(list((out / "nights").glob("*.tar.gz"))) == len(NIGHTS)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--service", "nights"), "--nights and --service nights: give both or neither"),
        (("--nights", "20240101"), "--nights and --service nights: give both or neither"),
        (("--service", "nights", "--nights", "20240101", "--first", 5), "--first: not of nights"),
        (("--service", "nights", "--nights", "yesterday"), "night 'yesterday': expected a date as 20240131"),
        (("--url", "alerce"), "address alerce=: expected http://HOST"),
        (("--first", 0), "argument --first: 0, expected at least 1"),
    ],
)
def test_options_that_make_no_sense(services, words, capsys, more, message):
    assert jtss(*words, *more) == 2
    assert message in capsys.readouterr().err
    assert services.asked == []


def test_objects_need_a_table(tmp_path, capsys):
    assert jtss("data", "fetch", "--out", tmp_path) == 2
    assert "--service alerce: expected --labels FILE with it" in capsys.readouterr().err


def test_without_the_package_it_says_what_to_install(words, capsys, monkeypatch):
    monkeypatch.setattr(common, "find_spec", lambda name: None if name == "httpx" else find_spec(name))
    assert jtss(*words) == 2
    assert "pip install 'jtss[fetch]'" in capsys.readouterr().err


def stopped_at(services, words, question, number):
    """Run the command in a process of its own until it waits for an answer, and end it by a signal."""
    services.plant(question, "silent")
    command = [sys.executable, "-m", "jtss", *map(str, words)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored here would be ignored there
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes)
    signal.signal(signal.SIGINT, before)
    while question not in services.asked and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_same_command_goes_on_where_it_was_ended(services, words, tmp_path, number):
    status, out, err = stopped_at(services, words, "packet 21", number)
    if number == signal.SIGKILL:
        assert status == -number
    else:
        assert status == 128 + number, err
        assert f"{tmp_path}/real: not complete; the same command goes on" in out
        assert err.splitlines()[-1].endswith(": interrupted")
    first = services.asked.copy()
    assert first[-1] == "packet 21"
    services.asked.clear()
    assert jtss(*words) == 0
    assert services.asked[0] == "packet 21"
    assert not {*services.asked[1:]} & {*first}
    assert len(list((tmp_path / "real" / "alerts").rglob("*.avro"))) == 12
    assert list((tmp_path / "real").rglob("*.partial")) == []


@pytest.mark.slow
def test_one_command_leads_from_a_list_of_objects_to_a_network_that_is_trained_and_evaluated(tmp_path):
    """Two hundred objects. Called again it asks for nothing, trains nothing, and says the same."""
    simulate_packets(tmp_path / "sky", 200, seed=8, workers=1, progress=False)
    records, real = records_below(tmp_path / "sky" / "alerts"), tmp_path / "real"
    short = "--set training.iterations=50 --set training.validate_every=25"
    said = {"LIST": tmp_path / "sky" / "labels.csv", "REAL": real, "CONFIG": "demo", "SETTINGS": short}
    with serving(records) as services:
        for i, (_, candid) in enumerate(services.packets):
            services.plant(f"packet {candid}", *["half", "redirect", "page"][: i % 40 // 37])
        said["FETCH"] = " ".join(map(str, ("--first", 5, *QUICK, *services.options())))
        make("real", **said)
        n_asked, report = len(services.asked), json.loads((real / "run" / "evaluation" / "report.json").read_text())
        make("real", **said)
        assert len(services.asked) == n_asked
    again = json.loads((real / "run" / "evaluation" / "report.json").read_text())
    assert again["results"] == report["results"]
    assert n_asked < len(records)  # five of each at the most
    with h5py.File(real / "real.h5") as file:
        n_tested = int(np.sum((file["split"][:] == SPLIT_NAMES.index("test")) & (dataset.alert_counts(file) >= 3)))
    assert report["data"]["is_training_file"] is True
    assert report["results"]["n_objects"] == n_tested > 0
    assert report["results"]["accuracy"]["value"] > 0.5  # of three classes, after a sixth of the training
