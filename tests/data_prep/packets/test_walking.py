"""Which files are found, in which order, and that none of them is opened; what folders hold is in test_containers."""

import os

import pytest

from data_prep.ledger import Rejection
from data_prep.packets.walking import File, find


@pytest.fixture
def folder(tmp_path):
    for name in ("b.avro", "a.avro.gz", "c.tar", "d.zip", "sub/e.avro", ".hidden.avro", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * len(name))
    return tmp_path


def test_files_are_found_in_order_and_not_opened(folder, monkeypatch):
    monkeypatch.setattr("builtins.open", None)
    found = list(find(folder))
    assert [os.path.relpath(item.source, folder) for item in found] == [
        *("a.avro.gz", "b.avro", "c.tar", "d.zip", "notes.txt", "sub/e.avro")
    ]
    assert [item.size for item in found if isinstance(item, File)] == [9, 6, 5, 5, 10]
    assert [item.reason for item in found if isinstance(item, Rejection)] == ["other_file"]


def test_what_is_small_is_told_by_name_and_size(folder):
    small = {item.source: (item.is_small, item.is_refused) for item in find(folder) if isinstance(item, File)}
    assert list(small.values()) == [(True, False), (True, False), (False, False), (False, True), (True, False)]


def test_files_of_the_program_are_passed_over_by_whatever_way(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "link").symlink_to(folder)
    (folder / "z.avro").symlink_to(folder / "b.avro")
    besides = {(folder / "b.avro").resolve(), (folder / "sub" / "e.avro").resolve()}
    found = [os.path.basename(item.source) for item in find(other / "link", besides)]
    assert found == ["a.avro.gz", "c.tar", "d.zip", "notes.txt"]
