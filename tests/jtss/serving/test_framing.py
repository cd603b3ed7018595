"""The framings of a message, and messages that hold no packet."""

import io
import json

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from data_prep.simulate.packets import PARSED_SCHEMA, alert_schema, encode_file
from helpers.made_registry import found, made_registry
from helpers.make_packets import alert, small
from helpers.places import ROOT
from jtss.errors import InputError
from jtss.serving.framing import Schemas, read_message
from jtss.serving.registry import RegistryError

NONE = Schemas(None)
LSST = ROOT.parent / "shared" / "lsst"
OTHER = {"type": "record", "name": "other", "fields": [{"name": "x", "type": "double"}]}


def bare(record):
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, PARSED_SCHEMA, record)
    return stream.getvalue()


def numbered(record, number):
    return b"\0" + number.to_bytes(4, "big") + bare(record)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "701.avsc").write_text(json.dumps(PARSED_SCHEMA))
    (tmp_path / "notes.txt").write_text("no schema")
    return tmp_path


def reason(value, schemas=NONE):
    return read_message(value, "a message", schemas).reason


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_a_container_brings_its_schema(codec, folder):
    for schemas in (NONE, Schemas(folder), Schemas(folder / "701.avsc")):
        found = read_message(encode_file([alert(candid=7)], codec), "a message", schemas)
        assert isinstance(found, Alert)
        assert (found.object_id, found.candid, found.source) == ("ZTF18aaaaaaa", 7, "a message")


def test_all_framings_tell_the_same(folder):
    record = alert()
    in_container = read_message(encode_file([record]), "", NONE)
    assert read_message(bare(record), "", Schemas(folder / "701.avsc")) == in_container
    assert read_message(numbered(record, 701), "", Schemas(folder)) == in_container


def test_a_schema_may_come_later(folder):
    schemas = Schemas(folder)
    message = numbered(alert(), 702)
    assert reason(message, schemas) == "unknown_schema"
    (folder / "702.avsc").write_text(json.dumps(PARSED_SCHEMA))
    assert isinstance(read_message(message, "", schemas), Alert)


def test_messages_without_a_packet_have_their_reason(folder):
    record = alert()
    assert reason(None) == "no_value"
    assert reason(b"") == "empty_value"
    assert reason(encode_file([record])[:-100]) == "bad_block"
    assert reason(encode_file([])) == "no_records"
    assert reason(encode_file([record, alert(candid=2)])) == "several_packets"
    assert reason(encode_file([small(0)])) == "bad_candid"
    assert reason(encode_file([alert("LSST1")])) == "other_survey"
    assert reason(b"nonsense") == "no_schema"
    assert reason(numbered(record, 701)) == "unknown_schema"
    assert reason(numbered(record, 9), Schemas(folder)) == "unknown_schema"
    assert reason(b"\0\0\0\2\xbd", Schemas(folder)) == "corrupt_record"
    assert reason(numbered(record, 701)[:-50], Schemas(folder)) == "corrupt_record"
    assert reason(bare(record) + b"more", Schemas(folder / "701.avsc")) == "trailing_bytes"
    assert reason(bare(record)[:-50], Schemas(folder / "701.avsc")) == "corrupt_record"


def as_fink(record):
    """Value and key: other names and order, everything nullable, and more fields than ZTF's; the schema is the key."""
    schema = json.loads(json.dumps(alert_schema()))
    schema["name"] = "topLevelRecord"
    nullable = [{**field, "type": [field["type"], "null"]} for field in schema["fields"] if field["name"] == "candid"]
    more = [{"name": "rf_snia_vs_nonia", "type": "double"}, {"name": "cdsxmatch", "type": ["string", "null"]}]
    schema["fields"] = [*nullable, *more, *(field for field in schema["fields"] if field["name"] != "candid")]
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, record | {"rf_snia_vs_nonia": 0.25, "cdsxmatch": "Unknown"})
    return stream.getvalue(), json.dumps(schema).encode()


def test_a_key_may_be_the_schema(folder):
    """Its record may begin as Confluent's framing does: the branch of a union."""
    record = alert()
    value, key = as_fink(record)
    assert value.startswith(b"\0")
    in_container = read_message(encode_file([record]), "", NONE)
    for schemas in (NONE, Schemas(folder), Schemas(folder / "701.avsc")):
        assert read_message(value, "", schemas, key) == in_container
        assert read_message(encode_file([record]), "", schemas, key) == in_container
    assert read_message(value[:-50], "", NONE, key).reason == "corrupt_record"
    assert read_message(value, "", NONE, json.dumps(OTHER).encode()).reason == "other_schema"


@pytest.mark.parametrize("key", [b"", b"ZTF18a", b"{", b'{"candid": 7}', b'{"type": "record"}', b"{" * 9000, b"\xff{"])
def test_a_key_may_be_anything_else(key, folder):
    """As the name of an object, in any form."""
    record = alert()
    in_container = read_message(encode_file([record]), "", NONE)
    assert read_message(numbered(record, 701), "", Schemas(folder), key) == in_container
    assert read_message(bare(record), "", Schemas(folder / "701.avsc"), key) == in_container


