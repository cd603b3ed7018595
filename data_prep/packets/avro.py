"""Avro object container files: their framing, and the reader's schema, the writer's cut down to the fields we use.

Nothing is believed before it is bounded, and bad content becomes a `Rejection`, never an exception. Memory holds one
block at a time. ZTF has changed its schema more than once and brokers rewrite it (other names, other order, everything
nullable), so the reader's schema is made from the writer's own, field by field. Both are made safe to decode by: names
are spelled out, each value takes at least one byte, and no array has items whose end fastavro would overlook, so that
the bytes bound the work.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import fastavro

from data_prep.ledger import Rejection
from data_prep.packets.metadata import CANDIDATE_FIELDS

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


MAX_TYPES = 20_000  # in a schema with its names spelled out; ZTF's 3.3 has 300
MAX_DEPTH = 32  # ZTF's 3.3 has 5
MAX_FIXED_BYTES = 1 << 20

UNCHECKED = ("boolean", "float", "double")  # fastavro (1.13) skips these, and a fixed, beyond the end of the data
SCALARS = ("boolean", "int", "long", "float", "double", "bytes", "string")
CUTOUT_FIELDS = ("cutoutScience", "cutoutTemplate", "cutoutDifference")
REQUIRED = ("objectId", "candid", "candidate", "candidate.jd")

# The fields to read; None = a scalar. What is not named here (previous candidates, forced photometry) is passed over.
WANTED: Mapping[str, Any] = {
    "objectId": None,
    "candid": None,
    "candidate": dict.fromkeys(CANDIDATE_FIELDS),
    **{name: {"stampData": None} for name in CUTOUT_FIELDS},
}


class SchemaError(ValueError):
    """A writer's schema that is no alert's, or is not safe to decode by.

    Attributes:
        reason: "bad_schema" or "other_schema", for the ledger.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Projection(NamedTuple):
    """Writer's and reader's schema, parsed, as `fastavro.schemaless_reader` takes them."""

    writer: dict
    reader: dict


@lru_cache(maxsize=64)  # a night of alerts has one schema, all of ZTF some twenty
def project_schema(schema_json: bytes) -> Projection | SchemaError:
    """Make the pair of schemas that reads `WANTED` from a writer's records.

    Args:
        schema_json: the schema as it stands in the file.

    Returns:
        The pair, or (returned, so that it is remembered as well) a SchemaError: bad_schema for what is not a schema or
        lets a few bytes stand for any amount of work, other_schema where fields in REQUIRED are missing.

    Apache Avro 1.11 specification, schema resolution.
    """
    try:
        writer = _Expansion().expand(json.loads(schema_json), "", 0)
        reader = _project(writer, WANTED, "")
        return Projection(fastavro.parse_schema(writer), fastavro.parse_schema(reader))
    except SchemaError as error:
        return error
    except Exception as error:  # json or fastavro, on anything: ValueError, RecursionError, TypeError…
        return SchemaError("bad_schema", f"{type(error).__name__}: {str(error)[:200]}")


class _Expansion:
    """Rewrites a schema so that no type refers to another by name; new names, no logical types, defaults or docs."""

    def __init__(self) -> None:
        self.definitions: dict[str, tuple[dict, str]] = {}
        self.n_types = 0

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
            if kind == "array" and not _notices_the_end(item):  # the keys of a map notice it
                raise SchemaError("bad_schema", f"an array of {str(item)[:80]}: its end could not be told")
            return {"type": kind, part: item}
        return self.expand(kind, namespace, depth + 1)

    def _union(self, branches: list, namespace: str, depth: int) -> list:
        # In a union null is safe: its branch number takes a byte.
        return [b if b == "null" else self.expand(b, namespace, depth + 1) for b in map(_plain, branches)]

    def _named(self, name: str, namespace: str, depth: int) -> Any:
        if name in SCALARS:
            return name
        if name == "null":
            raise SchemaError("bad_schema", "a null outside a union takes no bytes")
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
        if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields) or not fields:
            raise SchemaError("bad_schema", "a record without fields takes no bytes")
        names = [field.get("name") for field in fields]
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise SchemaError("bad_schema", "a record with nameless or repeated fields")
        types = [self.expand(field.get("type"), namespace, depth + 1) for field in fields]
        return fresh | {"fields": [{"name": n, "type": t} for n, t in zip(names, types, strict=True)]}


def _notices_the_end(schema: Any) -> bool:
    """Whether passing over a value of this (expanded) type fails where the data end; otherwise 2^62 take for ever."""
    if isinstance(schema, str):
        return schema not in UNCHECKED
    if isinstance(schema, dict) and schema["type"] in ("record", "error"):
        return any(_notices_the_end(field["type"]) for field in schema["fields"])
    return isinstance(schema, list) or schema["type"] != "fixed"


def _plain(branch: Any) -> Any:
    """A union's branch, with {"type": "null"} written as "null"."""
    return "null" if isinstance(branch, dict) and branch.get("type") == "null" else branch


def _project(schema: Any, wanted: Mapping[str, Any] | None, path: str) -> Any:
    """The part of a writer's type that `wanted` asks for: None a scalar, a mapping the fields of a record; or null."""
    if isinstance(schema, list):
        return [branch if branch == "null" else _project(branch, wanted, path) for branch in schema]
    if wanted is None:
        if schema not in SCALARS:
            raise SchemaError("other_schema", f"{path} is a {schema['type']}, expected a scalar")
        if path == "candidate.jd" and schema == "float":
            raise SchemaError("other_schema", "candidate.jd is a float, good to 6 hours; expected a double")
        return schema
    if not isinstance(schema, dict) or schema["type"] not in ("record", "error"):
        raise SchemaError("other_schema", f"{path or 'an alert'} is not a record")
    prefix = f"{path}." if path else ""
    types = {field["name"]: field["type"] for field in schema["fields"]}
    missing = [f"{prefix}{name}" for name in wanted if name not in types and f"{prefix}{name}" in REQUIRED]
    if missing:
        raise SchemaError("other_schema", f"no field {', '.join(missing)}")
    kept = [name for name in types if name in wanted]
    return {
        "type": schema["type"],
        "name": schema["name"],
        "fields": [{"name": name, "type": _project(types[name], wanted[name], f"{prefix}{name}")} for name in kept],
    }
