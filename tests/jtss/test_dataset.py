"""The writer: what goes in comes out, complete or not at all."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_files import SPLIT, some_sequences, write
from helpers.made_sequences import with_histories
from helpers.places import ROOT
from jtss import dataset
from jtss.dataset import Writer
from jtss.schema import ALERT, COLUMNS, METADATA_NAMES, NO_STAMP, SCHEMA_VERSION, SUBCLASSES, ContentHash, take


@pytest.mark.parametrize("sequences", [some_sequences([2, 1, 5, 3]), with_histories(some_sequences([2, 1, 5, 3]))])
def test_round_trip_and_hash(tmp_path, sequences):
    content_hash = write(tmp_path / "a.h5", [sequences], SPLIT)
    expected = ContentHash()
    with h5py.File(tmp_path / "a.h5") as file:
        for name, column in COLUMNS.items():
            stored = file[name].asstr()[:] if column.dtype == "str" else file[name][:]
            array = SPLIT if name == "split" else getattr(sequences, name)
            np.testing.assert_array_equal(stored, array)
            assert column.dtype == "str" or stored.dtype == column.dtype
            expected.update(name, stored)
        assert file.attrs["content_hash"] == content_hash == expected.hexdigest()
        assert file.attrs["schema_version"] == SCHEMA_VERSION
        assert list(file.attrs["subclass_names"]) == list(SUBCLASSES)
        assert list(file.attrs["feature_names"]) == list(METADATA_NAMES)
        ledger = json.loads(file.attrs["ledger"])
    assert ledger == {"read": 14, "kept": 11, "dropped": {"stamp_shape": 3}, "notes": {}}
    assert os.listdir(tmp_path) == ["a.h5"]


def test_content_is_on_disk_before_the_name(tmp_path, monkeypatch):
    """The file is synced, renamed, and the folder synced: in this order."""
    events, fsync, replace = [], os.fsync, os.replace

    def record_sync(descriptor):
        events.append(("sync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def record_replace(old, new):
        events.append(("rename", os.path.basename(old)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    write(tmp_path / "a.h5", [some_sequences([1])], SPLIT[:1])
    partial = f".a.h5.{os.getpid()}.partial"
    assert events == [("sync", partial), ("rename", partial), ("sync", tmp_path.name)]


def test_hash_does_not_see_how_rows_are_batched(tmp_path):
    sequences = with_histories(some_sequences([2, 1, 5, 3]))
    pieces = [take(sequences, np.arange(*edges)) for edges in ((0, 1), (1, 3), (3, 4))]
    assert write(tmp_path / "a.h5", [sequences], SPLIT) == write(tmp_path / "b.h5", pieces, SPLIT)
    with h5py.File(tmp_path / "a.h5") as one, h5py.File(tmp_path / "b.h5") as other:
        for name in COLUMNS:
            np.testing.assert_array_equal(one[name][:], other[name][:])


def test_stamps_are_numbered_through_all_batches(tmp_path):
    batches = [with_histories(some_sequences([2, 1], seed=i), seed=i) for i in range(3)]
    write(tmp_path / "a.h5", batches, np.zeros(6, np.int8))
    with h5py.File(tmp_path / "a.h5") as file:
        stamp_row, kind = file["stamp_row"][:], file["kind"][:]
        assert stamp_row[kind == ALERT].tolist() == list(range(9)) == list(range(len(file["stamps"])))
        assert set(stamp_row[kind != ALERT]) == {NO_STAMP}


@pytest.mark.parametrize("name", list(COLUMNS))
def test_hash_sees_every_column(name):
    sequences = some_sequences([2, 1])
    hashes = []
    for change in (False, True):
        content = ContentHash()
        for column in COLUMNS:
            array = getattr(sequences, column).copy()
            if change and column == name:
                array[-1:] = np.array(["other"], object) if COLUMNS[name].dtype == "str" else array[-1:] + 1
                array = np.ones_like(array) if name == "allwise" else array
            content.update(column, array)
        hashes.append(content.hexdigest())
    assert hashes[0] != hashes[1]


def test_hash_sees_where_one_name_ends():
    one, other = ContentHash(), ContentHash()
    one.update("object_id", np.array(["ab", "c"], object))
    other.update("object_id", np.array(["a", "bc"], object))
    assert one.hexdigest() != other.hexdigest()


def test_refuses_to_overwrite_at_the_start_and_at_the_end(tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="--force"):
        Writer(path, survey="ZTF", command="test")
    path.unlink()
    with Writer(path, survey="ZTF", command="test") as writer:
        writer.append(some_sequences([1]))
        path.write_text("precious")
        with pytest.raises(FileExistsError):
            writer.finish(split=SPLIT[:1], ledger=Ledger().as_dict())
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["a.h5"]
    write(path, [some_sequences([1])], SPLIT[:1], force=True)
    assert h5py.is_hdf5(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_nothing(tmp_path, error):
    def interrupted():
        with Writer(tmp_path / "a.h5", survey="ZTF", command="test") as writer:
            writer.append(some_sequences([1, 2]))
            raise error

    with pytest.raises(error):
        interrupted()
    assert os.listdir(tmp_path) == []


def test_a_failed_force_keeps_the_old_file(tmp_path):
    (tmp_path / "a.h5").write_text("old")
    with pytest.raises(ValueError, match="split"):
        write(tmp_path / "a.h5", [some_sequences([1, 2])], SPLIT, force=True)
    assert (tmp_path / "a.h5").read_text() == "old"


def test_an_empty_data_set_and_a_missing_folder_are_errors(tmp_path):
    with pytest.raises(ValueError, match="no objects"):
        write(tmp_path / "a.h5", [], SPLIT[:0])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Writer(tmp_path / "nowhere" / "a.h5", survey="ZTF", command="test")
    assert os.listdir(tmp_path) == []


def test_wrong_shapes_are_refused(tmp_path):
    sequences = some_sequences([1])
    object.__setattr__(sequences, "allwise", np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="allwise"):
        write(tmp_path / "a.h5", [sequences], SPLIT[:1])


def test_a_disk_too_small_is_refused_before_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**26 + 500_000))
    with pytest.raises(OSError, match=r"a.h5: writing failed \(disk full: 68 MB left, 69 MB needed"):
        write(tmp_path / "a.h5", [some_sequences([100])], SPLIT[:1])
    assert os.listdir(tmp_path) == []


BROKEN_DISK = """
import os, resource, sys
sys.path.insert(0, "tests")
from helpers.made_files import SPLIT, some_sequences, write

