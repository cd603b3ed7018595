"""Where alerts come in: directories, tar archives and Avro files become blocks of still encoded records.

Everything read here is untrusted: bad content becomes a `Rejection`, never an exception, and memory does not grow with
the input.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from data_prep import remote
from data_prep.ledger import Rejection
from data_prep.packets.avro import MAGIC, MAX_BLOCK_BYTES, MAX_RECORDS_PER_BLOCK, Block, read_avro
from data_prep.packets.tar import ArchiveError, Member, members
from data_prep.packets.walking import (
    ARCHIVE_SUFFIXES,
    AVRO_SUFFIX,
    AVRO_SUFFIXES,
    OTHER_ARCHIVES,
    READABLE_SUFFIXES,
    SMALL_BYTES,
    File,
    find,
    is_passed_over,
)

# By the first bytes, whatever the name says.
GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
BAD_COMPRESSION = (EOFError, zlib.error, lzma.LZMAError)
MAX_XZ_BYTES = 128 << 20  # of memory; xz -9 asks for 65 MB, a hostile file for any amount
CHUNK = 1 << 16
AHEAD = 16  # files that a process asks for at a time, where they are elsewhere


class _UnreadableError(Exception):
    """The disk fails: kept apart from errors of whoever watches."""


class _MeteredFile(io.RawIOBase):
    """A file that tells how many bytes are read."""

    def __init__(self, file: io.RawIOBase, on_read: Callable[[int], object]) -> None:
        self._file, self._on_read = file, on_read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            n_bytes = self._file.readinto(buffer)
        except OSError as error:
            raise _UnreadableError(str(error)) from None
        self._on_read(n_bytes)
        return n_bytes

    def close(self) -> None:
        self._file.close()
        super().close()


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
        path: or URL, of a directory (searched to any depth for Avro files and archives), an Avro file with one or many
            records, gzipped or not, or a tar archive of such files, plain or compressed by gzip, bzip2 or xz.
        on_read: told the number of bytes as they are read, for a progress bar.
        passed_over: as in `find`.

    Yields:
        Blocks, and a Rejection for what cannot be read: those of `read_avro`, bad_archive, bad_gzip, other_archive (of
        a kind that is not read, or within another), unreadable, not_a_file; of 0 alerts other_file for each file that
        is not an alert by its name, link for a second name of a member, empty_folder and no_members. What came before a
        fault is kept.

    Raises:
        FileNotFoundError, InputError: as `find`.

    Apache Avro 1.11 specification, object container files; POSIX.1-2001, tar.
    """
    items = find(path, passed_over)
    return chain.from_iterable(read(item, on_read) if isinstance(item, File) else [item] for item in items)


class _NotAFileError(OSError):
    """What has a file's name by now is none."""


def _opened(path: str) -> io.FileIO:
    """A file, which may have become something else since it was found: to open a FIFO would wait for who writes it.

    Raises:
        _NotAFileError: it is not a regular file. OSError: it cannot be opened.
    """
    file = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _NotAFileError("not a regular file")
    return file


def read(file: File, on_read: Callable[[int], object] = _ignore) -> Iterator[Block | Rejection]:
    """Read a file front to back; `on_read` and what is yielded as in `read_blocks`."""
    try:
        opened = remote.opened(file.url, file.path) if file.url else _opened(file.path)
    except _NotAFileError as error:
        yield Rejection("not_a_file", str(error), file.source)
        return
    except OSError as error:
        yield Rejection("unreadable", str(error), file.source)
        return
    with io.BufferedReader(_MeteredFile(opened, on_read), CHUNK) as stream:
        try:
            yield from _read_opened(file, stream)
        except _UnreadableError as error:
            yield Rejection("unreadable", str(error), file.source)


def read_at_once(file: File) -> list[Block | Rejection] | None:
    """What is in a small file; None where that is not to be had here, and it is for others to say why.

    It cannot be opened or read to its end, which may be the fault of this machine or of a moment; it is another than
    the one that was found, of that name on another machine; or there is more in it than should be in memory at once.
    Then it has to be read again, by `read`.
    """
    return _inside(file, _content(file))


def _content(file: File) -> bytes | None:
    try:
        if file.url:
            data = remote.read(file.url, file.path, file.size, SMALL_BYTES)
        else:
            with io.BufferedReader(_opened(file.path)) as stream:
                data = stream.read(file.size + 1)
    except OSError:
        return None
    is_it = len(data) <= SMALL_BYTES if file.size is None else len(data) == file.size
    return data if is_it else None


def _inside(file: File, data: bytes | None) -> list[Block | Rejection] | None:
    if data is None:
        return None
    items, n_records, n_bytes = [], 0, 0
    for item in _read_opened(file, io.BytesIO(data)):
        items.append(item)
        if isinstance(item, Block):
            n_records += item.n_records
            n_bytes += len(item.payload)
        if n_records > MAX_RECORDS_PER_BLOCK or n_bytes > MAX_BLOCK_BYTES:
            return None
    return items


def _read_opened(file: File, stream: BinaryIO) -> Iterator[Block | Rejection]:
    """By its name; a URL such as that of a download may have none that tells."""
    is_named = not file.url or file.name.endswith((*READABLE_SUFFIXES, *OTHER_ARCHIVES))
    return _reader(file.name)(stream, file.source) if is_named else read_stream(stream, file.source)


def read_ahead(items: Iterable[File | object]) -> Iterator[tuple[File | object, list[Block | Rejection] | None]]:
    """Items, and of files among them what `read_at_once` gives: some at a time where each is long in coming."""
    items = list(items)
    urls = {item.url for item in items if isinstance(item, File)} - {""}
    if not urls or not all(map(remote.is_parallel, urls)):
        yield from ((item, read_at_once(item) if isinstance(item, File) else None) for item in items)
        return
    with ThreadPoolExecutor(AHEAD) as pool:
        coming: deque[tuple[File | object, Future | None]] = deque()
        for item in items:
            coming.append((item, pool.submit(_content, item) if isinstance(item, File) else None))
            if len(coming) == AHEAD:
                yield _come(*coming.popleft())
        yield from (_come(*each) for each in coming)


def _come(item: File | object, content: Future | None) -> tuple[File | object, list[Block | Rejection] | None]:
    return item, content and _inside(item, content.result())


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
            if not member.is_directory and not is_passed_over(member.name):
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
