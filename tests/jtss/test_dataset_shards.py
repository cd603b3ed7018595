"""A data set of many files is read as one, or refused by the name of the file that does not fit."""

import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from data_prep.audit.audit import audit
from data_prep.inspection import draw, summary
from helpers.made_shards import copy, divided
from helpers.places import ROOT
from jtss import dataset, schema
from jtss.dataset import IN_SHARDS, INDEX, DataError
from jtss.schema import COLUMNS

PART = "Norder=0/Npix=4.h5"
READERS = [dataset.attributes, lambda path: list(dataset.read(path)), summary, audit]


@pytest.fixture
def many(tmp_path):
    return divided(tmp_path)[1]


def columns(path) -> dict[str, np.ndarray]:
    with dataset.open_checked(path) as file:
        return {name: np.concatenate(list(dataset.rows(file[name], 3))) for name in COLUMNS}


@pytest.mark.parametrize("name", ["", INDEX])
def test_a_folder_is_read_as_the_one_file_that_has_its_objects_in_its_order(tmp_path, many, name):
    path, one = many / name, copy(many, tmp_path / "copy.h5")
    expected = columns(one)
    for column, values in columns(path).items():
        np.testing.assert_array_equal(values, expected[column], err_msg=column)
        assert values.dtype == expected[column].dtype
    same = (dataset.n_objects, dataset.outline, lambda path: dataset.attributes(path)["content_hash"])
    for look in (*same, lambda path: str(audit(path)).partition(":")[2]):
        np.testing.assert_equal(look(path), look(one))
    assert dataset.object_ids(path, ("train",)) == dataset.object_ids(one, ("train",))
    assert "(verified)" in summary(path)
    draw(path, tmp_path / "gallery.png")


def test_stamps_and_rows_are_stored_once(many):
    """The index is small: of its columns those of the shards have no bytes there."""
    with h5py.File(many / INDEX) as file:
        stored = {name: file[name].id.get_storage_size() for name in COLUMNS}
        assert {name for name in COLUMNS if file[name].is_virtual} == set(IN_SHARDS)
    assert {name for name, size in stored.items() if size == 0} == set(IN_SHARDS)


def test_every_file_of_it_is_a_data_set(many):
    with dataset.open_checked(many) as file:
        shards = dataset.shards(file)
    assert [shard.name for shard in shards] == [*(f"Norder=0/Npix={p}.h5" for p in (0, 2, 4, 5, 7)), "no_position.h5"]
    for shard in shards:
        read = schema.join(list(dataset.read(many / shard.name)))
        assert (read.n_objects, len(read.jd), len(read.stamps)) == shard[2:]
        assert f"hash {shard.content_hash} (verified)" in summary(many / shard.name)
        assert f"part {shard.name} of 12 objects" in summary(many / shard.name)


def test_some_objects_are_taken_in_any_order(many, tmp_path):
    whole = schema.join(list(dataset.read(many)))
    groups = [np.array([7, 2, 11]), np.array([0])]
    for path in (many, copy(many, tmp_path / "copy.h5")):
        for taken, group in zip(dataset.take(path, groups), groups, strict=True):
            expected = schema.take(whole, group)
            for name in COLUMNS:
                np.testing.assert_array_equal(getattr(taken, name), getattr(expected, name), err_msg=name)


def test_the_folder_may_move_also_while_others_lie_where_the_working_folder_is(tmp_path, many, monkeypatch):
    before = columns(many)
    (tmp_path / "far").mkdir(), (tmp_path / "near").mkdir()
    moved = shutil.move(many, tmp_path / "far" / "else")
    monkeypatch.chdir(divided(tmp_path / "near")[1])
    with h5py.File(PART, "r+") as file:
        file["jd"][:] = 0
    np.testing.assert_equal(columns(moved), before)


@pytest.mark.parametrize("read", READERS)
def test_a_missing_shard_is_named(many, read):
    os.rename(many / PART, many / "other.h5")
    with pytest.raises(DataError, match=f"many/{PART}: missing, expected the file that .*many lists; .* whole folder$"):
        read(many)


@pytest.mark.parametrize("read", READERS)
def test_a_shard_in_the_place_of_another_is_named(many, read):
    shutil.copy(many / "Norder=0/Npix=7.h5", many / PART)
    with pytest.raises(DataError, match=f"many/{PART}: content hash .*, .*many expects .*: another file$"):
        read(many)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("length", [0, 3000])
def test_a_shard_that_is_cut_is_named(many, read, length):
    os.truncate(many / PART, length)
    with pytest.raises(DataError, match=f"many/{PART}: "):
        read(many)