def test_a_registry_says_what_a_number_means():
    record = alert()
    with made_registry() as registry:
        registry.answers[701] = found(PARSED_SCHEMA)
        registry.answers[702] = found(OTHER)
        registry.answers[704] = (500, b"")
        schemas = Schemas(registry.address)
        assert read_message(numbered(record, 701), "", schemas) == read_message(encode_file([record]), "", NONE)
        assert reason(numbered(record, 702), schemas) == "other_schema"
        letter = read_message(numbered(record, 703), "a message", schemas)
        assert (letter.reason, letter.detail) == (
            "unknown_schema", f"schema 703 of a registry, expected it in {registry.address}",
        )  # fmt: skip
        assert reason(bare(record), schemas) == "no_schema"
        with pytest.raises(RegistryError):
            read_message(numbered(record, 704), "a message", schemas)


@given(st.data())
def test_damaged_messages_come_to_an_alert_or_a_rejection(data):
    record = small(1)
    whole = data.draw(st.sampled_from([encode_file([record]), numbered(record, 701), bare(record), b""]))
    cut = data.draw(st.integers(0, len(whole)))
    value = whole[:cut] + data.draw(st.binary(max_size=20)) + whole[cut + data.draw(st.integers(0, 20)) :]
    alone, folder = Schemas(None), Schemas(None)
    alone.alone = json.dumps(PARSED_SCHEMA).encode()
    folder._by_number[701] = alone.alone
    schema = alone.alone
    key = data.draw(st.sampled_from([None, schema, schema[: data.draw(st.integers(0, len(schema)))], b"ZTF18a"]))
    for schemas in (NONE, alone, folder):
        found = read_message(value, "a message", schemas, key)
        assert isinstance(found, Alert | Rejection)
        assert found.source == "a message"


def test_schemas_that_are_none_are_refused_at_once(folder, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"no schema in it that is named by its number, .* as 701\.avsc"):
        Schemas(tmp_path / "other")
    (folder / "5.avsc").write_text("{")
    for path in (folder, folder / "5.avsc"):
        with pytest.raises(InputError, match=r"5\.avsc: .*; expected the Avro schema of alert packets"):
            Schemas(path)
    (folder / "5.avsc").write_text(json.dumps(OTHER))
    with pytest.raises(InputError, match=r"5\.avsc: no field objectId, candidate; expected packets of ZTF's form"):
        Schemas(folder / "5.avsc")
    with pytest.raises(InputError, match=r"--schema \S+nowhere\.avsc: No such file .*; expected an Avro schema"):
        Schemas(tmp_path / "nowhere.avsc")


def test_packets_of_another_form_are_rejected_each_and_others_beside_them_are_read(folder):
    """Their schema is known, whether it was there at the start or has come since; it is that of no alert of ours."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, OTHER, {"x": 1.0})
    (folder / "900.avsc").write_text(json.dumps(OTHER))
    schemas = Schemas(folder)
    (folder / "1000.avsc").write_text(json.dumps(OTHER))
    (warning,) = schemas.warnings
    assert warning.startswith(f"{folder / '900.avsc'}: no field objectId, candidate; expected packets of ZTF's form;")
    for number in (900, 1000):
        found = read_message(b"\0" + number.to_bytes(4, "big") + stream.getvalue(), "", schemas)
        assert found[:2] == ("other_schema", "no field objectId, candidate; expected packets of ZTF's form")
    assert isinstance(read_message(numbered(small(1), 701), "", schemas), Alert)


@pytest.mark.skipif(not LSST.is_dir(), reason="no packets of LSST in ../shared")
def test_packets_of_lsst_come_from_a_stream_as_they_come_from_files(tmp_path):
    """Answered, or rejected for the same reason."""
    for path in (LSST / "schemas").glob("schema_*.avsc"):
        (tmp_path / path.name.removeprefix("schema_")).write_bytes(path.read_bytes())
    schemas, seen = Schemas(tmp_path), []
    for path in sorted((LSST / "alerts").glob("*.avro")):
        major, minor = path.name[1:].split("_")[0].split(".")
        number = 100 * int(major) + int(minor)
        (record,) = fastavro.reader(io.BytesIO(path.read_bytes()))
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, json.loads((tmp_path / f"{number}.avsc").read_text()), record)
        framed = read_message(b"\0" + number.to_bytes(4, "big") + stream.getvalue(), "", schemas)
        in_file = read_message(path.read_bytes(), "", NONE)
        assert type(framed) is type(in_file)
        if isinstance(framed, Rejection):
            assert framed == in_file
            assert "expected" in framed.detail
        else:
            assert (framed.object_id, framed.candid, framed.jd) == (in_file.object_id, in_file.candid, in_file.jd)
        seen.append(number)
    assert len({*seen}) > 2
    for path in (LSST / "alerts").glob("*.bin"):
        found = read_message(path.read_bytes(), "", schemas)
        assert isinstance(found, Alert) or "expected" in found.detail
