"""Containers: the framing against fastavro's own, and every way in which a file can be cut or damaged."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc

import fastavro
import numpy as np
import pytest

from data_prep.ledger import Rejection
from data_prep.packets.avro import MAX_BLOCK_BYTES, MAX_RECORDS_PER_BLOCK, Block
from data_prep.packets.containers import read as read_file
from data_prep.packets.containers import read_at_once, read_blocks, read_stream
from data_prep.packets.walking import find
from data_prep.simulate.packets import PARSED_SCHEMA, encode_file, packet
from helpers.make_packets import NO_STAMPS, alert, night, save, save_tar, small
from helpers.read_packets import candids, outcomes, read, rejected

SYNC = b"simulated alerts"


def blocks_of(groups: list[list[dict]], codec: str = "null") -> bytes:
    """An Avro file with one block for each group of records."""
    file = io.BytesIO()
    writer = fastavro.write.Writer(file, PARSED_SCHEMA, codec=codec, sync_marker=SYNC, sync_interval=1 << 30)
    for group in groups:
        for record in group:
            writer.write(record)
        writer.dump()
    return file.getvalue()


HEADER = encode_file([])
GOOD = encode_file([small(1)])


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_blocks_are_those_that_fastavro_sees(tmp_path, codec):
    data = blocks_of([[small(1), small(2)], [], [small(3)], [small(4), small(5), small(6)]], codec)
    blocks = read(tmp_path, data)
    expected = [block for block in fastavro.block_reader(io.BytesIO(data)) if block.num_records]
    assert [block.n_records for block in blocks] == [block.num_records for block in expected] == [2, 1, 3]
    assert [block.first_record for block in blocks] == [0, 2, 3]
    assert {block.codec for block in blocks} == {codec}
    assert candids(blocks) == [record["candid"] for block in expected for record in block]


def test_directories_are_read_in_a_fixed_order(tmp_path):
    save(tmp_path / "b", [small(3)])
    save(tmp_path / "a" / "deep", [small(2)])
    save(tmp_path, [small(1)])
    save_tar(tmp_path / "z.tar.gz", {"x/4.avro": encode_file([small(4)]), "x/readme.txt": b"hello"})
    (tmp_path / "labels.csv").write_text("objectId,label\n")
    items = outcomes(tmp_path)
    assert candids(items) == [1, 4, 2, 3]
    assert rejected(items) == ["other_file", "other_file"]
    assert sum(item.n_alerts for item in items if isinstance(item, Rejection)) == 0
    assert [item.source for item in items if isinstance(item, Block)][1] == f"{tmp_path / 'z.tar.gz'}!x/4.avro"


APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(130)
OF_THE_SYSTEM = {
    "._1.avro": APPLE_DOUBLE,
    "deep/._2.avro": APPLE_DOUBLE,
    "__MACOSX/1.avro": APPLE_DOUBLE,
    "__MACOSX/deep/._1.avro": APPLE_DOUBLE,
    ".DS_Store": b"\0\0\0\1Bud1",
    "deep/.DS_Store": b"\0\0\0\1Bud1",
    "PaxHeaders.1234/1.avro": b"30 mtime=1500000000.1\n",
    "deep/PaxHeaders/2.avro": b"30 mtime=1500000000.1\n",
    "@PaxHeader": b"30 mtime=1500000000.1\n",
    ".1.avro.Xy12Zw": b"half a copy",
    ".out.h5.99.partial": b"\x89HDF",
    ".out.h5.abc/rows": bytes(99),
    ".hidden.tar.gz": b"no",
}
ALERTS = {"./1.avro": encode_file([small(1)]), "deep/2.avro": encode_file([small(2)])}


@pytest.mark.parametrize("name", ["folder", "mac.tar", "mac.tar.gz"])
def test_what_a_system_adds_is_passed_over_and_not_counted(tmp_path, name):
    path, files = tmp_path / name, OF_THE_SYSTEM | ALERTS
    if name == "folder":
        for inside, content in files.items():
            (path / inside).parent.mkdir(parents=True, exist_ok=True)
            (path / inside).write_bytes(content)
    else:
        save_tar(path, files)
    items = outcomes(path)
    assert (candids(items), rejected(items)) == ([1, 2], [])


def test_a_hidden_file_or_folder_that_is_named_is_read(tmp_path):
    save(tmp_path / ".night", [small(1)])
    (tmp_path / ".2.avro").write_bytes(encode_file([small(2)]))
    assert candids(outcomes(tmp_path / ".night") + outcomes(tmp_path / ".2.avro")) == [1, 2]


COMPRESSED = {
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tbz2": bz2.compress,
    "tar.xz": lzma.compress,
    "TXZ": lzma.compress,
}


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_archives_of_every_compression(tmp_path, suffix):
    """Also in many streams, as parallel programs write; padded; by another name; cut; and damaged."""
    tar, compress = save_tar(tmp_path / "plain.tar", ALERTS).read_bytes(), COMPRESSED[suffix]
    pieces = b"".join(compress(tar[start : start + 3000]) for start in range(0, len(tar), 3000))
    for data, name in ((compress(tar), f"a.{suffix}"), (pieces, f"b.{suffix}"), (compress(tar), "c.tar")):
        items = read(tmp_path, data, name)
        assert (candids(items), rejected(items)) == ([1, 2], [])
    for data in (compress(tar)[:-30], pieces[: len(pieces) // 2], pieces + b"more"):
        items = read(tmp_path, data, f"d.{suffix}")
        assert rejected(items) == ["bad_archive"]
        assert [item.n_alerts for item in items if isinstance(item, Rejection)] == [1]


class Pipe:
    """Bytes that can only be read on, and come a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 1000))


