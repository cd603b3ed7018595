"""Tests, and processes they start, keep compiled programs for each other, as those of a user do, while tests run."""

import os
import tempfile

import jax
from jax.experimental.compilation_cache import compilation_cache

from jtss.commands.main import main

_FOLDER = tempfile.TemporaryDirectory(prefix="jtss-programs-")
ENVIRONMENT = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "1", "XDG_CACHE_HOME": _FOLDER.name}


LEAST_SECONDS = 0.05  # of compilation, for a program to be kept


def keep_compiled() -> None:
    """From here on in this process; not in the folder of other processes, which tests kill in the middle of writing."""
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    jax.config.update("jax_compilation_cache_dir", os.path.join(_FOLDER.name, "tests"))
    compilation_cache.reset_cache()  # it is asked once whether it is used, which may have been


def jtss(*words: object) -> int:
    """`jtss WORDS` in this process; returns the exit status, also of an error of use."""
    try:
        return main([str(word) for word in words])
    except SystemExit as leaving:
        return leaving.code
