"""Writers' schemas of any make: the same alert from each, and no way for a schema to do harm."""

import io
import json
import subprocess
import sys

import fastavro
import pytest

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.avro import CUTOUT_FIELDS, Block, SchemaError, project_schema, read_avro
from data_prep.packets.containers import read_blocks
from data_prep.simulate.packets import alert_schema, encode_file
from helpers.make_packets import CANDIDATE, alert, small
from helpers.places import ROOT


def decode_as(tmp_path, schema: dict, *records: dict) -> list[Alert | Rejection]:
    """What we make of records written by a schema."""
    file = io.BytesIO()
    fastavro.writer(file, schema, records)
    path = tmp_path / "some.avro"
    path.write_bytes(file.getvalue())
    return [outcome for block in read_blocks(path) for outcome in decode_block(block)]


def as_broker(schema: dict) -> dict:
    """The same fields in another order, each nullable, under other names, each record defined on its own."""
    cutout = schema["fields"][6]["type"][0]

    def rewrite(kind, name):
        if isinstance(kind, list):
            return ["null", rewrite(kind[0], name)]
        if kind == cutout["name"]:
            kind = cutout
        if isinstance(kind, str):
            return kind
        if kind["type"] == "array":
            return {"type": "array", "items": rewrite(kind["items"], name)}
        types = {field["name"]: rewrite(field["type"], f"{name}_{field['name']}") for field in reversed(kind["fields"])}
        fields = [{"name": n, "type": t if isinstance(t, list) else [t, "null"]} for n, t in types.items()]
        return {"type": "record", "name": name, "namespace": "topLevelRecord", "fields": fields}

    top = rewrite(schema, "top")
    timestamp = {"type": "long", "logicalType": "timestamp-micros"}
    extra = {"name": "timestamp", "type": [timestamp, "null"], "default": None}
    return top | {"name": "topLevelRecord", "fields": [extra, *top["fields"]]}


def test_a_brokers_rewrite_gives_the_same_alert(tmp_path):
    record = alert(candid=9)
    (expected,) = decode_as(tmp_path, alert_schema(), record)
    (found,) = decode_as(tmp_path, as_broker(alert_schema()), record)
    assert found == expected


def named_first_elsewhere() -> dict:
    """The cutout's type is defined within a field that we do not read, in a namespace that is passed on."""
    schema = alert_schema()
    cutout = {"type": "record", "name": "cutout", "fields": schema["fields"][6]["type"][0]["fields"]}
    extra = {"name": "thumbnails", "type": {"type": "array", "items": cutout}, "default": []}
    cutouts = [{"name": name, "type": ["null", "cutout"]} for name in CUTOUT_FIELDS]
    return schema | {"name": "alert", "namespace": "a.b", "fields": [extra, *schema["fields"][:6], *cutouts]}


def test_types_may_be_defined_in_fields_that_are_not_read(tmp_path):
    record = alert(candid=9)
    thumbnails = [record["cutoutScience"]] * 2
    found = decode_as(tmp_path, named_first_elsewhere(), record | {"thumbnails": thumbnails})
    assert found == decode_as(tmp_path, alert_schema(), record)


def without(schema: dict, *names: str) -> dict:
    return schema | {"fields": [field for field in schema["fields"] if field["name"] not in names]}


def test_fields_may_be_missing_where_they_are_not_required(tmp_path):
    schema = without(alert_schema(), "cutoutTemplate", "publisher", "schemavsn")
    candidate = next(field for field in schema["fields"] if field["name"] == "candidate")
    candidate["type"] = without(candidate["type"], "fid", "fwhm")
    (found,) = decode_as(tmp_path, schema, alert(candid=3))
    assert (found.fid, found.cutouts[1]) == (0, None)
    assert "fwhm" not in found.candidate
    assert found.candidate["ra"] == CANDIDATE["ra"]


@pytest.mark.parametrize("name", ["objectId", "candidate"])
def test_another_schema_is_rejected_by_the_missing_name(tmp_path, name):
    found = decode_as(tmp_path, without(alert_schema(), name), alert(candid=1), alert(candid=2))
    assert {rejection.reason for rejection in found} == {"other_schema"}
    assert sum(rejection.n_alerts for rejection in found) == 2
    assert all(name in rejection.detail for rejection in found)


NULLS = {"type": "array", "items": "null"}
HUGE = {"name": "huge", "type": "fixed", "size": 0}
FOUR_BYTES = {"name": "four", "type": "fixed", "size": 4}
PAIR = {"type": "record", "name": "pair", "fields": [{"name": "a", "type": "boolean"}, {"name": "b", "type": "double"}]}


def record_with(*fields: dict) -> dict:
    return {"type": "record", "name": "some", "fields": list(fields)}