@pytest.mark.parametrize("suffix", [*COMPRESSED, "tar", "tar.gz", "avro", "avro.gz"])
def test_a_stream_is_told_by_its_first_bytes_and_read_on(tmp_path, suffix):
    avro = encode_file([small(1), small(2)])
    if suffix.startswith("avro"):
        data = gzip.compress(avro) if suffix.endswith("gz") else avro
    else:
        tar = save_tar(tmp_path / "plain.tar", ALERTS | {"._1.avro": b"Mac OS X"}).read_bytes()
        data = (COMPRESSED | {"tar": bytes, "tar.gz": gzip.compress})[suffix](tar)
    items = list(read_stream(Pipe(data), "pipe"))
    assert (candids(items), rejected(items)) == ([1, 2], [])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x28\xb5\x2f\xfd" + bytes(99), "other_archive"),
        (gzip.compress(GOOD)[:-20], "bad_gzip"),
        (gzip.compress(b"x" * 600), "bad_archive"),
        (b"\x1f\x8b" + bytes(99), "bad_archive"),
        (bz2.compress(GOOD), "bad_archive"),
        (b"", "empty_file"),
        (b"<html>", "not_avro"),
    ],
    # Not by their bytes: gzip writes the time, and all workers must collect the same names.
    ids=["zstd", "cut gzip", "no archive in gzip", "damaged gzip", "bzip2", "nothing", "web page"],
)
def test_a_stream_that_cannot_be_read_is_counted(data, reason):
    assert rejected(list(read_stream(Pipe(data), "pipe")))[-1] == reason


def test_an_xz_archive_that_asks_for_much_memory_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    (item,) = read(tmp_path, lzma.compress(bytes(10240), filters=filters), "big.tar.xz")
    assert (item.reason, "memory" in item.detail.lower()) == ("bad_archive", True)


@pytest.mark.parametrize("name", ["night.zip", "night.tar.zst", "night.7z", "1.avro.zst", "named.tar"])
def test_archives_that_are_not_read_are_counted(tmp_path, name):
    data = b"\x28\xb5\x2f\xfd" + bytes(99)
    for items in (read(tmp_path / "", data, name), outcomes(tmp_path)):
        (item,) = items
        assert (item.reason, item.n_alerts) == ("other_archive", 1)
        assert ".tar.gz" in item.detail


