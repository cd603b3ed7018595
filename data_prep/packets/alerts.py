"""Blocks of encoded records to alerts.

The one place where foreign bytes meet fastavro: whatever it raises on them, the records that could not be read come out
as a `Rejection` that counts them. It would inflate a few bytes to gigabytes: blocks are inflated here, within bounds.
"""

import io
import zlib
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import NamedTuple

import cramjam
from fastavro import schemaless_reader

from data_prep.ledger import Rejection
from data_prep.packets.avro import (
    CUTOUT_FIELDS,
    HISTORY_FIELD,
    MAX_BLOCK_BYTES,
    Block,
    HistoryPart,
    Part,
    Projection,
    SchemaError,
    plausible_count,
    project_schema,
)
from data_prep.packets.history import (
    MAX_BYTES,
    NOT_ASKED,
    NOT_GIVEN,
    OTHER_FORM,
    TOO_LONG,
    UNREADABLE,
    History,
    parse,
)
from data_prep.packets.metadata import CANDIDATE_FIELDS, FILTERS, exact, isdiffpos_value, plain, precise

CRC_BYTES = 4
MAX_CHECKSUM_BYTES = 4  # fastavro and others cut the end of a zlib stream short of its checksum, or not at all
MAX_OBJECT_ID = 64  # characters; ZTF's have 12
JD_RANGE = (2.4e6, 2.5e6)  # 1858 to 2132
MOST_TEXT = 64  # characters of text in the place of a number
# What text must not stand for, although it may look like it: without a value that every alert has, a network answers as
# readily, and nobody learns why. Text in other fields is a missing value, as null is.
NOT_TEXT = {
    "fid": "1, 2 or 3 (g, r, i)",
    "isdiffpos": "t or 1 (positive), f or 0 (negative)",
    "magpsf": "a number [mag]",
    "ra": "a number [deg]",
    "dec": "a number [deg]",
}
SURVEY = "ztf"
OTHER_IDS = ("LSST", "WNTR", "WIRC", "PGIR", "TRB")  # how objectIds of surveys begin whose packets have ZTF's form


class Alert(NamedTuple):
    """What we read of one alert packet.

    Attributes:
        object_id: ZTF objectId, 1 to 64 printable characters.
        candid: ZTF candid, positive, 64 bits.
        jd: time of the exposure [day], 2.4e6 to 2.5e6.
        fid: filter, 1 = g, 2 = r, 3 = i; 0 = not given.
        candidate: the fields of `metadata.CANDIDATE_FIELDS` that the packet has, unchecked.
        cutouts: science, template, difference: gzipped FITS, None where the packet has none.
        source: the file, or "archive!member".
        history: what it tells of the past, unchecked.
    """

    object_id: str
    candid: int
    jd: float
    fid: int
    candidate: dict
    cutouts: tuple[bytes | None, bytes | None, bytes | None]
    source: str
    history: History = NOT_GIVEN


class _PayloadError(ValueError):
    def __init__(self, detail: str, reason: str = "corrupt_block") -> None:
        super().__init__(detail)
        self.reason = reason


def decode_block(block: Block, histories: bool = True) -> Iterator[Alert | Rejection]:
    """Decode the records of a block, one at a time.

    Args:
        block: from `containers.read_blocks`.
        histories: read what packets tell of the past, or pass over it.

    Yields:
        An Alert for each record, in order, or a Rejection: bad_schema, other_schema, corrupt_block, block_too_large (of
        the whole block), corrupt_record (of this record and those after it, whose start is unknown), bad_object_id,
        other_survey, bad_candid, bad_jd, or bad_ and a field of `NOT_TEXT` (of one record). wrong_count and
        trailing_bytes (0 alerts) tell of a block that holds fewer or more bytes than its records take.

    ZTF alert schema; Apache Avro 1.11 specification.
    """
    lost = plausible_count(block.n_records, len(block.payload))
    projection = project_schema(block.schema_json)
    if isinstance(projection, SchemaError):
        yield Rejection(projection.reason, str(projection), block.source, n_alerts=lost)
        return
    try:
        payload = _decompress(block.codec, block.payload)
    except _PayloadError as error:
        yield Rejection(error.reason, f"{block.codec}: {error}", block.source, n_alerts=lost)
        return
    yield from _decode_records(block, payload, projection, histories)


