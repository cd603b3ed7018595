"""A lock that one process holds at a time; the kernel frees it when the process ends, however it ends."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LockedError(OSError):
    """Another process holds the lock; the message names it."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock `path`. The text in the file says who holds it; it locks nothing by itself.

    Raises:
        LockedError: another process holds it.
    """
    with open(path, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise LockedError(f"{path.parent} is in use: {holder} trains it") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
