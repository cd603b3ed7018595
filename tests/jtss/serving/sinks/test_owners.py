"""Whose a folder is: the first that asks, also of many at one moment, and nobody else."""

import errno
import json
import os
import subprocess
import sys

import pytest

from helpers.places import ROOT
from jtss.errors import InputError
from jtss.serving.sinks import owners
from jtss.serving.sinks.owners import FILE, Owner, claim

OURS = Owner("cluster", "group", "json")


def test_an_owner_may_come_again_and_others_not(tmp_path):
    folder = tmp_path / "new" / "out"
    claim(folder, OURS)
    claim(folder, OURS)
    assert [path.name for path in folder.iterdir()] == [FILE]
    for change, said in (
        ({"group": "b"}, "answers of the group group, not b; choose another"),
        ({"cluster": "c", "form": "parquet"}, "of the cluster cluster, not c, the form json, not parquet; choose"),
        ({"cluster": None}, "of the cluster cluster, not None; choose another"),
    ):
        with pytest.raises(InputError, match=f"--out: {folder} holds .*{said}"):
            claim(folder, OURS._replace(**change))
    assert json.loads((folder / FILE).read_text()) == OURS._asdict()


def test_a_folder_with_the_files_of_others_is_refused(tmp_path):
    (tmp_path / ".hidden").touch()
    (tmp_path / "lost+found").mkdir()  # of a disk that is empty
    claim(tmp_path, OURS)
    (tmp_path / "answers.jsonl").touch()
    claim(tmp_path, OURS)
    (tmp_path / FILE).unlink()
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match=r"--out: \S+ holds answers.jsonl and 1 more, but no .*; expected an"):
        claim(tmp_path, OURS)
    assert not (tmp_path / FILE).exists()


CLAIM = """
import errno, os, sys
from pathlib import Path
from jtss.errors import InputError
from jtss.serving.sinks import owners
from jtss.serving.sinks.owners import Owner, claim

def no_link(*names):
    raise OSError(errno.EPERM, "no links")

if sys.argv[3] == "no links":
    os.link = no_link
owners.WRITING_SECONDS = 600
sys.stdin.readline()
try:
    claim(Path(sys.argv[1]), Owner("cluster", sys.argv[2], "json"))
    print("ours")
except InputError:
    print("not ours")
"""


@pytest.mark.parametrize("disk", ["links", "no links"])
def test_of_many_that_start_at_once_one_group_gets_the_folder(tmp_path, disk):
    groups = ["a", "b"] * 4
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, tmp_path / "out", group, disk],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for group in groups
    ]  # fmt: skip
    for process in started:  # all are waiting to be let go
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=600)[0].strip() for process in started]
    owner = json.loads((tmp_path / "out" / FILE).read_text())["group"]
    assert said == ["ours" if group == owner else "not ours" for group in groups]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [FILE]


def test_who_is_late_by_a_moment_sees_the_other(tmp_path, monkeypatch):
    """Between the question whether somebody is there and the claim, somebody comes."""
    first = owners.files.partial

    def partial(path):
        monkeypatch.setattr(owners.files, "partial", first)
        claim(tmp_path, OURS)
        return path.with_name("late")

    monkeypatch.setattr(owners.files, "partial", partial)
    with pytest.raises(InputError, match="group group, not b"):
        claim(tmp_path, OURS._replace(group="b"))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def refuse(number):
    def link(*_names):
        raise OSError(number, os.strerror(number))

    return link


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_links_has_owners_too(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "link", refuse(number))
    claim(tmp_path, OURS)
    claim(tmp_path, OURS)
    with pytest.raises(InputError, match="group group, not b"):
        claim(tmp_path, OURS._replace(group="b"))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_disk_that_fails_leaves_the_folder_to_others(tmp_path, monkeypatch):
    """Whether links fail for another reason, or the disk is full where there are none."""
    monkeypatch.setattr(os, "link", refuse(errno.EIO))
    with pytest.raises(OSError, match=f"{FILE} cannot be written: {os.strerror(errno.EIO)}"):
        claim(tmp_path, OURS)
    assert [*tmp_path.iterdir()] == []
    flush, full = os.fsync, iter([None, OSError(errno.ENOSPC, "full")])

    def fsync(descriptor):
        if error := next(full):
            raise error
        flush(descriptor)

    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=f"{FILE} cannot be written: {os.strerror(errno.ENOSPC)}"):
        claim(tmp_path, OURS)
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_is_being_written_is_waited_for(tmp_path, monkeypatch):
    """On a disk without links it is empty for a moment."""
    path = tmp_path / FILE
    path.touch()
    monkeypatch.setattr(owners.time, "sleep", lambda _: path.write_text(json.dumps(OURS._asdict()) + "\n"))
    claim(tmp_path, OURS)
    with pytest.raises(InputError, match="group group, not b"):
        claim(tmp_path, OURS._replace(group="b"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cluster": null}'])
def test_a_file_that_is_damaged_is_named(tmp_path, monkeypatch, text):
    monkeypatch.setattr(owners, "WRITING_SECONDS", 0.1)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=rf"{FILE}: .*expected the cluster, group and form"):
        claim(tmp_path, OURS)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file, expected a folder"):
        claim(tmp_path / "file" / "out", OURS)
