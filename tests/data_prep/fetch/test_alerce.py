"""ALeRCE: detections with stamps, and packets byte for byte."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.client import ATTEMPTS, Client
from data_prep.fetch.alerce import Alerce
from data_prep.lost import ABSENT, DAMAGED, Lost
from helpers.fake_services import World, serving
from helpers.make_packets import CANDIDATE, alert, detection

NAME = "ZTF18aaaaaaa"


@pytest.fixture(scope="module")
def running():
    """The services, with three alerts of an object and a detection that only their histories tell."""
    told = [detection(10, 90), detection(2, 1)]
    records = [alert(NAME, 1, jd=CANDIDATE["jd"] - 2), alert(NAME, 2, history=told), alert(NAME, 3, jd=2459003.5)]
    with serving(records, World()) as services:
        yield services


@pytest.fixture
def services(running):
    running.heal()
    running.asked.clear()
    return running


@pytest.fixture
def alerce(services):
    return Alerce(services.urls["alerce"], services.urls["alerce-avro"] + "/")


@pytest.fixture
def client(services):
    with Client(1000.0, **services.world.settings()) as made:
        yield made


def lost_by(function, *arguments):
    with pytest.raises(Lost) as lost:
        function(*arguments)
    return lost.value.outcome, lost.value.reason


def test_alerts_are_the_detections_with_stamps(alerce, client, services):
    reply = alerce.ask_object(client, NAME)
    assert len(json.loads(reply.body)) == 4
    listing = alerce.listing(NAME, reply.body)
    of = dict(zip(listing.candid.tolist(), listing.jd.tolist(), strict=True))
    assert of == pytest.approx({1: CANDIDATE["jd"] - 2, 2: CANDIDATE["jd"], 3: 2459003.5}, abs=1e-8, rel=0)
    assert listing.notes == []


def test_a_packet_comes_byte_for_byte(alerce, client, services):
    listing = alerce.listing(NAME, alerce.ask_object(client, NAME).body)
    packet = alerce.ask_packet(client, NAME, 2, listing)
    assert packet.content == services.avro[NAME, 2]
    assert packet.provenance["url"] == f"{services.address}/get_avro?oid={NAME}&candid=2"


def test_an_object_that_it_does_not_know(alerce, client, services):
    """Whether it says so by an empty list or by a status."""
    assert lost_by(alerce.ask_object, client, "ZTF99nobody") == (ABSENT, "unknown_object")
    services.plant("detections ZTF99nobody", "missing")
    assert lost_by(alerce.ask_object, client, "ZTF99nobody") == (ABSENT, "unknown_object")
    assert len(services.asked) == 2


def test_an_object_without_stamps_has_no_alerts(alerce):
    rows = json.dumps([{"candid": "1", "mjd": 59000.0, "has_stamp": False}]).encode()
    assert len(alerce.listing(NAME, rows).candid) == 0


@pytest.mark.parametrize("written", [1, "true", "t"])
def test_stamps_that_are_told_in_another_way_are_not_taken_for_none(alerce, written):
    rows = [{"candid": str(i), "mjd": 59000.0, "has_stamp": told} for i, told in ((1, False), (2, written))]
    with pytest.raises(Lost, match=f"has_stamp is '{written}', expected true or false") as lost:
        alerce.listing(NAME, json.dumps(rows).encode())
    assert (lost.value.outcome, lost.value.reason) == (DAMAGED, "changed_columns")


def test_rows_without_a_candid_or_a_time_are_noted(alerce):
    rows = [{"candid": candid, "mjd": mjd, "has_stamp": True} for candid, mjd in (("7", 1.0), ("x", 1.0), (8, None))]
    listing = alerce.listing(NAME, json.dumps(rows).encode())
    assert listing.candid.tolist() == [7]
    assert len(listing.notes) == 2


VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.lists(st.dictionaries(st.sampled_from(["candid", "mjd", "has_stamp"]), VALUE), max_size=3))
def test_whatever_rows_hold_they_are_alerts_or_noted_or_lost(rows):
    alerce, answer = Alerce("http://here", "http://there"), json.dumps(rows).encode()
    if not all(any(name in row for row in rows) for name in ("candid", "mjd", "has_stamp")):
        assert lost_by(alerce.listing, NAME, answer)[1] == ("changed_columns" if rows else "unknown_object")
        return
    if not all(isinstance(row.get("has_stamp"), bool | None) for row in rows):
        assert lost_by(alerce.listing, NAME, answer) == (DAMAGED, "changed_columns")
        return
    listing = alerce.listing(NAME, answer)
    assert len(listing.candid) + len(listing.notes) == sum(row.get("has_stamp") is True for row in rows)
    assert (listing.candid > 0).all()
    assert np.isfinite(listing.jd).all()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("cut", "bad_json"),
        ("page", "wrong_type"),
        ("lying_page", "bad_json"),
        ("other_kind", "wrong_type"),
        ("other_columns", "changed_columns"),
    ],
)
def test_answers_that_are_none(alerce, client, services, fault, reason):
    question = f"detections {NAME}"
    services.plant(question, fault)
    assert len(alerce.ask_object(client, NAME).body) > 100
    services.plant_for_ever(question, fault)
    assert lost_by(alerce.ask_object, client, NAME) == (DAMAGED, reason)
    assert services.asked == [question] * (2 + ATTEMPTS)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("cut", "bad_block"), ("page", "wrong_type"), ("lying_page", "not_avro"), ("other_alert", "another_alert")],
)
def test_packets_that_are_none(alerce, client, services, fault, reason):
    services.plant("packet 2", fault)
    assert alerce.ask_packet(client, NAME, 2, None).content == services.avro[NAME, 2]
    services.plant_for_ever("packet 2", fault)
    assert lost_by(alerce.ask_packet, client, NAME, 2, None) == (DAMAGED, reason)


def test_a_packet_that_it_does_not_have(alerce, client, services):
    assert lost_by(alerce.ask_packet, client, NAME, 4, None) == (ABSENT, "not_found")
    assert services.asked == ["packet 4"]
