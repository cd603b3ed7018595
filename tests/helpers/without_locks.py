"""A file system without locks, as some of networks are: what a program gets where it asks for one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NO_LOCKS = """
#include <errno.h>
int flock(int file, int operation) { errno = ENOLCK; return -1; }
int lockf(int file, int command, long length) { errno = ENOLCK; return -1; }
"""


def environment(folder: Path) -> dict[str, str]:
    """The environment of a program that gets no locks; `folder` takes a library."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    library = folder / "without_locks.so"
    command = ["cc", "-x", "c", "-shared", "-fPIC", "-o", library, "-"]
    subprocess.run(command, input=NO_LOCKS, text=True, check=True)
    return os.environ | {"LD_PRELOAD": str(library)}
