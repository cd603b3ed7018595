"""Benchmarks run in a checkout without being installed, and know what they compare with."""

import subprocess
import sys
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest

from helpers.made_sequences import COLUMN, sequences
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("training", "cpu", "decode", "simulate", "packets", "service", "shards", "stream", "transfer", "cluster"),
        *("build", "btsbot"),
    ],
)
def test_a_benchmark_starts_in_a_checkout(name):
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    if name == "cpu" and run.returncode:
        assert run.stderr.startswith("benchmarks/cpu.py: PyTorch is not installed"), run.stderr
        return
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"usage: python -m benchmarks.{name}") or run.stdout.startswith(f"usage: {name}.py")


@pytest.mark.slow
def test_a_build_beside_the_plain_road_reads_each_packet_as_often(tmp_path, monkeypatch):
    from helpers.make_packets import night, save

    decode = pytest.importorskip("benchmarks.decode", reason="run as `python -m pytest` in the root")
    monkeypatch.setattr(decode, "PASSES", 1)
    found = decode.beside_plain(save(tmp_path, night()), workers=2)
    (plain,), (ours,) = found["plain_road_on_one_core"], found["build"]
    n = decode.TIMES_OVER * len(night())
    assert (found["files"], plain["alerts"], ours["alerts"]) == (n, n, n)
    assert found["times_less_cpu"] == pytest.approx(plain["cpu_s"] / ours["cpu_s"], abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [0, 2])
def test_a_stream_is_answered_once_and_its_memory_watched(tmp_path, kills, monkeypatch):
    from helpers.made_explained import run_of_packets
    from helpers.mock_kafka import SOON, mock_kafka

    stream, n = pytest.importorskip("benchmarks.stream", reason="run as `python -m pytest` in the root"), 150
    monkeypatch.setattr(stream, "AHEAD", 40)  # so that it is committed by and by
    run_of_packets(tmp_path)
    with mock_kafka() as kafka:
        kafka.create("night", 3)
        options = Namespace(
            bootstrap=kafka.bootstrap,
            topic="night",
            model=str(tmp_path / "run"),
            messages=n,
            kills=kills,
            set_kafka=["=".join(pair) for pair in SOON.items()],
        )
        found = stream.measured(options, tmp_path / "answers")
    n_poison = n // stream.EVERY
    expected = {
        "messages": n,
        "kills": kills,
        "answers": n - n_poison,
        "dead_letters": n_poison,
        "lost": 0,
        "doubled": 0,
    }
    assert found | expected == found


def test_growth_is_a_line_through_all_but_the_beginning():
    stream = pytest.importorskip("benchmarks.stream", reason="run as `python -m pytest` in the root")
    samples = [stream.Sample(k, 1_000_000 * min(k, 10) + 3 * k) for k in range(1, 101)]
    found = stream.growth(samples)
    assert found["bytes_per_message"] == pytest.approx(3)
    assert found["bytes_per_message_standard_error"] < 0.01


def test_what_is_lost_or_doubled_is_counted(tmp_path):
    stream = pytest.importorskip("benchmarks.stream", reason="run as `python -m pytest` in the root")
    (tmp_path / "dead").mkdir()
    lines = {"a.jsonl": [(0, 0), (0, 1), (0, 1)], "dead/b.jsonl": [(1, 0)]}
    for name, places in lines.items():
        text = "".join(f'{{"partition": {number}, "offset": {offset}}}\n' for number, offset in places)
        (tmp_path / name).write_text(text)
    assert stream.account(tmp_path, 5) == {"answers": 3, "dead_letters": 1, "lost": 2, "doubled": 1}


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


def test_folds_of_a_cross_validation_have_their_share_of_each_class_and_part_no_source():
    """Objects 2, 3 and 40 are one source, and so are 50 and 51, to either side of the meridian."""
    transfer = pytest.importorskip("benchmarks.transfer", reason="run as `python -m pytest` in the root")
    made = sequences((3,) * 60, label=tuple(i % 3 for i in range(60)))
    metadata, place = made.metadata.copy(), {2: 30.0, 3: 30.0002, 40: 29.9999, 50: 359.9999, 51: 0.0001}
    ra = np.array([place.get(i, 40.0 + i) for i in range(60)])
    metadata[:, COLUMN["ra"]], metadata[:, COLUMN["dec"]] = np.repeat(ra, made.n_rows), 0.0
    objects = replace(made, metadata=metadata)
    fold = transfer.folds(objects.label, 5, transfer.sources(objects))
    assert fold[2] == fold[3] == fold[40]
    assert fold[50] == fold[51]
    apart = transfer.folds(objects.label, 5, np.arange(60))
    moved = np.flatnonzero(fold != apart)
    assert {*moved} <= {3, 40, 51}
    assert len(moved)
    assert all((np.bincount(apart[objects.label == which]) == 4).all() for which in range(3))
