"""Text files that are either the old or the new one, never half of one."""

import os
from pathlib import Path


def partial(path: Path) -> Path:
    """Where a file lies until it is complete; what a killed process leaves has this name."""
    return path.with_name(f".{path.name}.partial")


def write(path: Path, text: str) -> None:
    """Write a file to the disk and only then give it its name.

    Raises:
        OSError: it cannot be written, mostly because the disk is full; names the file, the old one is untouched.
    """
    unfinished = partial(path)
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        if unfinished.is_file():
            unfinished.unlink()
        raise OSError(f"{path} cannot be written: {error.strerror}") from None
