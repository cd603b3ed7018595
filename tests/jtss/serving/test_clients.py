"""Clients of a cluster: settings, addresses and topics that are wrong."""

import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError, KafkaException

from helpers.mock_kafka import mock_kafka
from jtss.errors import InputError
from jtss.serving import clients
from jtss.serving.log import Log

NOWHERE = "127.0.0.1:1"


def test_settings_are_pairs():
    assert clients.settings(["security.protocol=SASL_SSL", "sasl.password=a=b"]) == {
        "security.protocol": "SASL_SSL",
        "sasl.password": "a=b",
    }
    for word in ("nonsense", "=value"):
        with pytest.raises(InputError, match=r"expected KEY=VALUE, as security\.protocol=SASL_SSL"):
            clients.settings([word])
    with pytest.raises(InputError, match=r"enable\.auto\.commit is not free to choose"):
        clients.settings(["enable.auto.commit=true"])


def test_a_setting_that_librdkafka_does_not_know_is_named():
    for make in (
        lambda given: clients.consumer(NOWHERE, "group", given, Log().logger, print),
        lambda given: clients.producer(NOWHERE, given, Log().logger),
    ):
        with pytest.raises(InputError, match=r'--set-kafka: No such configuration property: "no\.such"'):
            make({"no.such": "1"})


def test_a_topic_must_be_there_and_a_misspelt_one_is_not_made(monkeypatch):
    monkeypatch.setattr(clients, "APPEARING_SECONDS", 0.5)
    with mock_kafka() as kafka:
        kafka.create("alerts", 2)
        # as if its broker made topics for all who ask: those of before Kafka 0.11 do
        given = {"allow.auto.create.topics": "true"}
        consumer = clients.consumer(kafka.bootstrap, "group", given, Log().logger, print)
        clients.require_readable(consumer, "alerts")
        clients.require_readable(consumer, "^night_.*")  # may come later
        with pytest.raises(InputError, match=r"--topic alrts: .* of this name; is it alerts\? expected one that"):
            clients.require_readable(consumer, "alrts")
        with pytest.raises(InputError, match=r"--topic nights: .* no topic of this name; expected one that is there"):
            clients.require_readable(consumer, "nights")
        assert {*clients.about(consumer).topics} == {"alerts"}
        monkeypatch.setattr(clients, "APPEARING_SECONDS", 600.0)
        timer = threading.Timer(0.3, kafka.create, ("later", 1))
        timer.start()
        clients.require_readable(consumer, "later")
        timer.join()
        consumer.close()
        clients.require_topic(clients.producer(kafka.bootstrap, {}, Log().logger), "made_on_demand")


def test_a_cluster_that_does_not_answer_is_said(monkeypatch, capsys):
    """And what the client has logged of the reason."""
    monkeypatch.setattr(clients, "TIMEOUT_SECONDS", 0.2)
    consumer = clients.consumer(NOWHERE, "group", {}, Log().logger, print)
    for topic in ("alerts", "^alerts"):
        with pytest.raises(OSError, match=r"the Kafka cluster does not answer .*; check the address \(--bootstrap\)"):
            clients.require_readable(consumer, topic)
    said = ""
    while "Connection refused" not in said:
        consumer.poll(0.05)  # hands over what it has to log
        said += capsys.readouterr().err
    consumer.close()


def test_a_cluster_that_has_just_begun_is_asked_again():
    class Beginning:
        n_asked = 0

        def list_topics(self, *, topic, timeout):
            self.n_asked += 1
            if self.n_asked < 3:
                raise KafkaException(KafkaError(KafkaError._BAD_MSG))
            return SimpleNamespace(topics={topic: SimpleNamespace(error=None)})

        def poll(self, _seconds):
            pass

    client = Beginning()
    clients.require_topic(client, "alerts")
    assert client.n_asked == 3


@pytest.mark.parametrize(("topic", "who"), [("night", "topic night"), (None, "the Kafka client has failed for good")])
def test_a_client_that_has_failed_before_the_cluster_answers_says_why(topic, who):
    """It depends on the machine which of them comes first."""

    def fail(code, words):
        raise KafkaException(KafkaError(code, words))

    client = SimpleNamespace(
        list_topics=lambda **_given: fail(KafkaError._TRANSPORT, "Failed to get metadata"),
        poll=lambda _seconds: fail(KafkaError.UNSUPPORTED_VERSION, "Idempotent producer not supported"),
    )
    with pytest.raises(OSError, match=f"^{who}: Idempotent producer not supported"):
        clients.about(client, topic)