def test_members_of_every_kind_are_counted_right(tmp_path):
    """Gzipped one by one, archives within, links, and names in capitals."""
    good, inner = encode_file([small(1)]), save_tar(tmp_path / "inner.tar", ALERTS).read_bytes()
    path = save_tar(
        tmp_path / "outer.tar", {"a.avro.gz": gzip.compress(good), "b.AVRO": good, "c.tar": inner, "d.zip": b"PK"}
    )
    with tarfile.open(path, "a") as archive:
        for name, kind in (("e.avro", tarfile.LNKTYPE), ("f.avro", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "b.AVRO"
            archive.addfile(member)
    items = outcomes(path)
    assert candids(items) == [1, 1]
    lost = {item.source.split("!")[1]: (item.reason, item.n_alerts) for item in items if isinstance(item, Rejection)}
    assert lost == {
        "c.tar": ("other_archive", 1),
        "d.zip": ("other_archive", 1),
        "e.avro": ("link", 0),
        "f.avro": ("not_a_file", 1),
    }


def test_a_gzipped_file_alone_whole_and_cut(tmp_path):
    data = gzip.compress(encode_file([small(1)]))
    assert candids(read(tmp_path, data, "one.avro.gz")) == [1]
    for bad in (data[:-20], data[:-5] + b"?" + data[-4:], b"no gzip"):
        assert rejected(read(tmp_path, bad, "one.avro.gz"))[-1] == "bad_gzip"


def test_files_that_the_program_reads_or_writes_besides_are_passed_over(tmp_path):
    save(tmp_path, [small(1)])
    for name in ("labels.csv", "out.h5"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link.csv").symlink_to(tmp_path / "labels.csv")
    besides = [(tmp_path / name).resolve() for name in ("labels.csv", "out.h5")]
    items = list(read_blocks(tmp_path, passed_over=besides))
    assert (candids(items), rejected(items)) == ([1], [])


def test_a_fifo_and_links_in_circles_do_not_hang(tmp_path):
    save(tmp_path, [small(1)])
    os.mkfifo(tmp_path / "pipe.avro")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "nowhere.avro").symlink_to(tmp_path / "absent")
    items = outcomes(tmp_path)
    assert candids(items) == [1]
    assert sorted(rejected(items)) == ["not_a_file", "other_file", "unreadable"]
    assert [item.detail for item in items if item.source.endswith("circle")] == ["a link to a folder, not followed"]


def test_a_fifo_in_the_place_of_a_file_that_was_found_does_not_hang(tmp_path):
    (file,) = find(save(tmp_path, [small(1)]))
    os.unlink(file.path)
    os.mkfifo(file.path)
    assert read_at_once(file) is None
    assert rejected(read_file(file)) == ["not_a_file"]


def test_nothing_at_all_is_noted(tmp_path):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    (item,) = outcomes(tmp_path / "empty")
    assert (item.reason, item.n_alerts, item.source) == ("empty_folder", 0, str(tmp_path / "empty"))
    for name in ("a.tar", "a.tar.gz"):
        (item,) = outcomes(save_tar(tmp_path / name, {}))
        assert (item.reason, item.n_alerts) == ("no_members", 0)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    save(tmp_path, [small(1)])
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def closed(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    alerts, fault = outcomes(tmp_path)
    assert alerts.n_records == 1
    assert (fault.reason, fault.source, fault.n_alerts) == ("unreadable", str(tmp_path / "closed"), 0)
    (fault,) = outcomes(tmp_path / "closed")
    assert fault.reason == "unreadable"


def test_who_watches_hears_every_byte_and_fails_by_its_own_name(tmp_path):
    path = save_tar(tmp_path / "night.tar.gz", {"1.avro": encode_file([alert(candid=1)])})
    heard = []
    assert candids(list(read_blocks(path, heard.append))) == [1]
    assert sum(heard) == path.stat().st_size

    def broken(_n_bytes):
        raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="the terminal is gone"):
        list(read_blocks(path, broken))


def test_a_path_that_does_not_exist_is_an_error_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.avro"):
        read_blocks(tmp_path / "absent.avro")


def varint(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def avro_string(text: bytes) -> bytes:
    return varint(len(text)) + text


def header_with(codec: bytes) -> bytes:
    metadata = avro_string(b"avro.schema") + avro_string(b'"int"') + avro_string(b"avro.codec") + avro_string(codec)
    return b"Obj\x01" + varint(2) + metadata + b"\0" + SYNC


FAULTS = {
    "no bytes": (b"", "empty_file"),
    "text": (b"objectId,label\n", "not_avro"),
    "three bytes of magic": (b"Obj", "not_avro"),
    "older Avro": (b"Obj\x00" + HEADER[4:], "not_avro"),
    "LSST": (b"\0\0\0\x01\xc8" + GOOD[len(HEADER) :], "confluent_framing"),
    "zeros": (bytes(4096), "not_avro"),
    "two zeros": (bytes(2), "not_avro"),
    "LSST, schema 5": (b"\0\0\0\0\5" + GOOD[len(HEADER) :], "confluent_framing"),
    "header only": (HEADER, "no_records"),
    "empty blocks only": (HEADER + varint(0) + varint(0) + SYNC, "no_records"),
    "no schema": (b"Obj\x01\0" + SYNC, "bad_header"),
    "schema of 2^62 bytes": (b"Obj\x01" + varint(1) + avro_string(b"avro.schema") + varint(2**62), "bad_header"),
    "negative string": (b"Obj\x01" + varint(1) + varint(-5) + bytes(40), "bad_header"),
    "endless empty metadata": (b"Obj\x01" + varint(2**62) + bytes(1 << 16), "bad_header"),
    "xz": (header_with(b"xz"), "unknown_codec"),
    "no codec at all": (header_with(b"\xff\xfe"), "unknown_codec"),
    "negative count": (HEADER + varint(-1) + varint(10) + bytes(10) + SYNC, "bad_block"),
    "negative size": (HEADER + varint(1) + varint(-10) + bytes(10) + SYNC, "bad_block"),
    "absurd count": (HEADER + varint(2**40) + varint(10) + bytes(10) + SYNC, "bad_block"),
    "absurd size": (HEADER + varint(1) + varint(2**40) + bytes(10) + SYNC, "bad_block"),
    "no count": (HEADER + varint(0) + varint(99) + bytes(99) + SYNC, "bad_block"),
    "endless number": (HEADER + b"\xff" * 40, "bad_block"),
    "wrong sync": (GOOD[:-1] + b"!", "bad_block"),
    "bytes after the last block": (GOOD + b"more bytes than a count and a size", "bad_block"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_reason(tmp_path, fault):
    data, reason = FAULTS[fault]
    items = read(tmp_path, data)
    assert rejected(items) == [reason]
    assert [item.n_alerts for item in items if isinstance(item, Rejection)] == [1]


def test_blocks_before_a_fault_stay(tmp_path):
    data = blocks_of([[small(1), small(2)], [small(3)]])
    items = read(tmp_path, data[:-20])
    assert candids(items) == [1, 2]
    assert rejected(items) == ["bad_block"]
    assert "after 2 records" in items[-1].detail


def test_joined_files_are_all_read(tmp_path):
    """As `cat *.avro` joins them: of other schemas and codecs, empty, cut short, and with line ends between them."""
    one, three = encode_file([small(1), small(2)]), encode_file([small(4)], "snappy")
    items = read(tmp_path, one + encode_file([small(3)], "deflate") + three)
    assert (candids(items), rejected(items)) == ([1, 2, 3, 4], [])
    assert [block.first_record for block in items] == [0, 2, 3]
    items = read(tmp_path, one + HEADER + three)
    assert (candids(items), rejected(items)) == ([1, 2, 4], ["no_records"])
    for padding in (b"\0", b"\n", b"\r\n", bytes(5000)):
        items = read(tmp_path, one + padding + three + padding)
        assert (candids(items), rejected(items)) == ([1, 2, 4], ["trailing_bytes"] * 2)
        assert [item.n_alerts for item in items if isinstance(item, Rejection)] == [0, 0]
    items = read(tmp_path, one + HEADER + bytes(9))
    assert (candids(items), rejected(items)[-1]) == ([1, 2], "bad_block")


@pytest.mark.parametrize("end", [len(GOOD) - 1, len(GOOD) - 20, len(HEADER) + 1, len(HEADER) // 2])
def test_joined_files_after_one_that_is_cut_are_read(tmp_path, end):
    """The cut file swallows the start of the next: that costs its own alert, not those of others."""
    items = read(tmp_path, encode_file([small(1)]) + GOOD[:end] + encode_file([small(3)]) * 2)
    assert candids(items) == [1, 3, 3]
    assert [item.n_alerts for item in items if isinstance(item, Rejection)] == [1]


def test_damage_without_end_is_given_up(tmp_path):
    items = read(tmp_path, GOOD + b"Obj\x01\x01" * 100_000)
    assert candids(items) == [1]
    assert 1 <= len(rejected(items)) <= 101


def test_a_block_of_too_many_records_is_lost_and_counted(tmp_path):
    """However small they are; the blocks after it are read."""
    many = [packet("A", i + 1, {"jd": 2459000.5}, NO_STAMPS) for i in range(MAX_RECORDS_PER_BLOCK + 1)]
    before, whole, lost, after = read(tmp_path, blocks_of([[small(1)], many[1:], many, [small(9)]]))
    assert [block.n_records for block in (before, whole, after)] == [1, MAX_RECORDS_PER_BLOCK, 1]
    assert after.first_record == 2 + 2 * MAX_RECORDS_PER_BLOCK
    assert (lost.reason, lost.n_alerts) == ("bad_block", MAX_RECORDS_PER_BLOCK + 1)


def test_a_file_cut_anywhere_gives_a_reason(tmp_path):
    path = tmp_path / "cut.avro"
    path.write_bytes(encode_file([alert(candid=5)]))
    places = {*range(len(HEADER) + 4), *np.random.default_rng(0).integers(0, path.stat().st_size, 100)}
    for end in sorted(places, reverse=True):
        os.truncate(path, end)
        (item,) = outcomes(path)
        assert isinstance(item, Rejection), end
        assert item.n_alerts == 1


@pytest.mark.parametrize("name", ["many.avro", "many.tar.gz"])
def test_memory_is_flat(tmp_path, name):
    """30 MB of alerts in blocks of 200 kB."""
    payload = blocks_of([[alert(candid=1 + i) for i in range(4)]])
    path = tmp_path / name
    if name == "many.avro":
        path.write_bytes(HEADER + payload[len(HEADER) :] * 150)
    else:
        save_tar(path, dict.fromkeys([f"{i}.avro" for i in range(150)], payload))
    tracemalloc.start()
    n_records = sum(block.n_records for block in read_blocks(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_records == 600
    assert peak < 2 << 20


def test_the_bound_on_blocks_is_above_what_writers_write():
    assert len(encode_file(night())) < MAX_BLOCK_BYTES / 50
