"""Files elsewhere: at s3://, gs://, https:// and whatever else fsspec knows, read through it.

Each process opens them for itself, so that credentials come from the environment of each. What is said of a URL,
in messages and in files, is without passwords and without its query, which may hold a signature. Whatever goes wrong in
libraries of others is an OSError here.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

from jtss.errors import InputError

URL = re.compile(r"[a-z][a-z0-9+.-]*(://|::)", re.IGNORECASE)
HERE = re.compile(r"(file|local)://", re.IGNORECASE)
USER = re.compile(r"(?<=://)[^\s/?#'\"]*@")
QUERY = re.compile(r"(://[^\s?'\"]*)\?[^\s'\"]*")
HIDDEN = "***"
HIDDEN_QUERY = f"?{HIDDEN}"

HTTP = ("http", "https")
CONNECT_SECONDS, SILENCE_SECONDS = 30.0, 60.0
SIZE_NOT_LOOKED_AT = 1
MOST_SAID = 400  # characters of an error; some list every place where they looked for a library


def masked(text: object) -> str:
    """A text without the passwords and queries of URLs in it."""
    return QUERY.sub(rf"\1{HIDDEN_QUERY}", USER.sub(f"{HIDDEN}@", str(text)))


def is_url(place: object) -> bool:
    """Whether what was given is somewhere else; file:///PATH is here."""
    return isinstance(place, str) and bool(URL.match(place)) and not HERE.match(place)


def path_of(place: str | Path | None) -> Path | None:
    """The path of what is here; None for what is elsewhere, or None."""
    return None if place is None or is_url(place) else Path(HERE.sub("", str(place), count=1))


def require_here(name: str, place: str | Path | None) -> None:
    """Raises InputError where a file to write is a URL; `name` is what asks for it."""
    if is_url(place) or (place is not None and HERE.match(str(place))):
        raise InputError(f"{name}: {masked(place)} is a URL, expected a file of this machine; copy it there afterwards")


class Entry(NamedTuple):
    """What a folder holds.

    Attributes:
        name: within the folder, without what is secret; the page of a server may also show a/b.
        path: as its file system calls it.
        size: [bytes], None where the file system does not say.
    """

    name: str
    path: str
    is_folder: bool
    is_file: bool
    is_link: bool
    size: int | None


class Site:
    """A file system, and the file or folder on it that was given.

    Attributes:
        url: what was given, with its secrets: not to be shown. shown: without them.
        root: as the file system calls it.
    """

    def __init__(self, url: str) -> None:
        """Connects to nothing yet.

        Raises:
            InputError: fsspec is not installed, or lacks a package that this URL needs, or does not know its kind.
        """
        self.url, self.shown = url, masked(url)
        self._looked_at: list[dict] | None = None  # what is in the folder, until `entries` gives it
        try:
            self._system, self.root = _system(url)
        except ImportError as error:
            missing = "" if find_spec("fsspec") else "needs the package fsspec, which is not installed: pip install"
            remedy = f"{missing} 'jtss[remote]', or in a checkout pip install '.[remote]'"
            raise InputError(f"{self.shown}: {remedy if missing else error}") from None
        except Exception as error:  # of fsspec, or of any file system that it knows
            raise InputError(f"{self.shown}: cannot be read: {said(error)}") from None

    def look(self) -> Entry:
        """What was given. At an HTTP server that is a folder where it ends with a slash.

        Raises:
            FileNotFoundError: it is not there.
            InputError: it cannot be looked at.
        """
        try:
            if _is_http(self._system) and urlsplit(self.root).path.endswith("/"):
                self._looked_at = self._system.ls(self.root, detail=True)
                return Entry("", self.root, is_folder=True, is_file=False, is_link=False, size=None)
            return _entry(self._system.info(self.root), "")
        except FileNotFoundError as error:
            why = f": {said(error.__cause__)}" if error.__cause__ else ""
            raise FileNotFoundError(f"{self.shown}: no such file or folder{why}") from None
        except Exception as error:  # as above: FileNotFoundError, and no end of others
            raise InputError(f"{self.shown}: cannot be read: {said(error)}") from None

    def entries(self, folder: str) -> list[Entry]:
        """What is in a folder, sorted by name.

        Raises:
            OSError: it cannot be read.
        """
        try:
            listed = self._looked_at if folder == self.root else None
            self._looked_at = None
            listed = self._system.ls(folder, detail=True) if listed is None else listed
            self._system.invalidate_cache()  # it would be kept as long as the process lives
        except Exception as error:
            raise OSError(said(error)) from None
        within = folder.rstrip("/") + "/"
        hide = _without_query if _is_http(self._system) else str
        entries = [_entry(info, hide(info["name"].removeprefix(within).strip("/"))) for info in listed]
        parts = [(entry, entry.name.split("/")) for entry in entries if entry.path.rstrip("/") + "/" != within]
        # Pages of folders also link to themselves in another order, and to others.
        return sorted(entry for entry, names in parts if not {"", ".", ".."} & {*names} and names[-1][0] not in "?#")


