"""The loop of a service on a mock broker: nothing lost, whatever stops it; in files nothing doubled."""

import functools
import subprocess
import sys
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import ClassVar

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError, TopicPartition

from helpers import made_messages
from helpers.kafka_cluster import QUICK
from helpers.made_messages import TOPIC, places
from helpers.mock_kafka import OFFSET_COMMIT, PRODUCE, SOON, mock_kafka
from helpers.mock_kafka import wait_until as wait_for
from helpers.places import ROOT
from jtss.errors import InputError
from jtss.serving import clients, stream
from jtss.serving.log import Log
from jtss.serving.messages import Partition
from jtss.serving.metrics import Metrics
from jtss.serving.registry import RegistryError
from jtss.serving.sinks.folders import FolderSink
from jtss.serving.sinks.sink import DEAD, SinkError
from jtss.serving.sinks.topics import TopicSink
from jtss.serving.stream import Stream

PARTITIONS, GROUP, OUT = 3, "service", "answers"
VALUES = [b"bad" if number % 10 == 3 else (b"SN", b"AGN", b"VS")[number % 3] for number in range(60)]
VALUES[7], VALUES[8] = b"", None
HASTY = {"reconnect.backoff.ms": "10", "reconnect.backoff.max.ms": "50"}  # of who looks for a cluster that is away
N, N_DEAD = len(VALUES), sum(value in (None, b"", b"bad") for value in VALUES)


@pytest.fixture
def kafka():
    with mock_kafka() as cluster:
        cluster.create(TOPIC, PARTITIONS)
        yield cluster


def everything(n=N):
    return sorted((number % PARTITIONS, number // PARTITIONS) for number in range(n))


class Member:
    """A service in a thread."""

    running: ClassVar = set()

    def __init__(self, kafka, sink, answer=made_messages.outcomes, *, topic=TOPIC, never=(), **settings):
        log, self.metrics, self._stop = Log(), Metrics(), threading.Event()
        self.error, self.answered = None, []

        def connect(*told):
            return clients.consumer(kafka.bootstrap, GROUP, QUICK | settings, log.logger, *told)

        def note(batch):
            found = answer(batch)
            self.answered += [(message.partition.number, message.offset) for message in batch]
            return found

        self.stream = Stream(connect, note, sink, self.metrics, log, never)
        self._thread = threading.Thread(target=self._run, args=(topic,), daemon=True)
        self.running.add(self)
        self._thread.start()

    def _run(self, topic):
        try:
            self.stream.run(topic, self._stop.is_set)
        except Exception as error:
            self.error = error

    def stop(self):
        self._stop.set()
        self.join()

    def join(self):
        self._thread.join()
        self.running.discard(self)


def wait_until(holds, what):
    """No state comes of a member that has failed."""
    wait_for(holds, what, lambda: next((one.error for one in Member.running if one.error), None))


@contextmanager
def member(*arguments, **keywords):
    one = Member(*arguments, **keywords)
    try:
        yield one
    finally:
        one.stop()


def all_committed(kafka, n=N):
    return sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) == n


def topic_sink(kafka, **settings):
    for topic in (OUT, f"{OUT}-{DEAD}"):
        kafka.create(topic, PARTITIONS)
    return TopicSink(lambda: clients.producer(kafka.bootstrap, settings, Log().logger), OUT)


def lines_in(folder):
    """Lines of the answers and of the dead letters."""
    return [
        [line for path in sorted(where.glob("*.jsonl")) for line in path.read_text().splitlines()]
        for where in (folder, folder / DEAD)
    ]


def places_in(folder):
    """Partition and offset of all that is in files."""
    answers, dead = lines_in(folder)
    return places(answers + dead)


def test_every_message_has_one_outcome_in_a_topic(kafka):
    kafka.produce(TOPIC, VALUES)
    with member(kafka, topic_sink(kafka)) as one:
        wait_until(lambda: one.metrics.totals()["answers"] + one.metrics.totals()["dead_letters"] == 60, "all answered")
    assert one.error is None
    assert all_committed(kafka)
    answers, dead = kafka.messages(OUT), kafka.messages(f"{OUT}-{DEAD}")
    assert len(dead) == N_DEAD
    assert places(message.value() for message in answers + dead) == everything()
    assert answers[0].key().startswith(b"object ")


def test_every_message_has_one_outcome_in_files(kafka, tmp_path):
    kafka.produce(TOPIC, VALUES)
    with member(kafka, FolderSink(tmp_path, 0.2)):
        wait_until(lambda: all_committed(kafka), "all committed")
    answers, dead = lines_in(tmp_path)
    assert len(dead) == N_DEAD
    assert places(answers + dead) == everything()


def test_what_is_at_work_is_finished_before_it_leaves(kafka, tmp_path):
    """The files are not due for long, so that nothing is committed before the end."""
    kafka.produce(TOPIC, VALUES)
    with member(kafka, FolderSink(tmp_path, 1e6)) as one:
        wait_until(lambda: len(one.answered) == 60, "all answered")
        assert sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) == 0
        assert lines_in(tmp_path) == [[], []]
    assert all_committed(kafka)
    assert places_in(tmp_path) == everything()


