"""Where alerts come in: directories, tar archives and Avro files become blocks of still encoded records.

Everything read here is untrusted. Only the framing of the Avro object container file is looked at, each size is bounded
before it is believed, and bad content becomes a `Rejection`, never an exception. Memory does not grow with the input.
"""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from data_prep.ledger import Rejection
from data_prep.tars import ArchiveError, members

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
CODECS = ("null", "deflate", "snappy")
ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
AVRO_SUFFIX = ".avro"
READABLE_SUFFIXES = (AVRO_SUFFIX, *ARCHIVE_SUFFIXES)

MAX_BLOCK_BYTES = 64 << 20  # writers close a block after 16 kB to 4 MB; an alert has 70 kB
MAX_METADATA_BYTES = 4 << 20  # the header with its schema; ZTF's takes 25 kB
METADATA_OVERHEAD = 1024  # counted for each string, so that their number is bounded, too; writers have ten
MAX_VARINT_BYTES = 10  # of a 64-bit number
MIN_RECORD_BYTES = 32  # no alert is smaller: an identifier, a candid, a time


class Block(NamedTuple):
    """One block of an Avro file: records of one schema, compressed as one.

    Attributes:
        source: the file, or "archive!member".
        first_record: index in the file of the block's first record.
        schema_json: the writer's schema as the file states it.
        codec: one of CODECS.
        n_records: how many records the block claims to hold, at most MAX_BLOCK_BYTES / MIN_RECORD_BYTES.
        payload: the records as stored.
    """

    source: str
    first_record: int
    schema_json: bytes
    codec: str
    n_records: int
    payload: bytes


class _Header(NamedTuple):
    schema_json: bytes
    codec: str
    sync: bytes


class _MeteredFile(io.FileIO):
    """A file that tells how many bytes are read."""

    def __init__(self, path: Path, on_read: Callable[[int], object]) -> None:
        super().__init__(path)
        self._on_read = on_read

    def readinto(self, buffer) -> int:
        n_bytes = super().readinto(buffer)
        self._on_read(n_bytes)
        return n_bytes


class _FramingError(ValueError):
    def __init__(self, reason: str, detail: str, n_alerts: int = 1) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.n_alerts = n_alerts


def _ignore(_n_bytes: int) -> None:
    """Nobody watches."""


