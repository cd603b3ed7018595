"""Who trains which cell: a file for each cell under way, which only one process can create.

The claim of a process that died is taken over where that can be known, which is on its own machine; elsewhere it is
named, and whoever knows better may delete the file.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

LONGEST_EMPTY_SECONDS = 60  # a claim is written at once when it is created; if it is not, its maker was killed between


class Holder(NamedTuple):
    """Who holds a claim, since when."""

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to be gone."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # alive, but another user's
            return False
        return False


UNKNOWN = Holder("an unknown machine", 0, "an unknown time")


class Claims:
    """The claims in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._ours: set[str] = set()

    def take(self, cell_id: str) -> Holder | None:
        """Claim a cell: None where it is ours now, else who holds it.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{cell_id}.claim"
        holder = None if _create(path) else self._holder_or_ours(path)
        if holder is None:
            self._ours.add(cell_id)
        return holder

    def release(self, cell_id: str) -> None:
        """Give a claim back; one that is not ours, or not any more, is left alone."""
        if cell_id in self._ours:
            self._ours.remove(cell_id)
            path = self.folder / f"{cell_id}.claim"
            holder = _holder(path)
            if holder and (holder.host, holder.pid) == (socket.gethostname(), os.getpid()):
                path.unlink(missing_ok=True)

    def _holder_or_ours(self, path: Path) -> Holder | None:
        """Who holds a claim that is there; None where it could be taken over."""
        holder = _holder(path)
        return holder if holder is not None and not holder.is_dead else self._take_over(path)

    def _take_over(self, path: Path) -> Holder | None:
        """Replace the claim of a dead process; of several that try, one does."""
        with _alone(self.folder / "lock") as locked:
            holder = _holder(path)
            if not locked or (holder is not None and not holder.is_dead):
                return holder or UNKNOWN  # another was quicker, or nobody can be sure to be alone here
            if holder is not None or _abandoned(path):  # else it was given back, and may be another's by now
                path.unlink(missing_ok=True)
            return None if _create(path) else _holder(path) or UNKNOWN


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Yields whether nobody else is here; False where files cannot be locked, as on some network file systems."""
    with open(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
        else:
            yield True


def _create(path: Path) -> bool:
    """Whether the claim could be made; it is there already otherwise."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    holder = Holder(socket.gethostname(), os.getpid(), time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    try:
        os.write(file, json.dumps(holder._asdict()).encode())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
    return True


def _abandoned(path: Path) -> bool:
    """Whether a claim says nothing although it is old: its maker was killed before it wrote."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return found.st_size == 0 and time.time() - found.st_mtime > LONGEST_EMPTY_SECONDS


def _holder(path: Path) -> Holder | None:
    """Who holds a claim; None where nobody does."""
    try:
        text = path.read_text(errors="replace")
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None
    try:
        values = json.loads(text)
        return Holder(str(values["host"]), int(values["pid"]), str(values["since"]))
    except (ValueError, TypeError, KeyError):
        return None if not text and age > LONGEST_EMPTY_SECONDS else UNKNOWN