SERVE = """
import os, sys
from pathlib import Path
sys.path.insert(0, "tests")
from helpers import made_messages
from helpers.mock_kafka import SOON
from jtss.serving import clients, stream
from jtss.serving.log import Log
from jtss.serving.metrics import Metrics
from jtss.serving.registry import RegistryError
from jtss.serving.sinks.folders import FolderSink

class CrashedSink(FolderSink):
    def deliver(self):
        super().deliver()
        os._exit(9)

stream.AT_ONCE = int(sys.argv[3])
log = Log()
connect = lambda *told: clients.consumer(sys.argv[1], "service", SOON, log.logger, *told)
sink = {"crashes": CrashedSink, "works": FolderSink}[sys.argv[4]](Path(sys.argv[2]), 0)
stream.Stream(connect, made_messages.outcomes, sink, Metrics(), log).run("alerts", lambda: False)
"""


class CrashedSink(FolderSink):
    """Takes all, but nobody learns of it."""

    def deliver(self):
        super().deliver()
        raise OSError("crash")


def test_a_failure_between_sink_and_commit_neither_loses_nor_doubles(kafka, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "AT_ONCE", 25)
    kafka.produce(TOPIC, VALUES)
    one = Member(kafka, CrashedSink(tmp_path, 0), **SOON)
    one.join()
    assert str(one.error) == "crash"
    check_replay(kafka, tmp_path)


def check_replay(kafka, folder):
    """Something is written and nothing committed; another member makes it whole."""
    assert sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) == 0
    written = places_in(folder)
    assert written
    assert {*written} <= {*everything()}
    with member(kafka, FolderSink(folder, 0.2), **SOON):
        wait_until(lambda: all_committed(kafka), "all committed")
    assert places_in(folder) == everything()


def process(kafka, folder, at_once, kind):
    command = [sys.executable, "-c", SERVE, kafka.bootstrap, folder, at_once, kind]
    return subprocess.Popen([*map(str, command)], cwd=ROOT, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_a_process_that_ends_between_sink_and_commit_neither_loses_nor_doubles(kafka, tmp_path):
    kafka.produce(TOPIC, VALUES)
    assert process(kafka, tmp_path, 25, "crashes").wait(600) == 9
    check_replay(kafka, tmp_path)


@pytest.mark.slow
def test_processes_that_are_killed_neither_lose_nor_double(kafka, tmp_path):
    """Each at another moment, after it has committed a little more."""
    kafka.produce(TOPIC, VALUES * 20)
    for share in (0, 0.1, 0.3, 0.4, 0.6, 0.8):
        server = process(kafka, tmp_path, 7, "works")
        wait_until(lambda: sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) > share * 20 * N, "some more")  # noqa: B023
        server.kill()
        server.wait(600)
    with member(kafka, FolderSink(tmp_path, 0.2), **SOON):
        wait_until(lambda: all_committed(kafka, 20 * N), "all committed")
    assert places_in(tmp_path) == everything(20 * N)


