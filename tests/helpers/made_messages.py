"""Messages and their outcomes without a model, for tests of a service."""

import json

from jtss.serving.messages import Outcome, Partition, Received

TOPIC = "alerts"


def received(offset, value=b"SN", number=0, key=None, seconds=0.0):
    return Received(Partition(TOPIC, number), offset, key, value, seconds)


def outcome(message, *, is_dead=None):
    """The class is the value; a message whose value is none, empty or bad is a dead letter."""
    is_dead = message.value in (None, b"", b"bad") if is_dead is None else is_dead
    name = "empty" if not message.value else message.value.decode()
    line = {"partition": message.partition.number, "offset": message.offset, "name": name}
    bare = message._replace(key=None, value=None)
    return Outcome(bare, f"object {message.offset}", json.dumps(line | {"value": None}), is_dead, name)


def outcomes(messages):
    return [outcome(message) for message in messages]


def places(lines):
    """(partition, offset) of lines of JSON, sorted."""
    return sorted((found["partition"], found["offset"]) for found in map(json.loads, lines))
