"""Bad input never stops a build: it is named in the ledger, and changes nothing of what good input gives."""

import io
import random
import subprocess
import sys
import zlib
from pathlib import Path

import fastavro
import numpy as np
import pytest

from data_prep.simulate.packets import alert_schema, encode_file
from helpers.make_packets import alert, gzip, images, night, save_tar, with_cutout, with_fits
from helpers.places import ROOT
from helpers.run_build import Builder

GOOD = encode_file(night())
GOOD_LOSSES = {"within_6_hours": 1, "beyond_first_5": 1}


@pytest.fixture
def build(tmp_path):
    return Builder(tmp_path)


def schema_with(isdiffpos) -> dict:
    """The alert schema with another type for isdiffpos, as other streams have it."""
    schema = alert_schema()
    (candidate,) = (field for field in schema["fields"] if field["name"] == "candidate")
    (field,) = (field for field in candidate["type"]["fields"] if field["name"] == "isdiffpos")
    field["type"] = isdiffpos
    return schema


def avro(schema: dict, records: list[dict]) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(schema), records)
    return file.getvalue()


FOREIGN = {"type": "record", "name": "other", "fields": [{"name": "diaSourceId", "type": "long"}]}
LSST_MESSAGE = b"\x00\x00\x00\x02\xbc" + bytes(range(256)) * 40
BAD = alert("ZTF18bad", 99)
ONE = encode_file([BAD])


def broken(record: dict) -> bytes:
    return encode_file([record])


def bomb() -> bytes:
    """16 MB of zeros in 16 kB of gzip."""
    return gzip(bytes(16 << 20))


def bad_crc(blob: bytes) -> bytes:
    return blob[:-8] + bytes([blob[-8] ^ 1]) + blob[-7:]


FAULTS = {
    "empty": (b"", "empty_file"),
    "cut in the header": (ONE[:1000], "bad_header"),
    "cut in the record": (ONE[:-5000], "bad_block"),
    "cut in the sync marker": (ONE[:-3], "bad_block"),
    "not Avro": (b"SIMPLE  =                    T", "not_avro"),
    "Confluent framing of LSST": (LSST_MESSAGE, "confluent_framing"),
    "records of another schema": (avro(FOREIGN, [{"diaSourceId": 1}]), "other_schema"),
    "zero records": (encode_file([]), "no_records"),
    "cutout is null": (broken(BAD | {"cutoutTemplate": None}), "missing_stamp"),
    "cutout is empty": (broken(with_cutout(BAD, lambda _: b"")), "missing_stamp"),
    "bad gzip CRC": (broken(with_cutout(BAD, bad_crc)), "bad_gzip"),
    "gzip cut short": (broken(with_cutout(BAD, lambda blob: blob[:-100])), "bad_gzip"),
    "not gzip": (broken(with_cutout(BAD, lambda _: b"junk")), "bad_gzip"),
    "gzip bomb": (broken(with_cutout(BAD, lambda _: bomb())), "stamp_too_large"),
    "absurd NAXIS1": (broken(with_fits(BAD, b"                  63", b"           999999999")), "short_data"),
    "negative NAXIS1": (broken(with_fits(BAD, b"                  63", b"                 -63")), "bad_naxis"),
    "wrong BITPIX": (broken(with_fits(BAD, b"                 -32", b"                 -64")), "bad_bitpix"),
    "FITS cut short": (broken(with_cutout(BAD, lambda _: gzip(b"SIMPLE  =                    T"))), "bad_fits_header"),
    "at the edge": (broken(alert("ZTF18bad", 99, images(99, (63, 60)))), "stamp_shape"),
    "stamps of three shapes": (
        broken(alert("ZTF18bad", 99, [*images(99)[:2], images(99, (60, 63))[0]])),
        "stamp_shape",
    ),
    "all NaN": (broken(alert("ZTF18bad", 99, [*images(99)[:2], np.full((63, 63), np.nan)])), "all_nan_stamp"),
    "no time": (broken(alert("ZTF18bad", 99, jd=float("nan"))), "bad_jd"),
    "no name": (broken(alert("", 99)), "bad_object_id"),
    "no candid": (broken(alert("ZTF18bad", 0)), "bad_candid"),
}