def test_a_failing_machine_commits_nothing_of_what_it_lacks(kafka, tmp_path):
    kafka.produce(TOPIC, VALUES)

    def fail(batch):
        raise OSError("no space left")

    one = Member(kafka, FolderSink(tmp_path, 0), fail, **SOON)
    one.join()
    assert str(one.error) == "no space left"
    assert sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) == 0
    with member(kafka, FolderSink(tmp_path, 0), **SOON):
        wait_until(lambda: all_committed(kafka), "all committed")
    assert places_in(tmp_path) == everything()


def test_two_members_share_the_partitions(kafka, tmp_path):
    sinks = FolderSink(tmp_path, 0.1), FolderSink(tmp_path, 0.1)
    with member(kafka, sinks[0], **SOON) as first, member(kafka, sinks[1], **SOON) as second:
        members = (first, second)
        wait_until(lambda: sorted(len(one.stream._shift) for one in members) == [1, 2], "each has its share")
        kafka.produce(TOPIC, VALUES)
        wait_until(lambda: all_committed(kafka), "all committed")
        assert all(one.answered for one in members)
        first.stop()  # hands its partitions over
        wait_until(lambda: len(second.stream._shift) == PARTITIONS, "the other has them all")
        kafka.produce(TOPIC, VALUES)
        wait_until(lambda: all_committed(kafka, 2 * N), "all committed")
    assert places_in(tmp_path) == everything(2 * N)


def test_work_that_ends_after_its_partitions_have_gone_is_not_committed(kafka, tmp_path, monkeypatch):
    """It takes so long that another member begins meanwhile, or the same one again."""
    monkeypatch.setattr(stream, "LEAVING_SECONDS", 0.0)
    kafka.produce(TOPIC, VALUES)
    may_end = threading.Event()

    def slow(batch):
        may_end.wait()
        return made_messages.outcomes(batch)

    sinks = FolderSink(tmp_path, 0), FolderSink(tmp_path, 0)
    with member(kafka, sinks[0], slow, **SOON) as first:
        wait_until(lambda: first.stream._job is not None, "at work")
        with member(kafka, sinks[1], **SOON) as second:
            wait_until(lambda: len(first.stream._shift) + len(second.stream._shift) == PARTITIONS, "shared anew")
            wait_until(lambda: second.answered, "the other works")
            may_end.set()
            wait_until(lambda: all_committed(kafka), "all committed")
    assert places_in(tmp_path) == everything()


class DownSink(FolderSink):
    """Fails until told otherwise."""

    is_down, n_tried = True, 0

    def deliver(self):
        self.n_tried += 1
        if self.is_down:
            raise SinkError("away")
        return super().deliver()


def test_a_sink_that_is_down_stops_the_stream_but_not_the_membership(kafka, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "AT_ONCE", 10)
    monkeypatch.setattr(stream, "MOST_WAITING", 20)
    monkeypatch.setattr(stream, "FULL_SECONDS", 0.0)
    monkeypatch.setattr(stream, "FIRST_PAUSE_SECONDS", 0.01)
    sink = DownSink(tmp_path, 0)
    with member(kafka, sink) as one:
        wait_until(lambda: one.stream._shift, "a member")
        kafka.produce(TOPIC, VALUES)
        wait_until(lambda: one.stream._is_paused, "paused")
        wait_until(lambda: sink.n_tried > 5, "tried again and again")
        assert not one.metrics.is_ready()
        assert one.metrics.is_alive()
        assert len(one.stream._waiting) <= 20 + 10
        assert sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) == 0
        sink.is_down = False
        wait_until(lambda: all_committed(kafka), "all committed")
        wait_until(one.metrics.is_ready, "well again")
        assert one.stream._shifts == 1  # it never lost its partitions
    assert places_in(tmp_path) == everything()


