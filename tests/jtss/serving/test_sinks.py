"""Sinks: whole files that a replay replaces, topics whose messages are confirmed."""

import base64
import json
from contextlib import suppress

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError

from helpers.made_messages import outcome, outcomes, places, received
from helpers.mock_kafka import PRODUCE, mock_kafka, wait_until
from jtss.serving import clients, sinks
from jtss.serving.log import Log
from jtss.serving.messages import Partition
from jtss.serving.sinks import DEAD, FolderSink, SinkError, TopicSink

FIRST, SECOND = Partition("alerts", 0), Partition("alerts", 1)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def name(number, offset):
    return f"alerts-{number}-{offset:020d}.jsonl"


def test_files_are_of_a_partition_and_its_first_offset(tmp_path):
    sink = FolderSink(tmp_path / "new", 0)
    assert not sink.is_due()
    sink.add(outcomes([received(5), received(2, number=1), received(6, b"bad")]))
    sink.add(outcomes([received(3, number=1)]))
    assert sink.is_due()
    assert sink.first_offsets() == {FIRST: 5, SECOND: 2}
    assert names(tmp_path / "new") == []
    assert len(sink.deliver()) == 4
    assert names(tmp_path / "new") == sorted([name(0, 5), name(1, 2), f"{DEAD}/{name(0, 5)}"])
    assert places((tmp_path / "new" / name(1, 2)).read_text().splitlines()) == [(1, 2), (1, 3)]
    assert not sink.is_due()
    assert sink.deliver() == []


def test_a_replay_replaces_what_was_written(tmp_path):
    """It may be cut elsewhere, before the dead letter; and a killed process leaves a part of a file."""
    first, second = FolderSink(tmp_path, 0), FolderSink(tmp_path, 0)
    first.add(outcomes([received(0), received(1), received(2, b"bad")]))
    first.deliver()
    (tmp_path / f".{name(0, 0)}.1.partial").touch()
    second.add(outcomes([received(0), received(1)]))
    second.deliver()
    assert names(tmp_path) == [name(0, 0)]
    second.add(outcomes([received(2, b"bad")]))
    second.deliver()
    assert names(tmp_path) == [name(0, 0), f"{DEAD}/{name(0, 2)}"]


def test_files_are_due_by_time_or_size(tmp_path, monkeypatch):
    sink = FolderSink(tmp_path, 1e6)
    sink.add(outcomes([received(0)]))
    assert not sink.is_due()
    monkeypatch.setattr(sinks, "MOST_BYTES", 10)
    assert sink.is_due()


def test_what_a_folder_does_not_take_is_kept(tmp_path):
    sink = FolderSink(tmp_path, 0)
    sink.add(outcomes([received(0), received(1, b"bad")]))
    (tmp_path / DEAD).rmdir()
    with pytest.raises(SinkError, match=r"dead/.*\.jsonl cannot be written"):
        sink.deliver()
    (tmp_path / DEAD).mkdir()
    assert len(sink.deliver()) == 2
    assert names(tmp_path) == [name(0, 0), f"{DEAD}/{name(0, 0)}"]


def test_partitions_are_forgotten(tmp_path):
    sink = FolderSink(tmp_path, 0)
    sink.add(outcomes([received(0), received(0, number=1)]))
    sink.forget([FIRST, Partition("other", 9)])
    assert [one.message.partition for one in sink.deliver()] == [SECOND]


def test_what_others_have_answered_is_forgotten_and_the_rest_delivered(tmp_path):
    sink = FolderSink(tmp_path, 0)
    sink.add(outcomes([*map(received, range(10, 15)), received(0, number=1)]))
    sink.forget_before({FIRST: 12, SECOND: 1})
    assert sink.first_offsets() == {FIRST: 12}
    assert [one.message.offset for one in sink.deliver()] == [12, 13, 14]
    assert names(tmp_path) == [name(0, 12)]


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file, expected a folder"):
        FolderSink(tmp_path / "file" / "out", 0)


@pytest.fixture
def kafka():
    with mock_kafka() as cluster:
        for topic in ("out", f"out-{DEAD}"):
            cluster.create(topic, 1)
        yield cluster


def topic_sink(kafka, **settings):
    return TopicSink(lambda: clients.producer(kafka.bootstrap, settings, Log().logger), "out")


def values(kafka, topic):
    return [json.loads(message.value()) for message in kafka.messages(topic)]


def test_answers_and_dead_letters_have_their_topics(kafka):
    sink = topic_sink(kafka)
    assert not sink.is_due()
    sink.add(outcomes([received(0), received(1, b"bad"), received(2)]))
    assert sink.is_due()
    assert sink.first_offsets() == {}
    assert [one.message.offset for one in sink.deliver()] == [0, 1, 2]
    assert [line["offset"] for line in values(kafka, "out")] == [0, 2]
    assert [line["offset"] for line in values(kafka, f"out-{DEAD}")] == [1]
    assert kafka.messages("out")[1].key() == b"object 2"
    assert not sink.is_due()


def test_what_a_cluster_refuses_is_sent_again_and_nothing_else(kafka):
    """Of two requests, one for each topic, one fails."""
    sink = topic_sink(kafka)
    sink.add(outcomes([received(0), received(1, b"bad")]))
    kafka.refuse(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED, 1)
    with pytest.raises(SinkError, match="Topic authorization failed"):
        sink.deliver()
    assert sink.is_due()
    delivered = []

    def is_delivered():
        with suppress(SinkError):  # the client asks anew which topics it may write to
            delivered.extend(sink.deliver())
        return delivered

    wait_until(is_delivered, "delivered")
    assert sorted(one.message.offset for one in delivered) == [0, 1]
    assert [len(values(kafka, topic)) for topic in ("out", f"out-{DEAD}")] == [1, 1]


def test_a_letter_that_is_too_large_goes_without_the_bytes(kafka):
    sink = topic_sink(kafka, **{"message.max.bytes": "1000"})
    large = outcome(received(1, b"bad"))
    line = json.dumps(json.loads(large.line) | {"value": base64.b64encode(bytes(2000)).decode()})
    sink.add([outcome(received(0)), large._replace(line=line)])
    with pytest.raises(SinkError, match="too large"):
        sink.deliver()
    assert len(sink.deliver()) == 2
    assert [letter["value"] for letter in values(kafka, f"out-{DEAD}")] == [None]
    assert len(values(kafka, "out")) == 1


def test_partitions_are_forgotten_by_a_topic(kafka):
    sink = topic_sink(kafka)
    sink.add(outcomes([received(0), received(0, number=1)]))
    sink.forget([FIRST])
    assert [one.message.partition for one in sink.deliver()] == [SECOND]
