"""`jtss serve http`: as a process that a signal ends, and what it says of options that are wrong."""

import json
import re
import signal
import subprocess
import sys

import httpx
import numpy as np
import pytest

from helpers.made_service import CANDID, made_run, packet
from helpers.mock_kafka import wait_until
from helpers.places import ROOT
from helpers.programs import HASTY, jtss
from jtss import exits
from jtss.serving.http.server import listening


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_run(tmp_path_factory.mktemp("model"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_answers_as_classify_does_and_ends_when_told(run, tmp_path, number):
    command = [sys.executable, "-m", "jtss", "serve", "http", "--port", "0", "-m", str(run)]
    server = subprocess.Popen(command, cwd=ROOT, env=HASTY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        started = json.loads(server.stderr.readline())
        assert started["event"] == "listening"
        with httpx.Client(base_url=started["url"], timeout=600) as client:
            wait_until(lambda: client.get("/readyz").status_code == 200 or server.poll() is not None, "ready")
            (answer,) = client.post("/classify", content=packet()).json()["answers"]
        server.send_signal(number)
        out, errors = server.communicate(timeout=600)
    finally:
        server.kill()
        server.communicate()
    assert out == ""
    assert server.returncode == exits.status_of(number)
    events = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert [line["event"] for line in events] == ["ready", "stopped"]
    assert events[-1]["answers"] == 1
    (tmp_path / "a.avro").write_bytes(packet())
    command = [sys.executable, "-m", "jtss", "classify", "a.avro", "-m", str(run), "--out", "t.jsonl"]
    subprocess.run(command, cwd=tmp_path, env=HASTY | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert {row["candid"] for row in rows} == {answer["candid"]} == {CANDID}
    assert {row["class_name"]: np.float32(row["probability"]) for row in rows} == {
        name: np.float32(p) for name, p in answer["probabilities"].items()
    }


def error(capsys, *words):
    """The one line on stderr of a command that fails."""
    assert jtss("serve", "http", *words) == exits.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-m", "n9"), "n9: no such run directory and no pretrained model"),
        (("-m", "n3_best"), "n3_best answers an object by its first 3 alerts, expected a model of packets, as any"),
        (("-m", "any", "any"), "--model any: given twice"),
        (("-m", "RUN", "--calibrated"), "--calibrated: .*run has no temperature, expected a model that was exported"),
        (("--host", "192.0.2.1"), "--host 192.0.2.1 --port 0: "),
        (("--port", "70000"), "--port 70000: "),
    ],
)
def test_options_that_are_wrong_are_named(words, expected, capsys, run):
    words = [run if word == "RUN" else word for word in words]
    assert re.search(expected, error(capsys, "--port", "0", *words))


def test_a_port_that_is_taken_is_named(capsys):
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert re.search(f"--port {port}: .* choose another port", error(capsys, "--port", port))


def test_models_that_cannot_be_made_ready_end_it(run, capsys, monkeypatch):
    def fails(_model):
        raise MemoryError("too little")

    monkeypatch.setattr("jtss.serving.http.service.warm", fails)
    assert jtss("serve", "http", "--port", "0", "-m", run) == exits.FAILED
    *events, line = capsys.readouterr().err.splitlines()
    assert line == "jtss: error: the models cannot be made ready: MemoryError: too little"
    assert [json.loads(event)["event"] for event in events] == ["listening", "stopped"]


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_without_the_packages_it_says_what_to_install(package, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    assert f"serve needs the package {package}" in error(capsys)
