"""What was freed goes back to the system, also from between what stays; looked at in a process of its own."""

import ctypes
import subprocess
import sys

import pytest

from helpers.places import ROOT

PROGRAM = """
import resource, sys
from pathlib import Path
from jtss.serving.memory import Trimmer


def resident():
    return resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[1])


trimmer = Trimmer(jobs=int(sys.argv[1]))
large, small = [], []
for number in range(1000):
    large.append(b"x" * 100_000)
    small.append(b"y" * 10_000)
del large
before = resident()
trimmer.job_done()
print(before - resident())
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc"
)
@pytest.mark.parametrize(("jobs", "is_returned"), [(1, True), (2, False)])
def test_what_lies_between_what_stays_is_returned_in_its_turn(jobs, is_returned):
    run = subprocess.run([sys.executable, "-c", PROGRAM, str(jobs)], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (int(run.stdout) > 80_000_000) is is_returned
