"""Several devices and several processes train as one device does.

The batch is divided, so sums over it (loss, gradients, batch statistics) are added up in another order: each step
differs by float32 rounding, some 1e-7 of a value. Twelve steps of Adam at 1e-3 make of it far less than 1e-3.
"""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import sequences
from helpers.places import ROOT
from helpers.programs import HASTY
from jtss import devices
from jtss.config import named
from jtss.config.settings import override
from jtss.dataset import Writer
from jtss.network import parts

OPTIONS = [
    *("--config", "demo"),
    *("--set", "stamp.crop=5"),
    *("--set", "encoder.filters=2,2,3,3,3"),
    *("--set", "training.batch_size=8"),
    *("--set", "training.validate_every=4"),
    *("--set", "training.iterations=12"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, n = tmp_path_factory.mktemp("devices"), 36
    made = sequences([3] * n, label=np.arange(n) % 3, split=np.arange(n) // 3 % 3)
    with Writer(folder / "made.h5", survey="test", command="test") as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return folder


def started(folder: Path, out: str, *options: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "train.py"), *OPTIONS, "--data", str(folder / "made.h5"), "--out", out]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*command, *options], cwd=folder, env=HASTY | environment, **pipes)


def curve(directory: Path) -> np.ndarray:
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    return np.array([[line["train_loss"], line["validation_loss"]] for line in lines])


@pytest.fixture(scope="module")
def one_device(folder) -> np.ndarray:
    process = started(folder, "one")
    assert process.wait(timeout=300) == 0, process.stdout.read()
    return curve(folder / "one")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--stream", "--seeds=1"])
def test_eight_devices_are_as_one(folder, one_device, option):
    out = f"eight{option}"
    process = started(folder, out, option, XLA_FLAGS="--xla_force_host_platform_device_count=8")
    assert process.wait(timeout=300) == 0, process.stdout.read()
    np.testing.assert_allclose(curve(folder / out), one_device, rtol=1e-3)


def two_processes(folder: Path, out: str, *options: str) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    shared = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    return [started(folder, out, "--distributed", *options, **shared, JAX_PROCESS_ID=str(i)) for i in range(2)]


def wait_for_metrics(processes: list[subprocess.Popen], path: Path) -> None:
    while not (path.exists() and path.read_text()):
        assert [process.poll() for process in processes] == [None, None]
        time.sleep(0.05)


ENDLESS = ["--set", "training.iterations=100000", "--set", "stamp.channels="]  # no images: they take long to compile


@pytest.mark.slow
def test_a_stop_that_one_process_is_asked_for_is_the_stop_of_both(folder):
    processes = two_processes(folder, "stopped", *ENDLESS)
    wait_for_metrics(processes, folder / "stopped" / "metrics.jsonl")
    processes[1].terminate()
    output = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [143, 143], output
    assert f"go on with: python {ROOT}/train.py --resume stopped" in output[0]
    assert len(list((folder / "stopped" / "checkpoints").iterdir())) == 2


@pytest.mark.slow
def test_an_error_in_one_process_ends_both(folder):
    processes = two_processes(folder, "broken", *ENDLESS)
    metrics = folder / "broken" / "metrics.jsonl"
    wait_for_metrics(processes, metrics)
    metrics.unlink()
    metrics.mkdir()  # nothing can be appended to it
    output = [process.communicate(timeout=300)[0] for process in processes]
    assert processes[0].returncode == 2, output
    assert "metrics.jsonl cannot be written" in output[0]
    assert processes[1].returncode != 0


@pytest.mark.slow
def test_two_processes_are_as_one(folder, one_device):
    processes = two_processes(folder, "two")
    output = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], output
    assert "finished at step 12" in output[0]
    assert "finished" not in output[1]
    np.testing.assert_allclose(curve(folder / "two"), one_device, rtol=1e-3)


@pytest.mark.slow
def test_a_batch_that_cannot_be_divided_is_refused(folder):
    process = started(folder, "three", XLA_FLAGS="--xla_force_host_platform_device_count=3")
    assert process.wait(timeout=300) == 2
    assert "training.batch_size=8 cannot be divided evenly among 3 devices" in process.stdout.read()
    assert not (folder / "three").exists()


def test_half_an_environment_names_what_is_missing(monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "localhost:1")
    monkeypatch.delenv("JAX_NUM_PROCESSES", raising=False)
    monkeypatch.delenv("JAX_PROCESS_ID", raising=False)
    with pytest.raises(ValueError, match="JAX_COORDINATOR_ADDRESS given, but not JAX_NUM_PROCESSES, JAX_PROCESS_ID"):
        devices.join_processes()


def test_an_array_is_placed_as_it_is():
    array = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    for sharding in (devices.everywhere(), devices.divided(1)):
        placed = devices.place(array, sharding)
        assert isinstance(placed, jax.Array)
        np.testing.assert_array_equal(placed, array)


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ({"compute_capability": "7.0"}, "float32"),  # V100
        ({"compute_capability": "7.5"}, "float32"),  # T4
        ({"compute_capability": "8.0"}, "bfloat16"),  # A100
        ({"compute_capability": "12.0"}, "bfloat16"),
        ({"compute_capability": "gfx90a"}, "float32"),  # AMD's say something else
        ({}, "float32"),
    ],
)
def test_bfloat16_is_chosen_where_the_gpu_multiplies_it(monkeypatch, gpus, expected):
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(platform="gpu", **gpus)])
    assert parts.compute_dtype(named.get("demo")) == expected


def test_one_gpu_without_bfloat16_decides_for_all(monkeypatch):
    both = [SimpleNamespace(platform="gpu", compute_capability=version) for version in ("9.0", "7.0")]
    monkeypatch.setattr(jax, "devices", lambda: both)
    assert not devices.multiply_bfloat16()


def test_a_cpu_computes_in_float32_unless_told_otherwise():
    config = named.get("demo")
    if jax.default_backend() == "cpu":
        assert parts.compute_dtype(config) == "float32"
    assert parts.compute_dtype(override(config, ["precision=bfloat16"])) == "bfloat16"
