"""Alerts: the same values as plain fastavro, writers' schemas of any make, and no way for bytes to do harm."""

import io
import json
import subprocess
import sys
import zlib

import cramjam
import fastavro
import numpy as np
import pytest

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert, decode_block, from_record
from data_prep.packets.avro import CUTOUT_FIELDS, MIN_RECORD_BYTES, Block
from data_prep.packets.containers import read_blocks
from data_prep.packets.fits import StampError, decode_cutout
from data_prep.packets.metadata import CANDIDATE_FIELDS
from data_prep.simulate.packets import alert_schema, encode_file, packet
from helpers.make_packets import CANDIDATE, alert, images

NO_STAMPS = [None, None, None]


def decode_file(path) -> list[Alert | Rejection]:
    """All outcomes of a file, those of its framing included."""
    items = list(read_blocks(path))
    return [found for item in items for found in (decode_block(item) if isinstance(item, Block) else [item])]


def decode_bytes(tmp_path, data: bytes) -> list[Alert | Rejection]:
    (tmp_path / "some.avro").write_bytes(data)
    return decode_file(tmp_path / "some.avro")


def from_decoded(data: bytes) -> list[Alert | Rejection]:
    """The same, of records that somebody else has decoded."""
    return [from_record(record, "somewhere") for record in fastavro.reader(io.BytesIO(data))]


def write(schema: dict, records: list[dict], codec: str = "null") -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, schema, records, codec=codec)
    return file.getvalue()


def n_alerts(outcomes: list[Alert | Rejection]) -> int:
    return sum(outcome.n_alerts if isinstance(outcome, Rejection) else 1 for outcome in outcomes)


def small(candid: int, **candidate) -> dict:
    """A record with stamps of 8 x 8 pixels."""
    return packet("ZTF18aaaaaaa", candid, CANDIDATE | candidate, images(candid, shape=(8, 8)))


def assert_same(found: Alert, record: dict) -> None:
    """What plain fastavro reads, as far as we read it."""
    assert (found.object_id, found.candid) == (record["objectId"], record["candid"])
    assert (found.jd, found.fid) == (record["candidate"]["jd"], record["candidate"]["fid"])
    expected = {name: record["candidate"][name] for name in CANDIDATE_FIELDS if name in record["candidate"]}
    assert found.candidate == expected
    assert found.cutouts == tuple(record[field] and record[field]["stampData"] for field in CUTOUT_FIELDS)


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_alerts_are_what_fastavro_reads(tmp_path, codec):
    data = encode_file([alert(candid=7), packet("ZTF18b", 8, CANDIDATE, NO_STAMPS, previous=[CANDIDATE] * 3)], codec)
    for found, record in zip(decode_bytes(tmp_path, data), fastavro.reader(io.BytesIO(data)), strict=True):
        assert_same(found, record)


@pytest.mark.slow
def test_real_alerts_are_what_fastavro_reads(ztf_dir):
    n_read = 0
    for path in sorted((ztf_dir / "alerts").glob("*.avro")):
        with path.open("rb") as file:
            for found, record in zip(decode_file(path), fastavro.reader(file), strict=True):
                assert_same(found, record)
                n_read += 1
    assert n_read == 1421


# Values


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"objectId": ""}, "bad_object_id"),
        ({"objectId": "ZTF\0"}, "bad_object_id"),
        ({"objectId": "Z" * 65}, "bad_object_id"),
        ({"candid": 0}, "bad_candid"),
        ({"candid": -5}, "bad_candid"),
        ({"candidate": {"jd": float("nan")}}, "bad_jd"),
        ({"candidate": {"jd": float("inf")}}, "bad_jd"),
        ({"candidate": {"jd": 59000.5}}, "bad_jd"),
    ],
)
def test_identity_and_time_are_checked(tmp_path, change, reason):
    good = small(11)
    bad = good | change | {"candidate": good["candidate"] | change.get("candidate", {})}
    before, found, after = decode_bytes(tmp_path, encode_file([good, bad, good]))
    assert isinstance(before, Alert)
    assert isinstance(after, Alert)
    assert (found.reason, found.n_alerts) == (reason, 1)
    assert found.candid == (0 if reason == "bad_candid" else 11)
    assert found.object_id == ("" if reason == "bad_object_id" else "ZTF18aaaaaaa")


