"""The results of an experiment: one file of JSON lines, to which any number of processes add at the same time.

A line is written whole, in one call, and is on the disk before anything relies on it. What cannot be read is copied to
NAME.damaged and passed over; the file itself is never rewritten, since others may be writing.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from jtss.paper import results
from jtss.paper.results import Result


class Damage(NamedTuple):
    """A line that cannot be used: its number, from 1, and why."""

    line: int
    reason: str


class Store:
    """The results in the file `path`, which need not exist yet."""

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> tuple[dict[str, Result], list[Damage]]:
        """All results by id, the first where one is there twice, and the lines that are damaged.

        Raises:
            OSError: the file is there and cannot be read.
        """
        found, damaged, bad = {}, [], []
        content = self.path.read_bytes() if self.path.exists() else b""
        *whole, last = content.split(b"\n")
        for number, line in enumerate([*whole, last], start=1):
            if not line.strip() or (line is last and _is_under_way(line)):
                continue
            try:
                result = results.from_line(line.decode())
            except ValueError as error:
                damaged.append(Damage(number, str(error)))
                bad.append(line)
            else:
                found.setdefault(result.id, result)
        self._keep_aside(bad)
        return found, damaged

    def append(self, result: Result) -> None:
        """Add a line.

        Raises:
            OSError: it cannot be written, mostly because the disk is full; names the file.
        """
        _append(self.path, results.to_line(result).encode())

    @property
    def aside(self) -> Path:
        """Where lines that cannot be read are copied to."""
        return self.path.with_name(f"{self.path.name}.damaged")

    def _keep_aside(self, lines: list[bytes]) -> None:
        kept = self.aside.read_bytes().split(b"\n") if lines and self.aside.exists() else []
        for line in lines:
            if line not in kept:
                _append(self.aside, line)


def _is_under_way(line: bytes) -> bool:
    """Whether the last line, which nothing ends, is but a part: another process may be writing it."""
    try:
        results.from_line(line.decode())
    except ValueError:
        return True
    return False


def _append(path: Path, line: bytes) -> None:
    """Add a line in one write, after the half of a line that a killed process may have left."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        with suppress(OSError):  # some file systems cannot lock
            fcntl.flock(file, fcntl.LOCK_EX)  # on network file systems, where appending alone may lose a line
        size = os.fstat(file).st_size
        cut_short = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        whole = (b"\n" if cut_short else b"") + line + b"\n"
        written = os.write(file, whole)
        if written < len(whole):
            raise OSError(f"{path}: {written} of {len(whole)} bytes written; is the disk full?")
        os.fsync(file)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        os.close(file)
