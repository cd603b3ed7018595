"""The framing of Avro object container files: a header with the schema, then blocks of still encoded records.

Nothing is believed before it is bounded, and bad content becomes a `Rejection`, never an exception. Memory holds one
block at a time.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from data_prep.ledger import Rejection

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
SCHEMA_ID_BYTES = 4  # in a registry's message, after a zero byte
CODECS = ("null", "deflate", "snappy")

MAX_BLOCK_BYTES = 64 << 20  # writers close a block after 16 kB to 4 MB; an alert has 70 kB
MAX_RECORDS_PER_BLOCK = 1024  # 64 MB of real alerts; the 24 kB kept of each are held for a whole block
MAX_METADATA_BYTES = 4 << 20  # the header with its schema; ZTF's takes 25 kB
METADATA_OVERHEAD = 1024  # counted for each string, so that their number is bounded, too; writers have ten
MAX_VARINT_BYTES = 10  # of a 64-bit number
MIN_RECORD_BYTES = 32  # no alert is smaller: an identifier, a candid, a time


class Stream(Protocol):
    """Anything with `read(n)`: a file or a member of an archive."""

    def read(self, size: int, /) -> bytes: ...


class Block(NamedTuple):
    """One block of an Avro file: records of one schema, compressed as one.

    Attributes:
        source: the file, or "archive!member".
        first_record: index in the file of the block's first record.
        schema_json: the writer's schema as the file states it.
        codec: one of CODECS.
        n_records: how many records the block claims to hold, 1 to MAX_RECORDS_PER_BLOCK.
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


class _FramingError(ValueError):
    def __init__(self, reason: str, detail: str, n_alerts: int = 1) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.n_alerts = n_alerts


def read_avro(stream: Stream, source: str) -> Iterator[Block | Rejection]:
    """Read one Avro file.

    Yields:
        Blocks, and a Rejection for what cannot be read: empty_file, not_avro, confluent_framing, bad_header,
        unknown_codec, no_records, bad_block. What came before a fault is kept.

    Apache Avro 1.11 specification, object container files.
    """
    first_record = 0
    try:
        header = _read_header(stream)
        while (block := _read_block(stream, header.sync)) is not None:
            n_records, payload = block
            if n_records > MAX_RECORDS_PER_BLOCK:
                detail = f"{n_records} records in one block, expected at most {MAX_RECORDS_PER_BLOCK}"
                yield Rejection("bad_block", detail, source, n_alerts=plausible_count(n_records, len(payload)))
            elif n_records:
                yield Block(source, first_record, header.schema_json, header.codec, n_records, payload)
            first_record += n_records
        if not first_record:
            raise _FramingError("no_records", "the file ends after its header")
    except _FramingError as error:
        detail = f"{error.detail} (after {first_record} records)" if first_record else error.detail
        yield Rejection(error.reason, detail, source, n_alerts=error.n_alerts)


def _read_header(stream: Stream) -> _Header:
    magic = stream.read(len(MAGIC))
    if not magic:
        raise _FramingError("empty_file", "0 bytes")
    if magic[0] == 0 and any(magic[1:] + stream.read(1 + SCHEMA_ID_BYTES - len(MAGIC))):  # zeros are no message
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


def _read_metadata(stream: Stream) -> dict[bytes, bytes]:
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


def _read_block(stream: Stream, sync: bytes) -> tuple[int, bytes] | None:
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


def _read_long(stream: Stream, first: bytes = b"") -> int:
    """A zigzag varint of 64 bits."""
    value = 0
    for shift in range(0, 7 * MAX_VARINT_BYTES, 7):
        byte = (first or _read(stream, 1))[0]
        first = b""
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
    raise _FramingError("bad_block", f"a number of more than {MAX_VARINT_BYTES} bytes")


def _read(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError(f"cut: {size - len(data)} of {size} bytes are missing")
    return data
