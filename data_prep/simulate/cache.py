"""Where the simulated data set that is used by default is kept."""

import hashlib
import os
from pathlib import Path

from jtss import scaling, schema

DATA_PREP = Path(__file__).parents[1]
CONTRACT = (Path(schema.__file__), Path(scaling.__file__))


def cached_path(n_objects: int, seed: int) -> Path:
    """The file for this many objects of the default classes; another version of the program has another file.

    In $XDG_CACHE_HOME/jtss, or ~/.cache/jtss. Nothing is created.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    sources = (*sorted(DATA_PREP.rglob("*.py")), *CONTRACT)
    version = hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=4).hexdigest()
    return root / "jtss" / f"simulated_{n_objects}_seed{seed}_{version}.h5"
