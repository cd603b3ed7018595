"""Answers to a topic, dead letters to another; a replay is a second message of the same key and candid."""

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException, Producer

from jtss.serving.clients import settle
from jtss.serving.messages import Outcome, Partition, without_value
from jtss.serving.sinks.forms import Message
from jtss.serving.sinks.sink import DEAD, SinkError


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
        errors, failure = self._send()
        topics = [self._topic_of(outcome) for outcome in self._waiting]
        self._safe += [outcome for place, outcome in enumerate(self._waiting) if place not in errors]
        self._waiting = [_shortened(self._waiting[place], error) for place, error in errors.items()]
        if errors:
            if failure or any(error.fatal() or error.code() == KafkaError._FATAL for error in errors.values()):
                self._producer = self._make()
            place, error = next(iter(errors.items()))
            error = failure or error
            raise SinkError(f"topic {topics[place]}: {error.str()}{_remedy(error)}")
        delivered, self._safe = self._safe, []
        return delivered

    def _send(self) -> tuple[dict[int, KafkaError], KafkaError | None]:
        """The error of each that waits and is not safe, by its place; why the producer has failed for good."""
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
        failure = settle(self._producer)
        return errors, failure

    def _topic_of(self, outcome: Outcome) -> str:
        return f"{self._topic}-{DEAD}" if outcome.is_dead else self._topic


def _remedy(error: KafkaError) -> str:
    is_refused = error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    return "; let this client write to it" if is_refused else ""


def _shortened(outcome: Outcome, error: KafkaError) -> Outcome:
    is_too_large = error.code() == KafkaError.MSG_SIZE_TOO_LARGE and outcome.is_dead
    return outcome._replace(line=without_value(outcome.line)) if is_too_large else outcome
