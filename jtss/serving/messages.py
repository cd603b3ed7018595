"""What comes of messages: an answer to each packet, and a dead letter for each message that has none."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from jtss.serving.framing import Schemas, read_message


class Partition(NamedTuple):
    topic: str
    number: int


class Received(NamedTuple):
    """A message.

    Attributes:
        partition, offset: where it stands.
        key, value: as they came; None: it has none.
        seconds: when it was received, of `time.monotonic`.
    """

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    seconds: float


class Outcome(NamedTuple):
    """What came of a message.

    Attributes:
        message: the message, without its bytes: many outcomes may wait for their delivery.
        key: of the object, for a topic; None where it is not known.
        line: an object of JSON.
        is_dead: it is a dead letter, not an answer.
        name: the predicted class, or the reason of the dead letter.
    """

    message: Received
    key: str | None
    line: str
    is_dead: bool
    name: str


def outcomes(
    answers: Callable[[Sequence[Alert]], list[dict | Rejection]], schemas: Schemas, messages: Sequence[Received]
) -> list[Outcome]:
    """The outcome of each message, in order.

    Args:
        answers: of alerts, one at the least; see `answering.answers`.
        schemas: by which messages are read.

    Raises:
        OSError, MemoryError, JaxRuntimeError: the machine fails, see `answering.answers`.
        RegistryError: the registry does not say by what schema one is to be read; to be tried again.
    """
    read = [
        read_message(message.value, "{0.topic}[{0.number}]@{1}".format(*message[:2]), schemas, message.key)
        for message in messages
    ]
    good = [one for one in read if not isinstance(one, Rejection)]
    answered = iter(answers(good)) if good else iter(())
    all_of_them = (one if isinstance(one, Rejection) else next(answered) for one in read)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return [_outcome(message, one, now) for message, one in zip(messages, all_of_them, strict=True)]


def _outcome(message: Received, one: dict | Rejection, now: str) -> Outcome:
    place = {"topic": message.partition.topic, "partition": message.partition.number, "offset": message.offset}
    if isinstance(one, Rejection):
        known = {"objectId": one.object_id or None, "candid": one.candid or None, "time": now}
        letter = place | {"reason": one.reason, "detail": one.detail} | known
        letter |= {"key": _text(message.key), "value": _text(message.value)}
        return Outcome(_light(message), one.object_id or None, json.dumps(letter), True, one.reason)
    line = json.dumps(one | {"answered": now} | place)
    return Outcome(_light(message), one["objectId"], line, False, one["class"])


def _light(message: Received) -> Received:
    return message._replace(key=None, value=None)


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def without_value(line: str) -> str:
    """A dead letter without the bytes, for a sink that does not take so much: they are in the topic that it names."""
    return json.dumps(json.loads(line) | {"key": None, "value": None})
