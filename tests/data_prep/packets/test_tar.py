"""Archives of each kind, and every way in which they can be cut or damaged."""

import io
import tarfile
import tracemalloc

import numpy as np
import pytest

from data_prep.ledger import Rejection
from data_prep.packets.alerts import decode_block
from data_prep.simulate.packets import encode_file
from helpers.make_packets import gzip, save_tar, small
from helpers.read_packets import candids, outcomes, read, rejected

GOOD = encode_file([small(1)])


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
    for end in sorted(ends | {4 * member}):
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


def test_one_block_of_zeros_is_an_end_too_and_joined_archives_are_all_read(tmp_path):
    """As some programs end an archive; and as `cat` joins them, with the zeros that fill up a tape's record."""
    data = tar_of(tmp_path, 3)
    end = len(data.rstrip(b"\0"))
    end += -end % 512
    for archive, expected in (
        (data[: end + 512], [1, 2, 3]),
        (data + data, [1, 2, 3] * 2),
        (data[: end + 512] + data, [1, 2, 3] * 2),
    ):
        items = read(tmp_path, archive, "some.tar")
        assert (candids(items), rejected(items)) == (expected, [])
    items = read(tmp_path, data + data[: end // 2], "cut.tar")
    assert (candids(items)[:3], rejected(items)) == ([1, 2, 3], ["bad_archive"])


def with_pax(record: bytes, archive: bytes) -> bytes:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(record)
    return header.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0") + archive


def test_damaged_pax_headers_are_named(tmp_path):
    """A keyword that is not ASCII, a size behind a path, and records that are cut or lie about their length."""
    sparse = b"29 GNU.sparse\xff\xfe=1234567890ab\n"
    late = b"13 path=x.av\n" + b"10 size=9\n"
    for record in (
        sparse,
        late,
        b"99 path=x\n",
        b"path=x\n",
        b"-5 path=x\n",
        b"5 p",
        b"\xff",
        b"0 path=x\n",
        b"9" * 99,
    ):
        assert rejected(read(tmp_path, with_pax(record, tar_of(tmp_path, 1)), "pax.tar")) == ["bad_archive"], record


def test_a_pax_value_may_hold_line_ends(tmp_path):
    comment = b"30 comment=a\n18 path=lie.avro\n"
    items = read(tmp_path, with_pax(comment + b"18 path=true.avro\n", tar_of(tmp_path, 1)), "pax.tar")
    assert [item.source.rpartition("!")[2] for item in items] == ["true.avro"]


def test_labels_and_sparse_files_do_not_cost_the_rest(tmp_path):
    label, sparse = tarfile.TarInfo("night 5"), tarfile.TarInfo("holes.avro")
    label.type, sparse.type, sparse.size = b"V", tarfile.GNUTYPE_SPARSE, 700
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1  # one more block of the map follows
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    body = bytes(512) + b"data".ljust(1024, b"\0")
    data = label.tobuf(tarfile.GNU_FORMAT) + bytes(header) + body + tar_of(tmp_path, 2)
    items = read(tmp_path, data, "odd.tar")
    assert candids(items) == [1, 2]
    assert rejected(items) == ["other_file", "not_a_file"]


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
            assert isinstance(item, Rejection) or list(decode_block(item))


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
