"""Messages and their outcomes without a model, for tests of a service."""

import json

from jtss.serving.messages import Outcome, Partition, Received

TOPIC = "alerts"


# As `messages.outcomes` makes it, but for numbers that a test chooses.
ANSWER = {
    "objectId": "ZTF18abc",
    "candid": 1234567890123456789,
    "jd": 2459000.75,
    "model": "any_gru",
    "classifier_version": "0.1.0+20261130T130853.s5000.s3500",
    "class": "SN",
    "probabilities": {"AGN": 0.0625, "SN": 0.75, "VS": 0.125, "asteroid": 0.0, "bogus": 0.0625},
    "subclass": "SN Ia",
    "subclass_probability": 0.5,
    "n_detections": 8,
    "n_limits": 35,
    "n_stamps": 1,
    "missing": ["allwise", "counters"],
    "outlier": 0.9375,
    "note": "",
    "answered": "2026-11-30T13:50:14.259+00:00",
    "topic": TOPIC,
    "partition": 0,
    "offset": 60,
}


def answered(offset, number=0, **fields):
    """The outcome of a message, with these fields of the answer."""
    answer = ANSWER | {"partition": number, "offset": offset} | fields
    bare = received(offset, None, number)
    return Outcome(bare, answer["objectId"], json.dumps(answer), False, answer["class"])


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
