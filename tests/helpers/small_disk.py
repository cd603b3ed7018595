"""A command on a disk of a few megabytes that only it can see."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.places import TESTS

MOUNT = 'mount -t tmpfs -o size="$0" none "$1" && shift && exec "$@"'


def run(size: int, folder: Path, *command, environment: dict | None = None) -> subprocess.CompletedProcess:
    """Run `command` with a disk of `size` bytes mounted on `folder`; the test is skipped where none can be mounted."""
    python_path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    variables = {**(environment or os.environ), "PYTHONPATH": python_path}
    if not shutil.which("unshare") or _mounted(1_000_000, folder, "true", variables=variables).returncode:
        pytest.skip("no small disk can be mounted here: it needs `unshare -Urm`")
    return _mounted(size, folder, *command, variables=variables)


def _mounted(size: int, folder: Path, *command, variables: dict) -> subprocess.CompletedProcess:
    mounting = ["unshare", "-Urm", "sh", "-c", MOUNT, str(size), str(folder)]
    return subprocess.run([*mounting, *map(str, command)], capture_output=True, text=True, timeout=300, env=variables)
