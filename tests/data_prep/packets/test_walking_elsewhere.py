"""Folders elsewhere are walked as those here."""

import pytest

pytest.importorskip("fsspec")

from data_prep.ledger import Rejection
from data_prep.packets import walking
from data_prep.packets.walking import File, find
from helpers.elsewhere import SECRET, store_of, web_server

NAMES = (
    *("b.avro", "a.avro.gz", "c.TAR", "d.zip", ".hidden.avro", "notes.txt", "labels.csv", "10/e.avro", "9/f.avro"),
    *("9/deep/g.avro", "__MACOSX/h.avro", ".git/i.avro", "9/._f.avro"),
)


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        path = tmp_path / "night" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))
    return tmp_path / "night"


@pytest.fixture
def store(folder):
    with store_of(folder) as made:
        yield made


def test_the_order_and_what_is_passed_over_are_those_of_folders_here(folder, store):
    here = list(find(folder, [(folder / "labels.csv").resolve()]))
    there = list(find("s3://bucket/night/", ["s3://bucket/night/labels.csv"]))
    assert [item.source for item in there] == [item.source.replace(str(folder), "s3://bucket/night") for item in here]
    assert [(type(item), getattr(item, "size", item[0])) for item in there] == [
        (type(item), getattr(item, "size", item[0])) for item in here
    ]
    assert [item.path for item in there if isinstance(item, File)][:2] == [
        "bucket/night/a.avro.gz",
        "bucket/night/b.avro",
    ]
    assert not {name for kind, name in store.log if kind == "open"}


def test_a_file_alone_is_taken_whatever_its_name(store):
    (file,) = find("s3://bucket/night/notes.txt")
    assert (file.source, file.size, file.is_small) == ("s3://bucket/night/notes.txt", 9, True)


def test_a_folder_of_a_web_server_is_asked_for_once(folder):
    pytest.importorskip("aiohttp")
    asked = []
    with web_server(folder, asked=asked) as host:
        assert sum(isinstance(item, File) for item in find(f"http://{host}/")) == 7
    assert sorted(asked) == ["/", "/10/", "/9/", "/9/deep/"]


def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are_read(store):
    store.refused.add("bucket/night/9/deep")
    items = list(find("s3://bucket/night"))
    (fault,) = (item for item in items if isinstance(item, Rejection) and item.reason == "unreadable")
    assert (fault.source, fault.n_alerts) == ("s3://bucket/night/9/deep", 0)
    assert "AccessDenied" in fault.detail
    assert SECRET not in fault.detail
    assert sum(isinstance(item, File) for item in items) == 6


def test_an_empty_folder_is_noted_and_links_are_not_followed(store, monkeypatch):
    monkeypatch.setattr(store, "ls", lambda self, path, detail=True: [])
    (item,) = find("s3://bucket/night")
    assert (item.reason, item.source, item.n_alerts) == ("empty_folder", "s3://bucket/night", 0)
    around = [{"name": "bucket/night/round", "type": "directory", "islink": True, "size": 0}]
    around += [{"name": "bucket/night/pipe.avro", "type": "other", "size": 0}]
    monkeypatch.setattr(store, "ls", lambda self, path, detail=True: around)
    pipe, link = find("s3://bucket/night")
    assert (link.reason, link.detail) == ("other_file", "a link to a folder, not followed")
    assert pipe.reason == "not_a_file"


def test_folders_without_end_are_left(store, monkeypatch):
    def circle(self, path, detail=True):
        return [{"name": f"{path}/round", "type": "directory", "size": 0}]

    monkeypatch.setattr(store, "ls", circle)
    monkeypatch.setattr(walking, "MAX_DEPTH", 3)
    (item,) = find("s3://bucket/night")
    assert (item.source.count("round"), item.detail) == (4, "a folder in 3 others, not followed")
