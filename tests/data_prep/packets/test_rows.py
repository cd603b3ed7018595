"""Histories read by an expression are those that fastavro reads, and what is damaged ends as it would without it."""

import io
import json
import re
from unittest import mock

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.packets import alerts
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.avro import Block, HistoryPart, project_schema
from data_prep.packets.containers import read_blocks
from data_prep.packets.history import MAX_ROWS, parse
from data_prep.packets.metadata import CANDIDATE_FIELDS, HISTORY_FIELDS
from data_prep.packets.rows import MAX_TEXT_BYTES, TEXT

JD, CANDID = 2459000.5, 1_786_216_733_015_010_001
FIELDS = {  # of rows: all that are read, and one of each type that is passed over
    **{name: ["float", "null"] for name in HISTORY_FIELDS},
    "jd": "double",
    "fid": "int",
    "magpsf": ["null", "float"],
    "ra": ["double", "null"],
    "candid": ["null", "long"],
    "isdiffpos": ["string", "null"],
    "pid": "long",
    "isgood": "boolean",
    "pdiffimfilename": ["null", "string"],
    "blob": "bytes",
    "sky": "double",
    "nothing": "null",
}
ROW = {
    **dict.fromkeys(HISTORY_FIELDS, 0.5),
    "jd": JD - 3,
    "fid": 2,
    "magpsf": 18.25,
    "ra": 150.0,
    "candid": CANDID,
    "isdiffpos": "t",
    "pid": -(2**62),
    "isgood": True,
    "pdiffimfilename": "ztf.fits",
    "blob": b"\0\n\xff",
    "sky": 1.5,
    "nothing": None,
}
LIMIT = ROW | dict.fromkeys(("candid", "magpsf", "isdiffpos", "ra", "pdiffimfilename"), None) | {"jd": JD - 4}


def schema_of(fields: dict, nullable=("array", "null"), nullable_rows: bool = False, candidate_fields=None) -> dict:
    """Of alerts with rows of these fields at their end."""
    row = {"type": "record", "name": "row", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}
    array = {"type": "array", "items": [row, "null"] if nullable_rows else row}
    types = [array if kind == "array" else kind for kind in nullable]
    inner = (candidate_fields or {}) | {"jd": "double"}
    candidate = {"type": "record", "name": "candidate", "fields": [{"name": n, "type": k} for n, k in inner.items()]}
    outer = {"objectId": "string", "candid": "long", "candidate": candidate}
    outer["prv_candidates"] = types if len(types) > 1 else types[0]
    return {"type": "record", "name": "alert", "fields": [{"name": name, "type": kind} for name, kind in outer.items()]}


SCHEMA = schema_of(FIELDS)


def encoded(schema, value) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return buffer.getvalue()


def alert(history) -> dict:
    return {"objectId": "ZTF18a", "candid": 7, "candidate": {"jd": JD}, "prv_candidates": history}


BEFORE = encoded(SCHEMA, alert(None))[:-1]  # an alert but for its history
ROW_SCHEMA = SCHEMA["fields"][-1]["type"][0]["items"]


def without_rows(schema_json: bytes):
    """The projection of a schema as it was before there were expressions."""
    projection = project_schema(schema_json)
    parts = [part._replace(**{"rows" if isinstance(part, HistoryPart) else "plain": None}) for part in projection.parts]
    return projection._replace(parts=tuple(parts))


def outcomes(schema: dict, payload: bytes, n_records: int = 1) -> list:
    """What becomes of a block, with histories and without: alerts, histories as bytes and notes, and rejections."""
    block = Block("here", 0, json.dumps(schema).encode(), "null", n_records, payload)
    return [[comparable(outcome) for outcome in decode_block(block, histories)] for histories in (True, False)]


def comparable(outcome) -> object:
    if not isinstance(outcome, Alert):
        return outcome
    values, candid, notes = outcome.history
    assert (values.dtype, values.shape, candid.dtype) == (np.float64, (len(candid), len(HISTORY_FIELDS)), np.int64)
    numbers = np.where(np.isnan(values), np.nan, values)  # one NaN is as good as another
    return repr(outcome._replace(history=None)), numbers.tobytes(), candid.tobytes(), dict(notes)