def read_blocks(path: str | os.PathLike, on_read: Callable[[int], object] = _ignore) -> Iterator[Block | Rejection]:
    """Read all alerts below a path, in a fixed order, one block at a time.

    Args:
        path: a directory (searched to any depth for *.avro, *.tar, *.tar.gz, *.tgz), an Avro file with one or many
            records, or an archive of such files.
        on_read: told the number of bytes as they are read from disk, for a progress bar.

    Yields:
        Blocks, and a Rejection for what cannot be read: empty_file, not_avro, confluent_framing, bad_header,
        unknown_codec, no_records, bad_block, bad_archive, unreadable, not_a_file; other_file (0 alerts) for each file
        that is not an alert by its name. What came before a fault is kept.

    Raises:
        FileNotFoundError: `path` does not exist.

    Apache Avro 1.11 specification, object container files.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory (expected alert packets)")
    return _walk(path, on_read) if path.is_dir() else _read_file(path, on_read)


def _walk(folder: Path, on_read: Callable[[int], object]) -> Iterator[Block | Rejection]:
    errors: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders.sort()
        links = [name for name in folders if Path(parent, name).is_symlink()]  # not followed: they may form circles
        for name in sorted(names + links):
            path = Path(parent, name)
            if name.endswith(READABLE_SUFFIXES):
                yield from _read_file(path, on_read)
            else:
                yield Rejection("other_file", f"not {AVRO_SUFFIX} or an archive", str(path), n_alerts=0)
    for error in errors:
        yield Rejection("unreadable", str(error), str(error.filename), n_alerts=0)


def _read_file(path: Path, on_read: Callable[[int], object]) -> Iterator[Block | Rejection]:
    source = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for ever
            yield Rejection("not_a_file", "not a regular file", source)
            return
        with io.BufferedReader(_MeteredFile(path, on_read)) as stream:
            if path.name.endswith(ARCHIVE_SUFFIXES):
                yield from _read_archive(stream, source)
            else:
                yield from _read_avro(stream, source)
    except OSError as error:
        yield Rejection("unreadable", str(error), source)


def _read_archive(stream: BinaryIO, source: str) -> Iterator[Block | Rejection]:
    is_gzip = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    archive = gzip.GzipFile(fileobj=stream) if is_gzip else stream
    try:
        for member in members(archive):
            name = f"{source}!{member.name}"
            if member.is_directory:
                continue
            if not member.name.endswith(AVRO_SUFFIX):
                yield Rejection("other_file", f"not {AVRO_SUFFIX}", name, n_alerts=0)
            elif not member.is_file:
                yield Rejection("not_a_file", "a link or a device", name)
            else:
                yield from _read_avro(member.stream, name)
    except (ArchiveError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield Rejection("bad_archive", str(error), source)


def _read_avro(stream: BinaryIO, source: str) -> Iterator[Block | Rejection]:
    first_record = 0
    try:
        header = _read_header(stream)
        while (block := _read_block(stream, header.sync)) is not None:
            n_records, payload = block
            if n_records:
                yield Block(source, first_record, header.schema_json, header.codec, n_records, payload)
            first_record += n_records
        if not first_record:
            raise _FramingError("no_records", "the file ends after its header")
    except _FramingError as error:
        detail = f"{error.detail} (after {first_record} records)" if first_record else error.detail
        yield Rejection(error.reason, detail, source, n_alerts=error.n_alerts)


def _read_header(stream: BinaryIO) -> _Header:
    magic = stream.read(len(MAGIC))
    if not magic:
        raise _FramingError("empty_file", "0 bytes")
    if magic[0] == 0 and len(magic) == len(MAGIC):
        raise _FramingError("confluent_framing", f"starts with {magic!r}: a registry's message, not an Avro file")
    if magic != MAGIC:
        raise _FramingError("not_avro", f"starts with {magic!r}, expected {MAGIC!r}")
    try:
        metadata = _read_metadata(stream)
        sync = _read(stream, SYNC_BYTES)
    except EOFError as error:
        raise _FramingError("bad_header", str(error)) from None
    if b"avro.schema" not in metadata:
        raise _FramingError("bad_header", "no avro.schema")
    codec = metadata.get(b"avro.codec", b"null").decode("ascii", "replace")
    if codec not in CODECS:
        raise _FramingError("unknown_codec", f"{codec[:40]!r}, expected one of {', '.join(CODECS)}")
    return _Header(metadata[b"avro.schema"], codec, sync)


def _read_metadata(stream: BinaryIO) -> dict[bytes, bytes]:
    """The map of strings to bytes in the header; all of it within MAX_METADATA_BYTES."""
    metadata: dict[bytes, bytes] = {}
    left = MAX_METADATA_BYTES
    while count := _read_long(stream):
        if count < 0:  # then the size of this part in bytes follows, which we do not need
            count = -count
            _read_long(stream)
        for _ in range(count):
            pair = []
            for _ in range(2):
                size = _read_long(stream)
                left -= size + METADATA_OVERHEAD
                if size < 0 or left < 0:
                    raise _FramingError("bad_header", f"metadata of {size} bytes, at most {MAX_METADATA_BYTES} in all")
                pair.append(_read(stream, size))
            metadata[pair[0]] = pair[1]
    return metadata


def _read_block(stream: BinaryIO, sync: bytes) -> tuple[int, bytes] | None:
    """Record count and payload of the next block; None at the end of the file."""
    first = stream.read(1)
    if not first:
        return None
    try:
        n_records, size = _read_long(stream, first), _read_long(stream)
    except EOFError as error:
        raise _FramingError("bad_block", str(error)) from None
    if not 0 <= size <= MAX_BLOCK_BYTES:
        raise _FramingError("bad_block", f"a block of {size} bytes, expected at most {MAX_BLOCK_BYTES}")
    if not 0 <= n_records <= MAX_BLOCK_BYTES // MIN_RECORD_BYTES or (size > MIN_RECORD_BYTES and not n_records):
        raise _FramingError("bad_block", f"{n_records} records in a block of {size} bytes")
    payload, marker = stream.read(size), stream.read(SYNC_BYTES)
    if marker != sync:
        found = "a cut block" if len(marker) < SYNC_BYTES else "a wrong sync marker"
        detail = f"{found}: {len(payload)} of {size} bytes, {n_records} records"
        raise _FramingError("bad_block", detail, plausible_count(n_records, len(payload)))
    return n_records, payload


def plausible_count(n_records: int, n_bytes: int) -> int:
    """How many alerts are lost with `n_bytes` that claim `n_records`: at least one, and no more than fit in there."""
    return max(1, min(n_records, n_bytes // MIN_RECORD_BYTES))


def _read_long(stream: BinaryIO, first: bytes = b"") -> int:
    """A zigzag varint of 64 bits."""
    value = 0
    for shift in range(0, 7 * MAX_VARINT_BYTES, 7):
        byte = (first or _read(stream, 1))[0]
        first = b""
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
    raise _FramingError("bad_block", f"a number of more than {MAX_VARINT_BYTES} bytes")


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError(f"cut: {size - len(data)} of {size} bytes are missing")
    return data
