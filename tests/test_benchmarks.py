"""Benchmarks run in a checkout without being installed, and know what they compare with."""

import subprocess
import sys

import pytest

from helpers.places import ROOT
from helpers.programs import ENVIRONMENT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["training", "cpu", "decode", "simulate", "packets", "service", "transfer"])
def test_a_benchmark_starts_in_a_checkout(name):
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    if name == "cpu" and run.returncode:
        assert run.stderr.startswith("benchmarks/cpu.py: PyTorch is not installed"), run.stderr
        return
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"usage: python -m benchmarks.{name}") or run.stdout.startswith(f"usage: {name}.py")


@pytest.mark.parametrize(
    ("kind", "precision", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989e12),
        ("NVIDIA H100 PCIe", "bfloat16", 756e12),
        ("NVIDIA A100-SXM4-40GB", "float32", 156e12),
        ("Tesla V100-SXM2-16GB", "bfloat16", None),
        ("Tesla V100-SXM2-16GB", "float32", 15.7e12),
        ("cpu", "float32", None),
    ],
)
def test_the_peak_is_that_of_the_arithmetic(kind, precision, expected):
    training = pytest.importorskip("benchmarks.training", reason="run as `python -m pytest` in the root")
    assert training.peak_of(kind, precision) == expected