TEXTS = {
    "jd": ("2459000.7", "jd is the text '2459000.7', expected a number within (2400000.0, 2500000.0)"),
    "fid": ("g", "fid is the text 'g', expected 1, 2 or 3 (g, r, i)"),
    "isdiffpos": ("true", "isdiffpos is the text 'true', expected t or 1 (positive), f or 0 (negative)"),
    "magpsf": ("18.5", "magpsf is the text '18.5', expected a number [mag]"),
    "ra": ("10:00:00", "ra is the text '10:00:00', expected a number [deg]"),
    "dec": ("", "dec is the text '', expected a number [deg]"),
}


def write_text(name: str, text: str) -> bytes:
    """Two packets whose schema has text for a field of the candidate."""
    schema, records = alert_schema(), [small(11), small(12)]
    candidate = next(field for field in schema["fields"] if field["name"] == "candidate")["type"]
    (field,) = (field for field in candidate["fields"] if field["name"] == name)
    field["type"] = "string"
    field.pop("default", None)
    for record in records:
        record["candidate"][name] = text
    return write(schema, records)


@pytest.mark.parametrize("name", TEXTS)
def test_text_where_an_alert_needs_a_number_is_a_rejection_that_names_it(tmp_path, name):
    """Not a value that is missing in silence: with it the network would answer as readily."""
    text, detail = TEXTS[name]
    data = write_text(name, text)
    for found in (*decode_bytes(tmp_path, data), *from_decoded(data)):
        assert (found.reason, found.detail, found.object_id) == (f"bad_{name}", detail, "ZTF18aaaaaaa")
    wrapped = small(11)
    wrapped["candidate"][name] = np.str_(text)
    assert from_record(wrapped, "").detail == detail


def test_text_without_end_is_not_kept(tmp_path):
    """It packs well: a small packet could take any amount of memory while it waits."""
    data = write_text("rb", "2" * 100_000)
    for found in (*decode_bytes(tmp_path, data), *from_decoded(data)):
        assert len(found.candidate["rb"]) < 100


@pytest.mark.parametrize(
    ("name", "text"), [("isdiffpos", "t"), ("isdiffpos", "f"), ("isdiffpos", "1"), ("isdiffpos", "0"), ("fid", "2")]
)
def test_text_that_says_it_exactly_is_read(tmp_path, name, text):
    data = write_text(name, text)
    for found in (*decode_bytes(tmp_path, data), *from_decoded(data)):
        assert (found.candidate[name], found.fid) == (text, 2 if name == "fid" else CANDIDATE["fid"])


REAL_CANDID = 1_786_216_733_015_010_001  # no float64, whose steps are 256 there


def write_candid(outer, inner, candid: int = REAL_CANDID) -> bytes:
    """A packet whose candid at the top and in the candidate is of a type and a value; None = no such field."""
    schema, record = alert_schema(), small(candid)
    candidate = next(field for field in schema["fields"] if field["name"] == "candidate")["type"]
    for part, values, kind in ((schema, record, outer), (candidate, record["candidate"], inner)):
        (field,) = (field for field in part["fields"] if field["name"] == "candid")
        if kind is None:
            part["fields"].remove(field)
            del values["candid"]
        else:
            field["type"], values["candid"] = kind
            field.pop("default", None)
    return write(schema, [record])


