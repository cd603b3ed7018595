"""Where alerts come in: directories, tar archives and Avro files become blocks of still encoded records.

Hidden files (named .x, as are our own temporary ones) and what a system adds to folders and archives of its own are
passed over, as the shell's *.avro does. Everything read here is untrusted: bad content becomes a `Rejection`, never an
exception, and memory does not grow with the input.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import zlib
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from data_prep.ledger import Rejection
from data_prep.packets.avro import MAGIC, Block, read_avro
from data_prep.packets.tar import ArchiveError, Member, members

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
AVRO_SUFFIX = ".avro"
AVRO_SUFFIXES = (AVRO_SUFFIX, ".avro.gz")
COMPRESSED_AVRO = (".avro.bz2", ".avro.xz", ".avro.zst")
READABLE_SUFFIXES = (*AVRO_SUFFIXES, *ARCHIVE_SUFFIXES)
OTHER_ARCHIVES = (".zip", ".7z", ".rar", ".tar.zst", ".tzst", ".tar.z", ".tar.lz4", *COMPRESSED_AVRO)

# By the first bytes, whatever the name says.
GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
BAD_COMPRESSION = (EOFError, zlib.error, lzma.LZMAError)
MAX_XZ_BYTES = 128 << 20  # of memory; xz -9 asks for 65 MB, a hostile file for any amount
CHUNK = 1 << 16

# Parts of a path: what macOS adds to folders and archives, and where old programs put the headers of pax archives.
OF_THE_SYSTEM = re.compile(r"\..*|__MACOSX|@?PaxHeaders?(\.\d+)?|GNUSparseFile\.\d+|lost\+found")


def _is_passed_over(name: str) -> bool:
    """Whether a file's path, relative to what was given, is hidden or of a system's own."""
    return any(OF_THE_SYSTEM.fullmatch(part) for part in name.split("/") if part not in ("", ".", ".."))


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


class _Inflated:
    """The bytes of a file compressed by bzip2 or xz, in one or more streams one after the other."""

    def __init__(self, file: BinaryIO, fresh: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]) -> None:
        self._file, self._fresh, self._inflater = file, fresh, fresh()

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end.

        Raises:
            EOFError, OSError, lzma.LZMAError: the file is cut or damaged.
        """
        while True:
            data = b""
            if self._inflater.eof:
                data = self._inflater.unused_data.lstrip(b"\0")
                while not data and (chunk := self._file.read(CHUNK)):
                    data = chunk.lstrip(b"\0")  # xz pads with zeros
                if not data:
                    return b""
                self._inflater = self._fresh()
            elif self._inflater.needs_input and not (data := self._file.read(CHUNK)):
                raise EOFError("ends before its end mark")
            if inflated := self._inflater.decompress(data, size):
                return inflated


def _open_archive(file: BinaryIO, head: bytes) -> BinaryIO | _Inflated:
    """An archive without its compression."""
    if head.startswith(GZIP):
        return gzip.GzipFile(fileobj=file, mode="rb")
    if head.startswith(BZIP2):
        return _Inflated(file, bz2.BZ2Decompressor)
    if head.startswith(XZ):
        return _Inflated(file, partial(lzma.LZMADecompressor, memlimit=MAX_XZ_BYTES))
    return file


def _ignore(_n_bytes: int) -> None:
    """Nobody watches."""


def read_blocks(
    path: str | os.PathLike, on_read: Callable[[int], object] = _ignore, passed_over: Collection[Path] = ()
) -> Iterator[Block | Rejection]:
    """Read all alerts below a path, in a fixed order, one block at a time.

    Args:
        path: a directory (searched to any depth for Avro files and archives), an Avro file with one or many records,
            gzipped or not, or a tar archive of such files, plain or compressed by gzip, bzip2 or xz.
        on_read: told the number of bytes as they are read from disk, for a progress bar.
        passed_over: resolved paths of files that are no alerts, as those that the program reads or writes besides.

    Yields:
        Blocks, and a Rejection for what cannot be read: those of `read_avro`, bad_archive, bad_gzip, other_archive (of
        a kind that is not read, or within another), unreadable, not_a_file; of 0 alerts other_file for each file that
        is not an alert by its name, link for a second name of a member, empty_folder and no_members. What came before a
        fault is kept.

    Raises:
        FileNotFoundError: `path` does not exist.

    Apache Avro 1.11 specification, object container files; POSIX.1-2001, tar.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory (expected alert packets)")
    return _walk(path, on_read, frozenset(passed_over)) if path.is_dir() else _read_file(path, on_read)


def read_stream(stream: BinaryIO, source: str) -> Iterator[Block | Rejection]:
    """Read all alerts of bytes or of an open file: an Avro file or a tar archive, as its first bytes tell.

    Args:
        stream: anything binary with `read(n)`, at its beginning; it is read front to back and stays open.
        source: what to call it.

    Yields:
        As `read_blocks`.
    """
    ahead = _Ahead(stream)
    return _reader_by_content(ahead.peek(CHUNK))(ahead, source)


def _reader_by_content(head: bytes) -> Callable[[BinaryIO, str], Iterator[Block | Rejection]]:
    if head.startswith(GZIP):
        return _read_gzip if _inflated(head).startswith(MAGIC) else _read_archive
    is_archive = head.startswith((BZIP2, XZ, ZSTD)) or head[TAR_MAGIC_AT:].startswith(TAR_MAGIC)
    return _read_archive if is_archive else read_avro


def _inflated(head: bytes) -> bytes:
    """The first bytes of a gzip file that begins with `head`; none where it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, len(MAGIC))
    except zlib.error:
        return b""


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


