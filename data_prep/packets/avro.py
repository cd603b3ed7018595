"""Avro object container files: a header with the schema, then blocks of encoded records; and what to read of a record.

fastavro believes the sizes and counts that a file states, and passes over some types beyond the end of the data, so
that a few bytes can cost gigabytes or hours: the framing is read here, within bounds, and schemas are made safe first.
Bad content becomes a `Rejection`, never an exception. Memory holds one block at a time.

A writer's schema comes from outside. ZTF has changed its own more than once and brokers rewrite it (other names, other
order, everything nullable), so the reader's schema is made from the writer's own, cut down to the fields that we use,
field by field. Both are made safe to decode by: names are spelled out, and each item of an array takes at least one
byte, so that the bytes bound the work. Where fastavro would overlook the end of the data, as in arrays of doubles,
`Projection` has a walk to be made first. A record is read in parts, for one of them is the history: an array that may
be as long as the block, on which the alert must not depend.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import fastavro

from data_prep.ledger import Rejection
from data_prep.packets.metadata import CANDIDATE_FIELDS, HISTORY_FIELDS
from data_prep.packets.rows import RecordReader, RowReader, record_reader, row_reader

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
NO_AVRO = ("empty_file", "not_avro", "confluent_framing")  # nothing is looked for in what begins as something else
PADDING = b"\0\r\n"
MAX_HEAD_BYTES = 64  # of padding that may be the start of a block after all
MAX_FAULTS = 100  # in one file; with more of them it is not worth going on
CHUNK = 1 << 16
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
    """Read an Avro file, or several that were joined into one, as by `cat`.

    Yields:
        Blocks, and a Rejection for what cannot be read: empty_file, not_avro, confluent_framing, bad_header,
        unknown_codec, no_records, bad_block; too_many_faults for the rest of a file that has a hundred of these;
        trailing_bytes (0 alerts) for zeros or line ends after the last block.
        What came before a fault is kept, and so are the joined files after it.

    Apache Avro 1.11 specification, object container files.
    """
    file, first_record, n_faults = _Rewindable(stream), 0, 0
    while n_faults < MAX_FAULTS:
        try:
            for header, n_records, payload in _blocks(file):
                if n_records > MAX_RECORDS_PER_BLOCK:
                    detail = f"{n_records} records in one block, expected at most {MAX_RECORDS_PER_BLOCK}"
                    yield Rejection("bad_block", detail, source, n_alerts=plausible_count(n_records, len(payload)))
                elif n_records:
                    yield Block(source, first_record, header.schema_json, header.codec, n_records, payload)
                first_record += n_records
            return
        except _FramingError as error:
            detail = f"{error.detail} (after {first_record} records)" if first_record else error.detail
            yield Rejection(error.reason, detail, source, n_alerts=error.n_alerts)
            if error.reason in NO_AVRO:
                return
            n_faults += bool(error.n_alerts)
            file.back()  # the next of joined files may begin within what is damaged
            if not file.seek(MAGIC):
                return
    yield Rejection(
        "too_many_faults", f"{n_faults} faults (after {first_record} records): the rest is not read", source
    )


class _Rewindable:
    """A stream that goes back to where something began, to look into it for what it should not have held."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._ahead, self._at = stream, b"", 0
        self._since: list[bytes] = []

    def read(self, size: int) -> bytes:
        data = self._take(size)
        self._since.append(data)
        return data

    def mark(self) -> None:
        """Something begins here."""
        self._since = []

    def back(self) -> None:
        """Go back to the byte after the mark."""
        self.push(b"".join(self._since)[1:])
        self.mark()

    def _take(self, size: int) -> bytes:
        data = self._ahead[self._at : self._at + size]
        self._at += len(data)
        return data + self._stream.read(size - len(data)) if len(data) < size else data

    def push(self, data: bytes) -> None:
        """Put back what was taken last; without a copy of what is ahead, where it is there."""
        before = max(self._at - len(data), 0)
        if self._ahead[before : self._at] == data:
            self._at = before
        else:
            self._ahead, self._at = data + self._ahead[self._at :], 0

    def peek(self, size: int) -> bytes:
        data = self._take(size)
        self.push(data)
        return data

    def seek(self, mark: bytes) -> bool:
        """Go on to where `mark` is next; False where it is not."""
        tail = b""
        while chunk := self._take(CHUNK):
            data = tail + chunk
            if (place := data.find(mark)) >= 0:
                self.push(data[place:])
                return True
            tail = data[-len(mark) + 1 :]
        return False

    def skip(self, padding: bytes) -> bytes:
        """Pass over bytes that are among those of `padding`; returns the first few of them."""
        first = b""
        while chunk := self._take(CHUNK):
            rest = chunk.lstrip(padding)
            first = first or chunk[: min(len(chunk) - len(rest), MAX_HEAD_BYTES)]
            if rest:
                self.push(rest)
                break
        return first


