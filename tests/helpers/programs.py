"""Processes that tests start keep compiled programs for each other, as those of a user do, for as long as tests run."""

import os
import tempfile

from jtss.commands.main import main

_FOLDER = tempfile.TemporaryDirectory(prefix="jtss-programs-")
ENVIRONMENT = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "1", "XDG_CACHE_HOME": _FOLDER.name}


def jtss(*words: object) -> int:
    """`jtss WORDS` in this process; returns the exit status, also of an error of use."""
    try:
        return main([str(word) for word in words])
    except SystemExit as leaving:
        return leaving.code