def limit_file_size(n_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))

truncate = os.truncate
os.truncate = lambda *arguments: (limit_file_size(resource.RLIM_INFINITY), truncate(*arguments))  # room again
limit_file_size(2_000_000)
try:
    write(sys.argv[1], [some_sequences([100, 100, 100, 100])], SPLIT)
except OSError as error:
    print(error)
"""


def test_a_write_that_fails_is_named_and_leaves_nothing(tmp_path):
    """A limit on the file size stands for a quota: both fail a write in the middle, until the file is cut."""
    command = [sys.executable, "-c", BROKEN_DISK, str(tmp_path / "a.h5")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert "a.h5: writing failed" in done.stdout, done
    assert done.returncode == 0, done
    assert os.listdir(tmp_path) == []


def test_an_outline_is_what_the_objects_are(tmp_path):
    content_hash = write(tmp_path / "made.h5", [with_histories(some_sequences([2, 1, 5, 3]))], SPLIT)
    (whole,) = dataset.read(tmp_path / "made.h5")
    outline = dataset.outline(tmp_path / "made.h5")
    for name, values in outline._asdict().items():
        np.testing.assert_array_equal(values, getattr(whole, name))
    dataset.require_content(tmp_path / "made.h5", content_hash, "a model")
    with pytest.raises(dataset.DataError, match=r"made.h5: content hash .*, expected 77, of the data that a model"):
        dataset.require_content(tmp_path / "made.h5", "77", "a model")
