"""Alerts elsewhere give the data set that they give here; what breaks on the way is counted, and no secret is told."""

import json
import threading
from functools import partial

import h5py
import pytest

pytest.importorskip("fsspec")
import fsspec

from data_prep.packets import containers
from data_prep.packets.containers import read_blocks
from data_prep.packets.decode import decode
from data_prep.packets.walking import File, find
from data_prep.simulate.packets import encode_file
from data_prep.workers import ordered_map
from helpers.elsewhere import SECRET, object_server, store_of, web_server
from helpers.make_packets import alert, gzip, night, save, save_tar
from helpers.read_packets import candids, rejected
from jtss.commands.main import main

LABELS = "objectId,label\nZTF18a,AGN\nZTF18b,SN\n"


@pytest.fixture
def folder(tmp_path):
    path = save(tmp_path / "night", night()[:8])
    save(path / "deep", night()[8:9])
    (path / "deep" / "gzipped.avro.gz").write_bytes(gzip(encode_file([night()[9]])))
    (path / "broken.avro").write_bytes(encode_file([alert("ZTF18cut", 99)])[:-500])
    (path / "readme.txt").write_text("hello")
    save_tar(path / "night.tar.gz", {"1.avro": encode_file(night()[10:])})
    (path / "labels.csv").write_text(LABELS)
    return path


@pytest.fixture
def store(folder):
    with store_of(folder) as made:
        yield made


@pytest.fixture
def build(tmp_path, capsys):
    """The command; what it wrote and said."""

    def build(place, labels=None, *words, workers=1):
        out, rejects = tmp_path / "out.h5", tmp_path / "rejects.jsonl"
        options = ["--workers", workers, "--rejects", rejects, "--force", *words]
        options += ["--labels", labels] if labels else []
        assert main(["data", "build", "--alerts", str(place), "--out", str(out), *map(str, options)]) == 0
        with h5py.File(out) as file:
            attributes = {name: str(value) for name, value in file.attrs.items()}
        lines = [json.loads(line) for line in rejects.read_text().splitlines()]
        said = capsys.readouterr()
        return attributes, lines, said.out + said.err

    return build


def moved(lines, there, here):
    """Rejects as of a folder here, without what systems say."""
    return [line | {"file": line["file"].replace(there, here)} for line in lines]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_object_store_gives_what_the_folder_gives(folder, store, build, workers):
    """With two processes, neither of which knows this store, this one reads."""
    expected, lines, _ = build(folder, folder / "labels.csv")
    found, those, _ = build("s3://bucket/night", "s3://bucket/night/labels.csv", workers=workers)
    assert found["content_hash"] == expected["content_hash"]
    assert found["ledger"] == expected["ledger"]
    assert moved(those, "s3://bucket/night", str(folder)) == lines
    assert json.loads(found["ledger"])["dropped"]["bad_block"] == 1


def test_the_memory_and_the_files_of_fsspec(folder, build):
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/night", recursive=True)
    expected, lines, _ = build(folder)
    try:
        found, those, _ = build("memory://night")
    finally:
        memory.rm("/night", recursive=True)
    assert (found["content_hash"], found["ledger"]) == (expected["content_hash"], expected["ledger"])
    assert moved(those, "memory://night", str(folder)) == lines
    found, those, _ = build(f"file://{folder}")
    assert (found["content_hash"], those) == (expected["content_hash"], lines)


@pytest.mark.parametrize("workers", [1, 2])
def test_s3fs_gives_what_the_folder_gives(folder, build, workers, monkeypatch):
    """Against a server here that speaks its protocol, in pages, and asks for patience."""
    pytest.importorskip("s3fs")
    expected, lines, _ = build(folder, folder / "labels.csv")
    faults = {"night/ZTF18a_10.avro": 1, "night/night.tar.gz": 1}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with object_server(folder.parent, faults) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        found, those, said = build("s3://bucket/night", "s3://bucket/night/labels.csv", workers=workers)
    assert (found["content_hash"], found["ledger"]) == (expected["content_hash"], expected["ledger"])
    assert moved(those, "s3://bucket/night", str(folder)) == lines
    assert SECRET not in f"{found}{those}{said}"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_web_server_gives_what_the_folder_gives(folder, build, workers):
    pytest.importorskip("aiohttp")
    expected, lines, _ = build(folder, folder / "labels.csv")
    with web_server(folder, asked=(asked := [])) as host:
        url = f"http://{host}/"
        found, those, _ = build(url, f"{url}labels.csv", workers=workers)
    folders = [path for path in asked if path.endswith("/")]
    assert len(folders) == len({*folders}) > 1
    assert (found["content_hash"], found["ledger"]) == (expected["content_hash"], expected["ledger"])
    assert moved(those, url, f"{folder}/") == lines


@pytest.mark.parametrize("name", ["night.tar.gz", "ZTF18a_10.avro", "deep/gzipped.avro.gz"])
def test_a_single_file_by_its_signed_url(folder, build, name):
    """Named by what comes before the query, which nobody tells."""
    pytest.importorskip("aiohttp")
    expected, _, _ = build(folder / name)
    with web_server(folder) as host:
        found, lines, said = build(f"http://me:{SECRET}@{host}/{name}?X-Amz-Signature={SECRET}")
    assert found["content_hash"] == expected["content_hash"]
    assert SECRET not in f"{found}{lines}{said}"
    assert f"http://***@{host}/{name}?***" in found["command"]


