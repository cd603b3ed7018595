"""Processes that tests start keep compiled programs for each other, as those of a user do, for as long as tests run."""

import os
import tempfile

_FOLDER = tempfile.TemporaryDirectory(prefix="jtss-programs-")
ENVIRONMENT = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "1", "XDG_CACHE_HOME": _FOLDER.name}
