"""The public nightly archives of ZTF's alerts: whole nights, from which the alerts of listed objects are taken.

An archive has up to tens of gigabytes: what has come of it stays, and the rest is asked for by Range. It is read to its
end, where gzip has a checksum, before it gets its name, and compared with the sum that the archive publishes.
"""

import gzip
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import httpx

from data_prep.client import Client, Reply, Request, told
from data_prep.fetch.account import OTHERS, UNREADABLE, Account
from data_prep.fetch.folder import NAME, NIGHTS, Folder, as_text
from data_prep.fetch.objects import alerts_of
from data_prep.ledger import Rejection
from data_prep.lost import ABSENT, DAMAGED, FAILED, GOT, INCOMPLETE, Lost
from data_prep.packets.tar import ArchiveError, members
from data_prep.packets.walking import AVRO_SUFFIX
from jtss import files

SERVICE = "nights"
SUMS = "MD5SUMS"
MOST_PACKET_BYTES = 4 << 20
ADVANCE_BYTES = 1 << 20  # an attempt that brings so much does not count
SLOWEST_BYTES_PER_SECOND, SLOW_SECONDS = 1024, 120.0
CHUNK = 1 << 20
BAD = (ArchiveError, EOFError, OSError, zlib.error)


class Nights:
    """The archive of nights at an address."""

    def __init__(self, url: str, client: Client, folder: Folder, account: Account) -> None:
        self._url, self._client, self._folder, self._account = url.rstrip("/"), client, folder, account
        self._sums: dict[str, str] | None = None

    def fetch(self, night: str, object_ids: set[str]) -> None:
        """Fetch a night, and take the alerts of some objects out of it; what came of it is in the account.

        One that is absent is asked for again by the next run: it may not have been published yet.

        Args:
            night: as 20240131.
            object_ids: none: the archive is all that is wanted.
        """
        line, path = self._folder.line(SERVICE, night), self._folder.path / NIGHTS / f"ztf_public_{night}.tar.gz"
        try:
            if not (line and line["outcome"] == GOT and self._is_whole(path, line["sha256"])):
                self._download(night, path)
        except Lost as lost:
            if lost.outcome == ABSENT and not self._folder.has_given_any(SERVICE, alerts=False):
                # a wrong address has no night at all
                lost = Lost(FAILED, "no_night_known", f"{lost.detail}, nor any night before")
            self._folder.lose(SERVICE, night, 0, lost, self._client.now())
            self._account.count("nights", lost.outcome, lost.reason)
            return
        n_lost = self._take(night, path, object_ids) if object_ids else 0
        self._account.count("nights", INCOMPLETE if n_lost else GOT)

    def _is_whole(self, path: Path, expected: str) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == expected:
                return True
        self._folder.n_changed += 1
        return False

    def _download(self, night: str, path: Path) -> None:
        """Get the archive whole.

        Raises:
            Lost: it does not come, or comes damaged twice.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        download = _Download(self._client, f"{self._url}/{path.name}", path)
        for is_last in (False, True):
            download.finish()
            try:
                known = self._checked(download.path, path.name)
                break
            except Lost:
                download.begin_anew()  # parts of two versions, or a fault of a disk: once more, from nothing
                if is_last:
                    raise
        file = path.relative_to(self._folder.path).as_posix()
        self._folder.note(SERVICE, night, 0, GOT, file=file, **known, **download.provenance)
        with files.naming(path):
            files.flush(download.path)
            os.replace(download.path, path)
        download.forget()

    def _checked(self, path: Path, name: str) -> dict:
        """Read an archive to its end."""
        md5, content = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        with path.open("rb") as file:
            try:
                for _ in packets_of(file, lambda data: (md5.update(data), content.update(data))):
                    pass
            except BAD as error:
                if isinstance(error, OSError) and error.errno is not None:  # of the disk; gzip's have no number
                    raise
                raise Lost(DAMAGED, "bad_archive", f"{name}: {error}") from None
        expected = self._published_sums().get(name)
        if expected is None:
            self._account.notes["nights without a published sum"] += 1
        elif expected != md5.hexdigest():
            raise Lost(DAMAGED, "other_sum", f"{name}: MD5 {md5.hexdigest()}, {SUMS} says {expected}")
        return {"sha256": content.hexdigest(), "bytes": path.stat().st_size, "md5": expected}

    def _published_sums(self) -> dict[str, str]:
        """{file: MD5} where the archive publishes them; asked for once."""
        if self._sums is None:

            def read(reply: Reply) -> dict[str, str]:
                pairs = (line.split() for line in reply.body.decode("ascii", "replace").splitlines())
                return {pair[1].rsplit("/", 1)[-1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}

            try:
                self._sums = self._client.ask(Request(f"{self._url}/{SUMS}"), read)
            except Lost:
                self._sums = {}
        return self._sums

    def _take(self, night: str, path: Path, object_ids: set[str]) -> int:
        """Write the packets of some objects as files of their own; returns how many could not be read."""
        n_lost, source = 0, self._folder.line(SERVICE, night)
        with path.open("rb") as file:
            for name, content in packets_of(file):
                for alert in alerts_of(content, f"{path.name}!{name}"):
                    if isinstance(alert, Rejection):
                        n_lost += alert.n_alerts
                        self._account.count("alerts", UNREADABLE, alert.reason, alert.n_alerts)
                        self._folder.log(
                            {"night": night, "member": name, "unreadable": alert.reason, "detail": alert.detail}
                        )
                    elif alert.object_id not in object_ids or not NAME.fullmatch(alert.object_id):
                        self._account.count("alerts", OTHERS)
                    else:
                        self._keep(alert.object_id, alert.candid, content, source, name)
        return n_lost

    def _keep(self, object_id: str, candid: int, content: bytes, night: dict | None, member: str) -> None:
        self._account.count("alerts", GOT)
        if self._folder.packet(object_id, candid) is not None:
            self._account.notes["alerts that were here before"] += 1
            return
        path, archive = self._folder.alert_path(object_id, candid), night or {}
        provenance = {"archive": archive.get("file"), "archive_sha256": archive.get("sha256"), "member": member}
        time = as_text(self._client.now())
        self._folder.keep(SERVICE, object_id, candid, path, content, **provenance, time=time)


class _Download:
    """A file that comes in parts.

    Attributes:
        path: where it lies until it is whole. provenance: where it came from.
    """

    def __init__(self, client: Client, url: str, path: Path) -> None:
        self._client, self._url = client, url
        self.path, self._about = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.part.json")
        self.provenance: dict[str, object] = {}
        self._advance = 0

    def finish(self) -> None:
        """Ask for what is missing until all is there.

        Raises:
            Lost: it does not come.
        """
        try:
            self._client.until_it_comes(self._attempt, lambda: self._advance >= ADVANCE_BYTES)
        except Lost as lost:
            if lost.outcome == ABSENT:
                raise Lost(ABSENT, "unknown_night", lost.detail) from None
            raise

    def begin_anew(self) -> None:
        self.path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        self._about.unlink(missing_ok=True)

    def _attempt(self) -> None:
        self._advance, start, headers = 0, self._size(), {"Accept-Encoding": "identity"}
        version = self._version() if start else None
        if version:  # without one, parts of two versions might be joined
            headers |= {"Range": f"bytes={start}-", "If-Range": version}
        with self._client.opened(Request(self._url), headers, (200, 206, 416).__contains__) as response:
            if response.status_code == 416:  # nothing is left to ask for, or it has become shorter
                self._after_the_end(response, start)
                return
            is_rest = response.status_code == 206
            if is_rest and not response.headers.get("content-range", "").startswith(f"bytes {start}-"):
                self.begin_anew()
                raise Lost(FAILED, "other_range", f"{self._url}: another part than was asked for", again=True)
            self._refuse_a_page(response)
            self._remember(response)
            with files.naming(self.path), self.path.open("ab" if is_rest else "wb") as file:
                self._write(response, file)

    def _write(self, response: httpx.Response, file: BinaryIO) -> None:
        clock = self._client.clock
        since, received = clock(), 0
        for part in response.iter_raw():
            file.write(part)
            received += len(part)
            self._advance += len(part)
            if clock() - since > SLOW_SECONDS:
                if received < SLOWEST_BYTES_PER_SECOND * SLOW_SECONDS:
                    raise Lost(FAILED, "too_slow", f"{self._url}: {received} bytes in {SLOW_SECONDS:g} s", again=True)
                since, received = clock(), 0

    def _refuse_a_page(self, response: httpx.Response) -> None:
        kind = response.headers.get("content-type", "").lower()
        if kind.startswith(("text/", "image/")) or "json" in kind:
            raise Lost(DAMAGED, "wrong_type", f"{response.url}: of type {kind}, expected an archive", again=True)

    def _after_the_end(self, response: httpx.Response, start: int) -> None:
        if response.headers.get("content-range", "") != f"bytes */{start}":
            self.begin_anew()
            raise Lost(FAILED, "other_range", f"{self._url}: shorter than what has come of it", again=True)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def _remember(self, response: httpx.Response) -> None:
        """Note which version of the file the part is of."""
        self.provenance = {"url": str(response.url), "time": as_text(self._client.now()), "told": told(response)}
        files.write(self._about, json.dumps(self.provenance))

    def _version(self) -> str | None:
        """What names the version that a part is of: a strong tag, or else a date."""
        try:
            self.provenance = json.loads(self._about.read_text())
        except (OSError, ValueError):
            return None
        tag = self.provenance["told"].get("etag", "W/")
        return self.provenance["told"].get("last-modified") if tag.startswith("W/") else tag


def packets_of(archive: BinaryIO, watch: Callable[[bytes], object] = lambda data: None) -> Iterator[tuple[str, bytes]]:
    """Name and content of each Avro file in a gzipped tar archive, which is read to its end and its checksum.

    Args:
        watch: is given the bytes of the archive as they are read.

    Raises:
        BAD: it is cut or damaged.
    """
    watched = _Watched(archive, watch)
    inflated = gzip.GzipFile(fileobj=watched, mode="rb")
    for member in members(inflated):
        if member.is_file and member.name.lower().endswith(AVRO_SUFFIX):
            content = io.BytesIO()
            while data := member.stream.read(CHUNK):
                content.write(data)
                if content.tell() > MOST_PACKET_BYTES:
                    raise ArchiveError(f"member {member.name[:80]} has more than {MOST_PACKET_BYTES} bytes")
            yield member.name, content.getvalue()
    while inflated.read(CHUNK):
        pass
    while watched.read(CHUNK):
        pass


class _Watched(io.RawIOBase):
    """A file whose bytes somebody else sees, too."""

    def __init__(self, file: BinaryIO, watch: Callable[[bytes], object]) -> None:
        self._file, self._watch = file, watch

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._watch(data)
        return data


DATE = re.compile(r"\d{8}", re.ASCII)


def is_night(text: str) -> bool:
    """Whether text is a date as 20240131."""
    try:
        return bool(DATE.fullmatch(text)) and bool(datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        return False