NAMELESS = ("empty_file", "bad_header", "bad_block", "not_avro", "confluent_framing", "other_schema", "no_records")
IDENTITIES = dict.fromkeys(NAMELESS, (None, None)) | {"bad_object_id": (None, 99), "bad_candid": ("ZTF18bad", None)}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_bad_packet_is_named_and_changes_nothing(build, fault):
    content, reason = FAULTS[fault]
    clean, result = build({"good.avro": GOOD}), build({"bad.avro": content, "good.avro": GOOD, "later.avro": b""})
    losses = {"empty_file": 1} | GOOD_LOSSES
    losses[reason] = losses.get(reason, 0) + 1
    assert result.ledger["dropped"] == losses
    assert result.content_hash == clean.content_hash
    first = result.rejects[0]
    assert (Path(first["file"]).name, first["reason"], first["n_alerts"]) == ("bad.avro", reason, 1)
    assert (first["objectId"], first["candid"]) == IDENTITIES.get(reason, ("ZTF18bad", 99))


def test_bits_may_flip_anywhere(build):
    """200 packets with one bit flipped each: every one is accounted for, and the good ones are unharmed."""
    rng = random.Random(4)
    files = {"good.avro": GOOD}
    for i in range(200):
        content = bytearray(encode_file([alert("ZTF18flip", 1000)]))
        content[rng.randrange(len(content)) if i % 2 else rng.randrange(600)] ^= 1 << rng.randrange(8)
        files[f"z{i:03d}.avro"] = bytes(content)
    result = build(files)
    assert result.ledger["read"] >= 12 + 200
    assert len(set(result.ledger["dropped"]) - set(GOOD_LOSSES)) > 3  # the flips do harm
    clean = build({"good.avro": GOOD})
    by_candid = dict(zip(result.columns["candid"], result.columns["metadata"], strict=True))
    for candid, row in zip(clean.columns["candid"], clean.columns["metadata"], strict=True):
        np.testing.assert_array_equal(by_candid[candid], row)


def test_packets_before_a_fault_are_kept(build):
    result = build({"night.avro": GOOD + b"\x02"})
    assert result.ledger["kept"] == 10
    assert result.ledger["dropped"] == GOOD_LOSSES | {"bad_block": 1}


def test_a_cut_archive_keeps_what_came_before(build, tmp_path):
    archive = save_tar(tmp_path / "night.tar.gz", {"a.avro": GOOD, "b.avro": ONE})
    archive.write_bytes(archive.read_bytes()[:-4000])
    result = build([archive])
    assert result.ledger["kept"] == 10
    assert result.ledger["dropped"] == GOOD_LOSSES | {"bad_archive": 1}
    assert "night.tar.gz" in result.rejects[0]["file"]


def test_odd_but_usable_stamps_are_kept_and_noted(build):
    constant, filled = images(1), images(2)
    constant[1][:] = 5.0
    filled[1][:3], filled[2][:3] = -3.4028e38, 3.4028e38
    result = build({"a.avro": encode_file([alert("ZTF18a", 1, constant), alert("ZTF18b", 2, filled)])})
    assert result.ledger["notes"] == {"constant_stamp": 1, "fill_values": 1, "history_not_given": 2}
    flat, template = result.columns["stamps"][0, ..., 1], result.columns["stamps"][1, ..., 1]
    assert (flat == 0).all()
    assert np.isnan(template[:3]).all()
    assert (np.nanmin(template), np.nanmax(template)) == (0, 1)
    assert 0.05 < np.nanmedian(template) < 0.95  # the light is not squeezed by the fills