def _decode_records(
    block: Block, payload: bytes, projection: Projection, histories: bool
) -> Iterator[Alert | Rejection]:
    stream = io.BytesIO(payload)
    for index in range(block.n_records):
        if stream.tell() == len(payload):
            detail = f"{block.n_records} records claimed, {index} found"
            yield Rejection("wrong_count", detail, block.source, n_alerts=0)
            return
        try:
            if projection.walk is not None:
                projection.walk(payload, stream.tell())
            record = _read_record(stream, payload, projection, histories)
        except Exception as error:  # corrupt bytes: KeyError, EOFError, OverflowError, MemoryError, and more to come
            lost = max(1, plausible_count(block.n_records, len(payload)) - index)
            detail = f"record {block.first_record + index}: {type(error).__name__}: {str(error)[:100]}"
            yield Rejection("corrupt_record", detail, block.source, n_alerts=lost)
            return
        yield _check(record, block.source)
    if stream.tell() < len(payload):
        detail = f"{len(payload) - stream.tell()} bytes after record {block.first_record + block.n_records - 1}"
        yield Rejection("trailing_bytes", detail, block.source, n_alerts=0)


def _read_record(stream: io.BytesIO, payload: bytes, projection: Projection, histories: bool) -> dict:
    """The fields of the next record of a payload that we read; its history, where it has one, as a `History`."""
    record: dict = {HISTORY_FIELD: NOT_GIVEN if histories else NOT_ASKED}
    for part in projection.parts:
        if isinstance(part, HistoryPart):
            read = _read_history if histories else _pass_over_history
            record[HISTORY_FIELD] = read(stream, payload, part)
        else:
            record |= _read_part(stream, payload, part)
    return record


def _read_part(stream: io.BytesIO, payload: bytes, part: Part) -> dict:
    if part.plain is not None and (read := part.plain.read(payload, stream.tell())):
        fields, end = read
        stream.seek(end)
        return fields
    return schemaless_reader(stream, part.writer, part.reader)


def _read_history(stream: io.BytesIO, payload: bytes, part: HistoryPart) -> History:
    """The history that is next, read where it ends in time, otherwise passed over, which takes no memory.

    What cannot be read within it, such as text that is none, costs no alert.
    """
    start = stream.tell()
    if part.rows is not None and (read := part.rows.read(payload, start, start + MAX_BYTES)):
        history, end = read
        stream.seek(end)
        return history
    if part.reader is not None:
        ahead = io.BytesIO(payload[start : start + MAX_BYTES])
        try:
            history = parse(schemaless_reader(ahead, part.writer, part.reader)[HISTORY_FIELD])
            stream.seek(start + ahead.tell())
            return history
        except Exception:  # as in `_decode_records`
            pass
    _pass_over_history(stream, payload, part)
    if part.reader is None:
        return OTHER_FORM
    return TOO_LONG if stream.tell() - start > MAX_BYTES else UNREADABLE


def _pass_over_history(stream: io.BytesIO, payload: bytes, part: HistoryPart) -> History:
    start = stream.tell()
    if part.rows is not None and (end := part.rows.passed(payload, start, start + MAX_BYTES)):
        stream.seek(end)
    else:
        schemaless_reader(stream, part.writer, part.nothing)
    return NOT_ASKED


def _decompress(codec: str, payload: bytes) -> bytes:
    """The records of a block, at most MAX_BLOCK_BYTES of them; _PayloadError for what does not inflate to the end."""
    if codec == "null":
        return payload
    if codec == "deflate":
        return _inflate(payload)
    return _unsnap(payload)


def _inflate(payload: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=-15)
    try:
        data = inflater.decompress(payload, MAX_BLOCK_BYTES + 1)
    except zlib.error as error:
        raise _PayloadError(str(error)) from None
    if len(data) > MAX_BLOCK_BYTES:
        raise _PayloadError(f"inflates to more than {MAX_BLOCK_BYTES} bytes", "block_too_large")
    if not inflater.eof or len(inflater.unused_data) > MAX_CHECKSUM_BYTES:
        raise _PayloadError("cut short" if not inflater.eof else f"{len(inflater.unused_data)} bytes after the end")
    return data


def _unsnap(payload: bytes) -> bytes:
    packed, crc = payload[:-CRC_BYTES], payload[-CRC_BYTES:]
    try:
        size = cramjam.snappy.decompress_raw_len(packed)
        if size > MAX_BLOCK_BYTES:
            raise _PayloadError(f"claims {size} bytes, expected at most {MAX_BLOCK_BYTES}", "block_too_large")
        data = bytes(cramjam.snappy.decompress_raw(packed))
    except cramjam.DecompressionError as error:
        raise _PayloadError(str(error)) from None
    if zlib.crc32(data) != int.from_bytes(crc, "big"):
        raise _PayloadError("wrong CRC")
    return data


