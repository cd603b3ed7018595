"""Whose answers a folder holds: files of two groups, clusters or forms would replace or double each other there.

Files are named by the offset they begin with. For the members of one group these are the same, as only one of them has
a partition at a time; another group cuts the stream elsewhere, and in another cluster an offset is another message. A
new version of a model, or another model, goes on where the group was: every answer says which it is.
"""

import errno
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from jtss import files
from jtss.errors import InputError
from jtss.invocation import option

FILE = ".jtss.json"  # hidden: those who read all files of a folder pass it over
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # exFAT, and some disks of other machines
OF_DISKS = "lost+found"  # in the top folder of a disk that is else empty
WRITING_SECONDS = 5.0  # for a file that is there already to get its text


class Owner(NamedTuple):
    """Who writes answers.

    Attributes:
        cluster: identity of a Kafka cluster, whatever its address; None: it has none.
        group: of consumers.
        form: of the answers.
    """

    cluster: str | None
    group: str
    form: str


def claim(folder: Path, owner: Owner) -> None:
    """Make a folder that of an owner, who may have it already; of several that ask at one moment the first gets it.

    Raises:
        InputError: it is another's, or holds files and does not say whose.
        OSError: it cannot be made, written or read.
    """
    files.require_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    if not path.exists():
        _require_empty(folder)
        with files.naming(path), suppress(FileExistsError):
            _create(path, json.dumps(owner._asdict()) + "\n")
            files.flush(folder)
    other = _read(path)
    if other != owner:
        different = [
            f"{name} {was}, not {wanted}"
            for name, was, wanted in zip(Owner._fields, other, owner, strict=True)
            if was != wanted
        ]
        raise InputError(f"{option('out')}: {folder} holds answers of the {', the '.join(different)}; choose another")


def _require_empty(folder: Path) -> None:
    """Raise InputError for a folder with files in it; those under hidden names are of a start at this moment."""
    there = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and path.name != OF_DISKS)
    if there and not (folder / FILE).exists():  # a member of ours may have come meanwhile
        more = f" and {len(there) - 1} more" if there[1:] else ""
        raise InputError(
            f"{option('out')}: {folder} holds {there[0]}{more}, but no {FILE} that says whose answers they are;"
            " expected an empty folder, or one that is not there yet"
        )


def _create(path: Path, text: str) -> None:
    """Write a file that is whole from its first moment; FileExistsError: another has put one there meanwhile."""
    unfinished = files.partial(path)
    try:
        unfinished.write_text(text)
        files.flush(unfinished)
        try:
            os.link(unfinished, path)  # unlike renaming, this leaves what is there
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _create_in_place(path, text)
    finally:
        unfinished.unlink(missing_ok=True)


def _create_in_place(path: Path, text: str) -> None:
    """The same where a file has one name only: for a moment it is empty, and `_read` waits."""
    with open(path, "x") as file:
        try:
            file.write(text)
            file.flush()  # in one piece
            os.fsync(file.fileno())
        except OSError:
            path.unlink()
            raise


def _read(path: Path) -> Owner:
    end = time.monotonic() + WRITING_SECONDS
    while not path.stat().st_size and time.monotonic() < end:
        time.sleep(0.05)
    try:
        return Owner(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {error}; expected the cluster, group and form of the answers beside it") from error
