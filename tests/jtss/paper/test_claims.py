"""Claims on cells, among real processes."""

import json
import os
import socket
import subprocess
import sys

import pytest

from jtss.paper import claims
from jtss.paper.claims import Claims, Holder

TAKE_MANY = """
import sys
from pathlib import Path
from jtss.paper.claims import Claims
sys.stdin.readline()
claims = Claims(Path(sys.argv[1]))
print(*[name for name in map(str, range(300)) if claims.take(name) is None], flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write_claim(folder, pid, host=None, name="x"):
    folder.mkdir(exist_ok=True)
    holder = Holder(host or socket.gethostname(), pid, "2026-01-02T03:04:05+0000")
    (folder / f"{name}.claim").write_text(json.dumps(holder._asdict()))
    return holder


def taken_by_two(folder):
    """What two processes that begin at the same time get of 300 claims."""
    command = [sys.executable, "-c", TAKE_MANY, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = [process.stdout.readline().split() for process in processes]
    for process in processes:
        process.communicate("end\n", timeout=60)
    return taken


def test_two_processes_share_the_claims_and_none_has_the_same(tmp_path):
    one, other = taken_by_two(tmp_path / "claims")
    assert not set(one) & set(other)
    assert len(one) + len(other) == 300


def test_of_two_that_take_over_from_the_dead_one_gets_each(tmp_path, dead_pid):
    for name in range(300):
        write_claim(tmp_path, dead_pid, name=name)
    one, other = taken_by_two(tmp_path)
    assert not set(one) & set(other)
    assert len(one) + len(other) == 300


def test_a_claim_is_held_until_it_is_released(tmp_path):
    ours, theirs = Claims(tmp_path), Claims(tmp_path)
    assert ours.take("x") is None
    holder = theirs.take("x")
    assert (holder.host, holder.pid) == (socket.gethostname(), os.getpid())
    theirs.release("x")  # which is not theirs
    assert theirs.take("x") == holder
    ours.release("x")
    assert theirs.take("x") is None


def test_the_claim_of_a_dead_process_is_taken_over(tmp_path, dead_pid):
    write_claim(tmp_path, dead_pid)
    assert Claims(tmp_path).take("x") is None
    assert Claims(tmp_path).take("x").pid == os.getpid()


def test_the_claim_of_another_machine_is_named_whatever_its_process_is_here(tmp_path, dead_pid):
    holder = write_claim(tmp_path, dead_pid, host="elsewhere")
    assert Claims(tmp_path).take("x") == holder
    assert str(holder) == f"process {dead_pid} on elsewhere since 2026-01-02T03:04:05+0000"


def test_a_claim_that_was_given_back_and_taken_by_a_third_is_left_to_it(tmp_path, monkeypatch):
    """In the attempt to take a claim over nobody holds it, and a moment later another does."""
    one, other = Claims(tmp_path), Claims(tmp_path)
    look = claims._holder

    def nobody_yet(path):
        monkeypatch.setattr(claims, "_holder", look)
        assert other.take("x") is None

    monkeypatch.setattr(claims, "_holder", nobody_yet)
    assert one._take_over(tmp_path / "x.claim") is not None
    other.release("x")
    assert not (tmp_path / "x.claim").exists()


def test_a_claim_that_another_took_over_is_not_released(tmp_path):
    ours = Claims(tmp_path)
    ours.take("x")
    write_claim(tmp_path, 1, host="elsewhere")
    ours.release("x")
    assert (tmp_path / "x.claim").exists()


def test_an_empty_claim_is_held_while_it_may_be_being_written(tmp_path):
    path = tmp_path / "x.claim"
    path.touch()
    assert str(Claims(tmp_path).take("x")).startswith("process 0 on an unknown machine")
    os.utime(path, (0, 0))
    assert Claims(tmp_path).take("x") is None