@pytest.mark.slow
def test_a_model_that_is_slower_than_the_cluster_waits_for_polls_keeps_its_partitions(kafka, tmp_path, monkeypatch):
    """It is at work until a client that does not poll meanwhile has lost its own."""
    monkeypatch.setattr(stream, "AT_ONCE", 10)
    monkeypatch.setattr(stream, "MOST_WAITING", 20)
    monkeypatch.setattr(stream, "FULL_SECONDS", 0.1)
    patience = SOON | {"session.timeout.ms": "10000", "max.poll.interval.ms": "10000"}  # for a machine that is busy
    at_work, may_end = threading.Event(), threading.Event()

    def slow(batch):
        at_work.set()
        may_end.wait()
        return made_messages.outcomes(batch)

    kafka.produce(TOPIC, VALUES)
    idle = clients.consumer(kafka.bootstrap, "idle", QUICK | patience, Log().logger, lambda *_: None)
    with member(kafka, FolderSink(tmp_path, 0), slow, **patience) as one:
        wait_until(at_work.is_set, "at work")
        idle.subscribe([TOPIC])
        while not idle.assignment():
            idle.poll(0.05)
        wait_until(lambda: not idle.memberid(), "the idle one is sent away")
        may_end.set()
        wait_until(lambda: all_committed(kafka), "all committed")
        assert one.stream._shifts == 1  # it never lost its partitions
    idle.close()
    assert places_in(tmp_path) == everything()


class CutFolder(FolderSink):
    """The cluster goes away when something has been delivered, and nobody could commit it yet."""

    kafka, is_cut = None, threading.Event()

    def deliver(self):
        delivered = super().deliver()
        if not self.is_cut.is_set():
            self.kafka.go_away()
            self.is_cut.set()
        return delivered


def test_a_cluster_that_goes_away_before_a_commit_gets_it_when_it_is_back(kafka, tmp_path, monkeypatch):
    monkeypatch.setattr(CutFolder, "kafka", kafka)
    monkeypatch.setattr(CutFolder, "is_cut", threading.Event())
    kafka.produce(TOPIC, VALUES)
    with member(kafka, CutFolder(tmp_path, 0), **HASTY) as one:
        wait_until(CutFolder.is_cut.is_set, "delivered")
        wait_until(lambda: one.stream._commit_since is not None, "a commit is on its way")
        written = places_in(tmp_path)
        assert written
        kafka.come_back()
        wait_until(lambda: all_committed(kafka), "all committed")
    assert one.error is None
    assert places_in(tmp_path) == everything()


