"""Topics whose messages are confirmed."""

import base64
import json
from contextlib import suppress

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError

from helpers.made_messages import ANSWER, answered, outcome, outcomes, received
from helpers.mock_kafka import PRODUCE, mock_kafka, wait_until
from jtss.inference.table import Classifier
from jtss.serving import clients
from jtss.serving.log import Log
from jtss.serving.messages import Partition
from jtss.serving.sinks import forms
from jtss.serving.sinks.sink import DEAD, SinkError
from jtss.serving.sinks.topics import TopicSink

CLASSIFIER = Classifier(ANSWER["model"], ANSWER["classifier_version"], tuple(ANSWER["probabilities"]), 1)
FIRST, SECOND = Partition("alerts", 0), Partition("alerts", 1)


@pytest.fixture
def kafka():
    with mock_kafka() as cluster:
        for topic in ("out", f"out-{DEAD}"):
            cluster.create(topic, 1)
        yield cluster


def topic_sink(kafka, message=str.encode, **settings):
    return TopicSink(lambda: clients.producer(kafka.bootstrap, settings, Log().logger), "out", message)


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


def test_messages_have_the_form_that_is_asked_for_and_dead_letters_theirs(kafka):
    sink = topic_sink(kafka, forms.form_of("lasair:us", CLASSIFIER).message)
    sink.add([answered(0), outcome(received(1, b"bad"))])
    sink.deliver()
    assert [found["topic"] for found in values(kafka, "out")] == ["us"]
    assert [letter["offset"] for letter in values(kafka, f"out-{DEAD}")] == [1]


def test_what_a_cluster_refuses_is_sent_again_and_nothing_else(kafka):
    """Of two requests, one for each topic, one fails."""
    sink = topic_sink(kafka)
    sink.add(outcomes([received(0), received(1, b"bad")]))
    kafka.refuse(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED, 1)
    with pytest.raises(
        SinkError, match=r"topic out(-dead)?: .*Topic authorization failed; let this client write to it"
    ):
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