def test_missing_metadata_is_nan_and_noted(build):
    records = [
        alert("ZTF18a", 1, classtar=-999.0, sgscore1=-999.0),
        alert("ZTF18b", 2, chinr=None, magpsf=float("nan"), sigmapsf=float("inf")),
    ]
    result = build({"a.avro": encode_file(records)})
    assert result.ledger["notes"] == {"history_not_given": 2, "missing_metadata": 2}
    np.testing.assert_array_equal(result.metadata("classtar"), np.float32([np.nan, 0.9]))
    np.testing.assert_array_equal(result.metadata("sgscore1"), np.float32([-999, 0.25]))
    for name in ("chinr", "magpsf", "sigmapsf"):
        assert np.isnan(result.metadata(name)).tolist() == [False, True]


def test_a_schema_without_a_field_gives_nan(build):
    schema = alert_schema()
    (candidate,) = (field for field in schema["fields"] if field["name"] == "candidate")
    candidate["type"]["fields"] = [field for field in candidate["type"]["fields"] if field["name"] != "sharpnr"]
    record = alert("ZTF18a", 1)
    del record["candidate"]["sharpnr"]
    result = build({"a.avro": avro(schema, [record])})
    assert np.isnan(result.metadata("sharpnr")).all()
    assert np.isfinite(result.metadata("chinr")).all()


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        *(("string", text, value) for text, value in (("t", 1), ("1", 1), ("f", 0), ("0", 0))),
        *(("int", 1, 1), ("int", 0, 0), ("boolean", True, 1), ("boolean", False, 0)),
        (["null", "string"], None, np.nan),
    ],
)
def test_isdiffpos_in_all_its_spellings(build, kind, value, expected):
    result = build({"a.avro": avro(schema_with(kind), [alert("ZTF18a", 1, isdiffpos=value)])})
    np.testing.assert_array_equal(result.metadata("isdiffpos"), [expected])


def test_duplicates_and_disorder(build):
    jd = 2459000.5
    records = [
        alert("ZTF18a", 3, jd=jd + 4),
        alert("ZTF18a", 1, jd=jd),
        alert("ZTF18a", 3, jd=jd + 4),  # the same packet again
        alert("ZTF18a", 2, jd=jd),  # the same time
        alert("ZTF18a", 1, images(7), jd=jd),  # the same candid with other stamps
    ]
    result = build({"a.avro": encode_file(records)})
    assert result.of_alerts("candid").tolist() == [1, 3]
    assert result.ledger["dropped"] == {"duplicate_candid": 2, "within_6_hours": 1}


@pytest.mark.parametrize("order", [1, -1])
def test_a_whole_copy_replaces_a_broken_one(build, order):
    """Stamps are judged before copies are."""
    copies = [with_cutout(alert("ZTF18a", 1), bad_crc), alert("ZTF18a", 1)]
    result = build({"a.avro": encode_file(copies[::order])})
    assert result.columns["candid"].tolist() == [1]
    assert result.ledger["dropped"] == {"bad_gzip": 1}


@pytest.mark.slow
def test_a_stamp_of_a_gigabyte_costs_no_memory(tmp_path):
    """1 GiB of zeros in 1 MB of gzip, in a process of its own: the peak stays where it is without it."""
    deflater, megabyte = zlib.compressobj(9, wbits=31), bytes(1 << 20)
    blob = b"".join([deflater.compress(megabyte) for _ in range(1024)] + [deflater.flush()])
    peaks = []
    for name, change in (("clean", lambda stamp: stamp), ("bomb", lambda _: blob)):
        (tmp_path / f"{name}.avro").write_bytes(encode_file([alert(), with_cutout(BAD, change)]))
        code = (
            "import resource, sys; from data_prep.__main__ import main; status = main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
        )
        arguments = ["build", "--alerts", str(tmp_path / f"{name}.avro"), "--out", str(tmp_path / f"{name}.h5")]
        command = [sys.executable, "-c", code, *arguments, "--workers", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        peaks.append(int(done.stdout.split()[-1]))
    assert "stamp_too_large" in done.stdout
    assert peaks[1] - peaks[0] < 20_000, peaks  # kB; the blob is 1 MB, its bounded output 1 MB
