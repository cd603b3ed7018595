"""A reader that goes away, as `head`, ends no work and makes no noise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.unread import ROOT, run_unread

WORDY = """
import sys
from jtss.commands import common as output
output.outlive_readers()
print("first", flush=True)
sys.stdin.readline()
print("x" * 200_000)
print("after", flush=True)
print("done é", file=sys.stderr)
"""


def test_what_is_left_goes_nowhere_and_the_work_goes_on():
    """The reader goes away in the middle of a text that is longer than what a pipe holds."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", WORDY], cwd=ROOT, text=True, **pipes) as running:
        assert running.stdout.readline() == "first\n"
        running.stdout.close()
        running.stdin.write("go on\n")
        running.stdin.close()
        assert running.stderr.read() == "done é\n"
    assert running.returncode == 0


def test_what_is_read_arrives_whole_and_errors_in_their_place():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run([sys.executable, "-c", WORDY], cwd=ROOT, text=True, input="\n", **pipes)
    assert done.stdout == f"first\n{'x' * 200_000}\nafter\ndone é\n"


BAR = """
from tqdm import tqdm
from jtss.commands import common
common.outlive_readers()
with tqdm(total=3) as bar:
    bar.update(3)
common.say("what comes next")
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_progress_bar_ends_its_line_before_the_next_one(unbuffered):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([sys.executable, "-c", BAR], cwd=ROOT, text=True, env=environment, **pipes)
    last_of_bar, after = done.stdout.splitlines()[-2:]
    assert "3/3" in last_of_bar
    assert after == "what comes next"


def test_a_closed_stdout_is_no_error():
    done = subprocess.run(f"{sys.executable} train.py --list >&-", shell=True, cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", [("train.py", "--list"), ("evaluate.py", "--help"), ("-m", "jtss.models", "list")])
def test_lists_end_quietly(command):
    assert run_unread(*command) == (0, "")


def test_results_are_written_though_nobody_reads_the_report(tmp_path):
    from helpers.made_runs import write_data
    from helpers.made_sequences import sequences

    write_data(tmp_path / "real.h5", [1] * 8, label=[0, 1, 2, 3] * 2, split=[-1] * 8)
    votes = [f"{candid},1,0,0,0" for candid in sequences([1] * 8).candid]
    (tmp_path / "votes.csv").write_text("\n".join(["candid,AGN,SN,VS,asteroid", *votes]))
    files = ["--real", tmp_path / "real.h5", "--predictions", f"theirs={tmp_path}/votes.csv", "--out", tmp_path]
    assert run_unread("-m", "jtss.experiments", "realism", *files) == (0, "")
    found = json.loads((tmp_path / "realism.json").read_text())["transfer"]["first_detection"]
    assert found["models"]["theirs"]["common"]["recall"]["AGN"]["value"] == 1
    assert (tmp_path / "realism.csv").exists()


def test_a_simulation_is_whole_though_nobody_reads_what_was_made(tmp_path):
    status, errors = run_unread("-m", "data_prep", "simulate", "--objects", "3", "--out", tmp_path / "sky.h5")
    assert status == 0
    assert "Error" not in errors
    assert (tmp_path / "sky.h5").exists()


LISTS = [("train.py", "--list"), ("-m", "jtss", "models", "list"), ("-m", "jtss.models", "list")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("command", LISTS)
def test_a_report_that_a_full_disk_takes_no_more_of_is_an_error(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith("error: [Errno 28] No space left on device\n")