def test_links_that_are_signed_are_followed_and_not_told(folder, build):
    pytest.importorskip("aiohttp")
    expected, lines, _ = build(folder)
    with web_server(folder, query=f"?X-Amz-Signature={SECRET}") as host:
        url = f"http://{host}/"
        found, those, said = build(url)
    assert (found["content_hash"], found["ledger"]) == (expected["content_hash"], expected["ledger"])
    assert SECRET not in f"{found}{those}{said}"
    assert [line["file"].replace("?***", "") for line in moved(those, url, f"{folder}/")] == [
        line["file"] for line in lines
    ]


def test_a_download_without_a_telling_name_is_told_by_its_bytes(folder):
    pytest.importorskip("aiohttp")
    (folder / "content").write_bytes((folder / "night.tar.gz").read_bytes())
    with web_server(folder) as host:
        blocks = list(read_blocks(f"http://{host}/content"))
    assert candids(blocks) == [31, 32]
    assert {block.source for block in blocks} == {f"http://{host}/content!1.avro"}


def test_faults_of_a_server_are_counted_by_their_urls(folder, build):
    pytest.importorskip("aiohttp")
    for name in ("page.avro", "error.avro", "cut.avro"):
        (folder / name).write_bytes(encode_file([alert("ZTF18lost", 77)]))
    save_tar(folder / "cut.tar", {f"{i}.avro": encode_file([night()[i]]) for i in range(12)})
    faults = {"gone.avro": "gone", "error.avro": "error", "page.avro": "page", "cut.avro": "cut", "cut.tar": "cut"}
    with web_server(folder, faults) as host:
        found, lines, said = build(f"http://me:{SECRET}@{host}/")
    lost = {line["file"].rpartition("/")[2]: (line["reason"], line["n_alerts"]) for line in lines if not line["candid"]}
    assert lost == {
        "gone.avro": ("unreadable", 1),
        "error.avro": ("unreadable", 1),
        "page.avro": ("not_avro", 1),
        "cut.avro": ("unreadable", 1),
        "cut.tar": ("unreadable", 1),
        "broken.avro": ("bad_block", 1),
        "readme.txt": ("other_file", 0),
        "labels.csv": ("other_file", 0),
    }
    details = {line["file"].rpartition("/")[2]: line["detail"] for line in lines}
    assert "500" in details["error.avro"]
    assert "ClientPayloadError" in details["cut.avro"]
    assert SECRET not in f"{found}{lines}{said}"


def test_a_connection_lost_half_way_is_counted_and_asked_for_twice(store, build, tmp_path):
    """What came of an archive before is kept."""
    again = save_tar(tmp_path / "again.tar", {f"{i}.avro": encode_file([night()[i]]) for i in range(1, 9)})
    store.objects["bucket/night/again.tar"] = again.read_bytes()
    store.cut |= {f"bucket/night/{name}" for name in ("ZTF18a_10.avro", "again.tar", "night.tar.gz")}
    found, lines, said = build("s3://bucket/night")
    lost = [(line["file"], line["detail"]) for line in lines if line["reason"] == "unreadable"]
    assert lost == [
        (f"s3://bucket/night/{name}", "RuntimeError: connection lost to https://host/x?***")
        for name in ("ZTF18a_10.avro", "again.tar", "night.tar.gz")
    ]
    assert json.loads(found["ledger"])["dropped"]["duplicate_candid"] == 4
    assert store.log.count(("open", "bucket/night/ZTF18a_10.avro")) == 2
    assert store.log.count(("open", "bucket/night/night.tar.gz")) == 1
    assert SECRET not in f"{found}{lines}{said}"


def test_each_process_reads_for_itself(folder):
    """None of its files comes back."""
    pytest.importorskip("aiohttp")
    with web_server(folder) as host:
        files = [item for item in find(f"http://{host}/") if isinstance(item, File) and item.is_small]
        results = list(ordered_map(partial(decode, pad_edges=False), [files[:5], files[5:]], workers=2))
    assert [sum(part.n_read for part in result) for result in results] == [5, 6]


def test_files_of_a_server_are_asked_for_some_at_a_time(folder, monkeypatch):
    """Each waits until others have come, too."""
    pytest.importorskip("aiohttp")
    together = threading.Barrier(3, timeout=30)
    content_of = containers._content

    def waiting(file):
        together.wait()
        return content_of(file)

    with web_server(folder) as host:
        files = list(find(f"http://{host}/"))[:3]
        monkeypatch.setattr(containers, "_content", waiting)
        assert [item for item, _ in containers.read_ahead(files)] == files


def test_where_nothing_can_be_read_the_folder_says_why(store):
    store.refused.add("bucket/night")
    store.objects["bucket/night"] = b""
    (fault,) = (item for item in [*read_blocks("s3://bucket/night")])
    assert (fault.reason, SECRET in fault.detail) == ("unreadable", False)
    assert rejected([fault]) == ["unreadable"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--alerts", "s3://bucket/nothing", "--out", "o.h5"], "s3://bucket/nothing: no such file or folder"),
        (["--alerts", "nowhere://x", "--out", "o.h5"], "nowhere://x: cannot be read: ValueError: Protocol not known"),
        (
            ["--alerts", "s3://bucket/night", "--out", f"s3://k:{SECRET}@b/o.h5"],
            "--out: s3://***@b/o.h5 is a URL",
        ),
        (
            ["--alerts", "s3://bucket/night", "--out", "o.h5", "--labels", "s3://bucket/x.csv"],
            "s3://bucket/x.csv: no",
        ),
        (
            ["--alerts", "s3://bucket/night", "--out", "o.h5", "--labels", "s3://bucket/night/readme.txt"],
            "s3://bucket/night/readme.txt: ",
        ),
    ],
)
def test_mistakes_get_a_line(store, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "build", *words]) == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), SECRET in said) == (1, False)
    assert f"error: {message}" in said
    assert not (tmp_path / "o.h5").exists()
