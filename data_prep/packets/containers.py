"""Where alerts come in: directories, tar archives and Avro files become blocks of still encoded records.

Everything read here is untrusted: bad content becomes a `Rejection`, never an exception, and memory does not grow with
the input.
"""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from data_prep.ledger import Rejection
from data_prep.packets.avro import Block, read_avro
from data_prep.packets.tar import TAR_BLOCK, ArchiveError, members

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
AVRO_SUFFIX = ".avro"
GZIP_MAGIC, TAR_MAGIC, TAR_MAGIC_AT = b"\x1f\x8b", b"ustar", 257
READABLE_SUFFIXES = (AVRO_SUFFIX, *ARCHIVE_SUFFIXES)


class _UnreadableError(Exception):
    """The disk fails: kept apart from errors of whoever watches."""


class _MeteredFile(io.FileIO):
    """A file that tells how many bytes are read."""

    def __init__(self, path: Path, on_read: Callable[[int], object]) -> None:
        super().__init__(path)
        self._on_read = on_read

    def readinto(self, buffer) -> int:
        try:
            n_bytes = super().readinto(buffer)
        except OSError as error:
            raise _UnreadableError(str(error)) from None
        self._on_read(n_bytes)
        return n_bytes


def _ignore(_n_bytes: int) -> None:
    """Nobody watches."""


def read_blocks(path: str | os.PathLike, on_read: Callable[[int], object] = _ignore) -> Iterator[Block | Rejection]:
    """Read all alerts below a path, in a fixed order, one block at a time.

    Args:
        path: a directory (searched to any depth for *.avro, *.tar, *.tar.gz, *.tgz), an Avro file with one or many
            records, or an archive of such files.
        on_read: told the number of bytes as they are read from disk, for a progress bar.

    Yields:
        Blocks, and a Rejection for what cannot be read: those of `read_avro`, bad_archive, unreadable, not_a_file;
        of 0 alerts other_file for each file that is not an alert by its name, empty_folder and no_members. What came
        before a fault is kept.

    Raises:
        FileNotFoundError: `path` does not exist.

    Apache Avro 1.11 specification, object container files; POSIX.1-2001, tar.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory (expected alert packets)")
    return _walk(path, on_read) if path.is_dir() else _read_file(path, on_read)


def read_stream(stream: BinaryIO, source: str) -> Iterator[Block | Rejection]:
    """Read all alerts of bytes or of an open file: an Avro file or a tar archive, as its first bytes tell.

    Args:
        stream: anything binary with `read(n)`, at its beginning; it is read front to back and stays open.
        source: what to call it.

    Yields:
        As `read_blocks`.
    """
    ahead = _Ahead(stream)
    is_archive = ahead.peek(2) == GZIP_MAGIC or ahead.peek(TAR_BLOCK)[TAR_MAGIC_AT:][: len(TAR_MAGIC)] == TAR_MAGIC
    return (_read_archive if is_archive else read_avro)(ahead, source)


class _Ahead:
    """A stream whose next bytes can be looked at; it need not be able to go back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._next = stream, b""

    def peek(self, size: int) -> bytes:
        while len(self._next) < size and (more := self._stream.read(size - len(self._next))):
            self._next += more
        return self._next[:size]

    def read(self, size: int) -> bytes:
        data = self.peek(size)
        self._next = self._next[len(data) :]
        return data


def _walk(folder: Path, on_read: Callable[[int], object]) -> Iterator[Block | Rejection]:
    errors: list[OSError] = []
    is_empty = True
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders.sort()
        links = {name for name in folders if Path(parent, name).is_symlink()}  # not followed: they may form circles
        for name in sorted({*names, *links}):
            is_empty = False
            path = Path(parent, name)
            if name in links:
                yield Rejection("other_file", "a link to a folder, not followed", str(path), n_alerts=0)
            elif name.endswith(READABLE_SUFFIXES):
                yield from _read_file(path, on_read)
            else:
                yield Rejection("other_file", f"not {AVRO_SUFFIX} or an archive", str(path), n_alerts=0)
    for error in errors:
        yield Rejection("unreadable", str(error), str(error.filename), n_alerts=0)
    if is_empty and not errors:
        yield Rejection("empty_folder", "no file in it", str(folder), n_alerts=0)


def _read_file(path: Path, on_read: Callable[[int], object]) -> Iterator[Block | Rejection]:
    source = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for ever
            yield Rejection("not_a_file", "not a regular file", source)
            return
        file = _MeteredFile(path, on_read)
    except OSError as error:
        yield Rejection("unreadable", str(error), source)
        return
    read = _read_archive if path.name.endswith(ARCHIVE_SUFFIXES) else read_avro
    with io.BufferedReader(file) as stream:
        try:
            yield from read(stream, source)
        except _UnreadableError as error:
            yield Rejection("unreadable", str(error), source)


def _read_archive(stream: BinaryIO, source: str) -> Iterator[Block | Rejection]:
    stream = _Ahead(stream)
    archive = gzip.GzipFile(fileobj=stream) if stream.peek(2) == GZIP_MAGIC else stream
    is_empty = True
    try:
        for member in members(archive):
            is_empty = is_empty and member.is_directory
            name = f"{source}!{member.name}"
            if member.is_directory:
                continue
            if not member.name.endswith(AVRO_SUFFIX):
                yield Rejection("other_file", f"not {AVRO_SUFFIX}", name, n_alerts=0)
            elif not member.is_file:
                yield Rejection("not_a_file", "a link, a device or a sparse file", name)
            else:
                yield from read_avro(member.stream, name)
    except (ArchiveError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield Rejection("bad_archive", str(error), source)
        return
    if is_empty:
        yield Rejection("no_members", "no file in it", source, n_alerts=0)