@pytest.mark.parametrize("kind", ["files", "topic"])
def test_a_cluster_that_is_away_for_a_while_gets_everything(kafka, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(stream, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(stream, "FIRST_PAUSE_SECONDS", 0.01)
    kafka.produce(TOPIC, VALUES)
    at_work, may_end = threading.Event(), threading.Event()

    def slow(batch):
        at_work.set()
        may_end.wait()
        return made_messages.outcomes(batch)

    sink = FolderSink(tmp_path, 0) if kind == "files" else topic_sink(kafka, **HASTY, **{"message.timeout.ms": "300"})
    with member(kafka, sink, slow, **HASTY) as one:
        wait_until(at_work.is_set, "at work")
        kafka.go_away()
        may_end.set()
        wait_until(lambda: one.metrics.numbers()["failures"]["sink"], "nothing can be delivered")
        kafka.come_back()
        wait_until(lambda: all_committed(kafka), "all committed")
    assert one.error is None
    if kind == "files":
        assert places_in(tmp_path) == everything()
    else:
        lines = [message.value() for name in (OUT, f"{OUT}-{DEAD}") for message in kafka.messages(name)]
        assert sorted({*places(lines)}) == everything()  # what was delivered after its time comes again


def test_monitors_see_a_cluster_that_is_away_while_there_is_nothing_to_do(kafka, tmp_path, monkeypatch):
    monkeypatch.setattr(clients, "LOOK_MILLISECONDS", "20")
    with member(kafka, FolderSink(tmp_path, 0), **HASTY) as one:
        wait_until(one.metrics.is_ready, "ready")
        kafka.go_away()
        wait_until(lambda: not one.metrics.is_ready(), "not ready")
        assert one.metrics.numbers()["waits_for"] == ["cluster"]
        assert one.metrics.is_alive()
        kafka.come_back()
        wait_until(one.metrics.is_ready, "ready again")


def test_a_cluster_that_is_far_away_gets_everything_once(kafka):
    """Each of its answers takes longer than a turn of the loop."""
    sink = topic_sink(kafka)
    kafka.produce(TOPIC, VALUES)
    kafka.delay(150)
    with member(kafka, sink) as one:
        wait_until(lambda: sum(one.metrics.totals().values()) == N, "all answered")
    kafka.delay(0)
    assert all_committed(kafka)
    lines = [message.value() for name in (OUT, f"{OUT}-{DEAD}") for message in kafka.messages(name)]
    assert places(lines) == everything()


def test_partitions_that_were_paused_when_they_went_are_read_when_they_come_back(kafka, tmp_path):
    """To librdkafka they are paused still. Meanwhile the member has none, and so none to resume."""
    partitions = [TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)]
    connect = functools.partial(clients.consumer, kafka.bootstrap, GROUP, QUICK, Log().logger)
    one = Stream(connect, made_messages.outcomes, FolderSink(tmp_path, 0), Metrics(), Log())

    def come():
        one.consumer.assign(partitions)
        one._assigned(one.consumer, partitions)

    try:
        come()
        one.consumer.pause(partitions)
        one._is_paused = True
        one._revoked(one.consumer, partitions)
        one.consumer.unassign()
        for _ in range(3):
            one._receive()
        come()
        kafka.produce(TOPIC, VALUES)
        wait_until(lambda: one._receive() or len(one._waiting) == N, "all received")
    finally:
        one.consumer.close()


class AwayRegistry:
    """Answers of which those to `needs` need a registry, which does not answer until told otherwise."""

    is_away, n_asked = True, 0

    def __init__(self, *needs):
        self.needs = needs

    def __call__(self, batch):
        is_needed = not self.needs or any(message.value in self.needs for message in batch)
        self.n_asked += is_needed
        if self.is_away and is_needed:
            raise RegistryError("does not answer")
        return made_messages.outcomes(batch)


def test_a_registry_that_is_away_holds_messages_up_and_makes_no_dead_letters(kafka, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "FIRST_PAUSE_SECONDS", 0.01)
    answer = AwayRegistry()
    kafka.produce(TOPIC, VALUES)
    with member(kafka, FolderSink(tmp_path, 0), answer) as one:
        wait_until(lambda: answer.n_asked > 5, "asked again and again")
        assert not one.metrics.is_ready()
        assert one.metrics.is_alive()
        assert lines_in(tmp_path) == [[], []]
        answer.is_away = False
        wait_until(lambda: all_committed(kafka), "all committed")
        wait_until(one.metrics.is_ready, "well again")
        assert one.stream._shifts == 1
    assert places_in(tmp_path) == everything()


def test_what_is_answered_is_delivered_while_a_registry_is_away(kafka, tmp_path, monkeypatch):
    """Files are due only after the registry has failed, and while it is asked again and again."""
    monkeypatch.setattr(stream, "FIRST_PAUSE_SECONDS", 0.01)
    answer, sink = AwayRegistry(b"framed"), FolderSink(tmp_path, 1e6)
    kafka.produce(TOPIC, VALUES)
    with member(kafka, sink, answer) as one:
        wait_until(lambda: len(one.answered) == N, "all answered")
        kafka.produce(TOPIC, [b"framed"])
        wait_until(lambda: answer.n_asked > 2, "asked again")
        assert lines_in(tmp_path) == [[], []]
        sink._seconds = 0
        wait_until(lambda: all_committed(kafka), "those before it committed")
        assert places_in(tmp_path) == everything()
        answer.is_away = False
        wait_until(lambda: all_committed(kafka, N + 1), "all committed")
    assert places_in(tmp_path) == sorted([*everything(), (0, N // PARTITIONS)])


def test_it_leaves_a_registry_that_stays_away(kafka, tmp_path):
    kafka.produce(TOPIC, VALUES)
    with member(kafka, FolderSink(tmp_path, 0), AwayRegistry()) as one:
        wait_until(lambda: "jtss_registry_failures_total 0" not in one.metrics.text(), "a failure")
    assert one.error is None
    assert lines_in(tmp_path) == [[], []]
    assert sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) == 0


def test_it_leaves_a_sink_that_stays_down(kafka, tmp_path):
    kafka.produce(TOPIC, VALUES)
    with member(kafka, DownSink(tmp_path, 0), **SOON) as one:
        wait_until(lambda: "jtss_sink_failures_total 0" not in one.metrics.text(), "a failure")
    assert one.error is None
    assert sum(kafka.committed(GROUP, TOPIC, PARTITIONS)) == 0
    with member(kafka, FolderSink(tmp_path, 0), **SOON):
        wait_until(lambda: all_committed(kafka), "all committed")
    assert places_in(tmp_path) == everything()


def test_a_refused_delivery_is_made_again(kafka, monkeypatch):
    monkeypatch.setattr(stream, "FIRST_PAUSE_SECONDS", 0.01)
    sink = topic_sink(kafka)
    kafka.produce(TOPIC, VALUES)
    kafka.refuse(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED, 4)
    with member(kafka, sink) as one:
        wait_until(lambda: all_committed(kafka), "all committed")
    assert "jtss_sink_failures_total 0" not in one.metrics.text()
    found = places(message.value() for topic in (OUT, f"{OUT}-{DEAD}") for message in kafka.messages(topic))
    assert found == everything()


def test_a_member_that_was_away_replaces_no_files(kafka, tmp_path):
    """Others have committed beyond its files meanwhile."""
    kafka.produce(TOPIC, VALUES)
    with member(kafka, FolderSink(tmp_path, 0), **SOON):
        wait_until(lambda: all_committed(kafka), "all committed")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    late = FolderSink(tmp_path, 0)
    late.add(made_messages.outcomes([made_messages.received(0), made_messages.received(1)]))
    with member(kafka, late, **SOON) as one:
        wait_until(lambda: not late.first_offsets(), "forgotten")
        wait_until(lambda: one.stream._shift, "a member")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")} == files


def test_nothing_is_delivered_before_what_was_delivered_is_committed(kafka, tmp_path, monkeypatch):
    """Also where commits fail: else a crash could leave two files of a partition that are not committed."""
    monkeypatch.setattr(stream, "AT_ONCE", 10)
    monkeypatch.setattr(stream, "FIRST_PAUSE_SECONDS", 0.01)
    kafka.produce(TOPIC, VALUES)
    kafka.refuse(OFFSET_COMMIT, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, 3)
    begun = []

    class Noting(FolderSink):
        def deliver(self):
            committed = kafka.committed(GROUP, TOPIC, PARTITIONS)
            begun.extend((first, committed[partition.number]) for partition, first in self.first_offsets().items())
            return super().deliver()

    with member(kafka, Noting(tmp_path, 0)):
        wait_until(lambda: all_committed(kafka), "all committed")
    assert places_in(tmp_path) == everything()
    assert len(begun) > PARTITIONS
    assert all(first == committed for first, committed in begun)


def test_the_lag_is_what_is_not_committed(kafka, tmp_path):
    kafka.produce(TOPIC, VALUES)
    with member(kafka, FolderSink(tmp_path, 1e6)) as one:
        wait_until(lambda: len(one.answered) == 60, "all answered")
        lags = {f'jtss_lag_messages{{topic="{TOPIC}",partition="{number}"}} 20' for number in range(PARTITIONS)}
        wait_until(lambda: lags <= {*one.metrics.text().splitlines()}, "the lag is known")


@pytest.mark.parametrize("error", [KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID])
def test_a_commit_refused_as_anothers_neither_loses_nor_doubles(kafka, tmp_path, monkeypatch, error):
    """The client joins anew after it."""
    monkeypatch.setattr(stream, "AT_ONCE", 10)
    kafka.produce(TOPIC, VALUES)
    kafka.refuse(OFFSET_COMMIT, error, 1)
    with member(kafka, FolderSink(tmp_path, 0), **SOON) as one:
        wait_until(lambda: all_committed(kafka), "all committed")
        assert one.stream._shifts > 1
    assert one.error is None
    assert places_in(tmp_path) == everything()


def lonely_stream(folder, answer=made_messages.outcomes):
    """One whose client says nothing, and that client."""
    client = SimpleNamespace(commit=lambda **_: [], committed=lambda *_, **__: [])
    return Stream(lambda *_: client, answer, FolderSink(folder, 0), Metrics(), Log()), client


def come(one, partition, offset):
    """Whether a message that comes waits to be answered."""
    values = {"error": None, "topic": TOPIC, "partition": partition.number, "offset": offset, "key": b"", "value": b""}
    one._take(SimpleNamespace(**{name: lambda value=value: value for name, value in values.items()}))
    return (partition, offset) in waiting(one)


def waiting(one):
    return [message[:2] for message in one._waiting]


def test_a_partition_is_lost_with_its_commit_until_it_comes_again(tmp_path):
    """The client may tell of the loss only after another batch."""
    one, client = lonely_stream(tmp_path)
    lost, kept = Partition(TOPIC, 0), Partition(TOPIC, 1)

    def refuse():
        one._after_commit(KafkaError(KafkaError.ILLEGAL_GENERATION), [TopicPartition(*lost, 1)])

    assert not come(one, lost, 0)  # not assigned yet
    one._assigned(client, [TopicPartition(*lost), TopicPartition(*kept)])
    assert come(one, lost, 1)
    assert come(one, kept, 1)
    one._to_commit = {lost: 1}
    one._commit()
    refuse()
    assert waiting(one) == [(kept, 1)]
    assert not come(one, lost, 2)
    assert one._to_commit == {}
    assert one._gone == {lost}
    one._assigned(client, [TopicPartition(*lost)])
    assert come(one, lost, 1)
    refuse()  # once more, of the time before
    assert come(one, lost, 2)


def test_a_partition_that_goes_while_the_registry_hangs_leaves_nothing_behind(tmp_path):
    """The registry fails only while the partition is handed over, so that its messages wait once more."""
    hands_over = threading.Event()

    def answer(batch):
        assert hands_over.wait(600)
        raise RegistryError("does not answer")

    one, client = lonely_stream(tmp_path, answer)
    one._must_stop = hands_over.set  # is asked while the revoked partition's work is waited for
    gone, kept = Partition(TOPIC, 0), Partition(TOPIC, 1)
    one._assigned(client, [TopicPartition(*gone), TopicPartition(*kept)])
    for offset in range(2):
        assert come(one, gone, offset)
        assert come(one, kept, offset)
    one._work()
    assert come(one, gone, 2)  # behind the batch at work
    one._revoked(client, [TopicPartition(*gone)])
    assert hands_over.is_set()
    assert one._job is None
    assert waiting(one) == [(kept, 0), (kept, 1)]
    one._assigned(client, [TopicPartition(*gone)])
    assert come(one, gone, 7)  # others went on with it meanwhile
    assert waiting(one) == [(kept, 0), (kept, 1), (gone, 7)]


def test_a_topic_of_answers_that_a_pattern_matches_is_not_read(kafka, tmp_path):
    """Extended regular expressions of POSIX, which are not Python's."""
    kafka.create(OUT, 1)
    kafka.produce(TOPIC, VALUES)
    kafka.produce(OUT, [b"SN"])
    one = Member(kafka, FolderSink(tmp_path, 0), topic="^a[[:alpha:]]+$", never=(OUT, f"{OUT}-{DEAD}"))
    one.join()
    with pytest.raises(InputError, match=rf"{OUT} is among the topics that are read, and the answers go to it"):
        raise one.error
    assert f'"{OUT}"' not in "".join(line for lines in lines_in(tmp_path) for line in lines)