def same(schema: dict, payload: bytes, n_records: int = 1) -> list:
    """What becomes of a block, by either road; the outcomes with histories."""
    found = outcomes(schema, payload, n_records)
    with mock.patch.object(alerts, "project_schema", without_rows):
        assert outcomes(schema, payload, n_records) == found
    return found[0]


def reader(schema: dict):
    (part,) = (part for part in project_schema(json.dumps(schema).encode()).parts if isinstance(part, HistoryPart))
    return part.rows


def assert_read(schema: dict, history) -> None:
    """The expression reads a history, to its end, as `parse` does what fastavro reads."""
    payload = encoded(schema, alert(history))
    start = len(encoded(schema_of({}, ("null",)), alert(None)))
    expected = parse(fastavro.schemaless_reader(io.BytesIO(payload), fastavro.parse_schema(schema))["prv_candidates"])
    found, end = reader(schema).read(payload + b"\0", start, len(payload) + 1)
    assert end == len(payload)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.candid, expected.candid)
    assert dict(found.notes) == dict(expected.notes)
    same(schema, payload * 2, 2)


@pytest.mark.parametrize("nullable", [("array",), ("array", "null"), ("null", "array")], ids=str)
@pytest.mark.parametrize("nullable_rows", [False, True])
@pytest.mark.parametrize(
    "history", [[ROW], [ROW, LIMIT], [LIMIT] * 3 + [ROW] * 70, [], None], ids=lambda h: len(h or ())
)
def test_rows_are_read(history, nullable, nullable_rows):
    if history is not None or len(nullable) > 1:
        assert_read(schema_of(FIELDS, nullable, nullable_rows), history)


def test_values_stand_where_they_belong():
    """Not only as `parse` has them: each field has a value of its own here."""
    values = {name: 10.0 + i for i, name in enumerate(HISTORY_FIELDS)} | {"jd": JD - 3, "fid": 3, "isdiffpos": "f"}
    payload = encoded(SCHEMA, alert([ROW | values, LIMIT]))
    (found,) = decode_block(Block("here", 0, json.dumps(SCHEMA).encode(), "null", 1, payload))
    expected = [{**values, "isdiffpos": 0.0}[name] for name in HISTORY_FIELDS]
    assert found.history.values[0].tolist() == expected
    assert found.history.candid.tolist() == [CANDID, 0]
    missing = {name for name, value in zip(HISTORY_FIELDS, found.history.values[1], strict=True) if np.isnan(value)}
    assert missing == {"magpsf", "isdiffpos", "ra"}


NUMBERS = {
    "float": st.floats(width=32),
    "double": st.floats() | st.just(JD - 3),
    "int": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 9),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**20),
    "string": st.sampled_from(["t", "f", "1", "0", "", "true", "é", "x" * 127, "x" * 128]) | st.text(max_size=8),
    "bytes": st.binary(max_size=200),
    "boolean": st.booleans(),
    "null": st.none(),
}
USUAL = {"isdiffpos": ["string"], "fid": ["int", "long"], "candid": ["int", "long"]}


@st.composite
def schemas_and_rows(draw):
    """Fields of any plain type, in any order, as ZTF has them or not, and rows of them."""
    names = draw(st.permutations([*FIELDS]))
    names = [name for name in names if name in ("jd", "magpsf") or draw(st.booleans())]
    fields = {}
    for name in names:
        usual = USUAL.get(name, ["double"] if name == "jd" else ["float", "double"]) if name in HISTORY_FIELDS else None
        kind = draw(st.sampled_from(usual or [*NUMBERS]) if draw(st.integers(0, 9)) else st.sampled_from([*NUMBERS]))
        form = draw(st.sampled_from([kind, [kind, "null"], ["null", kind], [kind]]))
        fields[name] = kind if kind == "null" else form
    values = {name: NUMBERS[_kind(kind)] for name, kind in fields.items()}
    nullable = {name: of | st.none() if "null" in fields[name] else of for name, of in values.items()}
    return fields, draw(st.lists(st.fixed_dictionaries(nullable), max_size=5))


