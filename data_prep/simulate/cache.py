"""Where the simulated data set that is used by default is kept."""

import hashlib
import os
from pathlib import Path

FOLDER = Path(__file__).parent


def cached_path(n_objects: int, seed: int) -> Path:
    """The file for this many objects of the default classes; another version of the simulator has another file.

    In $XDG_CACHE_HOME/jtss, or ~/.cache/jtss. Nothing is created.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    sources = b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.py")))
    version = hashlib.blake2b(sources, digest_size=4).hexdigest()
    return root / "jtss" / f"simulated_{n_objects}_seed{seed}_{version}.h5"
