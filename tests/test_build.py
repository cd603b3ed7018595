"""Packets to a data set, end to end: bad input is named in the ledger and never changes what good input gives."""

import csv
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import fastavro
import h5py
import numpy as np
import pytest
from make_packets import alert, gzip, images, night, save, save_tar, with_cutout, with_fits

from data_prep.__main__ import main
from data_prep.simulate.packets import alert_schema, encode_file
from jtss.schema import METADATA_NAMES, SPLIT_NAMES

GOOD = encode_file(night())
GOOD_LOSSES = {"within_6_hours": 1, "beyond_first_5": 1}
REPOSITORY = Path(__file__).parents[1]


class Result:
    """A data set that was built, its ledger and its rejects."""

    def __init__(self, path: Path, rejects: Path) -> None:
        with h5py.File(path) as file:
            self.columns = {name: file[name][:] for name in file}
            self.ledger = json.loads(file.attrs["ledger"])
            self.content_hash = file.attrs["content_hash"]
        self.rejects = [json.loads(line) for line in rejects.read_text().splitlines()]
        dropped = sum(self.ledger["dropped"].values())
        assert self.ledger["read"] == self.ledger["kept"] + dropped
        assert self.ledger["kept"] == len(self.columns["jd"])
        assert sum(reject["n_alerts"] for reject in self.rejects) == dropped

    def metadata(self, name: str) -> np.ndarray:
        return self.columns["metadata"][:, METADATA_NAMES.index(name)]


@pytest.fixture
def build(tmp_path):
    """Build from files given by name and content (or from paths); runs the command in this process."""
    runs = iter(range(1000))

    def _build(files: dict[str, bytes] | list[Path], *options: str) -> Result:
        folder = tmp_path / f"run{next(runs)}"
        folder.mkdir()
        paths = files
        if isinstance(files, dict):
            (folder / "alerts").mkdir()
            for name, content in files.items():
                (folder / "alerts" / name).write_bytes(content)
            paths = [folder / "alerts"]
        out, rejects = folder / "out.h5", folder / "rejects.jsonl"
        arguments = ["--out", str(out), "--rejects", str(rejects), "--workers", "1", *options]
        assert main(["build", "--alerts", *map(str, paths), *arguments]) == 0
        assert sorted(path.name for path in folder.iterdir() if path.name != "alerts") == ["out.h5", "rejects.jsonl"]
        return Result(out, rejects)

    return _build


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
    knows_identity = content[:4] == b"Obj\x01" and "stamp" in reason
    assert (first["objectId"] == "ZTF18bad" and first["candid"] == 99) or not knows_identity


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
    assert result.ledger["notes"] == {"constant_stamp": 1, "fill_values": 1}
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
    assert result.ledger["notes"] == {"missing_metadata": 2}
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
        *(("string", text, value) for text, value in (("t", 1), ("1", 1), ("f", 0), ("0", 0), ("?", np.nan))),
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
    assert result.columns["candid"].tolist() == [1, 3]
    assert result.ledger["dropped"] == {"duplicate_candid": 2, "within_6_hours": 1}


def test_the_order_and_packing_of_the_input_change_nothing(build, tmp_path):
    """Also with copies of one candid that differ: the content decides, not who comes first."""
    records = [*night(), alert("ZTF18c", 30, images(77)), alert("ZTF18c", 30, images(78))]
    shuffled = random.Random(1).sample(records, len(records))
    one_each = save(tmp_path / "alerts", records[:12])
    extra = {f"deep/{i}.avro": encode_file([record], "snappy") for i, record in enumerate(records[12:])}
    hashes = [
        build([one_each, save_tar(tmp_path / "rest.tar", extra)]).content_hash,
        build([tmp_path / "rest.tar", one_each]).content_hash,
        build({"all.avro": encode_file(records)}).content_hash,
        build({"all.avro": encode_file(shuffled, "deflate")}).content_hash,
        build({"b.avro": encode_file(shuffled[:5], "snappy"), "a.avro": encode_file(shuffled[5:])}).content_hash,
        build([save_tar(tmp_path / "night.tar.gz", {"x.avro": encode_file(shuffled)})], "--workers", "2").content_hash,
    ]
    assert len(set(hashes)) == 1