def _kind(schema) -> str:
    return schema if isinstance(schema, str) else next(kind for kind in schema if kind != "null")


@given(case=schemas_and_rows())
def test_any_plain_rows_are_the_same_by_either_road(case):
    fields, rows = case
    schema = schema_of(fields)
    same(schema, encoded(schema, alert(rows)) * 2, 2)


RICH_FIELDS = dict.fromkeys(CANDIDATE_FIELDS, "float") | FIELDS | {"ndethist": ["null", "int"], "sky": "string"}
RICH = {"candidate": dict.fromkeys(CANDIDATE_FIELDS, 0.25) | ROW | {"ndethist": 300, "sky": "clear"}}


def test_damage_before_a_history_ends_the_same_by_either_road():
    schema = schema_of({"jd": "double", "magpsf": "float"}, candidate_fields=RICH_FIELDS)
    payload = encoded(schema, alert(None) | RICH)
    good = same(schema, payload * 2, 2)
    assert all(isinstance(outcome, tuple) for outcome in good)
    for at, byte in enumerate(payload):
        instead = [bytes([byte ^ 1 << bit]) for bit in range(8)] + [b"", bytes([byte, byte])]
        instead += [more + bytes([byte]) for more in (b"\0", b"\2", b"\x80", b"\xff" * 9)]
        for new in instead:
            same(schema, payload[:at] + new + payload[at + 1 :] + payload, 2)
        same(schema, payload[:at])


def test_an_alert_is_read_as_fastavro_reads_it():
    """Each value, by its type; null; texts of any size; candidates that may be missing."""
    for nullable in (False, True):
        schema = schema_of({"jd": "double", "magpsf": "float"}, candidate_fields=RICH_FIELDS)
        if nullable:
            schema["fields"][2]["type"] = ["null", schema["fields"][2]["type"]]
        (part, _) = project_schema(json.dumps(schema).encode()).parts
        for changes in ({}, dict.fromkeys(("magpsf", "ndethist", "isdiffpos", "candid")), {"isdiffpos": "é" * 63}):
            payload = encoded(schema, alert(None) | {"candidate": RICH["candidate"] | changes})
            found, end = part.plain.read(payload, 0)
            assert end == len(payload) - 1
            assert found == fastavro.schemaless_reader(io.BytesIO(payload), part.writer, part.reader)
            assert [*found, *found["candidate"]] == [field["name"] for field in _fields(part.reader)]
        for text in ("", "x" * 63, "x" * 64, "x" * MAX_TEXT_BYTES, "x" * (MAX_TEXT_BYTES + 1), "é" * 500):
            same(schema, encoded(schema, alert(None) | RICH | {"objectId": text}) * 2, 2)
        if nullable:
            same(schema, encoded(schema, alert(None) | {"candidate": None}) * 2, 2)


def _fields(record: dict) -> list[dict]:
    """Of a record, then of the candidate in it."""
    (inner,) = (field["type"] for field in record["fields"] if field["name"] == "candidate")
    (candidate,) = (kind for kind in (inner if isinstance(inner, list) else [inner]) if kind != "null")
    return record["fields"] + candidate["fields"]


@given(case=schemas_and_rows())
def test_any_plain_candidates_are_the_same_by_either_road(case):
    fields, rows = case
    schema = schema_of({"jd": "double", "magpsf": "float"}, candidate_fields=fields | {"jd": "double"})
    for row in rows:
        same(schema, encoded(schema, alert(None) | {"candidate": row | {"jd": JD}}) * 2, 2)


