"""A lock that one process holds at a time; the kernel frees it when the process ends, however it ends."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class LockedError(OSError):
    """Another process holds the lock; the message names it."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock `path`. The text in the file says who holds it; it locks nothing by itself.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be written, or not be locked, as on some network file systems; names it.
    """
    with open(path, "a+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "another process"
            raise LockedError(f"{path.parent} is in use: {holder} trains it") from None
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}; it cannot be locked", str(path)) from None
        _write(file, f"process {os.getpid()} on {socket.gethostname()}\n")
        yield


def _write(file: BinaryIO, text: str) -> None:
    try:
        file.truncate(0)
        file.write(text.encode())
    except OSError as error:  # which does not name the file by itself
        raise OSError(error.errno, error.strerror, file.name) from None
