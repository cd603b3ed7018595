"""Files that are written: what stands in the way said at once, replaced whole or not at all, locked, checked by sums.

The sums are in the format of `sha256sum`, so that either checks what the other wrote; hashlib does the work.
"""

import errno
import fcntl
import hashlib
import os
import re
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jtss.errors import InputError
from jtss.invocation import option


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path | None] = (), *, force: bool) -> None:
    """Make sure, before hours go into them, that files can be written and that no two of them are one.

    This is the rule of every command: a file that is there is replaced only where `force` says so, and one that is read
    never.

    Args:
        outputs: file by the option that names it, see `jtss.invocation.option`; None: not asked for.
        inputs: what is read; None: not asked for.
        force: replace files that exist.

    Raises:
        InputError: two options name one file, it is read as well, or a folder stands in its place.
        FileExistsError: it exists and `force` is not set.
        FileNotFoundError: its folder does not exist.
        OSError: its folder cannot be written.
    """
    read, taken = [path for path in inputs if path], {}
    for name, path in outputs.items():
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"{option(name, path)}: a folder, expected the name of a file to write")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist")
        require_writable(path.parent)
        for other, its_path in taken.items():
            if _is_same(path, its_path):
                raise InputError(f"{option(other)} and {option(name)} name the same file {path}; expected two")
        if any(_is_same(path, other) for other in read):
            raise InputError(f"{option(name, path)}: this file is read as well; choose another name to write")
        refuse_to_replace(path, force)
        taken[name] = path


def check_folder(name: str, folder: Path, *, force: bool) -> None:
    """As `check_outputs`, of a folder that will be written under the option of this name.

    Raises:
        InputError: a file stands in its place; FileExistsError, FileNotFoundError, OSError: as `check_outputs`.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{option(name, folder)}: a file, expected the name of a folder to write")
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"{folder}: the folder {folder.parent} does not exist")
    require_writable(folder.parent)
    refuse_to_replace(folder, force)


def refuse_to_replace(path: Path, force: bool) -> None:
    """Raise FileExistsError where a file is there and `force` is not set."""
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists; choose another name or add {option('force', True)} to replace it")


def _is_same(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, which may not be there yet; also by a link of either kind."""
    return path.resolve() == other.resolve() or (path.exists() and other.exists() and path.samefile(other))


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A place to write a file: on the disk when all is written, and only then it gets its name.

    Yields:
        The place, in the same folder. After an error it is gone, and an old file of the name untouched.

    Raises:
        OSError: the disk is full, or gone; names the file. What goes wrong between is the caller's to name.
    """
    unfinished = partial(path)
    try:
        yield unfinished
        with naming(path):
            flush(unfinished)
            os.replace(unfinished, path)
    finally:
        with suppress(OSError):  # it would hide what went wrong
            unfinished.unlink()


def partial(path: Path) -> Path:
    """Where this process has a file until it is complete; what a killed one leaves has such a name."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def is_partial(path: Path, name: str) -> bool:
    """Whether a path is that of an incomplete file of this name, of whatever process."""
    return re.fullmatch(rf"\.{re.escape(name)}\.\d+\.partial", path.name) is not None


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
        remedy = "let this user write there, or choose another folder"
        raise type(error)(f"{folder}: {there} cannot be written ({error.strerror}); {remedy}") from None


def write(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, to the disk and only then give it its name.

    Raises:
        OSError: it cannot be written, mostly because the disk is full; names the file, the old one is untouched.
    """
    with replaced(path) as unfinished, naming(path):
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError of those who write a file name it: a full disk does not. The number of the error stays."""
    try:
        yield
    except OSError as error:
        named = OSError(f"{path} cannot be written: {full_disk(error) or error.strerror or error}")
        named.errno = error.errno
        raise named from error


def full_disk(error: BaseException | None) -> str | None:
    """That a disk or a quota is full, in the words of the system, where an error or its cause says so, else None.

    What it says is its number; those of other libraries may have text alone.
    """
    causes = []
    while error is not None:
        causes.append(error)
        error = error.__cause__
    numbers = {number for each in causes if (number := getattr(each, "errno", None))}
    full = {number: os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT)}
    if numbers:
        return next((words for number, words in full.items() if number in numbers), None)
    return next((words for words in full.values() if any(words in str(each) for each in causes)), None)


class LockedError(OSError):
    """Another process holds the lock; the message names it."""


@contextmanager
def hold_lock(path: Path, doing: str = "trains", *, wait: bool = False) -> Iterator[None]:
    """Hold the lock `path`. The text in the file says who holds it; it locks nothing by itself.

    Args:
        doing: what holders do to its folder, in the message.
        wait: until it is free.

    Raises:
        LockedError: another process holds it, unless `wait`.
        OSError: the file cannot be written, or not be locked, as on some network file systems; names it.
    """
    with open(path, "a+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "another process"
            raise LockedError(f"{path.parent} is in use: {holder} {doing} it") from None
        except OSError as error:
            remedy = "choose a folder on another file system, such as a local disk"
            raise OSError(error.errno, f"{error.strerror}; it cannot be locked: {remedy}", str(path)) from None
        _write(file, f"process {os.getpid()} on {socket.gethostname()}\n")
        yield


def _write(file: BinaryIO, text: str) -> None:
    try:
        file.truncate(0)
        file.write(text.encode())
    except OSError as error:  # which does not name the file by itself
        raise OSError(error.errno, error.strerror, file.name) from None


def user_cache() -> Path:
    """Where what can be made anew is kept, $XDG_CACHE_HOME/jtss or ~/.cache/jtss; nothing is created."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jtss"


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
