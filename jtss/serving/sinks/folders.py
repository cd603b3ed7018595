"""Answers to files of a folder, dead letters to those of another.

The files of a partition are named by the first offset in them, so that those of a replay take the place of old ones.
"""

import errno
import hashlib
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jtss import files
from jtss.serving.messages import Outcome, Partition
from jtss.serving.sinks.forms import JSON_LINES, Form
from jtss.serving.sinks.sink import DEAD, SinkError

MOST_BYTES = 32 << 20  # of lines in memory, until they become files
MOST_OF_TOPIC = 180  # characters of a topic in the name of a file; a name may have 255, a topic 249
LEFT_SECONDS = 3600.0  # after so long, nobody writes a partial file any more: it takes seconds
LEFT = re.compile(r"\..+-\d+-\d{20}\.\w+\.\d+\.partial")
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "let this user write there"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "bring the folder back"),
}


@dataclass
class _Round:
    """What waits of one partition, since the last delivery."""

    first: int
    outcomes: list[Outcome] = field(default_factory=list)


class FolderSink:
    """Files of answers, one for each partition and delivery, TOPIC-PARTITION-OFFSET; dead letters in dead/.

    A file is whole or not there. After a crash, the messages since the last commit come again, from the same offset on,
    and so replace what was written of them. See `owners` for who may share a folder.
    """

    def __init__(self, folder: Path, seconds: float, form: Form = JSON_LINES) -> None:
        """Make the folder, and remove the parts of files that processes left there which were killed.

        Args:
            seconds: after so long, or MOST_BYTES, what was added is due.
            form: of the files of answers; dead letters stay lines of JSON.

        Raises:
            OSError: it cannot be made or written.
        """
        files.require_writable(folder)
        (folder / DEAD).mkdir(parents=True, exist_ok=True)
        self._folder, self._seconds, self._form = folder, seconds, form
        self._rounds: dict[Partition, _Round] = {}
        self._since, self._n_bytes = 0.0, 0
        for where in (folder, folder / DEAD):
            _remove_left(where)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if not self._rounds:
                self._since, self._n_bytes = time.monotonic(), 0
            message = outcome.message
            self._rounds.setdefault(message.partition, _Round(message.offset)).outcomes.append(outcome)
            self._n_bytes += len(outcome.line)

    def is_due(self) -> bool:
        is_old = time.monotonic() - self._since >= self._seconds
        return bool(self._rounds) and (is_old or self._n_bytes >= MOST_BYTES)

    def first_offsets(self) -> dict[Partition, int]:
        return {partition: waiting.first for partition, waiting in self._rounds.items()}

    def forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._rounds.pop(partition, None)

    def forget_before(self, offsets: dict[Partition, int]) -> None:
        for partition, end in offsets.items():
            kept = [outcome for outcome in self._rounds.pop(partition).outcomes if outcome.message.offset >= end]
            if kept:
                self._rounds[partition] = _Round(kept[0].message.offset, kept)

    def deliver(self) -> list[Outcome]:
        dead = self._folder / DEAD
        try:
            with files.naming(dead):
                dead.mkdir(exist_ok=True)  # but not the folder itself: it may be that of a disk that is not there
            for partition, waiting in self._rounds.items():
                for folder, form, is_dead in ((self._folder, self._form, False), (dead, JSON_LINES, True)):
                    lines = [outcome.line for outcome in waiting.outcomes if outcome.is_dead is is_dead]
                    path = folder / file_name(partition, waiting.first, form.suffix)
                    _replace(path, form.file(lines) if lines else None)
            for folder in (self._folder, dead):
                with files.naming(folder):
                    files.flush(folder)
        except OSError as error:
            remedy = REMEDIES.get(error.errno)
            raise SinkError(f"{error}; {remedy}" if remedy else str(error)) from error
        delivered = [outcome for waiting in self._rounds.values() for outcome in waiting.outcomes]
        self._rounds = {}
        return delivered


def file_name(partition: Partition, offset: int, suffix: str) -> str:
    """TOPIC-PARTITION-OFFSET; of a topic that is too long the end is a sum, after a character that no topic has."""
    topic = partition.topic
    if len(topic) > MOST_OF_TOPIC:
        topic = f"{topic[:MOST_OF_TOPIC]}~{hashlib.sha256(topic.encode()).hexdigest()[:16]}"
    return f"{topic}-{partition.number}-{offset:020d}{suffix}"


def _remove_left(folder: Path) -> None:
    """Remove parts of files that are so old that whoever wrote them has ended, on whatever machine."""
    for left in folder.iterdir():
        with suppress(FileNotFoundError):  # another member begins at this moment
            if LEFT.fullmatch(left.name) and time.time() - left.stat().st_mtime > LEFT_SECONDS:
                left.unlink()


def _replace(path: Path, content: bytes | None) -> None:
    """Write a file in place of what was there; None: nothing is to be there."""
    if content is None:
        path.unlink(missing_ok=True)
    else:
        files.write(path, content)
