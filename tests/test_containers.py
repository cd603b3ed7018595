"""Containers: the framing against fastavro's own, archives, and every way in which a file can be cut or damaged."""

import io
import os
import tarfile
import tracemalloc

import fastavro
import numpy as np
import pytest
from make_packets import CANDIDATE, alert, gzip, night, save, save_tar

from data_prep.alerts import decode_block
from data_prep.containers import MAX_BLOCK_BYTES, Block, read_blocks
from data_prep.ledger import Rejection
from data_prep.simulate.packets import PARSED_SCHEMA, encode_file, packet

NO_STAMPS = [None, None, None]
SYNC = b"simulated alerts"


def small(candid: int) -> dict:
    return packet("ZTF18aaaaaaa", candid, CANDIDATE, NO_STAMPS)


def blocks_of(groups: list[list[dict]], codec: str = "null") -> bytes:
    """An Avro file with one block for each group of records."""
    file = io.BytesIO()
    writer = fastavro.write.Writer(file, PARSED_SCHEMA, codec=codec, sync_marker=SYNC)
    for group in groups:
        for record in group:
            writer.write(record)
        writer.dump()
    return file.getvalue()


HEADER = encode_file([])
GOOD = encode_file([small(1)])


def outcomes(path) -> list[Block | Rejection]:
    return list(read_blocks(path))


def read(tmp_path, data: bytes, name: str = "one.avro") -> list[Block | Rejection]:
    path = tmp_path / name
    path.write_bytes(data)
    return outcomes(path)


def candids(items: list[Block | Rejection]) -> list[int]:
    return [alert.candid for item in items if isinstance(item, Block) for alert in decode_block(item)]


def rejected(items: list[Block | Rejection]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Rejection)]


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


def test_a_fifo_and_links_in_circles_do_not_hang(tmp_path):
    save(tmp_path, [small(1)])
    os.mkfifo(tmp_path / "pipe.avro")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "nowhere.avro").symlink_to(tmp_path / "absent")
    items = outcomes(tmp_path)
    assert candids(items) == [1]
    assert sorted(rejected(items)) == ["not_a_file", "other_file", "unreadable"]


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


def test_a_file_cut_anywhere_gives_a_reason(tmp_path):
    path = tmp_path / "cut.avro"
    path.write_bytes(encode_file([alert(candid=5)]))
    places = {*range(len(HEADER) + 4), *np.random.default_rng(0).integers(0, path.stat().st_size, 100)}
    for end in sorted(places, reverse=True):
        os.truncate(path, end)
        (item,) = outcomes(path)
        assert isinstance(item, Rejection), end
        assert item.n_alerts == 1


# Archives


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_archives_of_each_kind(tmp_path, layout, suffix):
    path = tmp_path / f"night{suffix}"
    long_name = "/".join(["nested" * 5] * 7) + "/long.avro"  # too long for a plain header
    with tarfile.open(path, "w" if suffix == ".tar" else "w:gz", format=layout) as archive:
        for name, data in (("1.avro", encode_file([small(1)])), (long_name, encode_file([small(2), small(3)]))):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 0.5
            archive.addfile(member, io.BytesIO(data))
        folder, link = tarfile.TarInfo("folder"), tarfile.TarInfo("link.avro")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "1.avro"
        archive.addfile(folder)
        archive.addfile(link)
    items = outcomes(path)
    assert candids(items) == [1, 2, 3]
    assert rejected(items) == ["not_a_file"]
    assert [item.source for item in items][:2] == [f"{path}!1.avro", f"{path}!{long_name}"]


def tar_of(tmp_path, n_members: int) -> bytes:
    files = {f"{i}.avro": encode_file([small(1 + i)]) for i in range(n_members)}
    return save_tar(tmp_path / "whole.tar", files).read_bytes()


def test_a_cut_archive_keeps_what_came_before(tmp_path):
    """On a member's border, too, where tarfile takes the end of the file for the end of the archive."""
    data = tar_of(tmp_path, 4)
    member = 512 + -(-len(GOOD) // 512) * 512
    assert data[member : member + 6] == b"1.avro"
    ends = {member * i + offset for i in range(1, 4) for offset in (0, 1, 512, 700)}
    for end in sorted(ends | {4 * member, 4 * member + 512}):
        items = read(tmp_path, data[:end], "cut.tar")
        whole = list(range(1, 1 + end // member))
        assert candids(items) == whole, end
        assert rejected(items) == ["bad_archive"], end


def test_a_damaged_archive_says_so(tmp_path):
    data = tar_of(tmp_path, 3)
    member = data.index(b"1.avro")
    header = data[:member] + b"X" + data[member + 1 :]
    items = read(tmp_path, header, "header.tar")
    assert candids(items) == [1]
    assert rejected(items) == ["bad_archive"]
    assert rejected(read(tmp_path, data + b"more", "tail.tar")) == ["bad_archive"]
    assert rejected(read(tmp_path, b"", "empty.tar")) == ["bad_archive"]


def test_gzip_is_checked_to_its_end(tmp_path):
    data = gzip(tar_of(tmp_path, 3))
    assert rejected(read(tmp_path, data, "good.tar.gz")) == []
    wrong_crc = data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]
    items = read(tmp_path, wrong_crc, "crc.tar.gz")
    assert candids(items) == [1, 2, 3]
    assert rejected(items) == ["bad_archive"]
    for end in (5, len(data) // 2, len(data) - 3):
        assert rejected(read(tmp_path, data[:end], "cut.tar.gz")) == ["bad_archive"], end


def test_an_archive_with_flipped_bits_raises_nothing(tmp_path):
    rng, data = np.random.default_rng(1), tar_of(tmp_path, 2)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        for item in read(tmp_path, bytes(damaged), "flipped.tar"):
            assert isinstance(item, Rejection) or decode_block(item)


def test_a_long_name_of_a_gigabyte_is_refused(tmp_path):
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    zeros = gzip(member.tobuf(tarfile.GNU_FORMAT) + bytes(8 << 20))
    tracemalloc.start()
    items = read(tmp_path, zeros, "name.tar.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rejected(items) == ["bad_archive"]
    assert peak < 4 << 20


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
