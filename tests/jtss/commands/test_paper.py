"""`jtss paper`: its options, its exit statuses, and what Ctrl-C leaves."""

import signal
import subprocess
import sys
import time

import pytest

from helpers.made_experiments import MadeTrainer
from helpers.made_runs import write_data
from helpers.places import ROOT
from helpers.programs import HASTY, jtss
from jtss import exits
from jtss.commands import paper
from jtss.paper.experiments import TRAININGS
from jtss.paper.results import TEST


@pytest.fixture
def sky(tmp_path):
    write_data(tmp_path / "sky.h5", [2] * 36, label=[i % 3 for i in range(36)], split=[i // 3 % 3 for i in range(36)])
    return tmp_path / "sky.h5"


@pytest.fixture
def call(sky, tmp_path, monkeypatch, capsys):
    """A function that runs the command without training; returns exit status, stdout and stderr."""
    MadeTrainer(monkeypatch)
    before = {number: signal.getsignal(number) for number in exits.SIGNALS}

    def call(*words):
        status = jtss("paper", *words, "--data", sky, "--out", tmp_path / "out")
        return status, *capsys.readouterr()

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budget", "soon"], "soon: expected a time as 90s, 20m or 1h30m"),
        (["--n", "two"], "two: expected numbers as 2,3"),
        (["--seeds", "-1"], "error: --seeds -1: expected at least 1"),
        (["--set", "training.nothing=1"], "error: --set training.nothing: no field 'nothing'"),
        ([], "error: "),  # sequences of two detections
    ],
)
def test_what_cannot_be_is_refused(call, options, message, tmp_path):
    status, out, err = call("table8", *options)
    assert (status, out) == (2, "")
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400)])
def test_a_budget_is_a_time(text, seconds):
    assert paper._duration(text) == seconds


def test_a_table_is_printed_and_its_files_are_named(call, tmp_path):
    status, out, err = call("table6", "--n", "2", "--models", "conv1d", "--seeds", "2")
    assert (status, err) == (0, "")
    assert "TSC Table 6" in out
    assert f"written: {tmp_path}/out/table6-trainings.csv" in out
    assert len(list((tmp_path / "out" / TRAININGS).glob(f"*/{TEST}"))) == 2


@pytest.mark.slow
def test_ctrl_c_saves_exits_with_130_and_says_that_the_same_command_goes_on(sky, tmp_path):
    settings = ["iterations=2000000", "patience=0", "batch_size=4", "validate_every=50"]
    words = ["jtss", "paper", "table6", "--data", sky, "--out", tmp_path / "out", "--n", "2", "--seeds", "1"]
    words += [
        "--models",
        "conv1d",
        "--set",
        "stamp.channels=",
        *(w for setting in settings for w in ("--set", f"training.{setting}")),
    ]
    started = subprocess.Popen(
        [sys.executable, "-m", *map(str, words)], cwd=ROOT, env=HASTY, text=True, stdout=subprocess.PIPE
    )
    while "seed 0 …" not in (line := started.stdout.readline()):
        assert line, "it ended"
    while not any(path.stat().st_size for path in (tmp_path / "out").glob("*/*/metrics.jsonl")):
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    out, _ = started.communicate(timeout=300)
    assert started.returncode == 130
    assert "1 of these is begun and will go on from the last saved step" in " ".join(out.split())
    (checkpoints,) = (tmp_path / "out").glob("*/*/checkpoints")
    assert max(int(path.name) for path in checkpoints.iterdir()) >= 50
