"""Files that are the old or the new one, whatever happens in between."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from jtss import files
from jtss.errors import InputError


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


def test_a_file_of_many_pieces_is_whole_or_not_there(tmp_path):
    """Whatever goes wrong meanwhile is the error; each process has a place of its own."""
    place, names = tmp_path / "file", []

    def fill(text, error=None):
        with files.replaced(place) as unfinished:
            unfinished.write_text(text)
            names.append((unfinished.name, place.read_text()))
            if error:
                raise error

    place.write_text("old")
    with pytest.raises(KeyError):
        fill("half", KeyError())
    assert (place.read_text(), os.listdir(tmp_path)) == ("old", ["file"])
    fill("new")
    assert (place.read_text(), os.listdir(tmp_path)) == ("new", ["file"])
    assert names == [(f".file.{os.getpid()}.partial", "old")] * 2


def test_what_a_killed_process_leaves_is_known_by_its_name(tmp_path):
    assert files.is_partial(files.partial(tmp_path / "a.json"), "a.json")
    for other in (".a.json.partial", ".b.json.12.partial", ".aXjson.12.partial", "a.json", ".a.json.x.partial"):
        assert not files.is_partial(tmp_path / other, "a.json")


def test_outputs_are_checked_before_hours_go_into_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    here = tmp_path / "a.csv"
    files.check_outputs({"out": here, "picture": tmp_path / "a.png", "rejects": None}, [None, tmp_path], force=False)
    for other in (here, tmp_path / "link" / "a.csv", Path("a.csv")):
        with pytest.raises(InputError, match=f"^--out and --rejects name the same file {other}; expected two$"):
            files.check_outputs({"out": here, "rejects": other}, force=True)
        with pytest.raises(InputError, match=f"^--out {here}: this file is read as well; choose another name"):
            files.check_outputs({"out": here}, [other], force=True)
    with pytest.raises(InputError, match=f"^--out {tmp_path}: a folder, expected the name of a file to write$"):
        files.check_outputs({"out": tmp_path}, force=True)
    with pytest.raises(FileNotFoundError, match=r"a.csv: the folder .*nowhere does not exist"):
        files.check_outputs({"out": tmp_path / "nowhere" / "a.csv"}, force=True)


def test_a_folder_is_checked_before_hours_go_into_it(tmp_path):
    there, file = tmp_path / "there", tmp_path / "file"
    there.mkdir(), file.touch()
    files.check_folder("out", tmp_path / "new", force=False)
    files.check_folder("out", there, force=True)
    with pytest.raises(FileExistsError, match=r"there exists; choose another name or add --force"):
        files.check_folder("out", there, force=False)
    with pytest.raises(InputError, match=f"^--out {file}: a file, expected the name of a folder to write$"):
        files.check_folder("out", file, force=True)
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
        files.check_folder("out", tmp_path / "nowhere" / "new", force=True)


def test_a_file_that_exists_is_replaced_by_force_only(tmp_path):
    here = tmp_path / "a.csv"
    here.write_text("precious")
    with pytest.raises(FileExistsError, match=f"^{here} exists; choose another name or add --force to replace it$"):
        files.check_outputs({"out": here}, force=False)
    files.check_outputs({"out": here}, force=True)
    assert here.read_text() == "precious"
    with pytest.raises(InputError, match="read as well"):
        files.check_outputs({"out": here}, [here], force=True)


def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(OSError, match="none/file cannot be written: No such file or directory"):
        files.write(tmp_path / "none" / "file", "")


def test_what_stands_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    files.require_writable(tmp_path / "new" / "deep")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(NotADirectoryError, match=r"file is a file, expected a folder"):
        files.require_writable(tmp_path / "file" / "deep")


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    remedy = r"cannot be written \(Permission denied\); let this user write there, or choose another folder"
    with pytest.raises(PermissionError, match=f"{tmp_path}/new: {tmp_path} {remedy}"):
        files.require_writable(tmp_path / "new")


def test_a_full_disk_is_known_by_its_number():
    """Of the error or of its cause; by its words only where there is no number at all."""
    words = os.strerror(errno.ENOSPC)
    assert files.full_disk(OSError(errno.ENOSPC, "no room")) == words
    assert files.full_disk(OSError(errno.EDQUOT, "")) == os.strerror(errno.EDQUOT)
    assert files.full_disk(ValueError(f"tensorstore: {words}")) == words
    assert files.full_disk(PermissionError(errno.EACCES, "", words)) is None
    outer = ValueError(f"about {words}")
    outer.__cause__ = PermissionError(errno.EACCES, "", words)
    assert files.full_disk(outer) is None
    outer.__cause__ = OSError(errno.ENOSPC, "")
    assert files.full_disk(outer) == words


def test_a_file_that_does_not_fit_is_named_and_the_number_stays(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"^{tmp_path}/file cannot be written: Disk quota exceeded$") as failed:
        files.write(tmp_path / "file", "")
    assert failed.value.errno == errno.EDQUOT
