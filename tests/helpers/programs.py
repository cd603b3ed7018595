"""Compiled programs are kept for all tests and the processes they start, also for the next run of the tests."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from helpers.places import ROOT
from jtss.commands import cache
from jtss.commands.main import main

try:
    from jax._src.lru_cache import LRUCache
except ImportError:  # private to JAX: another version may write programs in another way
    LRUCache = None

FOLDER = ROOT / "build" / "test-programs"
ENVIRONMENT = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "1", "XDG_CACHE_HOME": str(FOLDER)}
HASTY = {**ENVIRONMENT, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # of processes whose numbers are compared with their own

LEAST_SECONDS = 0.05  # of compilation, for a program to be kept
# After this a program goes, used or not: no reader marks it, and what the code no longer asks for must not stay.
KEPT_SECONDS = 7 * 24 * 3600


def keep_compiled() -> None:
    """From here on in this process; not in the folder of other processes, which tests kill in the middle of writing.

    A test runs a program a few times, most of its time is compilation: on a CPU it is compiled with less care than in
    the processes that tests start, which do all as a user's do.
    """
    jax.config.update("jax_disable_most_optimizations", jax.default_backend() == "cpu")
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    jax.config.update("jax_compilation_cache_dir", str(FOLDER / "tests" / cache.folder().name))
    compilation_cache.reset_cache()  # it is asked once whether it is used, which may have been
    if LRUCache is not None:
        LRUCache.put = _put_whole
    remove_old(FOLDER)


def remove_old(folder: Path) -> None:
    """Programs, whole or half-written, that were made KEPT_SECONDS ago, while other processes do the same."""
    for path in folder.rglob("*-cache*"):
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.unlink()


def _put_whole(kept: "LRUCache", key: str, program: bytes) -> None:
    """JAX writes in place; here other processes read at the same time."""
    path = Path(os.fspath(kept.path), f"{key}-cache")
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(program)
    unfinished.replace(path)


def make(target: str, **variables: object) -> str:
    """What `make TARGET` says, with this Python, in which nothing is installed."""
    given = {"JTSS": f"{sys.executable} -m jtss"} | variables
    words = ["make", "-o", ".venv/ready", target, *(f"{name}={value}" for name, value in given.items())]
    done = subprocess.run(words, cwd=ROOT, env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def jtss(*words: object) -> int:
    """`jtss WORDS` in this process; returns the exit status, also of an error of use."""
    try:
        return main([str(word) for word in words])
    except SystemExit as leaving:
        return leaving.code