def _blocks(file: _Rewindable) -> Iterator[tuple[_Header, int, bytes]]:
    """Header, record count and payload of each block, of one file or of several that were joined."""
    file.mark()
    header, n_records = _read_header(file), 0
    while head := file.peek(len(MAGIC)):
        if head[0] in PADDING:
            _check_padding(file, n_records)
        if head == MAGIC:  # no block: its count would be negative
            if not n_records:
                break
            file.mark()
            header, n_records = _read_header(file), 0
        else:
            n_in_block, payload = _read_block(file, header.sync)
            file.mark()
            n_records += n_in_block
            yield header, n_in_block, payload
    if not n_records:
        raise _FramingError("no_records", "the file ends after its header")


def _check_padding(file: _Rewindable, n_records: int) -> None:
    """Raise where zeros or line ends stand between the last block and the end, or the next of joined files."""
    head = file.skip(PADDING)
    if n_records and file.peek(len(MAGIC)) in (MAGIC, b""):
        raise _FramingError("trailing_bytes", f"{head!r} after the last block", n_alerts=0)
    file.push(head)


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


def _read_block(stream: Stream, sync: bytes) -> tuple[int, bytes]:
    """Record count and payload of the next block."""
    try:
        n_records, size = _read_long(stream), _read_long(stream)
    except EOFError as error:
        raise _FramingError("bad_block", str(error)) from None
    if not 0 <= size <= MAX_BLOCK_BYTES:
        raise _FramingError("bad_block", f"a block of {size} bytes, expected at most {MAX_BLOCK_BYTES}")
    if not 0 <= n_records <= MAX_BLOCK_BYTES // MIN_RECORD_BYTES or (size > MIN_RECORD_BYTES and not n_records):
        raise _FramingError("bad_block", f"{n_records} records in a block of {size} bytes")
    payload, marker = stream.read(size), stream.read(SYNC_BYTES)
    if marker != sync:
        damage = "a cut block" if len(marker) < SYNC_BYTES else "a wrong sync marker"
        detail = f"{damage}: {len(payload)} of {size} bytes, {n_records} records"
        raise _FramingError("bad_block", detail, plausible_count(n_records, len(payload)))
    return n_records, payload