def from_record(record: Mapping, source: str, histories: bool = True) -> Alert | Rejection:
    """A record that somebody else has decoded, as fastavro gives it or a broker's client hands it over.

    It is read as generously as a packet: the candid may stand in `candidate` only, or be text, and cutouts may be bare
    bytes. Numbers may be NumPy's.

    Args:
        record: a mapping with the names of ZTF's schema.
        source: what to call it in the ledger.
        histories: read what it tells of the past, or pass over it.

    Returns:
        An Alert, or a Rejection: other_schema where it is no alert's, and as in `decode_block` of one record.
    """
    candidate = record.get("candidate")
    if not isinstance(candidate, Mapping) or "objectId" not in record:
        fields = ", ".join(map(str, record))[:200] or "nothing"
        return Rejection("other_schema", f"a record with {fields}; expected objectId, candid and candidate", source)
    return _check(
        {
            "objectId": plain(record["objectId"]),
            "candid": precise(record.get("candid")),
            "survey": record.get("survey"),
            "candidate": {name: plain(candidate[name]) for name in CANDIDATE_FIELDS if name in candidate}
            | {"candid": precise(candidate.get("candid")), "jd": _real(precise(candidate.get("jd")))},
            HISTORY_FIELD: parse(record.get(HISTORY_FIELD)) if histories else NOT_ASKED,
            **{name: _cutout(record.get(name)) for name in CUTOUT_FIELDS},
        },
        source,
    )


def _short(value: object) -> object:
    """A value; of text no more than a refusal shows, for a packet may hold any amount, and packets wait in memory."""
    return value[:MOST_TEXT] if isinstance(value, str | bytes) else value


def _real(value: object) -> object:
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


def _cutout(value: object) -> object:
    """A cutout whose bytes, bare or in a mapping, are `bytes`."""
    return {str(name): _bytes(data) for name, data in value.items()} if isinstance(value, Mapping) else _bytes(value)


def _bytes(value: object) -> object:
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


def _check(record: dict, source: str) -> Alert | Rejection:
    """An Alert whose identity, survey and time can be relied on."""
    object_id = record["objectId"]
    candidate = {name: _short(value) for name, value in (record["candidate"] or {}).items()}
    candid, written = _candid(record.get("candid"), candidate.pop("candid", None))
    jd, fid, survey = candidate.get("jd"), exact(candidate.get("fid")), record.get("survey")
    good_id = isinstance(object_id, str) and 0 < len(object_id) <= MAX_OBJECT_ID and object_id.isprintable()
    known = (object_id if good_id else "", candid)
    if not good_id:
        return Rejection("bad_object_id", f"objectId {str(object_id)[:80]!r}", source, *known)
    if survey and str(survey).lower() != SURVEY:
        return Rejection("other_survey", f"survey {str(survey)[:40]!r}, expected ZTF", source, *known)
    if object_id.upper().startswith(OTHER_IDS):
        return Rejection("other_survey", f"objectId {object_id} is none of ZTF", source, *known)
    if not candid:
        detail = f"candid {str(written)[:40]}, expected a positive 64-bit integer; a float holds them to 2^53"
        return Rejection("bad_candid", detail, source, *known)
    if not isinstance(jd, float) or not JD_RANGE[0] <= jd <= JD_RANGE[1]:
        return Rejection("bad_jd", f"jd {_shown(jd)}, expected a number within {JD_RANGE}", source, *known)
    for name, expected in NOT_TEXT.items():
        value = candidate.get(name)
        if isinstance(value, str | bytes) and not _says_it(name, value):
            return Rejection(f"bad_{name}", f"{name} {_shown(value)}, expected {expected}", source, *known)
    cutouts = tuple(_stamp_data(record.get(field)) for field in CUTOUT_FIELDS)
    fid = fid if fid in FILTERS else 0
    return Alert(object_id, candid, jd, fid, candidate, cutouts, source, record[HISTORY_FIELD])


def _says_it(name: str, text: str | bytes) -> bool:
    """Whether text is as good as the value: the one way in which ZTF writes a sign, and whole numbers."""
    return (name == "isdiffpos" and isdiffpos_value(text) in (0.0, 1.0)) or (name == "fid" and exact(text) in FILTERS)


def _shown(value: object) -> str:
    """A value in a detail; text is told from the number that it looks like."""
    return f"is the text {value[:40]!r}" if isinstance(value, str | bytes) else str(value)[:40]


def _candid(outer: object, inner: object) -> tuple[int, object]:
    """The candid, 0 where none is to be relied on, and what was written, at the top of a packet or in its candidate."""
    if outer is None or (isinstance(outer, float) and exact(inner) and float(exact(inner)) == outer):
        return exact(inner), inner
    return exact(outer), outer


def _stamp_data(cutout: object) -> bytes | None:
    """The bytes of a cutout: as such, or in a record as ZTF's stampData, or under a name of somebody else's."""
    if isinstance(cutout, dict):
        parts = {name.lower().replace("_", ""): data for name, data in cutout.items() if isinstance(data, bytes)}
        cutout = parts.get("stampdata") or (next(iter(parts.values())) if len(parts) == 1 else None)
    return cutout if isinstance(cutout, bytes) else None
