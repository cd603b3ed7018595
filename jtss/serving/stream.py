"""The loop of a service: messages in, their outcomes to the sink, and only then the offsets committed.

One thread polls, so that the group counts on this member however long a batch or the sink takes; the other decodes,
classifies and delivers, one batch at a time. While as many messages wait as may, the partitions are paused.

    received ─▶ waiting ─▶ outcomes ─▶ sink ─▶ delivered ─▶ committed

Offsets are committed of what is delivered, never of more. Until they are, nothing else is delivered, so that after a
crash one file of a partition comes again, and not two that would be cut elsewhere. A partition that goes to another
member takes what is not committed with it: what waits is dropped here, for it comes again there.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from jtss.errors import InputError
from jtss.invocation import option
from jtss.serving.log import Log
from jtss.serving.memory import Trimmer
from jtss.serving.messages import Outcome, Partition, Received
from jtss.serving.metrics import Metrics
from jtss.serving.registry import RegistryError
from jtss.serving.sinks.sink import Sink, SinkError

AT_ONCE = 256  # messages in a batch
MOST_WAITING = 2 * AT_ONCE
MOST_BYTES = 64 << 20  # of waiting messages
POLL_SECONDS = 0.05
FULL_SECONDS = 2.0  # without room, until the partitions are paused
LEAVING_SECONDS = 7.0  # to finish what is at work, when the service is to end or a partition goes to another member
COMMIT_SECONDS = 1.5
ANSWER_SECONDS = 5.0  # for the cluster to say what is committed
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0  # between attempts to deliver; each is twice the one before
LOST = (  # errors of a commit that say that the partition is not ours any more
    *(KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID),
    KafkaError._ASSIGNMENT_LOST,
)

Offsets = dict[Partition, int]  # the next to be read of each partition


class _LeavingError(Exception):
    """There is no time left for a sink that fails."""


class Stream:
    """A member of a consumer group that answers messages."""

    def __init__(
        self,
        connect: Callable[..., Consumer],
        answer: Callable[[Sequence[Received]], list[Outcome]],
        sink: Sink,
        metrics: Metrics,
        log: Log,
        never: Iterable[str] = (),
    ) -> None:
        """Connect.

        Args:
            connect: makes the consumer, which is to call the first argument after each commit, and the second, where
                there is one, now and then with whether it is connected to the cluster.
            answer: the outcome of each message, in order, or a RegistryError; from a thread of its own.
            never: topics that must not be read, whatever matches them: those that the sink writes to.
        """
        self._connect, self.consumer = connect, connect(self._after_commit, self._looked)
        # Of the worker, for a call to the other may wait for as long as that one polls. It does not join the group.
        self._observer: Consumer | None = None
        self._answer, self._sink, self._metrics, self._log = answer, sink, metrics, log
        self._never, self._circle = frozenset(never), ""  # the latter: such a topic, once it has come to us
        self._waiting: deque[Received] = deque()
        self._n_bytes = 0
        self._is_paused = False
        self._full_since: float | None = None
        self._shift: dict[Partition, int] = {}  # counts how often a partition came; only of those that are ours
        self._shifts = 0
        self._gone: set[Partition] = set()  # of which the sink may hold something, to be dropped by the next job
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="answers")
        self._trimmer = Trimmer()
        self._job: Future | None = None
        self._batch: list[Received] = []  # that the job answers
        self._pause, self._again = FIRST_PAUSE_SECONDS, 0.0  # before the registry is asked again, and until when
        self._shift_of_job: dict[Partition, int] = {}
        self._shift_of_commit: dict[Partition, int] = {}
        self._to_commit: Offsets = {}
        self._done: Offsets = {}
        self._commit_since: float | None = None  # of the commit on its way
        self._commit_next = 0.0
        self._is_leaving = threading.Event()
        self._must_stop: Callable[[], object] = lambda: False
        self._stop_seen: float | None = None

    def run(self, topic: str, must_stop: Callable[[], object]) -> None:
        """Answer the messages of a topic, or of those that match a ^pattern, until told to stop; then leave the group.

        Raises:
            RuntimeError: the group or the cluster refuses this client for good.
            InputError: the pattern is none to the client, or matches a topic that must not be read.
            Exception: of the machine, as a full disk under temporary files; what is not delivered is not committed.
        """
        self._must_stop = must_stop
        try:
            self._subscribe(topic)
            while not self._is_to_stop():
                self._receive()
                if self._circle:
                    raise InputError(
                        f"{option('topic', topic)}: {self._circle} is among the topics that are read, and the answers"
                        " go to it; choose another"
                    )
                self._work()
                self._commit()
                self._metrics.turned(self._lag())
            self._finish()
        finally:
            self._is_leaving.set()
            self._worker.shutdown(wait=False, cancel_futures=True)
            self.consumer.close()

    def _subscribe(self, topic: str) -> None:
        try:
            self.consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        except KafkaException as error:
            raise InputError(
                f"{option('topic', topic)}: {error.args[0].str()}; expected a name, or ^pattern"
            ) from error

    def _is_to_stop(self) -> bool:
        if self._stop_seen is None and self._must_stop():
            self._stop_seen = time.monotonic()
        return self._stop_seen is not None

    # Messages

    def _receive(self) -> None:
        """Take what has come; none is lost while the partitions are paused, they only wait elsewhere.

        To pause throws away what the client has fetched ahead, so that is for work that takes long.
        """
        is_full = self._is_full()
        self._full_since = (self._full_since or time.monotonic()) if is_full else None
        if is_full and not self._is_paused and self._job is not None and not self._is_full_for_long():
            wait([self._job], timeout=POLL_SECONDS)
            return
        seconds, has_come = POLL_SECONDS if self._is_paused or not is_full else 0, False
        while (message := self.consumer.poll(seconds)) is not None:
            seconds, has_come = 0, True
            self._take(message)
            if self._is_full() or (self._job is None and len(self._waiting) >= AT_ONCE):
                break
        if self._is_full_for_long() and (has_come or not self._is_paused):  # the former: of a partition that is new
            self.consumer.pause(self.consumer.assignment())
            self._is_paused = True
        elif self._is_paused and len(self._waiting) <= AT_ONCE and self._n_bytes <= MOST_BYTES / 2:
            self.consumer.resume(self.consumer.assignment())
            self._is_paused = False

    def _take(self, message: Message) -> None:
        if (error := message.error()) is not None:
            if error.fatal():
                raise RuntimeError(f"the Kafka client has failed for good: {error.str()}")
            self._log.warn("kafka_error", error=error.str(), code=error.name())
            return
        partition = Partition(message.topic(), message.partition())
        if partition not in self._shift:  # another member's already, or never ours
            return
        received = Received(partition, message.offset(), message.key(), message.value(), time.monotonic())
        self._waiting.append(received)
        self._n_bytes += _size(received)

    def _looked(self, is_connected: bool) -> None:
        if is_connected:
            self._metrics.works("cluster")
        else:
            self._metrics.failed("cluster")

    def _is_full(self) -> bool:
        return len(self._waiting) >= MOST_WAITING or self._n_bytes >= MOST_BYTES

    def _is_full_for_long(self) -> bool:
        if len(self._waiting) >= MOST_WAITING + AT_ONCE:
            return True
        return self._full_since is not None and time.monotonic() - self._full_since >= FULL_SECONDS

    # Work

    def _work(self) -> None:
        """Take the result of a batch, and give the next one to the worker."""
        if self._job is not None and self._job.done():
            self._collect()
        if self._job is not None or self._to_commit:
            return
        if self._waiting and time.monotonic() >= self._again:
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            self._n_bytes -= sum(map(_size, batch))
            self._start(self._answer_and_deliver, batch)
            self._batch = batch
        elif self._sink.is_due():
            self._start(self._deliver)

    def _start(self, function: Callable, *arguments: object) -> None:
        self._shift_of_job = dict(self._shift)
        gone, self._gone = self._gone, set()
        self._job = self._worker.submit(self._run_job, gone, function, *arguments)

    def _run_job(self, gone: set[Partition], function: Callable[..., Offsets], *arguments: object) -> Offsets:
        self._sink.forget(gone)
        offsets = function(*arguments)
        self._trimmer.job_done()
        return offsets

    def _collect(self) -> None:
        """What the worker has delivered is to be committed, of partitions that have stayed ours all the time."""
        job, self._job = self._job, None
        batch, self._batch = self._batch, []
        try:
            delivered: Offsets = job.result()
        except RegistryError as error:
            self._put_back(batch, error)
            return
        if batch:
            self._metrics.works("registry")
            self._pause = FIRST_PAUSE_SECONDS
        for partition, offset in delivered.items():
            if self._shift.get(partition) == self._shift_of_job.get(partition, 0):
                self._to_commit[partition] = offset

    def _put_back(self, batch: Sequence[Received], error: RegistryError) -> None:
        """Messages that nobody can read now wait again; what is answered of others is delivered meanwhile."""
        ours = [one for one in batch if self._shift.get(one.partition) == self._shift_of_job.get(one.partition, 0)]
        self._waiting.extendleft(reversed(ours))
        self._n_bytes += sum(map(_size, ours))
        self._metrics.failed("registry")
        self._log.warn("registry_failed", error=str(error), again_in_seconds=self._pause)
        self._again = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def _answer_and_deliver(self, batch: Sequence[Received]) -> Offsets:
        self._sink.add(self._answer(batch))
        return self._deliver() if self._sink.is_due() else {}

    def _deliver(self) -> Offsets:
        """Deliver, however often it takes."""
        seconds = FIRST_PAUSE_SECONDS
        while True:
            try:
                self._sink.forget({*self._gone})  # went while this was at work
                self._forget_what_others_answered()
                delivered = self._sink.deliver()
                break
            except (SinkError, KafkaException) as error:
                self._metrics.failed("sink")
                self._log.warn("sink_failed", error=str(error), again_in_seconds=seconds)
                if self._is_leaving.wait(seconds):
                    raise _LeavingError from error
                seconds = min(2 * seconds, LONGEST_PAUSE_SECONDS)
        self._metrics.works("sink")
        self._metrics.delivered(delivered, time.monotonic())
        offsets: Offsets = {}
        for outcome in delivered:
            partition, offset = outcome.message.partition, outcome.message.offset + 1
            offsets[partition] = max(offset, offsets.get(partition, 0))
        return offsets

    def _forget_what_others_answered(self) -> None:
        """A member that was away so long that its partitions went to others must not replace their files."""
        waiting = self._sink.first_offsets()
        if not waiting:
            return
        asked = [TopicPartition(*partition) for partition in waiting]
        if self._observer is None:
            self._observer = self._connect(lambda *_: None)
        self._observer.poll(0)  # hands over what it has to log
        found = self._observer.committed(asked, timeout=ANSWER_SECONDS)
        if unknown := next((one.error for one in found if one.error), None):
            raise KafkaException(unknown)
        known = {Partition(one.topic, one.partition): one.offset for one in found}
        answered = {partition: known[partition] for partition, first in waiting.items() if known[partition] > first}
        if answered:
            self._log.warn("partitions_answered_by_others", partitions=_names(answered))
            self._sink.forget_before(answered)

    # Offsets

    def _commit(self) -> None:
        """Ask for the commit of what is delivered, one at a time."""
        now = time.monotonic()
        if not self._to_commit or self._commit_since is not None or now < self._commit_next:
            return
        self._commit_since, self._shift_of_commit = now, dict(self._shift)
        try:
            self.consumer.commit(offsets=_as_kafka(self._to_commit), asynchronous=True)
        except KafkaException as error:
            self._after_commit(error.args[0], _as_kafka(self._to_commit))

    def _after_commit(self, error: KafkaError | None, partitions: Iterable[TopicPartition]) -> None:
        self._commit_since = None
        lost = set()
        for one in partitions:
            partition, failure = Partition(one.topic, one.partition), error or one.error
            if failure is None:
                self._done[partition] = one.offset
                if self._to_commit.get(partition) == one.offset:
                    del self._to_commit[partition]
                continue
            self._log.warn("commit_failed", partition=_name(partition), offset=one.offset, error=failure.str())
            if failure.code() not in LOST:
                self._commit_next = time.monotonic() + FIRST_PAUSE_SECONDS  # it stays to be committed
            elif self._shift.get(partition, 0) == self._shift_of_commit.get(partition):
                lost.add(partition)
        if lost:  # the client will say so, too, but not before another batch may have been delivered
            self._lose(lost)

    def _lag(self) -> Mapping[Partition, int]:
        """Messages between the last one committed and the end of each partition, where both are known."""
        lag = {}
        for partition in self._shift:
            with suppress(KafkaException):
                low, high = self.consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
                if high >= 0:
                    lag[partition] = max(high - max(self._done.get(partition, low), low, 0), 0)
        return lag

    # Members come and go; these are called while the consumer polls

    def _assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._shifts += 1
        ours = [Partition(one.topic, one.partition) for one in partitions if one.topic not in self._never]
        self._circle = next((one.topic for one in partitions if one.topic in self._never), self._circle)
        self._shift |= dict.fromkeys(ours, self._shifts)
        with suppress(KafkaException):  # for the lag alone
            known = consumer.committed(list(partitions), timeout=COMMIT_SECONDS)
            self._done |= {Partition(one.topic, one.partition): one.offset for one in known if one.offset >= 0}
        self._is_paused = True  # perhaps: to the client a partition that was paused when it went still is
        self._metrics.joined()
        self._log.say("assigned", partitions=_names(ours))

    def _revoked(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Finish what is at work, for it is not far from its end, and commit it before another member begins."""
        gone = {Partition(one.topic, one.partition) for one in partitions}
        if not self._is_leaving.is_set():
            self._finish_work(time.monotonic() + LEAVING_SECONDS)
        offsets = {partition: self._to_commit[partition] for partition in gone & {*self._to_commit}}
        if offsets and not self._is_leaving.is_set():  # then it was tried, and there is no time to wait for the cluster
            try:
                done = consumer.commit(offsets=_as_kafka(offsets), asynchronous=False)
                self._after_commit(None, done)
            except KafkaException as error:  # they are answered again by their new member
                self._log.warn("commit_failed", partitions=_names(gone), error=error.args[0].str())
        self._give_away(gone)
        self._log.say("revoked", partitions=_names(gone))

    def _lost(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._lose({Partition(one.topic, one.partition) for one in partitions})

    def _lose(self, gone: set[Partition]) -> None:
        """They have another member already."""
        self._give_away(gone)
        self._log.warn("lost", partitions=_names(gone))

    def _give_away(self, gone: set[Partition]) -> None:
        """Forget partitions with all that waits of them, also what waits again since the work was finished."""
        self._waiting = deque(message for message in self._waiting if message.partition not in gone)
        self._n_bytes = sum(map(_size, self._waiting))
        for partition in gone:
            for known in (self._shift, self._to_commit, self._done):
                known.pop(partition, None)
        self._gone |= gone

    def _finish_work(self, end: float) -> None:
        """Wait for the batch at work and deliver what the sink holds, but no longer than until `end`."""
        for _ in range(2):
            if self._job is not None:
                if not self._is_done_before(end):
                    return
                self._collect()
            if self._to_commit or not self._sink.first_offsets():
                return
            self._start(self._deliver)

    def _is_done_before(self, end: float) -> bool:
        while not self._job.done() and time.monotonic() < end:
            if self._is_to_stop():
                end = min(end, self._stop_seen + LEAVING_SECONDS)
            wait([self._job], timeout=POLL_SECONDS)
        return self._job.done()

    # The end

    def _finish(self) -> None:
        """Deliver and commit what is at work; what only waits is for the next member."""
        self.consumer.pause(self.consumer.assignment())
        self._waiting.clear()
        self._is_leaving.set()
        try:
            self._finish_work(self._stop_seen + LEAVING_SECONDS)
        except _LeavingError:
            self._log.warn("left_unfinished", why="the sink fails: the rest is answered again after the next start")
        end = time.monotonic() + COMMIT_SECONDS
        self._commit_next = 0.0
        while (self._to_commit or self._commit_since is not None) and time.monotonic() < end:
            self._commit()
            self.consumer.poll(POLL_SECONDS)
        if self._job is not None or self._to_commit:
            self._log.warn("left_unfinished", why="no time left: the rest is answered again after the next start")


def _size(message: Received) -> int:
    return len(message.value or b"") + len(message.key or b"")


def _as_kafka(offsets: Offsets) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]


def _name(partition: Partition) -> str:
    return f"{partition.topic}[{partition.number}]"


def _names(partitions: Iterable[Partition]) -> list[str]:
    return [_name(partition) for partition in sorted(partitions)]
