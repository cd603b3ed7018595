"""What services have in common: which alerts are wanted, and what is a packet."""

import json

import numpy as np
import pytest

from data_prep.client import Reply
from data_prep.fetch.objects import (
    Listing,
    check_packet,
    finite,
    is_kept,
    provenance,
    require_columns,
    require_kind,
    rows_of,
    wanted,
)
from data_prep.lost import DAMAGED, Lost
from data_prep.simulate.packets import encode_file
from helpers.make_packets import alert, images, small

HOURS = np.array([0, 5.9, 6, 30, 11.9, 100, 200, 300])  # which the service gives in no order of time
LISTING = Listing(np.arange(1, 9), 2459000.5 + HOURS / 24)


def test_all_alerts_are_wanted_in_the_order_of_time():
    assert wanted(LISTING, None, set()) == [1, 2, 3, 5, 4, 6, 7, 8]
    assert wanted(LISTING, None, {5}) == [1, 2, 3, 4, 6, 7, 8]


@pytest.mark.parametrize(
    ("first", "without", "expected"),
    [
        (5, set(), [1, 3, 4, 6, 7]),
        (2, set(), [1, 3]),
        (2, {1}, [2, 5]),
        (5, {3, 6}, [1, 5, 4, 7, 8]),
        (9, {1}, [2, 5, 4, 6, 7, 8]),
    ],
)
def test_the_first_are_six_hours_apart(first, without, expected):
    assert wanted(LISTING, first, without) == expected


def test_an_alert_that_is_listed_twice_is_wanted_once():
    twice = Listing(np.array([1, 1, 2]), np.array([2459000.5, 2459000.5, 2459001.5]))
    assert wanted(twice, None, set()) == wanted(twice, 5, set()) == [1, 2]
    assert wanted(Listing(np.zeros(0, np.int64), np.zeros(0)), 5, set()) == []


def lost_by(check, *arguments, **named):
    with pytest.raises(Lost) as lost:
        check(*arguments, **named)
    assert lost.value.outcome == DAMAGED
    assert lost.value.again
    return lost.value.reason


def test_a_packet_is_that_of_the_alert_that_was_asked_for():
    content = encode_file([alert(candid=7)])
    check_packet(content, "ZTF18aaaaaaa", 7, "here")
    check_packet(encode_file([small(7)]), "ZTF18aaaaaaa", 7, "here")  # that it has no stamps is for `data build` to say
    assert lost_by(check_packet, content, "ZTF18aaaaaaa", 8, "here") == "another_alert"
    assert lost_by(check_packet, content, "ZTF18aaaaaab", 7, "here") == "another_alert"
    assert lost_by(check_packet, encode_file([small(7)] * 2), "ZTF18aaaaaaa", 7, "here") == "another_alert"
    assert lost_by(check_packet, content[:-100], "ZTF18aaaaaaa", 7, "here") == "bad_block"
    assert lost_by(check_packet, b"", "ZTF18aaaaaaa", 7, "here") == "empty_file"
    assert lost_by(check_packet, b"<html>", "ZTF18aaaaaaa", 7, "here") == "not_avro"


def test_build_keeps_a_packet_with_three_whole_stamps():
    assert is_kept(encode_file([alert()]))
    assert not is_kept(encode_file([small(7)]))
    assert not is_kept(encode_file([alert(stamps=images(1, (40, 63)))]))


def test_a_table_is_a_list_of_records():
    assert rows_of(b'[{"a": 1}]', "it") == [{"a": 1}]
    assert rows_of(b"[]", "it") == []
    assert lost_by(rows_of, b'[{"a": 1}', "it") == "bad_json"
    assert lost_by(rows_of, b"[" * 100_000, "it") == "bad_json"
    assert lost_by(rows_of, b'{"items": []}', "it") == "changed_columns"
    assert lost_by(rows_of, b"[1]", "it") == "changed_columns"


def test_columns_that_are_gone_are_named_beside_those_that_are_there():
    rows = [{"a": 1}, {"a": 2, "b": 3}]
    require_columns(rows, ("a", "b"), "it")
    with pytest.raises(Lost, match=r"it: no column c, d \(there are a, b\)"):
        require_columns(rows, ("a", "c", "d"), "it")


@pytest.mark.parametrize(
    ("kind", "as_json", "as_avro"),
    [
        ("application/json", True, False),
        ("application/problem+json", True, False),
        ("app/avro+binary", False, True),
        ("application/octet-stream", False, True),
        ("", False, True),
        ("text/html", False, False),
        ("image/png", False, False),
    ],
)
def test_the_type_of_an_answer(kind, as_json, as_avro):
    reply = Reply("http://here", kind, b"", {}, 0.0)
    for is_json, is_good in ((True, as_json), (False, as_avro)):
        if is_good:
            require_kind(reply, is_json=is_json)
        else:
            assert lost_by(require_kind, reply, is_json=is_json) == "wrong_type"


def test_where_an_answer_came_from():
    reply = Reply("http://here", "", b"", {"x-api-version": "3"}, 86400.0)
    assert provenance(reply) == {"url": "http://here", "time": "1970-01-02T00:00:00Z", "told": {"x-api-version": "3"}}
    assert "told" not in provenance(reply._replace(told={}))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1.5, 1.5),
        ("1.5", 1.5),
        ("-1", -1.0),
        (None, None),
        ("x", None),
        (float("nan"), None),
        ("inf", None),
        ([], None),
    ],
)
def test_numbers_and_their_text(value, number):
    assert finite(value) == number
    assert finite(json.loads("1" * 400)) is None
