"""What all verbs share: one line for an error, exit statuses, signals, encodings."""

import os
import signal
import subprocess
import sys

import pytest

from helpers.places import ROOT
from helpers.programs import ENVIRONMENT
from jtss.commands import common

WAITING = """
import os, sys, time
from jtss.commands import common
common.outlive_readers()
common.heed_signals()

def wait():
    try:
        os.write(1, b"ready\\n")  # whole, whenever the signal comes
        time.sleep(600)
    finally:
        print("cleaned up", flush=True)

sys.exit(common.run("waiting", wait))
"""


def start(code: str, **options) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_through_the_clean_up(number):
    with start(WAITING) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(number)
        out, err = running.communicate(timeout=300)
    assert (out, err, running.returncode) == ("cleaned up\n", "waiting: interrupted\n", 128 + number)


def test_a_signal_where_nothing_can_be_caught_is_not_lost():
    """As in a call of the garbage collector, where the exception is dropped; then a second signal does not end it."""
    code = WAITING.replace(
        "def wait",
        """
class Last:
    def __del__(self):
        os.kill(os.getpid(), 15)
        sum(range(100))

def wait""",
    ).replace("time.sleep(600)", "Last(); time.sleep(600)")
    with start(code) as running:
        out, err = running.communicate(timeout=300)
    assert (out, err, running.returncode) == ("ready\ncleaned up\n", "waiting: interrupted\n", 128 + signal.SIGTERM)


def test_a_hang_up_that_nohup_ignores_stays_ignored():
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code = ignoring + WAITING.replace("time.sleep(600)", "sys.stdin.readline()")
    with start(code, stdin=subprocess.PIPE) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGHUP)
        out, err = running.communicate("go on\n", timeout=300)
    assert (out, err, running.returncode) == ("cleaned up\n", "", 0)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_output_that_is_not_utf_8_is_spelled_out(encoding):
    environment = ENVIRONMENT | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "train.py", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "demo " in done.stdout.decode(encoding)


@pytest.mark.parametrize("platform", ["cuda", "nonsense"])
def test_a_device_that_is_not_there_gets_one_line_that_says_what_to_do(tmp_path, platform):
    (tmp_path / "alerts").mkdir()
    words = ["classify", str(tmp_path / "alerts"), "-m", "n1_baseline", "--out", str(tmp_path / "x.csv")]
    environment = ENVIRONMENT | {"JAX_PLATFORMS": platform}
    done = subprocess.run(
        [sys.executable, "-m", "jtss", *words], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"python -m jtss: error: JAX_PLATFORMS={platform}: ")
    assert "unset JAX_PLATFORMS" in last
    assert "Traceback" not in done.stderr


def test_an_error_of_several_lines_is_printed_in_one():
    assert common.one_line(ValueError("first\n   second\n")) == "first second"
    assert common.run("jtss", lambda: None) == 0
    assert common.run("jtss", lambda: 1) == 1


def test_a_name_that_is_not_utf_8_is_spelled_out():
    assert common.printable(os.fsdecode(b"a\xff")) == "a\\udcff"