LONG, NULL = ("long", REAL_CANDID), (["null", "long"], None)
ROUNDED = ("double", float(REAL_CANDID))
EXACT = {
    "only at the top": (LONG, None),
    "only in the candidate": (None, LONG),
    "null at the top": (NULL, LONG),
    "null in the candidate": (LONG, NULL),
    "text": (("string", str(REAL_CANDID)), None),
    "text in the candidate": (None, (["null", "string"], f" {REAL_CANDID} ")),
    "bytes": (("bytes", str(REAL_CANDID).encode()), None),
    "a rounded float at the top, exact in the candidate": (ROUNDED, LONG),
    "a rounded float in the candidate, exact at the top": (LONG, ROUNDED),
    "a float32 at the top, exact in the candidate": (("float", float(REAL_CANDID)), LONG),
    "a timestamp": (({"type": "long", "logicalType": "timestamp-micros"}, REAL_CANDID), None),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_candid_is_read_wherever_it_is_written_exactly(tmp_path, name):
    (found,) = decode_bytes(tmp_path, write_candid(*EXACT[name]))
    assert found.candid == REAL_CANDID


def test_a_float_holds_a_small_candid_exactly(tmp_path):
    assert [found.candid for found in decode_bytes(tmp_path, write_candid(("double", 2.0**53), None))] == [2**53]


INEXACT = {
    "a rounded float": (ROUNDED, None),
    "a rounded float in the candidate": (None, ROUNDED),
    "another float than the candidate's": (("double", 2.0**60), LONG),
    "text of a float": (("string", "1.786216733015010e18"), None),
    "text of a fraction": (("string", "11.5"), None),
    "a fraction": (("double", 11.5), None),
    "text that is too long": (("string", "9" * 19), None),
    "no number": (("string", "nan"), None),
    "a float that is none": (("double", float("nan")), None),
    "true": (("boolean", True), LONG),
    "negative text": (("string", "-11"), None),
    "nothing": (NULL, NULL),
}


@pytest.mark.parametrize("name", INEXACT)
def test_a_candid_that_is_not_exact_is_counted(tmp_path, name):
    (found,) = decode_bytes(tmp_path, write_candid(*INEXACT[name]))
    assert (found.reason, found.candid, found.n_alerts) == ("bad_candid", 0, 1)


@pytest.mark.parametrize(
    "places", [(None, None), (("float", 11.0), None), (({"type": "array", "items": "long"}, [1]), None)]
)
def test_a_schema_without_a_candid_that_can_be_exact_is_another(tmp_path, places):
    (found,) = decode_bytes(tmp_path, write_candid(*places))
    assert (found.reason, found.n_alerts) == ("other_schema", 1)
    assert "candid" in found.detail


UNDECODED = ("a float32 at the top, exact in the candidate", "a timestamp")  # what fastavro makes of them is no number


@pytest.mark.parametrize("name", [name for name in EXACT | INEXACT if name not in UNDECODED])
def test_a_candid_of_a_decoded_record_is_as_in_a_packet(tmp_path, name):
    data = write_candid(*(EXACT | INEXACT)[name])
    (packed,), (decoded,) = decode_bytes(tmp_path, data), from_decoded(data)
    assert (type(decoded), decoded.candid) == (type(packed), packed.candid)


@pytest.mark.parametrize("candid", [np.int64(REAL_CANDID), np.str_(REAL_CANDID), np.bytes_(str(REAL_CANDID))])
def test_a_candid_of_numpy_is_exact_in_a_decoded_record(candid):
    assert from_record(small(1) | {"candid": candid}, "").candid == REAL_CANDID


def test_a_float32_in_a_decoded_record_holds_no_candid_and_no_time():
    assert from_record(small(11) | {"candid": np.float32(11)}, "").candid == 11
    record = small(11)
    record["candidate"]["jd"] = np.float32(record["candidate"]["jd"])
    assert from_record(record, "").reason == "bad_jd"


# Cutouts


def write_cutouts(kind, value) -> bytes:
    """A packet whose cutouts are of a type and hold what `value` makes of each blob."""
    schema, record = alert_schema(), alert(candid=5)
    for name in CUTOUT_FIELDS:
        (field,) = (field for field in schema["fields"] if field["name"] == name)
        own_name = kind | {"name": f"type_{name}"} if isinstance(kind, dict) else kind
        field["type"] = ["null", own_name]
        record[name] = value(record[name]["stampData"])
    return write(schema, [record])


def record_of(**types) -> dict:
    return {"type": "record", "fields": [{"name": name, "type": kind} for name, kind in types.items()]}


def plain(blob: bytes) -> bytes:
    return zlib.decompress(blob, 31)


CUTOUTS = {
    "bare bytes": ("bytes", lambda blob: blob),
    "bare plain FITS": ("bytes", plain),
    "other spelling": (
        record_of(file_name="string", stamp_data="bytes"),
        lambda b: {"file_name": "x", "stamp_data": b},
    ),
    "another name": (record_of(data=["null", "bytes"], size="int"), lambda blob: {"data": blob, "size": 3}),
    "more bytes beside": (record_of(md5="bytes", StampData="bytes"), lambda blob: {"md5": b"12", "StampData": blob}),
}


@pytest.mark.parametrize("name", CUTOUTS)
def test_cutouts_of_every_make_are_the_same_images(tmp_path, name):
    (found,) = decode_bytes(tmp_path, write_cutouts(*CUTOUTS[name]))
    for blob, image in zip(found.cutouts, images(5), strict=True):
        np.testing.assert_array_equal(decode_cutout(blob), image)
    assert from_decoded(write_cutouts(*CUTOUTS[name]))[0].cutouts == found.cutouts


@pytest.mark.parametrize("wrap", [bytearray, memoryview, lambda blob: {"stampData": memoryview(blob)}])
def test_cutouts_of_a_decoded_record_may_be_any_bytes(wrap):
    record = alert(candid=5)
    wrapped = record | {name: wrap(record[name]["stampData"]) for name in CUTOUT_FIELDS}
    assert from_record(wrapped, "").cutouts == from_record(record, "").cutouts


NO_CUTOUTS = {
    "null": ("bytes", lambda _: None),
    "two of a kind": (record_of(one="bytes", two="bytes"), lambda blob: {"one": blob, "two": blob}),
    "a record without bytes": (record_of(url="string"), lambda _: {"url": "https://x"}),
    "pixels": ({"type": "array", "items": "float"}, lambda _: [1.0] * 9),
    "text": ("string", lambda _: "H4sI"),
}


@pytest.mark.parametrize("name", NO_CUTOUTS)
def test_what_is_no_cutout_is_missing(tmp_path, name):
    (found,) = decode_bytes(tmp_path, write_cutouts(*NO_CUTOUTS[name]))
    assert found.cutouts == (None, None, None)
    assert from_decoded(write_cutouts(*NO_CUTOUTS[name]))[0].cutouts == found.cutouts


@pytest.mark.parametrize(
    ("survey", "object_id", "is_read"),
    [
        ("ZTF", "ZTF18a", True),
        (None, "ZTF18a", True),
        ("LSST", "170028", False),
        (None, "WNTR24abc", False),
    ],
)
def test_another_survey_in_the_same_form_is_refused(tmp_path, survey, object_id, is_read):
    schema = alert_schema()
    schema["fields"].append({"name": "survey", "type": ["null", "string"]})
    data = write(schema, [small(1) | {"survey": survey, "objectId": object_id}])
    for found in (*decode_bytes(tmp_path, data), *from_decoded(data)):
        assert isinstance(found, Alert) if is_read else found.reason == "other_survey"


# Damage


def one_block(codec: str, n_records: int = 4) -> Block:
    file = io.BytesIO(encode_file([small(1 + i) for i in range(n_records)], codec))
    block = next(fastavro.block_reader(file))
    file.seek(0)
    header = fastavro.reader(file).metadata["avro.schema"].encode()
    payload = block.bytes_.getvalue()
    if codec == "deflate":
        deflater = zlib.compressobj(wbits=-15)
        payload = deflater.compress(payload) + deflater.flush()
    if codec == "snappy":
        payload = bytes(cramjam.snappy.compress_raw(payload)) + zlib.crc32(payload).to_bytes(4, "big")
    return Block("here", 0, header, codec, n_records, payload)


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_cut_payloads_lose_exactly_what_is_cut(codec):
    block = one_block(codec)
    assert all(isinstance(outcome, Alert) for outcome in decode_block(block))
    for end in np.random.default_rng(2).integers(len(block.payload) // 2, len(block.payload) - 4, 50):
        outcomes = list(decode_block(block._replace(payload=block.payload[:end])))
        assert isinstance(outcomes[-1], Rejection)
        assert n_alerts(outcomes) == 4 or outcomes[-1].reason == "wrong_count"  # cut just between two records


def test_miscounted_blocks_are_noted():
    block = one_block("null")
    *alerts, note = decode_block(block._replace(n_records=3))
    assert (len(alerts), note.reason, note.n_alerts) == (3, "trailing_bytes", 0)
    *alerts, note = decode_block(block._replace(n_records=500))
    assert (len(alerts), note.reason, note.n_alerts) == (4, "wrong_count", 0)


@pytest.mark.parametrize("codec", ["deflate", "snappy"])
def test_payloads_that_do_not_decompress_are_lost_whole(codec):
    block = one_block(codec)
    damaged = bytearray(block.payload)
    damaged[-1] ^= 1
    for payload in (b"", b"abc", bytes(damaged) if codec == "snappy" else block.payload + b"more bytes", bytes(300)):
        (found,) = decode_block(block._replace(payload=payload))
        assert found.reason == "corrupt_block"
        assert found.n_alerts == min(4, max(1, len(payload) // MIN_RECORD_BYTES))


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_flipped_bits_lose_no_count(codec):
    """Whatever is flipped in the records of a block, each of its four alerts is kept or counted as lost."""
    block, rng = one_block(codec), np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(block.payload)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        outcomes = list(decode_block(block._replace(payload=bytes(damaged))))
        assert n_alerts(outcomes) == 4 or outcomes[-1].reason == "wrong_count"


def test_flipped_bits_anywhere_raise_nothing(tmp_path):
    """500 packets, each with a few bits flipped, half of them in the header: framing, records and stamps together."""
    rng, good = np.random.default_rng(4), encode_file([alert(candid=6)])
    n_good = 0
    for trial in range(500):
        damaged = bytearray(good)
        for place in rng.integers(0, len(good) if trial % 2 else 9000, rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(8)
        outcomes = decode_bytes(tmp_path, bytes(damaged))
        assert n_alerts(outcomes) >= 1
        for outcome in outcomes:
            for blob in outcome.cutouts if isinstance(outcome, Alert) else ():
                try:
                    n_good += decode_cutout(blob).shape == (63, 63)
                except StampError as error:
                    assert error.detail  # noqa: PT017
    assert 100 < n_good < 1500


BOMBS = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
import sys, tracemalloc, zlib, cramjam
from data_prep.packets.alerts import decode_block
from data_prep.packets.avro import Block
schema = sys.stdin.buffer.read()
deflater = zlib.compressobj(9, wbits=-15)
zeros = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(512)) + deflater.flush()
snappy = b"\\x80\\x80\\x80\\x80\\x04" + bytes(cramjam.snappy.compress_raw(bytes(1 << 20)))[3:]  # claims 1 GiB
for codec, payload in (("deflate", zeros), ("snappy", snappy)):
    (found,) = decode_block(Block("bomb", 0, schema, codec, 1, payload))
    print(found.reason)
"""


def test_bombs_fit_into_little_memory():
    """512 MiB of zeros in 0.5 MB, in a process that may take 600 MB of addresses, libraries included."""
    environment = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", BOMBS]
    schema = json.dumps(alert_schema()).encode()
    done = subprocess.run(command, input=schema, capture_output=True, timeout=300, env=environment, check=False)
    assert done.stdout.decode().split() == ["block_too_large", "block_too_large"], done.stderr.decode()


def test_images_survive(tmp_path):
    (found,) = decode_bytes(tmp_path, encode_file([alert(candid=5)], "deflate"))
    for blob, image in zip(found.cutouts, images(5), strict=True):
        np.testing.assert_array_equal(decode_cutout(blob), image)
