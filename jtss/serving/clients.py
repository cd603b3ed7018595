"""Clients of a Kafka cluster: their settings, and what is wrong with an address or a topic said at once."""

import json
import time
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from logging import Logger

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from jtss.errors import InputError
from jtss.invocation import option

PATTERN = "^"  # how a topic begins that stands for all whose names match it
TIMEOUT_SECONDS = 10.0  # for a cluster to answer
POLL_SECONDS = 1.0
LOOK_MILLISECONDS = "5000"  # between looks at the connections of a consumer
APPEARING_SECONDS = 10.0  # for a topic to be made, by us on demand or by who writes to it
OURS = (  # on these it depends that nothing is lost
    *("bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store", "acks", "transactional.id"),
    "delivery.report.only.error",
)


def settings(words: Iterable[str]) -> dict[str, str]:
    """Settings of librdkafka, given as KEY=VALUE.

    Raises:
        InputError: one is not of this form, or is ours to choose.
    """
    given = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise InputError(f"{option('set-kafka', word)}: expected KEY=VALUE, as security.protocol=SASL_SSL")
        if key in OURS:
            raise InputError(f"{option('set-kafka', word)}: {key} is not free to choose")
        given[key] = value
    return given


def consumer(
    bootstrap: str,
    group: str,
    given: dict[str, str],
    logger: Logger,
    on_commit,
    on_look: Callable[[bool], object] | None = None,
) -> Consumer:
    """A member of a group, that commits what it is told to, and begins with the earliest messages.

    Args:
        on_look: is told every few seconds, while the consumer polls, whether it is connected to the cluster.

    Raises:
        InputError: a setting that librdkafka does not know or take.
    """
    ours = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
    }
    ours["on_commit"] = on_commit
    usual = {"auto.offset.reset": "earliest"}
    if on_look is not None:  # else nobody polls for what would come every few seconds
        usual["statistics.interval.ms"] = LOOK_MILLISECONDS
        ours["stats_cb"] = lambda statistics: on_look(is_connected(statistics))
    return _client(Consumer, usual | given | ours, logger)


def is_connected(statistics: str) -> bool:
    """Whether a client has a connection to any broker, of what librdkafka tells of it."""
    return any(broker["state"] == "UP" for broker in json.loads(statistics)["brokers"].values())


def producer(bootstrap: str, given: dict[str, str], logger: Logger) -> Producer:
    """A producer that loses no message; its deliveries fail after 30 s.

    While it lives it does not double one either, unless told so for a cluster of before Kafka 0.11, which cannot help.

    Raises:
        InputError: as `consumer`.
    """
    usual = {"message.timeout.ms": "30000", "linger.ms": "5", "enable.idempotence": True}
    return _client(Producer, usual | given | {"bootstrap.servers": bootstrap, "acks": "all"}, logger)


def settle(producer: Producer) -> KafkaError | None:
    """Wait until each message is delivered or has failed.

    By polls: a flush goes on with the reports of deliveries after it has met why the client failed for good, and each
    that is made while that exception is set ends in a SystemError.

    Returns:
        Why the client has failed for good, where it tells that now.
    """
    failure = None
    while len(producer):
        try:
            producer.poll(POLL_SECONDS)
        except KafkaException as error:
            failure = error.args[0]
    return failure


def _client(kind: type, configuration: dict, logger: Logger):
    try:
        return kind(configuration, logger=logger)
    except KafkaException as error:
        raise InputError(f"{option('set-kafka')}: {_words(error)}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{option('set-kafka')}: {error}; expected settings that are text to librdkafka") from error


def require_readable(consumer: Consumer, topic: str) -> None:
    """Make sure that the cluster answers and a topic, unless it is a ^pattern, is there; it may take a while to come.

    The cluster is asked for all topics: to be asked for one of them makes it, on a broker of before Kafka 0.11 that
    makes topics on demand, and whoever misspells a name would wait at an empty topic for ever.

    Raises:
        InputError: there is no such topic, or none that we are shown.
        OSError: the cluster does not answer.
    """
    end = time.monotonic() + APPEARING_SECONDS
    while topic not in (there := about(consumer).topics) and not topic.startswith(PATTERN):
        if time.monotonic() > end:
            near = get_close_matches(topic, [name for name in there if not name.startswith("__")])
            hint = f"is it {' or '.join(near)}? " if near else ""
            raise InputError(
                f"{option('topic', topic)}: the cluster shows no topic of this name; {hint}expected one that is there,"
                f" or a {PATTERN}pattern of topics that may come"
            )
        time.sleep(0.2)


def require_topic(client: Producer, topic: str) -> None:
    """Make sure that the cluster answers and a topic to write to is there.

    The question makes it where the cluster makes topics on demand; one that is to be made by others may take a while.

    Raises:
        InputError: there is no such topic, or it is not for us.
        OSError: the cluster does not answer.
    """
    end = time.monotonic() + APPEARING_SECONDS
    while (error := about(client, topic).topics[topic].error) is not None:
        on_its_way = error.code() in (KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART)
        if not on_its_way or time.monotonic() > end:
            raise InputError(f"topic {topic}: {error.str()}; expected one that is there, or create it")
        time.sleep(0.2)


def about(client: Consumer | Producer, topic: str | None = None):
    """What the cluster says of itself and a topic, None: of all; it may have just begun, and need a while for that.

    Raises:
        OSError: it does not answer.
    """
    end = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            left = max(end - time.monotonic(), 0.1)
            return client.list_topics(**({} if topic is None else {"topic": topic}), timeout=left)
        except KafkaException as error:
            _hear(client, topic)
            if time.monotonic() > end:
                raise OSError(
                    f"the Kafka cluster does not answer ({_words(error)}); check the address ({option('bootstrap')})"
                    f" and what it asks for ({option('set-kafka')}), as security.protocol"
                ) from error


def _hear(client: Consumer | Producer, topic: str | None) -> None:
    """Let a client hand over what it has to log, which says more than its errors.

    Raises:
        OSError: it has failed for good.
    """
    try:
        client.poll(0.1)
    except KafkaException as error:
        who = "the Kafka client has failed for good" if topic is None else f"topic {topic}"
        raise OSError(f"{who}: {_words(error)}") from error


def _words(error: KafkaException) -> str:
    return error.args[0].str()
