"""Compiled programs are kept in the user's cache folder, so that what was compiled once starts at once ever after.

JAX keeps them under a hash of the program, its options and the compiler's version. It writes them without a temporary
name, so a full disk, a kill or two writers can leave a damaged one, which it would then complain of at every start:
here such a file is removed, and made again. What is loaded computes the same bits as what is compiled.
"""

import glob
import hashlib
import os
import platform
import re
import shutil
import sys
import warnings
from pathlib import Path

import jax

from jtss import devices, files

LEAST_SECONDS = 0.1  # of compilation, for a program to be kept
LEAST_FREE = 2**28  # [byte] on the disk, for programs to be kept
TROUBLE = re.compile(r"Error (?:reading|writing) persistent compilation cache entry for '([^']+)'")


def folder() -> Path:
    """Where programs for this machine are kept, in $XDG_CACHE_HOME/jtss or ~/.cache/jtss; nothing is created.

    A program for a CPU uses its instructions and its number of cores, and one home may serve many machines.
    """
    machine = hashlib.blake2b(_machine().encode(), digest_size=6).hexdigest()
    return files.user_cache() / f"compiled_{machine}"


def _machine() -> str:
    """What a program for the CPU depends on, in words."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    names = ("model name", "flags", "Features", "CPU part")
    known = {line for line in lines if line.partition(":")[0].strip() in names}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "\n".join([platform.machine(), platform.processor(), str(cores), *sorted(known)])


def enable() -> None:
    """Keep compiled programs from here on; call it before the first compilation.

    Where the environment variable JAX_COMPILATION_CACHE_DIR names a folder, or JAX_ENABLE_COMPILATION_CACHE=0 wants
    none, JAX follows those by itself. A folder that cannot be used is named on stderr, and programs are compiled anew.
    """
    devices.require_backend()
    if jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache:
        return
    path = folder()
    try:
        _require_usable(path)
    except OSError as error:
        print(f"compiled programs are not kept: {error}", file=sys.stderr)
        return
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    jax.config.update("jax_raise_persistent_cache_errors", False)
    _remove_what_is_damaged(path)


def _require_usable(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)  # who can write there can run code as the user
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written")
    free = shutil.disk_usage(path).free
    if free < LEAST_FREE:
        raise OSError(f"{path}: {free / 2**20:.0f} MiB free on the disk, {LEAST_FREE / 2**20:.0f} MiB wanted")


def _remove_what_is_damaged(path: Path) -> None:
    """Turn JAX's warnings about a file in the folder into its removal; other warnings are shown as before."""
    show = warnings.showwarning

    def showwarning(message, category, filename, lineno, file=None, line=None):
        trouble = TROUBLE.match(str(message))
        if trouble is None:
            show(message, category, filename, lineno, file, line)
            return
        for damaged in path.glob(f"{glob.escape(trouble[1])}-*-cache"):
            damaged.unlink(missing_ok=True)

    warnings.showwarning = showwarning