def test_labels_allwise_and_split(build, tmp_path):
    records = [alert(f"ZTF18{i:04d}", i + 1, ra=10.0 + i) for i in range(8)]
    labels, allwise = tmp_path / "labels.csv", tmp_path / "allwise.csv"
    labels.write_text("objectId,label\n" + "".join(f"ZTF18{i:04d},{'SN' if i < 4 else 'TDE'}\n" for i in range(7)))
    allwise.write_text("ra,dec,w1mpro,w2mpro,w3mpro,w4mpro\n12.0001,2.0,15,14,12,\n11.0,2.001,1,1,1,1\n")
    result = build({"a.avro": encode_file(records)}, "--labels", str(labels), "--allwise", str(allwise))
    assert result.columns["label"].tolist() == [1, 1, 1, 1, -1, -1, -1, -1]
    splits = [SPLIT_NAMES[i] if i >= 0 else "" for i in result.columns["split"]]
    assert sorted(splits) == ["", "", "", "", "test", "train", "train", "validation"]
    np.testing.assert_array_equal(result.columns["allwise"][2], np.float32([15, 14, 12, np.nan]))
    assert np.isnan(result.columns["allwise"][[0, 1, 3]]).all()
    assert result.ledger["notes"] == {
        "objects with label TDE, not a class": 3,
        "objects without label": 1,
        "test objects of SN, fewer than 200": 1,
    }


def run(tmp_path, capsys, *options):
    """Exit status and message of a build into `tmp_path` / out.h5."""
    status = main(["build", "--out", str(tmp_path / "out.h5"), "--workers", "1", *map(str, options)])
    return status, capsys.readouterr().err.splitlines()[-1]


def test_errors_of_use_are_one_line_and_leave_no_file(tmp_path, capsys):
    good = save(tmp_path / "alerts", night())
    labels = tmp_path / "labels.csv"
    labels.write_text("oid,class\n")
    for options, message in (
        (["--alerts", tmp_path / "nowhere"], r"error: .*nowhere: no such file or directory"),
        (["--alerts", good, "--labels", labels], r"error: .*labels.csv: no column objectId, label; found oid, class"),
        (["--alerts", good, "--allwise", labels], r"error: .*labels.csv: no column ra; found oid, class"),
    ):
        status, line = run(tmp_path, capsys, *options)
        assert (status, bool(re.match(message, line))) == (2, True), line
        assert sorted(os.listdir(tmp_path)) == ["alerts", "labels.csv"]


def test_nothing_kept_is_an_error_but_the_rejects_are_written(tmp_path, capsys):
    folder = tmp_path / "alerts"
    folder.mkdir()
    (folder / "a.avro").write_bytes(ONE[:-20])
    options = ["--alerts", str(folder), "--out", str(tmp_path / "out.h5"), "--rejects", str(tmp_path / "rejects.jsonl")]
    assert main(["build", *options, "--workers", "1"]) == 2
    assert "no alert was kept" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["alerts", "rejects.jsonl"]
    assert json.loads((tmp_path / "rejects.jsonl").read_text())["reason"] == "bad_block"


def test_overwriting_needs_force(tmp_path, capsys):
    folder = save(tmp_path / "alerts", night())
    (tmp_path / "out.h5").write_text("precious")
    status, line = run(tmp_path, capsys, "--alerts", folder)
    assert status == 2
    assert "out.h5 exists" in line
    assert (tmp_path / "out.h5").read_text() == "precious"
    assert main(["build", "--alerts", str(folder), "--out", str(tmp_path / "out.h5"), "--workers", "1", "--force"]) == 0
    with h5py.File(tmp_path / "out.h5") as file:
        assert file.attrs["command"].startswith("python -m data_prep build --alerts ")


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(tmp_path):
    """Interrupt the whole process group, as a terminal does, while the workers are at it."""
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "0.avro").write_bytes(encode_file([alert("ZTF18a", 1)] * 250))
    for i in range(1, 200):
        (tmp_path / "alerts" / f"{i}.avro").symlink_to("0.avro")
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-m", "data_prep", "build", "--alerts", str(tmp_path / "alerts"), "--workers", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, "--out", str(out / "o.h5")], cwd=REPOSITORY, start_new_session=True, **pipes)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in out.glob(".o.h5.*/rows")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert os.listdir(out) == []


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
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
        peaks.append(int(done.stdout.split()[-1]))
    assert "stamp_too_large" in done.stdout
    assert peaks[1] - peaks[0] < 20_000, peaks  # kB; the blob is 1 MB, its bounded output 1 MB


def test_real_alerts(ztf_dir, build):
    """The whole folder; which detections are left must agree with the count made when the folder was put together."""
    result = build([ztf_dir / "alerts"], "--labels", str(ztf_dir / "labels.csv"), "--workers", "2")
    assert result.ledger["read"] == 1421
    assert result.ledger["dropped"] == {"within_6_hours": 78, "beyond_first_5": 35, "stamp_shape": 16}
    with (ztf_dir / "labels.csv").open() as file:
        expected = {row["objectId"]: min(5, int(row["n_detections_6h"])) for row in csv.DictReader(file)}
    at_the_edge = {reject["objectId"] for reject in result.rejects if reject["reason"] == "stamp_shape"}
    names = [name.decode() for name in result.columns["object_id"]]
    found = dict(zip(names, np.diff(result.columns["object_start"]), strict=True))
    assert {name: found.get(name, 0) for name in expected.keys() - at_the_edge} == {
        name: count for name, count in expected.items() if name not in at_the_edge
    }
