"""Where answers and dead letters go: a topic, or files in a folder; see `database` for tables.

A replay of messages puts out the same again. In a topic that is a second message of the same key and candid; in a
folder the files of a partition are named by the first offset in them, so that they take the place of the old ones.
"""

import errno
import hashlib
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from jtss import files
from jtss.serving.forms import JSON_LINES, Form, Message
from jtss.serving.messages import Outcome, Partition, without_value

DEAD = "dead"
MOST_BYTES = 32 << 20  # of lines in memory, until they become files
FLUSH_SECONDS = 1.0
MOST_OF_TOPIC = 180  # characters of a topic in the name of a file; a name may have 255, a topic 249
LEFT_SECONDS = 3600.0  # after so long, nobody writes a partial file any more: it takes seconds
LEFT = re.compile(r"\..+-\d+-\d{20}\.\w+\.\d+\.partial")
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "let this user write there"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "bring the folder back"),
}


class SinkError(Exception):
    """It does not take everything now; nothing of what was added is dropped."""


class Sink(Protocol):
    """Takes outcomes, and brings them to safety."""

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take outcomes, of each partition in order."""

    def is_due(self) -> bool:
        """Whether it is time to deliver what was added."""

    def first_offsets(self) -> dict[Partition, int]:
        """The first offset of each partition that waits here, where its file would replace that of a new owner."""

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop what was added of these: somebody else answers them now."""

    def forget_before(self, offsets: dict[Partition, int]) -> None:
        """Drop what was added of messages before these: somebody else has answered them."""

    def deliver(self) -> list[Outcome]:
        """Bring all that was added to safety, and return it.

        Raises:
            SinkError: some of it is not safe; to be tried again.
        """


class TopicSink:
    """Answers to one topic, dead letters to another.

    A dead letter that the cluster finds too large goes without the bytes of its message, which are in the topic that
    it names.
    """

    def __init__(self, make: Callable[[], Producer], topic: str, message: Message = str.encode) -> None:
        """Connect.

        Args:
            make: connects a producer; another one where the first has failed for good.
            message: of a line of JSON with an answer; dead letters stay lines of JSON.
        """
        self._make, self._producer, self._topic, self._message = make, make(), topic, message
        self._waiting: list[Outcome] = []
        self._safe: list[Outcome] = []

    def add(self, outcomes: Iterable[Outcome]) -> None:
        self._waiting.extend(outcomes)

    def is_due(self) -> bool:
        return bool(self._waiting or self._safe)

    def first_offsets(self) -> dict[Partition, int]:
        return {}

    def forget(self, partitions: Iterable[Partition]) -> None:
        gone = {*partitions}
        self._waiting, self._safe = (
            [outcome for outcome in outcomes if outcome.message.partition not in gone]
            for outcomes in (self._waiting, self._safe)
        )

    def forget_before(self, offsets: dict[Partition, int]) -> None:
        """Never asked: nothing of a topic is replaced."""

    def deliver(self) -> list[Outcome]:
        errors = self._send()
        topics = [self._topic_of(outcome) for outcome in self._waiting]
        self._safe += [outcome for place, outcome in enumerate(self._waiting) if place not in errors]
        self._waiting = [_shortened(self._waiting[place], error) for place, error in errors.items()]
        if errors:
            if any(error.fatal() or error.code() == KafkaError._FATAL for error in errors.values()):
                self._producer = self._make()
            place, error = next(iter(errors.items()))
            raise SinkError(f"topic {topics[place]}: {error.str()}{_remedy(error)}")
        delivered, self._safe = self._safe, []
        return delivered

    def _send(self) -> dict[int, KafkaError]:
        """The error of each that waits and is not safe, by its place."""
        errors = dict.fromkeys(range(len(self._waiting)), KafkaError(KafkaError._TIMED_OUT))

        def tell(place: int, error: KafkaError | None) -> None:
            if error is None:
                del errors[place]
            else:
                errors[place] = error

        for place, outcome in enumerate(self._waiting):
            value = outcome.line.encode() if outcome.is_dead else self._message(outcome.line)
            report = lambda error, _message, place=place: tell(place, error)  # noqa: E731
            try:
                self._producer.produce(self._topic_of(outcome), value, outcome.key, on_delivery=report)
            except KafkaException as error:
                tell(place, error.args[0])
            except BufferError:  # its queue is full: this one is for the next time
                self._producer.poll(0)
        while self._producer.flush(FLUSH_SECONDS):
            pass  # each is delivered or fails in the end
        return errors

    def _topic_of(self, outcome: Outcome) -> str:
        return f"{self._topic}-{DEAD}" if outcome.is_dead else self._topic


def _remedy(error: KafkaError) -> str:
    is_refused = error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    return "; let this client write to it" if is_refused else ""


def _shortened(outcome: Outcome, error: KafkaError) -> Outcome:
    is_too_large = error.code() == KafkaError.MSG_SIZE_TOO_LARGE and outcome.is_dead
    return outcome._replace(line=without_value(outcome.line)) if is_too_large else outcome


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
