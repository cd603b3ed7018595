"""Who reads a file changes nothing: the process that decodes it, or this one, where that cannot."""

import gzip
import os
from functools import partial

import numpy as np
import pytest

from data_prep import tasks
from data_prep.ingest import ingest, ingest_items
from data_prep.packets import decode as decoding
from data_prep.packets.avro import Block
from data_prep.packets.containers import read_blocks
from data_prep.packets.walking import SMALL_BYTES, File, find
from data_prep.simulate.packets import encode_file
from helpers.make_packets import alert, night, save, save_tar, small

decode = partial(decoding.decode, pad_edges=False)


@pytest.fixture
def folder(tmp_path):
    """Loose files, good, gzipped, cut and empty, an archive, and what is no alert."""
    path = save(tmp_path / "alerts", night()[:8])
    (path / "gzipped.avro.gz").write_bytes(gzip.compress(encode_file([night()[8]])))
    (path / "cut.avro").write_bytes(encode_file([alert("ZTF18cut", 99)])[:-500])
    (path / "empty.avro").write_bytes(b"")
    (path / "readme.txt").write_text("hello")
    save_tar(path / "night.tar.gz", {"1.avro": encode_file(night()[9:]), "2.avro": b"junk"})
    return path


def content(tmp_path, items, **options):
    """Ledger, rejections and the sequences of what was read."""
    workdir = tmp_path / f"work{len(os.listdir(tmp_path))}"
    workdir.mkdir()
    with ingest_items(items, workdir=workdir, **options) as ingested:
        (sequences,) = ingested.batches()
        return ingested.ledger.as_dict(), list(ingested.rejections()), sequences


def assert_same(one, other):
    assert one[:2] == other[:2]
    for name in ("stamps", "metadata", "jd", "candid", "fid", "object_id", "object_start"):
        np.testing.assert_array_equal(getattr(one[2], name), getattr(other[2], name))


@pytest.mark.parametrize("workers", [1, 2])
def test_files_read_where_they_are_decoded_give_what_their_bytes_give(folder, tmp_path, workers):
    handed_out = [item for item in find(folder) if isinstance(item, File) and item.is_small]
    assert len(handed_out) == 11
    from_bytes = content(tmp_path, read_blocks(folder), workers=1)
    assert from_bytes[0]["dropped"] == {"bad_block": 1, "beyond_first_5": 1, "empty_file": 1, "not_avro": 1} | {
        "within_6_hours": 1
    }
    assert_same(content(tmp_path, find(folder), workers=workers), from_bytes)


def test_a_file_that_only_this_process_can_open_is_read_here(folder, tmp_path):
    """As on a cluster where one machine lacks a disk: a descriptor is this process's own."""
    expected = content(tmp_path, read_blocks(folder), workers=1)
    kept, descriptor = tmp_path / "kept", 200
    (folder / "ZTF18a_12.avro").rename(kept)
    opened = os.open(kept, os.O_RDONLY)
    os.dup2(opened, descriptor, inheritable=False)
    try:
        (folder / "ZTF18a_12.avro").symlink_to(f"/proc/self/fd/{descriptor}")
        if not (folder / "ZTF18a_12.avro").exists():
            pytest.skip("no /proc/self/fd")
        assert_same(content(tmp_path, find(folder), workers=2), expected)
    finally:
        os.close(opened)
        os.close(descriptor)


def test_a_file_that_nobody_can_read_is_counted_once_and_says_why(folder, tmp_path):
    items = list(find(folder))
    (folder / "ZTF18a_12.avro").unlink()
    ledger, rejections, sequences = content(tmp_path, items, workers=1)
    (lost,) = (rejection for rejection in rejections if rejection.reason == "unreadable")
    assert lost.source == str(folder / "ZTF18a_12.avro")
    assert lost.detail == f"[Errno 2] No such file or directory: '{folder / 'ZTF18a_12.avro'}'"
    assert (ledger["dropped"]["unreadable"], lost.n_alerts) == (1, 1)
    assert 12 not in sequences.candid


def test_a_file_that_changed_since_it_was_found_is_not_taken_for_it(folder, tmp_path):
    """On another machine another file may have the name: the one here counts."""
    items = list(find(folder))
    path = folder / "ZTF18a_12.avro"
    path.write_bytes(path.read_bytes() + path.read_bytes())
    assert decode([item for item in items if item.source == str(path)])[0] in items
    ledger, _, _ = content(tmp_path, items, workers=1)
    assert ledger["dropped"]["duplicate_candid"] == 1


def test_a_file_that_holds_much_is_read_in_blocks(tmp_path):
    """33 times the bytes of a packet that compresses well, in one small file: 1,056 alerts."""
    path = tmp_path / "many.avro.gz"
    path.write_bytes(gzip.compress(b"".join([encode_file([small(1 + i) for i in range(32)])] * 33)))
    (file,) = find(path)
    assert file.is_small
    assert decode([file]) == [file]
    reader = tasks.Reader([file], lambda _n_bytes: None)
    slices = list(reader.slices(map(decode, reader.portions()), decode))
    assert sum(part.n_read for part in slices) == 1056


def test_no_more_alerts_are_decoded_at_once_than_a_block_may_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_RECORDS_PER_BLOCK", 3)
    files = list(find(save(tmp_path, night())))
    decoded, *returned = decode(files)
    assert (decoded.n_read, returned) == (3, files[3:])


def test_where_files_come_back_again_and_again_they_are_handed_out_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "MOST_RETURNED", 2)
    monkeypatch.setattr(tasks, "ALERTS_PER_TASK", 1)
    files = list(find(save(tmp_path, night())))
    reader = tasks.Reader(files, lambda _n_bytes: None)
    sent = []

    def without_a_disk(portion):
        sent.extend(map(type, portion))
        return decode(portion) if isinstance(portion[0], Block) else portion

    slices = list(reader.slices(map(without_a_disk, reader.portions()), decode))
    assert [part.n_read for part in slices] == [1] * 12
    assert sent == [File] * 2 + [Block] * 10


def test_bytes_are_told_to_the_last_whoever_reads(folder, tmp_path):
    told = []
    with ingest_items(find(folder), workdir=tmp_path, workers=1, on_read=told.append):
        assert sum(told) == sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".txt")


def test_files_fill_a_portion_by_what_they_probably_hold():
    one, many = File("1.avro", 70_000, "1.avro"), File("2.avro", SMALL_BYTES, "2.avro")
    assert list(map(len, tasks.portions([one] * 200))) == [64, 64, 64, 8]
    assert list(map(len, tasks.portions([many] * 5))) == [1] * 5
    assert not File("3.avro", SMALL_BYTES + 1, "3.avro").is_small


def test_a_relative_path_is_read_from_whatever_folder(tmp_path, monkeypatch):
    save(tmp_path / "alerts", night()[:1])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    (file,) = find("alerts")
    monkeypatch.chdir(tmp_path / "elsewhere")
    (decoded,) = decode([file])
    assert decoded.sources == ["alerts/ZTF18a_10.avro"]


def test_the_dot_is_no_part_of_names(tmp_path, monkeypatch):
    save(tmp_path / "deep", night()[:1])
    save(tmp_path, night()[1:2])
    monkeypatch.chdir(tmp_path)
    assert [file.source for file in find(".")] == ["ZTF18a_11.avro", "deep/ZTF18a_10.avro"]
    with ingest(["."], workdir=tmp_path, workers=1, progress=False, passed_over=["deep/ZTF18a_10.avro"]) as ingested:
        assert ingested.ledger.read == 1
