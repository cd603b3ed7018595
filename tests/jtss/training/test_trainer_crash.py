"""A run that is killed again and again ends in the same bits as one that is left alone."""

import json
import os
import random
import subprocess
import sys
import time
from functools import partial
from itertools import chain
from pathlib import Path

import jax
import numpy as np
import pytest

from helpers import small_disk
from helpers.places import ROOT
from helpers.training_program import command
from jtss.runs.directory import open_run
from jtss.training import step

pytestmark = pytest.mark.slow

SEED, N_KILLS = 0, 20
LONGEST_LIFE = 130  # [file operations] of which a save takes some 57, and resuming some 30
# Lives of train.py that end by SIGKILL after so many operations on files of the run directory: at any moment of making
# it, recording, saving, removing, repairing. They are forked from a process that has imported everything, which takes
# longer than a life, but has not touched a device yet. The clock counts turns of the loop; every third saves a state.
LIVES = """
import os, signal, sys, time
from itertools import count
from types import SimpleNamespace

from jtss.commands import cache, train
from jtss.commands.main import main
from jtss.config import named
from jtss.training import signals, trainer

OPERATIONS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree")
trainer.time = SimpleNamespace(monotonic=count().__next__, strftime=time.strftime)
trainer.SAVE_EVERY_SECONDS = 3
lives, folder, arguments = sys.argv[1].split(","), sys.argv[2], sys.argv[3:]


def live(left):
    def watch(event, details):
        nonlocal left
        if event in OPERATIONS and folder in str(details[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    begun = os.path.exists(f"{folder}/config.json")
    sys.argv = ["train.py", *(["--resume", folder] if begun else [*arguments, "--out", folder])]
    os._exit(main(verb="train", prog="train.py"))


for operations in lives:
    child = os.fork()
    if child == 0:
        live(int(operations))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    states = os.listdir(f"{folder}/checkpoints") if os.path.exists(f"{folder}/checkpoints") else []
    print("life", status, *sorted(states), flush=True)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict:
    """Of the processes: one cache of compiled programs for all; no threads before a fork."""
    cache = {
        "JAX_ENABLE_COMPILATION_CACHE": "1",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return {**os.environ, **cache, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def options(data_file) -> list:
    """Without images, because a life should be short."""
    changes = ("stamp.channels=", "training.batch_size=8", "training.validate_every=5", "training.iterations=400")
    return ["--config", "demo", "--data", data_file, *chain.from_iterable(("--set", change) for change in changes)]


@pytest.fixture(scope="module")
def whole(options, environment, tmp_path_factory) -> Path:
    """The run that is left alone."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run(environment, *command(*options, "--out", folder)).returncode == 0
    return folder


def run(environment: dict, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=600, env=environment)


def test_a_run_killed_at_any_moment_ends_in_the_same_bits(whole, options, tmp_path, environment):
    killed, rng = tmp_path / "killed", random.Random(SEED)
    lives = ",".join(str(rng.randint(1, LONGEST_LIFE)) for _ in range(N_KILLS))
    died = run(environment, sys.executable, "-c", LIVES, lives, killed, *options)
    ends = [line.split()[1:] for line in died.stdout.splitlines() if line.startswith("life ")]
    assert [end[0] for end in ends] == ["-9"] * N_KILLS, died.stderr
    assert sum(any(name.endswith(".partial") for name in end) for end in ends) >= 5  # inside a save
    assert len({tuple(name for name in end if name.isdecimal()) for end in ends}) >= 4  # and it went on in between

    after_some_seconds(rng.uniform(0, 5), environment, command("--resume", killed))
    ended = run(environment, *command("--resume", killed))
    assert (ended.returncode, "WARNING" in ended.stderr) == (0, False)
    assert final_bits(killed) == final_bits(whole)
    assert metrics(killed) == metrics(whole)


def after_some_seconds(seconds: float, environment: dict, command: list[str]) -> None:
    """SIGKILL at a moment that no operation on files marks."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    process.wait()


def final_bits(folder: Path) -> list[bytes]:
    """Of the whole state: weights, optimizer and best model."""
    directory = open_run(folder)
    found = directory.states().restore(jax.eval_shape(partial(step.init_state, directory.config)))
    assert (int(found.state.step), found.warnings) == (400, [])
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(found.state)]


def metrics(folder: Path) -> list[dict]:
    """To their last digit, but for the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(5, 401, 5))
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def test_a_second_trainer_and_another_run_are_refused_in_one_line(whole, options, environment):
    directory = open_run(whole)
    with directory.locked():
        second = run(environment, *command("--resume", whole))
    assert (second.returncode, len(second.stderr.splitlines())) == (2, 1)
    assert f"{whole} is in use: process {os.getpid()} on " in second.stderr

    other = run(environment, *command(*options, "--set", "temporal.kernel=2", "--out", whole))
    assert other.returncode == 2
    assert other.stderr == (
        f"train.py: error: {whole} exists and is another run (temporal.kernel: asked for 2, there 3);"
        " choose another name with --out\n"
    )


FILL_THE_DISK = """
import sys
import time
from contextlib import suppress
from itertools import count
from types import SimpleNamespace

from jtss.commands import cache, train
from jtss.commands.main import program
from jtss.config import named
from jtss.training import signals, trainer

turns, filler = count(), open(sys.argv[1], "wb", buffering=0)


def monotonic():
    turn = next(turns)
    with suppress(OSError):
        while turn == 10:
            filler.write(bytes(4096))
    return turn


trainer.time = SimpleNamespace(monotonic=monotonic, strftime=time.strftime)
trainer.SAVE_EVERY_SECONDS = 3
sys.argv = ["train.py", *sys.argv[2:]]
program(verb="train", prog="train.py")
"""
ON_A_FULL_DISK = """
python=$0 disk=$1 train=$2 out=$3; shift 3
"$python" -c "$FILL_THE_DISK" "$disk/filler" "$@" --out "$disk/run" || echo "status $?"
rm "$disk/filler"
"$python" "$train" --resume "$disk/run" && cp -r "$disk/run" "$out"
"""


def test_a_run_whose_disk_was_full_for_a_while_ends_in_the_same_bits(whole, options, tmp_path, environment):
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()
    script = ("sh", "-c", ON_A_FULL_DISK, sys.executable, disk, ROOT / "train.py", out, *options)
    done = small_disk.run(8_000_000, disk, *script, environment=environment | {"FILL_THE_DISK": FILL_THE_DISK})
    said = [line for line in done.stderr.splitlines() if line.startswith("train.py: error: ")]
    assert len(said) == 1, done.stderr
    assert "No space left on device; the last good state is step" in said[0]
    assert "status 2" in done.stdout
    assert "Traceback" not in done.stderr
    assert final_bits(out) == final_bits(whole)
    assert metrics(out) == metrics(whole)
