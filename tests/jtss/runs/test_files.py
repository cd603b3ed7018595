"""Files that are the old or the new one, whatever happens in between."""

import errno
import os

import pytest

from jtss.runs import files


def test_the_new_one_replaces_the_old_one(tmp_path):
    for text in ("old", "α\n"):
        files.write(tmp_path / "file", text)
    assert (tmp_path / "file").read_bytes() == "α\n".encode()
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("place", ["os.fsync", "os.replace"])
def test_a_full_disk_is_said_in_a_line_and_the_old_one_stays(tmp_path, monkeypatch, place):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.write(tmp_path / "file", "old")
    monkeypatch.setattr(place, full)
    with pytest.raises(OSError) as failed:
        files.write(tmp_path / "file", "new")
    assert str(failed.value) == f"{tmp_path}/file cannot be written: No space left on device"
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_it_has_its_name_only_when_it_is_on_the_disk(tmp_path, monkeypatch):
    def on_the_disk(descriptor):
        assert os.fstat(descriptor).st_size == 3
        assert os.listdir(tmp_path) == [files.partial(tmp_path / "file").name]
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", on_the_disk)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "file", "new")


def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(OSError, match="none/file cannot be written: No such file or directory"):
        files.write(tmp_path / "none" / "file", "")


def test_what_stands_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    files.require_writable(tmp_path / "new" / "deep")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(NotADirectoryError, match=r"file is a file, expected a folder"):
        files.require_writable(tmp_path / "file" / "deep")