def test_damage_ends_the_same_by_either_road():
    """Each bit of a history turned, each byte of it taken out, doubled, or the last, and something put before it."""
    payload = encoded(SCHEMA, alert([ROW, LIMIT]))
    changed = 0
    good = same(SCHEMA, payload + payload, 2)
    for at in range(len(BEFORE), len(payload)):
        byte = payload[at]
        instead = [bytes([byte ^ 1 << bit]) for bit in range(8)] + [b"", bytes([byte, byte])]
        instead += [more + bytes([byte]) for more in (b"\0", b"\2", b"\x80", b"\xff" * 9)]
        for new in instead:
            changed += same(SCHEMA, payload[:at] + new + payload[at + 1 :] + payload, 2) != good
        same(SCHEMA, payload[:at])
    assert changed > 5 * len(payload)


def varint(number: int, n_bytes: int = 1) -> bytes:
    """A zigzag varint of at least so many bytes."""
    number, digits = number << 1 ^ number >> 63, []
    while number or len(digits) < n_bytes:
        digits.append(number & 0x7F)
        number >>= 7
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


def row_bytes(**parts: bytes) -> bytes:
    """ROW as encoded, some of its fields otherwise."""
    fields = {field["name"]: encoded(field["type"], ROW[field["name"]]) for field in ROW_SCHEMA["fields"]}
    assert parts.keys() <= fields.keys()
    return b"".join((fields | parts).values())


