"""A command whose output nobody reads, as when `head` has seen enough."""

import os
import subprocess
import sys
from pathlib import Path

from helpers.places import ROOT


def run_unread(*arguments, cwd: Path = ROOT) -> tuple[int, str]:
    """Exit status and stderr of `python ARGUMENTS`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, *map(str, arguments)]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=cwd, timeout=300)
    os.close(writing)
    return ended.returncode, ended.stderr