@pytest.mark.parametrize("read", READERS)
def test_a_column_of_another_form_is_named(many, read):
    with h5py.File(many / PART, "r+") as file:
        values = file["jd"][1:]
        del file["jd"]
        file["jd"] = values
    with pytest.raises(DataError, match=rf"many/{PART}: jd is .*, expected \(\d+,\) float64$"):
        read(many)


@pytest.mark.parametrize("read", [READERS[1], summary])
@pytest.mark.parametrize(("name", "at"), [("stamps", (2, 30, 30, 1)), ("metadata", (0, 3)), ("jd", 1)])
def test_a_flipped_value_is_found_and_its_file_named(many, read, name, at):
    with h5py.File(many / PART, "r+") as file:
        file[name][at] += 0.5
    with pytest.raises(DataError, match=f"many: damaged in {PART}: "):
        read(many)


@pytest.mark.parametrize("name", ["stamps", "candid"])
def test_a_view_of_files_that_are_not_listed_is_refused(many, name):
    with h5py.File(many / INDEX, "r+") as file:
        layout, shape = h5py.VirtualLayout(file[name].shape, file[name].dtype), file[name].shape
        layout[:] = h5py.VirtualSource("elsewhere.h5", name, shape)
        del file[name]
        file.create_virtual_dataset(name, layout)
    with pytest.raises(DataError, match="many: damaged: its columns lie in other files than those that it lists"):
        dataset.attributes(many)


def test_a_link_to_an_index_is_followed(tmp_path, many):
    """Also where a file of a shard's name lies beside the link."""
    (tmp_path / "link.h5").symlink_to(many / INDEX)
    (tmp_path / "Norder=0").mkdir()
    shutil.copy(many / "Norder=0/Npix=7.h5", tmp_path / PART)
    np.testing.assert_equal(columns(tmp_path / "link.h5"), columns(many))


LIMITED = """
import os, resource, sys
from jtss import dataset
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1 + int(sys.argv[2]), 4096))
try:
    dataset.attributes(sys.argv[1])
    print("done")
except dataset.DataError as error:
    print(error)
"""


def test_a_program_that_may_not_open_all_files_is_told(many):
    """The index and six more, and one that HDF5 opens and closes when it opens one again."""
    told = []
    for limit in (4, 7, 8):
        command = [sys.executable, "-c", LIMITED, str(many), str(limit)]
        told.append(subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip())
    assert all("many: its 6 files cannot all be opened; this program may open" in line for line in told[:2]), told
    assert told[2] == "done"


def test_h5py_alone_shows_that_a_shard_is_missing(many):
    """By values that no row has."""
    before = columns(many)
    os.remove(many / PART)
    with h5py.File(many / INDEX) as file:
        for name, absent in IN_SHARDS.items():
            values = file[name][:]
            assert absent not in before[name]
            lost = (values == absent).reshape(len(values), -1).all(axis=1)
            assert 0 < lost.sum() < len(lost)
            np.testing.assert_array_equal(values[~lost], before[name][~lost])


def test_where_hdf5_looks_elsewhere_nothing_is_read(many, tmp_path):
    """HDF5 reads the variable once, at its start."""
    code = f"from jtss import dataset\ntry: dataset.attributes({str(many)!r})\nexcept dataset.DataError as e: print(e)"
    variables = os.environ | {"HDF5_VDS_PREFIX": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=variables)
    assert "the environment variable HDF5_VDS_PREFIX is set" in done.stdout, done.stderr


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a folder without index.h5, expected a data file, or the folder of a data"):
        dataset.attributes(tmp_path)


@pytest.mark.parametrize("chunk_cache_bytes", [None, 0])
def test_who_has_it_open_reads_on_when_it_is_deleted(many, chunk_cache_bytes):
    """As of a single file: a shard that HDF5 has not opened yet would be lost."""
    before = columns(many)
    with dataset.open_checked(many, chunk_cache_bytes=chunk_cache_bytes) as file:
        shutil.rmtree(many)
        for name in COLUMNS:
            np.testing.assert_array_equal(np.concatenate(list(dataset.rows(file[name], 3))), before[name])


@pytest.mark.parametrize("name", ["", INDEX])
def test_its_files_have_no_chunk_caches(many, name):
    """Of a megabyte or more for each column of each of up to 193 files; shards are opened as the index is."""
    with dataset.open_checked(many / name) as file:
        _, _, n_bytes, _ = file.id.get_access_plist().get_cache()
    assert n_bytes == 0


def test_closing_it_closes_every_file(many):
    before = os.listdir("/proc/self/fd")
    file = dataset.open_checked(many)
    assert len(os.listdir("/proc/self/fd")) == len(before) + 1 + len(dataset.shards(file))
    file.close()
    assert os.listdir("/proc/self/fd") == before
