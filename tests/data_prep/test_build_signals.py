"""Ctrl-C, SIGTERM and SIGKILL in the middle of a build: nothing is left, in the folder and among the processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_prep import __main__
from data_prep.simulate.packets import encode_file
from helpers.make_packets import alert
from helpers.places import ROOT
from jtss.commands import main as verbs

BUILD = ["-m", "data_prep", "build", "--workers", "2", "--out", "{out}", "--alerts", "{alerts}"]
BY_DASK = [*BUILD, "--dask", "local"]
BUILD_THAT_HEARS_OF_HANGUPS = """
import signal, sys
from data_prep.build import build

def leave(*_):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise SystemExit(129)

signal.signal(signal.SIGHUP, leave)
build(["{alerts}"], "{out}", command="test", workers=2)
"""


@pytest.fixture
def running(tmp_path, request):
    """A build with two workers, some way into its alerts, and the folder that it writes into."""
    alerts, out = tmp_path / "alerts", tmp_path / "out"
    alerts.mkdir(), out.mkdir()
    (alerts / "0.avro").write_bytes(encode_file([alert("ZTF18a", 1)] * 250))
    for i in range(1, 400):
        (alerts / f"{i}.avro").symlink_to("0.avro")
    template = getattr(request, "param", BUILD)
    paths = (("{alerts}", str(alerts)), ("{out}", str(out / "o.h5")))
    command = [sys.executable, *(text.replace(*paths[0]).replace(*paths[1]) for text in template)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    # what is ignored here, as in a job in the background, would be ignored there
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes)
    signal.signal(signal.SIGINT, before)
    wait_until(lambda: any(path.stat().st_size for path in out.glob(".o.h5.*/rows")))
    yield process, out
    if members(process.pid):
        os.killpg(process.pid, signal.SIGKILL)


def wait_until(holds, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holds()


def members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # ended meanwhile
            continue
        if int(of_group) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("running", [BUILD, BY_DASK], indirect=True)
def test_ctrl_c_leaves_nothing(running):
    """The whole process group gets it, as from a terminal."""
    process, out = running
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert os.listdir(out) == []
    wait_until(lambda: members(process.pid) == [])  # Python's resource tracker ends after its parent


@pytest.mark.slow
def test_sigterm_leaves_nothing(running):
    process, out = running
    process.terminate()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    assert os.listdir(out) == []
    wait_until(lambda: members(process.pid) == [])


@pytest.mark.slow
@pytest.mark.parametrize("running", [["-c", BUILD_THAT_HEARS_OF_HANGUPS]], indirect=True)
def test_a_hangup_leaves_nothing(running):
    """The whole process group gets it, as when a connection breaks."""
    process, out = running
    os.killpg(process.pid, signal.SIGHUP)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 129, errors
    assert os.listdir(out) == []
    wait_until(lambda: members(process.pid) == [])


@pytest.mark.slow
@pytest.mark.parametrize("running", [BUILD, BY_DASK], indirect=True)
def test_workers_end_with_a_main_process_that_is_killed(running):
    process, _ = running
    assert len(members(process.pid)) >= 3
    process.kill()
    process.wait(timeout=300)
    wait_until(lambda: members(process.pid) == [])


def test_ctrl_c_while_the_options_are_read_is_no_traceback(monkeypatch, capsys):
    def interrupted(_module, _prog):
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "parser_of", interrupted)
    assert __main__.main([]) == 130
    assert capsys.readouterr().err == "python -m data_prep: interrupted\n"
