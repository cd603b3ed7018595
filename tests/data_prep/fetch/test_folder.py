"""The folder and its journal: whole or absent, and what a killed process leaves."""

import json

import pytest

from data_prep.fetch import folder as folders
from data_prep.fetch.folder import opened
from data_prep.lost import ABSENT, FAILED, NOT_ASKED, Lost
from jtss import files
from jtss.errors import InputError

NAME, CANDID = "ZTF18aaaaaaa", 5


def keep(folder, content=b"packet", candid=CANDID):
    path = folder.alert_path(NAME, candid)
    folder.keep("alerce", NAME, candid, path, content, url="http://somewhere")
    return path


def interrupted(*_paths):
    raise KeyboardInterrupt


def lines(path):
    return [json.loads(line) for line in (path / folders.JOURNAL).read_text().splitlines()]


def test_what_is_kept_is_there_with_its_provenance(tmp_path):
    with opened(tmp_path / "new") as folder:
        path = keep(folder)
        assert folder.packet(NAME, CANDID) == b"packet"
    (line,) = lines(tmp_path / "new")
    assert line["file"] == f"alerts/{NAME}/{CANDID}.avro"
    assert line["sha256"] == files.sum_of(path)
    assert (line["bytes"], line["url"]) == (6, "http://somewhere")
    with opened(tmp_path / "new") as folder:
        assert folder.packet(NAME, CANDID) == b"packet"
        assert folder.packet(NAME, CANDID + 1) is None


def test_a_file_that_is_gone_or_changed_is_not_there(tmp_path):
    with opened(tmp_path) as folder:
        path, other = keep(folder), keep(folder, candid=6)
    path.write_bytes(b"another")
    other.unlink()
    with opened(tmp_path) as folder:
        assert folder.packet(NAME, CANDID) is None
        assert folder.packet(NAME, 6) is None
        assert folder.n_changed == 1


def test_no_file_is_without_a_line(tmp_path, monkeypatch):
    """A process that is killed between the two leaves a line, which counts for nothing."""
    with opened(tmp_path) as folder:
        with monkeypatch.context() as patch:
            patch.setattr(folders.os, "replace", interrupted)
            with pytest.raises(KeyboardInterrupt):
                keep(folder)
        assert [path for path in (tmp_path / "alerts").rglob("*") if path.is_file()] == []
        assert folder.packet(NAME, CANDID) is None
        keep(folder)
        assert folder.packet(NAME, CANDID) == b"packet"


def test_half_a_line_is_cut_off_and_half_a_file_removed(tmp_path):
    with opened(tmp_path) as folder:
        path = keep(folder)
    journal, left = tmp_path / folders.JOURNAL, path.with_name(f".{path.name}.4711.partial")
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[:30])
    left.write_bytes(b"pack")
    with opened(tmp_path) as folder:
        assert folder.packet(NAME, CANDID) == b"packet"
        keep(folder, candid=6)
    assert journal.read_bytes().startswith(whole)
    assert len(lines(tmp_path)) == 2
    assert not left.exists()


def test_what_is_lost_is_remembered_where_it_was_answered(tmp_path):
    with opened(tmp_path) as folder:
        folder.lose("alerce", "A", 0, Lost(ABSENT, "unknown_object", "no"), 0.0, label="SN")
        folder.lose("alerce", "B", 7, Lost(FAILED, "timeout", "no"), 0.0)
        folder.lose("alerce", "C", 0, Lost(NOT_ASKED, "", "no"), 0.0)
        folder.lose("alerce", "A", 0, Lost(ABSENT, "unknown_object", "no"), 1.0)
    assert [line["objectId"] for line in lines(tmp_path)] == ["A", "B"]
    assert lines(tmp_path)[0]["time"] == "1970-01-01T00:00:00Z"
    with opened(tmp_path) as folder:
        with pytest.raises(Lost, match="unknown_object"):
            folder.answer("alerce", "A")
        assert folder.answer("fink", "A") is None  # another service may know
        folder.check_absent("alerce", "B", 7)
        assert folder.unsettled("alerce") == {"B"}
        assert folder.unsettled("fink") == set()


def test_an_answer_is_given_again(tmp_path):
    with opened(tmp_path) as folder:
        folder.keep("alerce", NAME, 0, tmp_path / "objects/alerce/x.json", b"[]")
    with opened(tmp_path) as folder:
        assert folder.answer("alerce", NAME) == b"[]"


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"not empty and without fetched\.jsonl"), opened(tmp_path):
        pass
    with pytest.raises(InputError, match="expected a folder"), opened(tmp_path / "thesis.tex"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("line", ["no json", "[1]", '{"outcome": "got", "service": "alerce"}'])
def test_a_journal_that_is_none_is_named(tmp_path, line):
    with opened(tmp_path) as folder:
        keep(folder)
    with (tmp_path / folders.JOURNAL).open("a") as journal:
        journal.write(f"{line}\n")
    with pytest.raises(InputError, match=r"fetched\.jsonl, line 2"), opened(tmp_path):
        pass


def test_one_process_at_a_time(tmp_path):
    message = "is in use: process .* fills it"
    with opened(tmp_path), pytest.raises(files.LockedError, match=message), opened(tmp_path):
        pass


@pytest.mark.parametrize(
    ("name", "is_good"),
    [
        *((name, True) for name in ("ZTF18abcdefg", "SIM00000001", "170028499")),
        *((name, False) for name in ("", "../x", ".x", "a b", "a/b", "ü", "a" * 65)),
    ],
)
def test_which_names_may_be_part_of_a_path(name, is_good):
    assert bool(folders.NAME.fullmatch(name)) is is_good
