"""Files that are either the old or the new one, never half of one."""

import os
from pathlib import Path


def partial(path: Path) -> Path:
    """Where a file lies until it is complete; what a killed process leaves has this name."""
    return path.with_name(f".{path.name}.partial")


def write(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, to the disk and only then give it its name.

    Raises:
        OSError: it cannot be written, mostly because the disk is full; names the file, the old one is untouched.
    """
    unfinished = partial(path)
    try:
        with open(unfinished, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        if unfinished.is_file():
            unfinished.unlink()
        raise OSError(f"{path} cannot be written: {error.strerror}") from None