GOOD = encoded(ROW_SCHEMA, ROW)
ODD = {
    "blocks": varint(1) + GOOD + varint(2) + GOOD * 2 + varint(0),
    "count of two bytes": varint(1, 2) + GOOD + varint(0),
    "count of nine bytes": varint(1, 9) + GOOD + varint(0),
    "count of ten bytes": varint(1, 10) + GOOD + varint(0),
    "count of eleven bytes": varint(1, 11) + GOOD + varint(0),
    "end of two bytes": varint(1) + GOOD + varint(0, 2),
    "end at once, of two bytes": varint(0, 2),
    "size of a block": varint(-1) + varint(len(GOOD)) + GOOD + varint(0),
    "wrong size of a block": varint(-1) + varint(3) + GOOD + varint(0),
    "negative size of a block": varint(-1) + varint(-3) + GOOD + varint(0),
    "block with a size after one without": varint(1) + GOOD + varint(-1) + varint(len(GOOD)) + GOOD + varint(0),
    "more rows than there are": varint(2) + GOOD + varint(0),
    "rows without end": varint(2**62) + GOOD + varint(0),
    "no end": varint(1) + GOOD,
    "long branch": varint(1) + row_bytes(magpsf=varint(1, 2) + b"abcd") + varint(0),
    "branch of none": varint(1) + row_bytes(magpsf=varint(2) + b"abcd") + varint(0),
    "negative branch": varint(1) + row_bytes(magpsf=varint(-1) + b"abcd") + varint(0),
    "other branch": varint(1) + row_bytes(magpsf=varint(0)) + varint(0),
    "signalling NaN": varint(1) + row_bytes(magpsf=b"\x02\x01\0\x80\x7f", ra=b"\0\x01\0\0\0\0\0\xf0\x7f") + varint(0),
    "infinite": varint(1) + row_bytes(magpsf=b"\x02\0\0\x80\x7f") + varint(0),
    "double beyond single precision": varint(1) + row_bytes(ra=b"\0" + encoded("double", 1e300)) + varint(0),
    "no truth": varint(1) + row_bytes(isgood=b"\2") + varint(0),
    "no text": varint(1) + row_bytes(pdiffimfilename=b"\2\4\xff\xfe") + varint(0),
    "sign that is no text": varint(1) + row_bytes(isdiffpos=b"\0\2\xff") + varint(0),
    "sign in words": varint(1) + row_bytes(isdiffpos=b"\0\x08true") + varint(0),
    "no sign": varint(1) + row_bytes(isdiffpos=b"\0\0") + varint(0),
    "sign of a long size": varint(1) + row_bytes(isdiffpos=b"\0\x82\0t") + varint(0),
    "text of a long size": varint(1) + row_bytes(pdiffimfilename=b"\2" + varint(2, 2) + b"ab") + varint(0),
    "text of negative size": varint(1) + row_bytes(pdiffimfilename=b"\2" + varint(-2) + b"ab") + varint(0),
    "filter of two bytes": varint(1) + row_bytes(fid=varint(2, 2)) + varint(0),
    "filter beyond 32 bits": varint(1) + row_bytes(fid=varint(2**40)) + varint(0),
    "negative filter": varint(1) + row_bytes(fid=varint(-1)) + varint(0),
    **{
        f"candid {candid} of {n} bytes": varint(1) + row_bytes(candid=b"\2" + varint(candid, n)) + varint(0)
        for candid in (0, 1, -1, 2**53 + 1, 2**62 - 1, 2**62, 2**63 - 1, -(2**62), -(2**63))
        for n in (1, 9, 10, 11)
    },
    **{
        f"text of {n} bytes": varint(1)
        + row_bytes(pdiffimfilename=b"\2" + varint(n) + b"x" * n, blob=varint(n) + b"\n" * n)
        + varint(0)
        for n in (0, 63, 64, MAX_TEXT_BYTES, MAX_TEXT_BYTES + 1, 300)
    },
    **{f"{n} rows": varint(n) + GOOD * n + varint(0) for n in (64, MAX_ROWS, MAX_ROWS + 1)},
    "too many rows in blocks": (varint(MAX_ROWS // 2) + GOOD * (MAX_ROWS // 2)) * 2 + varint(1) + GOOD + varint(0),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_bytes_end_the_same_by_either_road(name):
    record = BEFORE + b"\0" + ODD[name]
    same(SCHEMA, record)
    same(SCHEMA, record + BEFORE + b"\2", 2)
    same(SCHEMA, record[:-1] + BEFORE + b"\2", 2)


def test_a_history_beyond_its_bytes_ends_the_same_by_either_road():
    """To the byte. The bound is brought down to a history, not a history up to the bound."""
    record = BEFORE + b"\0" + varint(2) + GOOD * 2 + varint(0)
    size = len(record) - len(BEFORE)
    for bound in range(size + 2):
        with mock.patch.object(alerts, "MAX_BYTES", bound):
            (*_, notes), second = same(SCHEMA, record + BEFORE + b"\2", 2)
        assert notes == ({} if bound >= size else {"history_too_long": 1})
        assert second[-1] == ({"history_not_given": 1} if bound else {"history_too_long": 1})


@pytest.mark.slow
def test_real_histories_are_the_same_by_either_road(ztf_dir):
    n_read = n_left = 0
    for path in sorted((ztf_dir / "alerts").glob("*.avro")):
        for block in read_blocks(path):
            with mock.patch.object(alerts, "parse", wraps=parse) as by_fastavro:
                found = [*map(comparable, decode_block(block))]
            with mock.patch.object(alerts, "project_schema", without_rows):
                assert [*map(comparable, decode_block(block))] == found
            n_read += len(found)
            n_left += by_fastavro.call_count
    assert (n_read, n_left) == (1421, 0)


@pytest.mark.parametrize("sign", ["t", "f", "1", "0", None])
@pytest.mark.parametrize("fid", [1, 2, 3, 0, -64, 63])
def test_signs_and_filters_are_read(sign, fid):
    assert_read(SCHEMA, [ROW | {"isdiffpos": sign, "fid": fid}])


@pytest.mark.parametrize("candid", [None, 0, 1, CANDID, -CANDID, 2**62 - 1, -(2**62)])
def test_candids_are_read(candid):
    assert_read(SCHEMA, [ROW | {"candid": candid, "pid": candid or 0}])


def test_texts_are_matched_by_their_size():
    text = re.compile(TEXT, re.DOTALL)
    for size in range(MAX_TEXT_BYTES + 5):
        data = varint(size) + b"\n" * size
        match = text.match(data + b"\n")
        assert (match and match[0]) == (data if size <= MAX_TEXT_BYTES else None)
        assert size == 0 or text.match(data[:-1]) is None