def _without_query(name: str) -> str:
    return name.partition("?")[0] + (HIDDEN_QUERY if "?" in name else "")


def _entry(info: dict, name: str) -> Entry:
    kind = info["type"]
    is_link = kind == "link" or bool(info.get("islink"))
    return Entry(name, info["name"], kind == "directory", kind in ("file", "link"), is_link, info.get("size"))


def read(url: str, path: str, size: int | None, most: int) -> bytes:
    """A file, at once.

    Args:
        url: with which file system and credentials. path: as this file system calls it.
        size: what it should have; None: nobody knows.
        most: bytes that are read of it at most, and one more.

    Raises:
        OSError: it cannot be read to its end.
    """
    try:
        system, _ = _system(url)
        if size is not None and not _is_http(system):  # a server may send what it likes
            return system.cat_file(path)
    except Exception as error:
        raise OSError(said(error)) from None
    with io.BufferedReader(opened(url, path)) as stream:
        return stream.read(most + 1)


def is_parallel(url: str) -> bool:
    """Whether many files can be asked for at a time."""
    try:
        return bool(getattr(_system(url)[0], "async_impl", False))
    except Exception:  # who reads will say why
        return False


def opened(url: str, path: str) -> io.RawIOBase:
    """A file, to be read front to back; arguments as of `read`.

    Raises:
        OSError: it cannot be opened; also of its `readinto`.
    """
    try:
        system, _ = _system(url)
        # A stream of one request: not every server sends parts. Without a size it would be asked for that first.
        how = {"block_size": 0, "size": SIZE_NOT_LOOKED_AT} if _is_http(system) else {}
        return _File(system.open(path, "rb", **how))
    except Exception as error:
        raise OSError(said(error)) from None


class _File(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self._file.read(len(buffer))
        except Exception as error:
            raise OSError(said(error)) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@contextmanager
def here(place: str | Path) -> Iterator[Path]:
    """A file that can be read as a path: what is elsewhere is copied, for as long as this lasts.

    Raises:
        FileNotFoundError, InputError: it is not there or cannot be read. Those of who reads it name its URL.
    """
    if not is_url(place):
        yield path_of(place)
        return
    site = Site(place)
    site.look()
    with TemporaryDirectory(prefix="jtss.") as folder:
        copy = Path(folder, site.root.partition("?")[0].rpartition("/")[2] or "table")
        try:
            site._system.get_file(site.root, str(copy))
        except Exception as error:
            raise InputError(f"{site.shown}: cannot be read: {said(error)}") from None
        try:
            yield copy
        except InputError as error:
            raise InputError(str(error).replace(str(copy), site.shown)) from error


def said(error: BaseException) -> str:
    """An error of whatever library in one line, which does not always say what it is."""
    return " ".join(f"{type(error).__name__}: {masked(error)}".split())[:MOST_SAID].removesuffix(":")


def _is_http(system: Any) -> bool:
    protocol = system.protocol
    return bool({*HTTP} & {*([protocol] if isinstance(protocol, str) else protocol)})


def _system(url: str) -> tuple[Any, str]:
    """The file system of a URL, one for each process and credentials, and what it calls the file."""
    from fsspec.core import url_to_fs

    parts = {part.partition("://")[0].lower() for part in url.split("::")}
    return url_to_fs(url, **{name: _http_settings(name) for name in HTTP if name in parts})


def _http_settings(protocol: str) -> dict:
    """For fsspec: a file may take hours, proxies count, bytes come as they are; unless the user's settings differ."""
    from fsspec.config import conf

    try:
        from aiohttp import ClientTimeout
    except ImportError:
        return {}  # fsspec will say so
    timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    ours = {"trust_env": True, "timeout": timeout, "headers": {"Accept-Encoding": "identity"}}
    return {"client_kwargs": ours | conf.get(protocol, {}).get("client_kwargs", {})}
