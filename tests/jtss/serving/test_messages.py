"""Messages to their outcomes: an answer or a dead letter for each."""

import base64
import json
from functools import partial

import pytest

from data_prep.simulate.packets import encode_file
from helpers.made_explained import run_of_packets
from helpers.made_messages import received
from helpers.make_packets import alert
from jtss.serving.answering import answerer, answers
from jtss.serving.framing import Schemas
from jtss.serving.messages import outcomes, without_value


@pytest.fixture(scope="module")
def by(tmp_path_factory):
    return answerer(run_of_packets(tmp_path_factory.mktemp("model")))


def test_every_message_has_its_outcome_in_its_place(by):
    good, broken = encode_file([alert("ZTF18a", 1)]), encode_file([alert("ZTF18b", 2)])[:-60]
    unread = alert("ZTF18c", 3)
    unread["cutoutScience"]["stampData"] = b"no image"
    values = [None, good, b"", broken, encode_file([unread]), good]
    messages = [received(10 + place, value, 3, b"key") for place, value in enumerate(values)]
    found = outcomes(partial(answers, by), Schemas(None), messages)
    assert [one.is_dead for one in found] == [True, False, True, True, True, False]
    reasons = [one.name for one in found if one.is_dead]
    assert reasons == ["no_value", "empty_value", "bad_block", "bad_gzip"]
    lines = [json.loads(one.line) for one in found]
    assert [(line["topic"], line["partition"], line["offset"]) for line in lines] == [
        ("alerts", 3, 10 + place) for place in range(len(values))
    ]
    assert lines[1]["class"] == found[1].name
    assert found[1].key == "ZTF18a"
    assert lines[1]["answered"].endswith("+00:00")
    letters = [line for line, one in zip(lines, found, strict=True) if one.is_dead]
    assert [letter["value"] and base64.b64decode(letter["value"]) for letter in letters] == [
        *(None, "", broken, encode_file([unread])),
    ]
    assert {base64.b64decode(letter["key"]) for letter in letters} == {b"key"}
    assert (letters[3]["objectId"], letters[3]["candid"]) == ("ZTF18c", 3)
    assert letters[0]["objectId"] is None
    assert all(one.message.value is None for one in found)  # no memory is held by what waits


def test_no_alert_needs_no_model():
    found = outcomes(None, Schemas(None), [received(0, b"")])
    assert [one.name for one in found] == ["empty_value"]


def test_a_letter_can_go_without_the_bytes():
    (found,) = outcomes(None, Schemas(None), [received(0, b"nonsense")])
    shorter = json.loads(without_value(found.line))
    assert shorter == json.loads(found.line) | {"key": None, "value": None}