def plausible_count(n_records: int, n_bytes: int) -> int:
    """How many alerts are lost with `n_bytes` that claim `n_records`: at least one, and no more than fit in there."""
    return max(1, min(n_records, n_bytes // MIN_RECORD_BYTES))


def _read_long(stream: Stream) -> int:
    """A zigzag varint of 64 bits."""
    value = 0
    for shift in range(0, 7 * MAX_VARINT_BYTES, 7):
        byte = _read(stream, 1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
    raise _FramingError("bad_block", f"a number of more than {MAX_VARINT_BYTES} bytes")


def _read(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError(f"cut: {size - len(data)} of {size} bytes are missing")
    return data


MAX_TYPES = 20_000  # in a schema with its names spelled out; ZTF's 3.3 has 300
MAX_DEPTH = 32  # ZTF's 3.3 has 5
MAX_FIXED_BYTES = 1 << 20

UNCHECKED = ("boolean", "float", "double")  # fastavro (1.13) skips these, and a fixed, beyond the end of the data
SCALARS = ("boolean", "int", "long", "float", "double", "bytes", "string")
CUTOUT_FIELDS = ("cutoutScience", "cutoutTemplate", "cutoutDifference")
REQUIRED = ("objectId", "candidate", "candidate.jd")  # and a candid, at the top or in the candidate
HISTORY_FIELD = "prv_candidates"
REQUIRED_OF_HISTORY = ("jd", "magpsf")  # without the second a row is a limit or anything else
COARSE = ("candid", "candidate.candid", "prv_candidates.candid", "prv_candidates.jd")  # too much for a float32

CUTOUT = "cutout"

# The fields to read; None = a scalar. What is not named here (forced photometry) is passed over, and so is what is of
# no use in its type. Cutouts come in many makes, which `alerts` tells apart.
WANTED: Mapping[str, Any] = {
    "objectId": None,
    "candid": None,
    "survey": None,
    "candidate": dict.fromkeys((*CANDIDATE_FIELDS, "candid")),
    **dict.fromkeys(CUTOUT_FIELDS, CUTOUT),
}
WANTED_OF_HISTORY: Mapping[str, Any] = dict.fromkeys((*HISTORY_FIELDS, "candid"))


class SchemaError(ValueError):
    """A writer's schema that is no alert's, or is not safe to decode by.

    Attributes:
        reason: "bad_schema" or "other_schema", for the ledger.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Part(NamedTuple):
    """Some fields of a record.

    Attributes:
        writer, reader: the schemas, parsed, as `fastavro.schemaless_reader` takes them.
        plain: reads them in less time; None where they are not plain.
    """

    writer: dict
    reader: dict
    plain: RecordReader | None


class HistoryPart(NamedTuple):
    """The history among them.

    Attributes:
        writer, reader: as of other parts; no reader where it is of another form than we read.
        nothing: the reader that passes over it.
        rows: reads it in less time; None where rows of this schema are not plain.
    """

    writer: dict
    reader: dict | None
    nothing: dict
    rows: RowReader | None


class Projection(NamedTuple):
    """How to read a writer's records.

    Attributes:
        parts: the fields of a record in their order.
        walk: to be called with the bytes of a record and those after it, where fastavro would not notice their end;
            raises EOFError or ValueError there. None where it would.
    """

    parts: tuple[Part | HistoryPart, ...]
    walk: "Walk | None"


@lru_cache(maxsize=64)  # a night of alerts has one schema, all of ZTF some twenty
def project_schema(schema_json: bytes) -> Projection | SchemaError:
    """Make the pairs of schemas that read `WANTED` and the history from a writer's records.

    Args:
        schema_json: the schema as it stands in the file.

    Returns:
        The pairs, or (returned, so that it is remembered as well) a SchemaError: bad_schema for what is not a schema or
        lets a few bytes stand for any amount of work, other_schema where fields in REQUIRED are missing.

    Apache Avro 1.11 specification, schema resolution.
    """
    try:
        expansion = _Expansion()
        writer = expansion.expand(json.loads(schema_json), "", 0)
        reader = _project(writer, WANTED, "")
        _require_candid(reader)
        walk = _walker(writer) if expansion.overlooks_the_end else None
        return Projection(tuple(_parts(writer, reader)), walk)
    except SchemaError as error:
        return error
    except Exception as error:  # json or fastavro, on anything: ValueError, RecursionError, TypeError…
        return SchemaError("bad_schema", f"{type(error).__name__}: {str(error)[:200]}")


class _Expansion:
    """Rewrites a schema so that no type refers to another by name; new names, no logical types, defaults or docs."""

    def __init__(self) -> None:
        self.definitions: dict[str, tuple[dict, str]] = {}
        self.n_types = 0
        self.overlooks_the_end = False  # whether fastavro would, in some array

    def expand(self, schema: Any, namespace: str, depth: int) -> Any:
        self.n_types += 1
        if depth > MAX_DEPTH or self.n_types > MAX_TYPES:  # a type that contains itself ends here, too
            raise SchemaError("bad_schema", f"nested {depth} deep, {self.n_types} types, or recursive")
        if isinstance(schema, list):
            return self._union(schema, namespace, depth)
        if isinstance(schema, str):
            return self._named(schema, namespace, depth)
        if not isinstance(schema, dict) or "type" not in schema:
            raise SchemaError("bad_schema", f"{str(schema)[:80]} is not a type")
        kind = schema["type"]
        if kind in ("record", "error", "enum", "fixed"):
            return self._definition(schema, namespace, depth)
        if kind in ("array", "map"):
            part = "items" if kind == "array" else "values"
            item = self.expand(schema.get(part), namespace, depth + 1)
            if kind == "array" and _size(item) == 0:
                raise SchemaError("bad_schema", f"an array of {str(item)[:80]}, which takes no bytes")
            if kind == "array" and not _notices_the_end(item):  # the keys of a map notice it
                self.overlooks_the_end = True
            return {"type": kind, part: item}
        return self.expand(kind, namespace, depth + 1)

    def _union(self, branches: list, namespace: str, depth: int) -> list:
        return [self.expand(branch, namespace, depth + 1) for branch in branches]

    def _named(self, name: str, namespace: str, depth: int) -> Any:
        if name in SCALARS or name == "null":
            return name
        full_name = name if "." in name or not namespace else f"{namespace}.{name}"
        if full_name not in self.definitions:
            raise SchemaError("bad_schema", f"unknown type {full_name[:80]!r}")
        definition, namespace = self.definitions[full_name]
        return self._body(definition, namespace, depth)

    def _definition(self, schema: dict, namespace: str, depth: int) -> dict:
        name, namespace = schema.get("name"), schema.get("namespace", namespace) or ""
        if not isinstance(name, str) or not isinstance(namespace, str):
            raise SchemaError("bad_schema", f"a {schema['type']} has no name")
        if "." in name:
            namespace = name.rpartition(".")[0]
        elif namespace:
            name = f"{namespace}.{name}"
        self.definitions[name] = (schema, namespace)
        return self._body(schema, namespace, depth)

    def _body(self, schema: dict, namespace: str, depth: int) -> dict:
        fresh = {"type": schema["type"], "name": f"type{self.n_types}"}
        self.n_types += 1
        if schema["type"] == "enum":
            return fresh | {"symbols": schema.get("symbols")}
        if schema["type"] == "fixed":
            size = schema.get("size")
            if type(size) is not int or not 0 < size <= MAX_FIXED_BYTES:
                raise SchemaError("bad_schema", f"a fixed of {str(size)[:20]} bytes")
            return fresh | {"size": size}
        fields = schema.get("fields")
        if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
            raise SchemaError("bad_schema", "a record without a list of fields")
        names = [field.get("name") for field in fields]
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise SchemaError("bad_schema", "a record with nameless or repeated fields")
        types = [self.expand(field.get("type"), namespace, depth + 1) for field in fields]
        return fresh | {"fields": [{"name": n, "type": t} for n, t in zip(names, types, strict=True)]}


def _notices_the_end(schema: Any) -> bool:
    """Whether passing over a value of this (expanded) type fails where the data end; otherwise 2^62 take for ever."""
    if isinstance(schema, str):
        return schema not in (*UNCHECKED, "null")
    if isinstance(schema, dict) and schema["type"] in ("record", "error"):
        return any(_notices_the_end(field["type"]) for field in schema["fields"])
    return isinstance(schema, list) or schema["type"] != "fixed"


Walk = Callable[[bytes, int], int]
SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def _size(schema: Any) -> int | None:
    """Bytes that any value of an expanded type takes; None where they depend on the value."""
    if isinstance(schema, str):
        return SIZES.get(schema)
    if isinstance(schema, dict) and schema["type"] == "fixed":
        return schema["size"]
    if isinstance(schema, dict) and schema["type"] in ("record", "error"):
        sizes = [_size(field["type"]) for field in schema["fields"]]
        return None if None in sizes else sum(sizes)
    return None


def _walker(schema: Any) -> Walk:
    """A function that passes over a value of an expanded type in some bytes, from a place in them to the next.

    It raises EOFError where a value does not end within the bytes, ValueError where it is damaged. Its work is bounded
    by the bytes: each item of an array or a map takes one at least.
    """
    if (size := _size(schema)) is not None:
        return lambda data, at: _within(data, at + size)
    if isinstance(schema, list):
        branches = [_walker(branch) for branch in schema]

        def walk_union(data: bytes, at: int) -> int:
            branch, at = _long_at(data, at)
            if not 0 <= branch < len(branches):
                raise ValueError(f"branch {branch} of a union of {len(branches)}")
            return branches[branch](data, at)

        return walk_union
    if schema in ("bytes", "string"):
        return _walk_bytes
    if isinstance(schema, str) or schema["type"] == "enum":
        return lambda data, at: _long_at(data, at)[1]
    if schema["type"] in ("array", "map"):
        return _walker_of_items(schema)
    fields = [_walker(field["type"]) for field in schema["fields"]]

    def walk_record(data: bytes, at: int) -> int:
        for field in fields:
            at = field(data, at)
        return at

    return walk_record


def _walker_of_items(schema: dict) -> Walk:
    """Of an array or a map: blocks of items, each with their count; a negative one comes with their size in bytes."""
    keyed = schema["type"] == "map"
    kind = schema["values" if keyed else "items"]
    size, item = None if keyed else _size(kind), _walker(kind)

    def walk(data: bytes, at: int) -> int:
        while True:
            count, at = _long_at(data, at)
            if not count:
                return at
            stated = None
            if count < 0:
                stated, at = _long_at(data, at)
            first = at
            if size:  # no need to look at each
                at = _within(data, at + size * abs(count))
            else:
                for _ in range(abs(count)):
                    at = item(data, _walk_bytes(data, at) if keyed else at)
            if stated not in (None, at - first):
                raise ValueError(f"{abs(count)} items of {at - first} bytes, said to be {stated}")

    return walk


def _walk_bytes(data: bytes, at: int) -> int:
    size, at = _long_at(data, at)
    if size < 0:
        raise ValueError(f"a string of {size} bytes")
    return _within(data, at + size)


def _within(data: bytes, at: int) -> int:
    if at > len(data):
        raise EOFError(f"cut: {at - len(data)} bytes are missing")
    return at


def _long_at(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint of 64 bits and the place after it."""
    value = 0
    for shift, byte in zip(range(0, 7 * MAX_VARINT_BYTES, 7), data[at : at + MAX_VARINT_BYTES], strict=False):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + shift // 7 + 1
    raise EOFError("cut within a number")


def _project(schema: Any, wanted: Mapping[str, Any] | str | None, path: str) -> Any:
    """The part of a writer's type that `wanted` asks for: None a scalar, a mapping the fields of a record; or null."""
    if wanted == CUTOUT:
        return _project_cutout(schema)
    if isinstance(schema, list):
        return [branch if branch == "null" else _project(branch, wanted, path) for branch in schema]
    if wanted is None:
        if not _is_scalar(schema):
            raise SchemaError("other_schema", f"{path} is of type {str(schema)[:40]}, expected a scalar")
        if path == "candidate.jd" and schema == "float":
            raise SchemaError("other_schema", "candidate.jd is a float, good to 6 hours; expected a double")
        return schema
    if not isinstance(schema, dict) or schema["type"] not in ("record", "error"):
        raise SchemaError("other_schema", f"{path or 'an alert'} is not a record")
    prefix = f"{path}." if path else ""
    types = {field["name"]: field["type"] for field in schema["fields"]}
    missing = [f"{prefix}{name}" for name in wanted if name not in types and f"{prefix}{name}" in REQUIRED]
    if missing:
        raise SchemaError("other_schema", f"no field {', '.join(missing)}; expected packets of ZTF's form")
    kept = [name for name in types if name in wanted and _is_useful(types[name], wanted[name], f"{prefix}{name}")]
    return {
        "type": schema["type"],
        "name": schema["name"],
        "fields": [{"name": name, "type": _project(types[name], wanted[name], f"{prefix}{name}")} for name in kept],
    }


def _parts(writer: Any, reader: Any) -> Iterator[Part | HistoryPart]:
    """A record cut before and after its history: its fields stand one after the other, with nothing in between."""
    if isinstance(writer, list):  # of one kind of records or another; none that we know of has a history
        yield Part(fastavro.parse_schema(writer), fastavro.parse_schema(reader), None)
        return
    names = [field["name"] for field in writer["fields"]]
    at = names.index(HISTORY_FIELD) if HISTORY_FIELD in names else len(names)
    for cut in (slice(at), slice(at, at + 1), slice(at + 1, None)):
        fields = writer["fields"][cut]
        part = writer | {"fields": fields}
        if [field["name"] for field in fields] == [HISTORY_FIELD]:
            rows = _project_history(fields[0]["type"])
            wanted = writer | {"fields": [{"name": HISTORY_FIELD, "type": rows}]}
            nothing = fastavro.parse_schema(writer | {"fields": []})
            plain = row_reader(fields[0]["type"], rows) if rows else None
            wanted = fastavro.parse_schema(wanted) if rows else None
            yield HistoryPart(fastavro.parse_schema(part), wanted, nothing, plain)
        elif fields:
            here = {field["name"] for field in fields}
            kept = reader | {"fields": [field for field in reader["fields"] if field["name"] in here]}
            yield Part(fastavro.parse_schema(part), fastavro.parse_schema(kept), record_reader(part, kept))


def _project_history(schema: Any) -> Any:
    """The part of its rows that we read; None where it is no array of records with what a row must have."""
    if isinstance(schema, list):
        branches = [branch if branch == "null" else _project_history(branch) for branch in schema]
        return None if None in branches or branches == ["null"] else branches
    if not isinstance(schema, dict) or schema["type"] != "array":
        return None
    rows = _branches(schema["items"])
    if not rows or not all(isinstance(row, dict) and row["type"] in ("record", "error") for row in rows):
        return None
    try:
        items = _project(schema["items"], WANTED_OF_HISTORY, HISTORY_FIELD)
    except SchemaError:
        return None
    named = [{field["name"] for field in row["fields"]} for row in _branches(items)]
    return schema | {"items": items} if all(names.issuperset(REQUIRED_OF_HISTORY) for names in named) else None


def _project_cutout(schema: Any) -> Any:
    """The bytes of a cutout, bare or in a record under whatever name."""
    if isinstance(schema, list):
        return list(map(_project_cutout, schema))
    if isinstance(schema, str):
        return schema
    return schema | {"fields": [field for field in schema["fields"] if _is_bytes(field["type"])]}


def _branches(schema: Any) -> list:
    """The types that a value may have, without null."""
    return [branch for branch in (schema if isinstance(schema, list) else [schema]) if branch != "null"]


def _is_bytes(schema: Any) -> bool:
    return all(branch == "bytes" for branch in _branches(schema))


def _is_cutout(schema: Any) -> bool:
    """Whether a type is bytes, or a record with some."""
    if isinstance(schema, str):
        return schema == "bytes"
    return schema["type"] in ("record", "error") and any(_is_bytes(field["type"]) for field in schema["fields"])


def _is_scalar(schema: Any) -> bool:
    return schema in SCALARS or (isinstance(schema, dict) and schema["type"] == "enum")


def _is_useful(schema: Any, wanted: Mapping[str, Any] | str | None, path: str) -> bool:
    """Whether a field is to be read: those required are, and of the others scalars whose type can hold the value."""
    if wanted == CUTOUT:
        return all(map(_is_cutout, _branches(schema)))
    if wanted is not None or path in REQUIRED:
        return True
    branches = _branches(schema)
    return branches != [] and all(map(_is_scalar, branches)) and not (path in COARSE and "float" in branches)


def _require_candid(reader: Any) -> None:
    for record in _branches(reader):
        types = {field["name"]: field["type"] for field in record["fields"]}
        inside = {field["name"] for branch in _branches(types["candidate"]) for field in branch["fields"]}
        if "candid" not in types and "candid" not in inside:
            raise SchemaError("other_schema", "no field candid (of a type that holds 64-bit integers)")
