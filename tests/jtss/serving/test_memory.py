"""Large blocks go back to the system when they are freed; looked at in a process of its own."""

import ctypes
import subprocess
import sys

import pytest

from helpers.places import ROOT

PROGRAM = """
import ctypes, sys
import numpy as np
from jtss.serving import memory


class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd".split()]
    _fields_ += [("more", ctypes.c_size_t * 5)]


def mapped():
    return look().hblkhd


look = ctypes.CDLL(None).mallinfo2
look.restype = Mallinfo
if "ours" in sys.argv:
    memory.return_large_blocks()
for size in (8, 30):  # after which glibc would take 16 MB from its heap
    np.empty(size << 20, np.uint8)
before = mapped()
block = np.empty(16 << 20, np.uint8)
print(mapped() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc 2.33 or later")
@pytest.mark.parametrize(("how", "is_mapped"), [("ours", True), ("as it is", False)])
def test_a_large_block_is_mapped_whatever_was_freed_before(how, is_mapped):
    run = subprocess.run([sys.executable, "-c", PROGRAM, how], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (int(run.stdout) >= 16 << 20) is is_mapped
