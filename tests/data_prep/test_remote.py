"""Files elsewhere: what is a URL, what is said of one, and what a file system of whatever kind may do."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fsspec")
import fsspec

from data_prep import remote
from helpers.elsewhere import SECRET, store_of
from helpers.places import ROOT
from jtss.errors import InputError


@pytest.fixture
def store(tmp_path):
    """An object store in place of s3:// with two files."""
    folder = tmp_path / "kept"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.avro").write_bytes(b"a" * 5000)
    (folder / "deep" / "b.csv").write_text("objectId,label\n")
    with store_of(folder) as made:
        yield made


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://bucket/a@b.avro", "s3://bucket/a@b.avro"),
        (f"s3://key:{SECRET}@bucket/x", "s3://***@bucket/x"),
        (f"https://me:{SECRET}@host:80/x.tar.gz?X-Amz-Signature={SECRET}&b=1", "https://***@host:80/x.tar.gz?***"),
        (f"zip://*.avro::https://me:{SECRET}@host/x.zip?t={SECRET}", "zip://*.avro::https://***@host/x.zip?***"),
        (f"404, url='https://host/x?t={SECRET}' (twice)", "404, url='https://host/x?***' (twice)"),
        (f"--alerts=https://host/?t={SECRET}", "--alerts=https://host/?***"),
        (f"https://me:a@{SECRET}@host/x", "https://***@host/x"),
        ("what? is this", "what? is this"),
    ],
)
def test_secrets_are_not_said(given, said):
    assert remote.masked(given) == said


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("s3://bucket/x", None),
        ("GS://bucket/x", None),
        ("simplecache::https://host/x", None),
        ("file:///here/x", Path("/here/x")),
        ("night/x.avro", Path("night/x.avro")),
        ("C:night", Path("C:night")),
        ("tap:https://host", Path("tap:https://host")),
        (Path("here"), Path("here")),
        (None, None),
    ],
)
def test_what_is_here_has_a_path(place, path):
    assert remote.path_of(place) == path
    assert remote.is_url(place) == (path is None and place is not None)


@pytest.mark.parametrize("place", [f"s3://key:{SECRET}@bucket/out.h5", "file:///out.h5"])
def test_a_file_to_write_is_here(place):
    with pytest.raises(InputError, match=r"--out: .* is a URL, expected a file of this machine") as refused:
        remote.require_here("--out", place)
    assert SECRET not in str(refused.value)
    remote.require_here("--out", Path("out.h5"))
    remote.require_here("--out", None)


def test_a_kind_that_cannot_be_read_is_said_in_a_line(monkeypatch):
    with pytest.raises(InputError, match=r"^nowhere://b/x: cannot be read: ValueError: Protocol not known: nowhere$"):
        remote.Site("nowhere://b/x")

    def without_its_package(_url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(remote, "_system", without_its_package)
    with pytest.raises(InputError, match=r"^s3://\*\*\*@b/x: Install s3fs to access S3$"):
        remote.Site(f"s3://{SECRET}@b/x")


def test_errors_of_libraries_become_a_line():
    assert remote.said(RuntimeError("here\n  and https://host/?t=1")) == "RuntimeError: here and https://host/?***"
    assert remote.said(TimeoutError()) == "TimeoutError"
    assert len(remote.said(OSError("x" * 10_000))) == remote.MOST_SAID


def test_without_the_package_the_remedy_is_said():
    code = "import sys; sys.modules['fsspec'] = None; from data_prep import remote; remote.Site('s3://b/x')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "s3://b/x: needs the package fsspec, which is not installed: pip install 'jtss[remote]'" in done.stderr


def test_folders_are_listed_and_nothing_is_kept_of_it(store):
    site = remote.Site("s3://bucket/night")
    assert site.look().is_folder
    names = [(entry.name, entry.is_folder, entry.size) for entry in site.entries(site.root)]
    assert names == [("a.avro", False, 5000), ("deep", True, 0)]
    store.objects["bucket/night/c.avro"] = b""
    assert len(site.entries(site.root)) == 3


def test_what_is_not_there_is_said_at_once(store):
    with pytest.raises(FileNotFoundError, match="s3://bucket/nothing: no such file or folder"):
        remote.Site("s3://bucket/nothing").look()
    store.refused.add("bucket/closed")
    with pytest.raises(InputError, match="s3://bucket/closed: cannot be read: PermissionError") as refused:
        remote.Site("s3://bucket/closed").look()
    assert SECRET not in str(refused.value)


def test_files_are_read_at_once_or_front_to_back(store):
    url, name = "s3://bucket/night", "bucket/night/a.avro"
    assert remote.read(url, name, 5000, 10_000) == b"a" * 5000
    assert len(remote.read(url, name, None, 100)) == 101
    with remote.opened(url, name) as file:
        assert file.read() == b"a" * 5000
    store.cut.add(name)
    with remote.opened(url, name) as file:
        assert file.read(4000) == b"a" * 2500
        with pytest.raises(OSError, match=r"RuntimeError: connection lost to https://host/x\?\*\*\*$"):
            file.read(1)
    with pytest.raises(OSError, match="KeyError"):
        remote.opened(url, "bucket/night/gone.avro")


def test_a_table_is_copied_here_and_goes_again(store):
    with remote.here("s3://bucket/night/deep/b.csv") as path:
        assert path.read_text() == "objectId,label\n"
    assert not path.exists()
    with (
        pytest.raises(InputError, match=r"^s3://bucket/night/deep/b\.csv: no labels$"),
        remote.here("s3://bucket/night/deep/b.csv") as path,
    ):
        raise InputError(f"{path}: no labels")
    with remote.here(__file__) as path:
        assert path == Path(__file__)


def test_a_server_is_asked_patiently_unless_the_user_says_otherwise(monkeypatch):
    pytest.importorskip("aiohttp")
    settings = remote._http_settings("https")["client_kwargs"]
    assert (settings["trust_env"], settings["timeout"].total) == (True, None)
    monkeypatch.setitem(fsspec.config.conf, "https", {"client_kwargs": {"trust_env": False}})
    assert not remote._http_settings("https")["client_kwargs"]["trust_env"]
