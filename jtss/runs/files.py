"""Files that survive a crash: replaced whole or not at all, locked by one process, checked by SHA-256 sums.

The sums are in the format of `sha256sum`, so that either checks what the other wrote; hashlib does the work.
"""

import fcntl
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def partial(path: Path) -> Path:
    """Where a file lies until it is complete; what a killed process leaves has this name."""
    return path.with_name(f".{path.name}.partial")


def require_writable(folder: Path) -> None:
    """Find out, before hours go into what it shall hold, whether a folder can be made and written to.

    Raises:
        OSError: it cannot; names the part of the path that stands in the way.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{folder}: {there} is a file, expected a folder")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise type(error)(f"{folder}: {there} cannot be written ({error.strerror})") from None


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


class LockedError(OSError):
    """Another process holds the lock; the message names it."""


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
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


SUMS = "SHA256SUMS"


def write_sums(folder: Path) -> None:
    """Write the sums of every file in `folder`, and wait until all is on the disk, so that no power cut takes it."""
    (folder / SUMS).write_text(_text(_sums(folder)))
    for path in (*folder.rglob("*"), folder):
        if (
            path.is_dir() or path.parent.name != "d"
        ):  # Orbax flushes its arrays, in folders d/, but not what leads there
            flush(path)


def folder_fault(folder: Path) -> str | None:
    """What is wrong with `folder`: files that are missing, changed or not in its sums; None where nothing is."""
    try:
        written = (folder / SUMS).read_text()
        present = _sums(folder)
    except FileNotFoundError:
        return f"{SUMS} is missing"
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read ({error})"
    if written == _text(present):
        return None
    expected = _parsed(written)
    faults = {
        "missing": expected.keys() - present.keys(),
        "not expected": present.keys() - expected.keys(),
        "changed": {name for name in expected.keys() & present.keys() if expected[name] != present[name]},
    }
    named = [f"{_shortened(sorted(names))} {what}" for what, names in faults.items() if names]
    return ", ".join(named) or f"{SUMS} changed"


def listed_sums(folder: Path) -> dict[str, str]:
    """{name of a file: its sum} as the sums of `folder` say; empty where there are none or they cannot be read."""
    try:
        return _parsed((folder / SUMS).read_text())
    except (OSError, UnicodeDecodeError):
        return {}


def file_fault(path: Path) -> str | None:
    """What is wrong with one file of a folder that has sums; None where nothing is."""
    expected = listed_sums(path.parent).get(path.name)
    if expected is None:
        return f"{SUMS} does not list it" if (path.parent / SUMS).is_file() else f"{SUMS} is missing beside it"
    if not path.is_file():
        return f"the file is missing, {SUMS} expects it"
    own = sum_of(path)
    return None if own == expected else f"damaged: its SHA-256 sum is {own}, {SUMS} expects {expected}"


def sum_of(path: Path) -> str:
    """The sum of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sums(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    return {path.relative_to(folder).as_posix(): sum_of(path) for path in paths}


def _text(sums: dict[str, str]) -> str:
    return "".join(f"{value}  {name}\n" for name, value in sums.items())


def _parsed(text: str) -> dict[str, str]:
    return dict(reversed(line.split("  ", 1)) for line in text.splitlines() if "  " in line)


def _shortened(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