def files_below(folder: Path, passed_over: Collection[Path] = (), onerror=None) -> Iterator[Path]:
    """The files of a directory that are looked at, in a fixed order, and links to folders."""
    for parent, folders, names in os.walk(folder, onerror=onerror):
        folders[:] = sorted(name for name in folders if not _is_passed_over(name))
        links = {name for name in folders if Path(parent, name).is_symlink()}  # not followed: they may form circles
        for name in sorted({*names, *links}):
            path = Path(parent, name)
            if not _is_passed_over(name) and not (passed_over and path.resolve() in passed_over):
                yield path


def _walk(folder: Path, on_read: Callable[[int], object], passed_over: Collection[Path]) -> Iterator[Block | Rejection]:
    errors: list[OSError] = []
    is_empty = True
    for path in files_below(folder, passed_over, errors.append):
        is_empty, name = False, path.name.lower()
        if path.is_symlink() and path.is_dir():
            yield Rejection("other_file", "a link to a folder, not followed", str(path), n_alerts=0)
        elif name.endswith((*READABLE_SUFFIXES, *OTHER_ARCHIVES)):
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
    with io.BufferedReader(file) as stream:
        try:
            yield from _reader(path.name)(stream, source)
        except _UnreadableError as error:
            yield Rejection("unreadable", str(error), source)


def _reader(name: str) -> Callable[[BinaryIO, str], Iterator[Block | Rejection]]:
    name = name.lower()
    if name.endswith(ARCHIVE_SUFFIXES):
        return _read_archive
    if name.endswith(OTHER_ARCHIVES):
        return _refuse_archive
    return _read_gzip if name.endswith(".gz") else read_avro


def _refuse_archive(_stream: BinaryIO, source: str) -> Iterator[Rejection]:
    yield Rejection("other_archive", f"not read; unpack it, or make it one of {', '.join(ARCHIVE_SUFFIXES)}", source)


def _read_gzip(stream: BinaryIO, source: str) -> Iterator[Block | Rejection]:
    try:
        yield from read_avro(gzip.GzipFile(fileobj=stream, mode="rb"), source)
    except (gzip.BadGzipFile, *BAD_COMPRESSION) as error:
        yield Rejection("bad_gzip", str(error), source)


def _read_archive(stream: BinaryIO, source: str) -> Iterator[Block | Rejection]:
    archive = _Ahead(stream)
    head = archive.peek(len(XZ))
    if head.startswith(ZSTD):
        yield from _refuse_archive(archive, source)
        return
    is_empty = True
    try:
        for member in members(_open_archive(archive, head)):
            is_empty = is_empty and member.is_directory
            if not member.is_directory and not _is_passed_over(member.name):
                yield from _read_member(member, f"{source}!{member.name}")
    except (ArchiveError, OSError, *BAD_COMPRESSION) as error:
        if isinstance(error, OSError) and error.errno is not None:  # not of the archive, as those of gzip and bzip2 are
            raise
        yield Rejection("bad_archive", str(error), source)
        return
    if is_empty:
        yield Rejection("no_members", "no file in it", source, n_alerts=0)


def _read_member(member: Member, source: str) -> Iterator[Block | Rejection]:
    name = member.name.lower()
    if name.endswith((*ARCHIVE_SUFFIXES, *OTHER_ARCHIVES)):
        yield Rejection("other_archive", "an archive within an archive is not read; unpack the outer one", source)
    elif not name.endswith(AVRO_SUFFIXES):
        yield Rejection("other_file", f"not {AVRO_SUFFIX}", source, n_alerts=0)
    elif member.is_hard_link:
        yield Rejection("link", "another name of a member before it", source, n_alerts=0)
    elif not member.is_file:
        yield Rejection("not_a_file", "a link, a device or a sparse file", source)
    else:
        yield from _reader(name)(member.stream, source)