HOSTILE = {
    "not JSON": b"{",
    "not text": b"\xff\xfe",
    "no type": b"{}",
    "deep": b"[" * 100_000,
    "an array of nulls": NULLS,
    "an array of nulls in a record": {
        "type": "array",
        "items": {"type": "record", "name": "n", "fields": [{"name": "a", "type": "null"}]},
    },
    "an array of empty records": {"type": "array", "items": {"type": "record", "name": "e", "fields": []}},
    "an array of fixed 0": {"type": "array", "items": HUGE},
    "a list": {
        "type": "record",
        "name": "list",
        "fields": [{"name": "next", "type": ["null", "list"]}, {"name": "other", "type": ["null", "list"]}],
    },
    "an unknown name": "unknown.type",
    "a nameless record": {"type": "record", "fields": [{"name": "a", "type": "int"}]},
    "repeated fields": {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}] * 2},
    "an enum without symbols": {"type": "enum", "name": "e"},
    "a fixed of 2^62": {"type": "fixed", "name": "f", "size": 2**62},
    "a true size": {"type": "fixed", "name": "f", "size": True},
    "a type of no kind": {"type": 7},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schemas_are_refused(name):
    schema = HOSTILE[name]
    if not isinstance(schema, bytes):
        whole = alert_schema()
        whole["fields"].insert(0, {"name": "extra", "type": schema})
        schema = json.dumps(whole).encode()
    found = project_schema(schema)
    assert isinstance(found, SchemaError)
    assert found.reason == "bad_schema"
    count = b"\xfe" * 9 + b"\x01"  # an array of 2^63 items would be read for ever
    (rejection,) = decode_block(Block("here", 0, schema, "null", 1, count + bytes(99)))
    assert (rejection.reason, rejection.n_alerts) == ("bad_schema", 1)


