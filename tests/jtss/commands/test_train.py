"""train.py as a user runs it: names, errors, a run, Ctrl-C, and going on."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from helpers.places import ROOT
from helpers.programs import ENVIRONMENT, jtss
from helpers.training_program import command
from jtss import exits
from jtss.commands import common, train

TINY = [
    *("--set", "stamp.crop=5"),
    *("--set", "encoder.filters=2,2,3,3,3"),
    *("--set", "training.batch_size=8"),
    *("--set", "training.validate_every=5"),
]


def run(*arguments, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=cwd, env=ENVIRONMENT, timeout=300)


def start(*arguments, **pipes) -> subprocess.Popen:
    given = {"stdout": subprocess.PIPE, "text": True} | pipes
    return subprocess.Popen(command(*arguments), env=ENVIRONMENT, **given)


def test_list_names_every_config_with_the_papers_row_and_accuracy(capsys):
    assert not jtss("train", "--list")
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "paper: 98.33 ± 0.7 %" in lines["n3_conv1d"]
    assert lines["n3_conv1d"].endswith("TSC Table 8, 3 alerts: conv1d Ke = 3, complete inputs")
    expected = "paper: 93.2 ± 0.5 % TSC Table 6, 5 alerts: gru 1L 64U, images and time gaps only"
    assert " ".join(lines["n5_gru_images"].split()[1:]) == expected
    assert len(lines) == 65


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "n3"], "no config named 'n3'; closest: n3_rnn, "),
        (["--config", "demo", "--set", "training.speed=9"], "no field 'speed'; valid: learning_rate"),
        (["--config", "demo", "--data", "absent.h5"], "absent.h5: no such file"),
        (["--resume", "absent"], "absent: no such run directory"),
        (["--config", "demo", "--set", "n_detections=2"], "temporal.kernel=3 does not fit n_detections=2"),
        (["--from", "n9_best"], "n9_best: no such run directory and no pretrained model"),
        (["demo", "--from", "n3_best", "--data", "absent.h5"], "--from n3_best: "),
        (["--from", "n3_best", "--parts", ""], "--parts '': no '' in config n3_best, which has encoder, dynamic"),
        (["--from", "n3_best", "--parts", "row"], "--parts row: no row in config n3_best, which has encoder, dynamic"),
        (
            ["demo", "--data", "a.h5", "b.h5"],
            "--weights: 0 weights of 2 data files (a.h5, b.h5), expected one for each",
        ),
        (["demo", "--data", "a.h5", "b.h5", "--weights", "1,x"], "--weights 1,x: expected numbers, one for each file"),
        (["demo", "--data", "a.h5", "--data", "b.h5"], "--weights: 0 weights of 2 data files (a.h5, b.h5)"),
        (["--data", "a.h5", "demo"], "a.h5: no such file"),
        (["--data", "a.h5", "b.h5", "demo", "--weights", "1,1"], "a.h5: no such file"),
        (
            ["--data", "a.h5", "b.h5", "demo"],
            "--weights: 0 weights of 2 data files (a.h5, b.h5), expected one for each",
        ),
        (["--from", "n3_best", "--data", "a.h5", "demo"], "--from n3_best: "),
        (["n3_conv1d", "--data", "a.h5", "demo"], "--weights: 0 weights of 2 data files (a.h5, demo), expected one"),
        (["demo", "--data", "a.h5", "b.h5", "--weights", "1,1"], "a.h5: no such file"),
    ],
)
def test_errors_of_use_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert jtss("train", *arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected CONFIG, --from, --resume or --list"),
        (
            ["--data", "a.h5", "dmeo"],
            "expected CONFIG before --data, which takes every word behind it, --from, --resume",
        ),
        (["demo", "--parts", "encoder"], "--parts are those of a model: only with --from"),
        (["demo", "--weights", "1,1"], "--weights are those of the files of --data"),
        (["--resume", "run", "--from", "n3_best"], "--set, --out, --seeds and --from do not go with it"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, message, capsys):
    assert jtss("train", *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "demo", "--set", "classes=AGN,bogus"], "no train object of class bogus with 3 detections"),
        (["--config", "n5_best"], "no train object of class AGN, SN, VS with 5 detections or more"),
    ],
)
def test_data_that_lack_something_are_refused_before_a_run_exists(data_file, arguments, message, tmp_path, capsys):
    assert jtss("train", *arguments, "--data", data_file, "--out", tmp_path / "run") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def whole(data_file, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A run of 400 steps that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    done = run(*IMAGES, "--data", data_file, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


IMAGES = ["--config", "demo", *TINY, "--set", "training.iterations=400"]
METADATA = ["--config", "n3_metadata", *TINY[4:], "--set", "training.learning_rate=1e-3"]


@pytest.mark.slow
def test_repeats_interrupted_and_resumed_end_as_if_they_were_not_and_each_as_alone(data_file, tmp_path):
    """Three seeds are one program; each has a run directory of its own."""
    options = [*METADATA, "--data", data_file, "--set", "training.iterations=1000"]
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    done = run(*options, "--seeds", 3, "--out", whole)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-6:-1]] == ["0", "1", "2", "mean", "±"]
    assert f"next: python {ROOT}/evaluate.py --ckpt {whole}" in done.stdout

    started = start(*options, "--seeds", 3, "--out", halved)
    wait_for_metrics(started, halved / "seed-2")
    started.terminate()
    output, _ = started.communicate(timeout=300)
    assert started.returncode == 143
    assert f"go on with: python {ROOT}/train.py --resume {halved}" in output
    assert run("--resume", halved).returncode == 0
    for seed in range(3):
        assert comparable(halved / f"seed-{seed}", 1000) == comparable(whole / f"seed-{seed}", 1000)

    again = run("--resume", whole)
    assert again.returncode == 0
    assert "finished at step 1000" in again.stdout

    short = ("--set", "training.seed=1", "--set", "training.iterations=5")  # where rounding has not grown yet
    assert run(*options, *short, "--out", tmp_path / "alone").returncode == 0
    (alone,), (among, *_) = comparable(tmp_path / "alone", 5), comparable(whole / "seed-1", 1000)
    assert among["validation_loss"] == pytest.approx(alone["validation_loss"], rel=1e-4)


@pytest.mark.slow
def test_a_training_set_left_in_its_file_gives_the_same_metrics(whole, data_file, tmp_path):
    streamed = run(*IMAGES, "--data", data_file, "--stream", "--out", tmp_path)
    assert "the training set stays in its file" in streamed.stdout
    assert "the training set stays in its file" not in whole[1].stdout
    assert comparable(tmp_path) == comparable(whole[0])


@pytest.mark.slow
def test_sigterm_does_not_wait_for_a_step_that_takes_minutes(data_file, tmp_path):
    options = ["--config", "n3_conv1d", "--data", data_file, "--set", "training.batch_size=384"]
    started = start(*options, "--out", tmp_path / "run", stderr=subprocess.DEVNULL)
    while "for a CPU there is" not in (line := started.stdout.readline()):
        assert line, "it ended"
    while not (tmp_path / "run" / "checkpoints" / "0").is_dir():  # the last thing before the first step
        assert started.poll() is None
        time.sleep(0.02)
    started.terminate()
    output, _ = started.communicate(timeout=300)
    assert started.returncode == 143
    assert "stopped at step 0" in output
    assert (tmp_path / "run" / "checkpoints" / "0").is_dir()


@pytest.mark.slow
def test_a_run_interrupted_and_resumed_ends_as_one_that_was_not(whole, data_file, tmp_path):
    """Ctrl-C saves, exits with 130 and says how to go on; what follows is the same training, bit for bit."""
    halved = tmp_path / "halved"
    started = start(*IMAGES, "--data", data_file, "--out", halved)
    wait_for_metrics(started, halved)
    started.send_signal(signal.SIGINT)
    output, _ = started.communicate(timeout=300)
    assert started.returncode == 130
    assert f"go on with: python {ROOT}/train.py --resume {halved}" in output

    assert run("--resume", halved).returncode == 0
    assert comparable(halved) == comparable(whole[0])


def wait_for_metrics(process: subprocess.Popen, directory: Path) -> None:
    while not (directory / "metrics.jsonl").exists() or not (directory / "metrics.jsonl").read_text():
        assert process.poll() is None
        time.sleep(0.02)


def comparable(directory: Path, last: int = 400) -> list[dict]:
    """The metrics to their last digit, but for the clock and the training loss, whose mean begins anew on resuming."""
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(5, last + 1, 5))
    return [{name: value for name, value in line.items() if name not in ("seconds", "train_loss")} for line in lines]


@pytest.mark.slow
def test_a_run_says_where_it_comes_from_and_refuses_other_data(whole, data_file, tmp_path):
    directory, done = shutil.copytree(whole[0], tmp_path / "run"), whole[1]
    assert "will take about" in done.stdout or os.environ.get("JAX_PLATFORMS") == "cuda"
    provenance = json.loads((directory / "provenance.json").read_text())
    assert str(data_file) in provenance["command"]
    assert provenance["data"] == str(data_file)
    assert len(provenance["data_hash"]) == 32
    assert {"jax", "flax", "orbax-checkpoint", "jtss", "python"} <= set(provenance["versions"])

    again = run(*IMAGES, "--data", data_file, "--out", directory)
    assert again.returncode == 2
    assert re.search(r"go on with it by: .*\btrain(\.py)? --resume", again.stderr)

    (directory / "provenance.json").write_text(json.dumps({**provenance, "data_hash": "0" * 32}))
    other = run("--resume", directory)
    assert other.returncode == 2
    assert "content hash" in other.stderr


class Simulation:
    """A process that gets the signal which this one gets while it waits."""

    def __init__(self, number: int) -> None:
        self.number, self.passed_on = number, []

    def send_signal(self, number: int) -> None:
        self.passed_on.append(number)

    def wait(self) -> None:
        if not self.passed_on:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("number", exits.SIGNALS)
def test_a_simulation_ends_with_the_training_that_asked_for_it(number):
    def leave(number, _frame):
        raise common.Interrupted(number)

    before = {each: signal.signal(each, leave) for each in exits.SIGNALS}
    try:
        simulation = Simulation(number)
        with pytest.raises(common.Interrupted) as left:
            train._end_with_this_process(simulation)
        assert (simulation.passed_on, left.value.status) == ([number], 128 + number)
        assert {signal.getsignal(each) for each in exits.SIGNALS} == {leave}
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
