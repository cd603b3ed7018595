"""The folder that is filled, and its journal: what was answered, where it came from, and what lies there.

A file is whole or absent. Its line in the journal is written before it gets its name, so that no file is without its
provenance; a line whose file is missing or not what it was counts for nothing, and is asked for again.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from data_prep.fetch.account import FINAL
from data_prep.lost import ABSENT, GOT, NOT_ASKED, Lost
from jtss import files
from jtss.errors import InputError

ALERTS, ANSWERS, NIGHTS = "alerts", "objects", "nights"
JOURNAL, LABELS, LOCK = "fetched.jsonl", "labels.csv", ".lock"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,63}", re.ASCII)  # of an object, as a part of a path and of a URL
KEPT = ("outcome", "reason", "detail", "file", "sha256")  # of a line, in memory

Key = tuple[str, str, int]  # the service, the object or night, and the candid, 0 = the object itself


class Folder:
    """What has been fetched so far.

    Attributes:
        path: the folder. n_changed: files that were not what the journal says, and are asked for again.
        again: whether absences of earlier runs are not believed.
    """

    def __init__(self, path: Path, journal: BinaryIO, lines: dict[Key, dict], *, again: bool = False) -> None:
        self.path, self._journal, self._lines, self.n_changed, self.again = path, journal, lines, 0, again
        got = {key: line for key, line in lines.items() if line["outcome"] == GOT}
        self._packets = {(name, candid): line for (_, name, candid), line in got.items() if candid}

    def alert_path(self, object_id: str, candid: int) -> Path:
        return self.path / ALERTS / object_id / f"{candid}.avro"

    def packet(self, object_id: str, candid: int) -> bytes | None:
        """The packet of an alert, from whatever service; None where it is not here."""
        line = self._packets.get((object_id, candid))
        return self._content(line) if line else None

    def answer(self, service: str, object_id: str) -> bytes | None:
        """What a service said of an object; None where it has not said anything yet.

        Raises:
            Lost: it said that there is none.
        """
        line = self._lines.get((service, object_id, 0))
        self._raise_if_absent(line)
        return self._content(line) if line and line["outcome"] == GOT else None

    def check_absent(self, service: str, object_id: str, candid: int) -> None:
        """Raise `Lost` where a service has said that it has no such alert."""
        self._raise_if_absent(self._lines.get((service, object_id, candid)))

    def unsettled(self, service: str) -> set[str]:
        """Names of those of which something came to nothing, so that others go first."""
        return {name for (by, name, _), line in self._lines.items() if by == service and line["outcome"] not in FINAL}

    def has_given_any(self, service: str, *, alerts: bool) -> bool:
        """Whether a service has given an alert so far, or has known an object or a night."""
        return any(
            by == service and bool(candid) == alerts and line["outcome"] == GOT
            for (by, _, candid), line in self._lines.items()
        )

    def line(self, service: str, name: str, candid: int = 0) -> dict | None:
        """The latest of the journal on something."""
        return self._lines.get((service, name, candid))

    def _raise_if_absent(self, line: dict | None) -> None:
        if line and line["outcome"] == ABSENT and not self.again:
            raise Lost(ABSENT, line["reason"], line.get("detail", ""))

    def _content(self, line: dict) -> bytes | None:
        """The bytes of the file of a line, if they are those that were written."""
        try:
            content = (self.path / line["file"]).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() == line["sha256"]:
            return content
        self.n_changed += 1
        return None

    def keep(self, service: str, name: str, candid: int, path: Path, content: bytes, **provenance: object) -> None:
        """Write a file and its line.

        Raises:
            OSError: the disk is full; names the file.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = files.partial(path)
        try:
            with files.naming(path):
                unfinished.write_bytes(content)
                files.flush(unfinished)
                self.note(
                    service,
                    name,
                    candid,
                    GOT,
                    file=path.relative_to(self.path).as_posix(),
                    bytes=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                    **provenance,
                )
                os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def lose(self, service: str, name: str, candid: int, lost: Lost, now: float, **provenance: object) -> None:
        """Write down what did not come; what was not asked for, or is known to be absent, is no news."""
        known = self._lines.get((service, name, candid), {}).get("outcome")
        if lost.outcome != NOT_ASKED and not known == lost.outcome == ABSENT:
            said = {"reason": lost.reason, "detail": lost.detail, "time": as_text(now)}
            self.note(service, name, candid, lost.outcome, **said, **provenance)

    def note(self, service: str, name: str, candid: int, outcome: str, **more: object) -> None:
        """Write a line of the journal, onto the disk."""
        about = {"service": service, "objectId": name} | ({"candid": candid} if candid else {})
        line = about | {"outcome": outcome} | more
        self.log(line)
        kept = {key: line[key] for key in KEPT if key in line}
        self._lines[service, name, candid] = kept
        if candid and outcome == GOT:
            self._packets[name, candid] = kept

    def log(self, line: dict) -> None:
        """Write a line that is about no file."""
        with files.naming(self.path / JOURNAL):
            self._journal.write(json.dumps(line).encode() + b"\n")
            os.fsync(self._journal.fileno())


def as_text(time: float) -> str:
    """Seconds since 1970 as 2026-11-30T12:00:00Z."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def opened(path: Path, *, again: bool = False) -> Iterator[Folder]:
    """Open a folder to fill it, or make it; `again` as in `Folder`.

    Raises:
        InputError: it holds something else, or a journal that cannot be read.
        LockedError: another process fills it. OSError: it cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: a file, expected a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / JOURNAL).is_file() and not (path / LOCK).is_file():
        raise InputError(f"{path}: not empty and without {JOURNAL}; packets are fetched into a folder of their own")
    path.mkdir(parents=True, exist_ok=True)
    with files.hold_lock(path / LOCK, "fills"):
        for left in path.rglob(".*.partial"):  # by a process that was killed
            if files.is_partial(left, left.name[1:].rsplit(".", 2)[0]):
                left.unlink()
        with open(path / JOURNAL, "a+b", buffering=0) as journal:
            yield Folder(path, journal, _read(path / JOURNAL, journal), again=again)


def _read(path: Path, journal: BinaryIO) -> dict[Key, dict]:
    """The latest line on each thing; what a killed process has left of a line is cut off."""
    journal.seek(0)
    content = journal.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        journal.truncate(whole)
    lines: dict[Key, dict] = {}
    for number, text in enumerate(content[:whole].splitlines(), 1):
        try:
            line = json.loads(text)
            if line.get("outcome"):
                key = (line["service"], line["objectId"], line.get("candid", 0))
                lines[key] = {name: line[name] for name in KEPT if name in line}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}, line {number}: not a line of a journal ({type(error).__name__}: {error}); mend or delete it:"
                " what it told of is asked for again"
            ) from None
    return lines