DAY = {"type": "int", "logicalType": "date"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
ENUM = {"type": "enum", "name": "band", "symbols": ["g", "r"]}
BAG = {
    "type": "record",
    "name": "bag",
    "fields": [
        {"name": "pair", "type": ["null", PAIR]},
        {"name": "names", "type": {"type": "map", "values": "string"}},
        {"name": "id", "type": FOUR_BYTES},
        {"name": "band", "type": ENUM},
        {"name": "next", "type": ["int", "pair", "band"]},
    ],
}
A_BAG = {"pair": {"a": True, "b": 1.5}, "names": {"x": "y"}, "id": b"1234", "band": "r", "next": {"a": False, "b": 2.5}}
PASSED_OVER = {
    "doubles": ({"type": "array", "items": "double"}, [1.0, 2.0, 3.0]),
    "floats": ({"type": "array", "items": "float"}, []),
    "booleans": ({"type": "array", "items": "boolean"}, [True, False]),
    "fixed": ({"type": "array", "items": FOUR_BYTES}, [b"abcd"]),
    "pairs": ({"type": "array", "items": PAIR}, [{"a": True, "b": 0.5}] * 3),
    "a matrix": ({"type": "array", "items": {"type": "array", "items": "float"}}, [[1.0], [], [2.0, 3.0]]),
    "a map of doubles": ({"type": "map", "values": {"type": "array", "items": "double"}}, {"a": [1.0, 2.0], "é": []}),
    "nulls or doubles": ({"type": "array", "items": ["null", "double"]}, [None, 1.0]),
    "an array of bags": (["null", {"type": "array", "items": BAG}], [A_BAG, A_BAG | {"pair": None, "next": -5}]),
    "days and decimals": ({"type": "array", "items": [DAY, DECIMAL]}, []),
    "a null": ("null", None),
    "a map of nulls": ({"type": "map", "values": {"type": "null"}}, {"a": None}),
    "an empty record": ({"type": "record", "name": "empty", "fields": []}, {}),
    "nothing": (["null", {"type": "array", "items": "double"}], None),
}


@pytest.mark.parametrize("place", ["first", "in the candidate", "last"])
@pytest.mark.parametrize("name", PASSED_OVER)
def test_fields_of_any_type_are_passed_over(tmp_path, name, place):
    """Two records of one block, so that the second begins where the first really ends."""
    (kind, value), schema, records = PASSED_OVER[name], alert_schema(), [alert(candid=8), alert(candid=9)]
    expected = decode_as(tmp_path, alert_schema(), *records)
    candidate = next(field for field in schema["fields"] if field["name"] == "candidate")["type"]
    fields = (candidate if place == "in the candidate" else schema)["fields"]
    fields.insert(
        len(fields) if place == "last" else 0,
        {"name": "extra", "type": ["null", "long", kind] if name == "fixed" else kind},
    )
    for record in records:
        (record["candidate"] if place == "in the candidate" else record)["extra"] = value
    assert decode_as(tmp_path, schema, *records) == expected


@pytest.mark.parametrize("name", ["sharpnr", "isdiffpos", "fid"])
def test_a_field_that_we_want_is_missing_where_its_type_holds_no_value(tmp_path, name):
    schema, record = alert_schema(), alert(candid=8)
    candidate = next(field for field in schema["fields"] if field["name"] == "candidate")["type"]
    (field,) = (field for field in candidate["fields"] if field["name"] == name)
    field["type"], record["candidate"][name] = {"type": "array", "items": "double"}, [1.0]
    field.pop("default", None)
    (found,) = decode_as(tmp_path, schema, record)
    assert name not in found.candidate
    assert found.candidate["ra"] == CANDIDATE["ra"]


def test_an_enum_says_what_text_says(tmp_path):
    schema = alert_schema()
    candidate = next(field for field in schema["fields"] if field["name"] == "candidate")["type"]
    (field,) = (field for field in candidate["fields"] if field["name"] == "isdiffpos")
    field["type"] = {"type": "enum", "name": "sign", "symbols": ["t", "f"]}
    (found,) = decode_as(tmp_path, schema, alert(candid=8, isdiffpos="f"))
    assert found.candidate["isdiffpos"] == "f"


CHECKED = {
    "int": "int",
    "long": "long",
    "string": "string",
    "bytes": "bytes",
    "enum": {"type": "enum", "name": "e", "symbols": ["a"]},
    "union": ["null", "float"],
    "map": {"type": "map", "values": "float"},
    "array": {"type": "array", "items": "int"},
    "record": {"type": "record", "name": "r", "fields": [*PAIR["fields"], {"name": "c", "type": "int"}]},
}
ENDLESS = """
import json, sys
from data_prep.packets.alerts import decode_block
from data_prep.packets.avro import Block
for schema in json.load(sys.stdin):
    for payload in (b"\\x80" * 8 + b"\\x80\\x01" + bytes(99), b"\\xff" * 9 + b"\\x01" + bytes(99)):
        (found,) = decode_block(Block("here", 0, json.dumps(schema).encode(), "null", 1, payload))
        print(found.reason)
"""


@pytest.mark.parametrize("kind", ["array", "map"])
def test_counts_without_end_stop_with_the_data(kind):
    """Each type that is let in, claimed 2^62 times (or a negative number of times) and 99 bytes long: over at once."""
    part = {"array": "items", "map": "values"}[kind]
    types = list(CHECKED.values()) if kind == "array" else ["float", "boolean", FOUR_BYTES, PAIR, *CHECKED.values()]
    types += ["double", "float", "boolean", FOUR_BYTES, PAIR, BAG, {"type": kind, part: "double"}]
    schemas = []
    for item in types:
        schemas.append(alert_schema())
        schemas[-1]["fields"].insert(0, {"name": "extra", "type": {"type": kind, part: item}})
    command = [sys.executable, "-c", ENDLESS]
    done = subprocess.run(command, input=json.dumps(schemas), capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.stdout.split() == ["corrupt_record"] * (2 * len(types)), done.stderr


def test_a_schema_that_doubles_with_each_name_is_refused():
    """Spelled out, 40 definitions that each hold the last one twice would be 2^40 types."""
    fields = [{"name": "f0", "type": {"type": "record", "name": "r0", "fields": [{"name": "a", "type": "int"}]}}]
    for i in range(1, 40):
        pair = [{"name": side, "type": f"r{i - 1}"} for side in "ab"]
        fields.append({"name": f"f{i}", "type": {"type": "record", "name": f"r{i}", "fields": pair}})
    schema = alert_schema()
    schema["fields"] += fields
    assert project_schema(json.dumps(schema).encode()).reason == "bad_schema"


def test_arrays_in_place_of_scalars_are_refused():
    schema = alert_schema()
    schema["fields"][2]["type"] = {"type": "array", "items": "int"}
    found = project_schema(json.dumps(schema).encode())
    assert found.reason == "other_schema"
    assert "objectId" in str(found)


@pytest.mark.parametrize("kind", ["float", ["null", "float"]])
def test_a_time_too_coarse_is_refused(tmp_path, kind):
    """A float32 near 2,459,000 has steps of a quarter of a day: as long as the gap that sequences are made by."""
    schema = alert_schema()
    (candidate,) = (field for field in schema["fields"] if field["name"] == "candidate")
    (jd,) = (field for field in candidate["type"]["fields"] if field["name"] == "jd")
    jd["type"] = kind
    (found,) = decode_as(tmp_path, schema, alert())
    assert (found.reason, "candidate.jd is a float" in found.detail) == ("other_schema", True)


def test_line_ends_between_joined_files_are_no_faults_and_the_rest_after_too_many_is_named():
    one = encode_file([small(1)])
    joined = list(read_avro(io.BytesIO((one + b"\n") * 150), "joined.avro"))
    assert sum(item.n_records for item in joined if isinstance(item, Block)) == 150
    cut = list(read_avro(io.BytesIO(one[:-20] * 100 + one * 50), "cut.avro"))
    assert [item.reason for item in cut if isinstance(item, Rejection)][-1] == "too_many_faults"
