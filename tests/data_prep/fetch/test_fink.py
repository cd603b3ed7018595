"""Fink: packets that are put together of flat rows and arrays say what ZTF's said."""

import io
import json

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.client import Client, Reply
from data_prep.fetch.fink import COLUMNS, TAG, Fink, _stamps, encoded
from data_prep.lost import ABSENT, DAMAGED, Lost
from data_prep.packets.fits import decode_cutout
from data_prep.packets.metadata import CANDIDATE_FIELDS
from data_prep.simulate.packets import CHANNELS
from helpers.fake_services import World, serving
from helpers.make_packets import CANDIDATE, alert, detection, images, limit

NAME = "ZTF18aaaaaaa"
BIG = 2**61 + 1  # a float would round it


@pytest.fixture(scope="module")
def running():
    """The services, with two alerts of an object and a history that is only of the second."""
    stamps = images(5)
    stamps[0][2, 3] = np.nan
    history = [limit(29, fid=2), detection(20, 77, magpsf=19.25), limit(3), detection(2, 1), limit(1, diffmaglim=19.0)]
    records = [alert(NAME, 1, jd=CANDIDATE["jd"] - 2), alert(NAME, BIG, stamps, history, distpsnr3=None, isdiffpos="f")]
    with serving(records, World()) as services:
        yield services


@pytest.fixture
def services(running):
    running.heal()
    running.asked.clear()
    return running


@pytest.fixture
def fink(services):
    return Fink(services.urls["fink"])


@pytest.fixture
def client(services):
    with Client(1000.0, **services.world.settings()) as made:
        yield made


@pytest.fixture
def listing(fink, client):
    return fink.listing(NAME, fink.ask_object(client, NAME).body)


def record_of(content):
    (record,) = fastavro.reader(io.BytesIO(content))
    return record


def lost_by(function, *arguments):
    with pytest.raises(Lost) as lost:
        function(*arguments)
    return lost.value.outcome, lost.value.reason


def test_alerts_are_the_valid_rows(listing):
    assert sorted(listing.candid.tolist()) == [1, BIG]
    assert sorted(listing.jd.tolist()) == [CANDIDATE["jd"] - 2, CANDIDATE["jd"]]
    assert listing.notes == []


def test_rows_that_are_called_otherwise_are_not_taken_for_none(fink, client):
    """Or else every object would be unknown, for good."""
    answer = fink.ask_object(client, NAME).body
    assert lost_by(fink.listing, NAME, answer.replace(b'"valid"', b'"upperlim"')) == (ABSENT, "unknown_object")
    with pytest.raises(Lost, match="d:tag is 'good', expected valid, upperlim or badquality") as lost:
        fink.listing(NAME, answer.replace(b'"valid"', b'"good"'))
    assert (lost.value.outcome, lost.value.reason) == (DAMAGED, "changed_columns")


def test_a_packet_says_what_ztf_said(fink, client, services, listing):
    packet = fink.ask_packet(client, NAME, BIG, listing)
    ours, theirs = record_of(packet.content), record_of(services.avro[NAME, BIG])
    assert (ours["objectId"], ours["candid"], ours["candidate"]["candid"]) == (NAME, BIG, BIG)
    for name in CANDIDATE_FIELDS:
        assert ours["candidate"][name] == theirs["candidate"][name], name
    assert ours["candidate"]["isdiffpos"] == "f"
    assert ours["candidate"]["distpsnr3"] is None
    for channel in CHANNELS:
        mine, original = (decode_cutout(record[f"cutout{channel}"]["stampData"]) for record in (ours, theirs))
        np.testing.assert_array_equal(mine, original)
    assert packet.provenance["fink_broker_version"] == "3.1"
    assert packet.provenance["url"] == f"{services.address}/api/v1/cutouts"


def test_its_past_is_put_together_of_the_other_rows(fink, client, listing):
    ours = record_of(fink.ask_packet(client, NAME, BIG, listing).content)
    told = [
        (round(CANDIDATE["jd"] - row["jd"], 6), row["candid"], row["fid"], row["magpsf"], row["diffmaglim"])
        for row in ours["prv_candidates"]
    ]
    depth = CANDIDATE["diffmaglim"]
    assert told == [
        (29, None, 2, None, 20.25),
        (20, None, 1, 19.25, depth),  # no alert of its own, so that Fink knows no candid
        (3, None, 1, None, 20.25),
        (2, 1, 1, 18.5, depth),
        (1, None, 1, None, 19.0),
    ]
    first = record_of(fink.ask_packet(client, NAME, 1, listing).content)
    assert [round(CANDIDATE["jd"] - row["jd"]) for row in first["prv_candidates"]] == [29, 20, 3]


def test_the_same_answers_give_the_same_bytes(fink, client, listing):
    one, other = (fink.ask_packet(client, NAME, BIG, listing).content for _ in range(2))
    assert one == other


def rows(*changes):
    row = {f"i:{name}": value for name, value in CANDIDATE.items()} | {"i:objectId": NAME, "i:candid": 1}
    return json.dumps([row | change for change in changes]).encode()


def test_what_a_row_does_not_say_is_null_and_no_zero(fink):
    listing = fink.listing(NAME, rows({"i:ndethist": None, "i:ncovhist": 1e12, "i:sigmapsf": "x", "i:rb": "0.5"}))
    values = listing.rows[0][1]
    assert [values[name] for name in ("ndethist", "ncovhist", "sigmapsf", "ranr", "rb")] == [
        None,
        None,
        None,
        None,
        0.5,
    ]
    record = {"schemavsn": "3.3", "publisher": "", "objectId": NAME, "candid": 1, "candidate": values}
    assert record_of(encoded(record))["candidate"]["ndethist"] is None


def test_columns_that_went_are_noted_and_those_without_which_nothing_goes_lose_the_object(fink):
    row = json.loads(rows({}))[0]
    without = {name: value for name, value in row.items() if name != "i:sgscore1"}
    assert fink.listing(NAME, json.dumps([without]).encode()).notes == ["objects without i:sgscore1"]
    without = {name: value for name, value in row.items() if name != "i:fid"}
    assert lost_by(fink.listing, NAME, json.dumps([without]).encode()) == (DAMAGED, "changed_columns")


def test_rows_without_a_candid_are_noted(fink):
    listing = fink.listing(NAME, rows({}, {"i:candid": None}, {"i:candid": -1}, {"i:candid": 2, "i:jd": None}))
    assert listing.candid.tolist() == [1]
    assert listing.notes == ["detections without a candid or a time"] * 3


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["valid", "7", "-1", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from([*COLUMNS, TAG, "i:pid", "i:rbversion", "i:nid"]), JSON), max_size=3))
def test_whatever_rows_hold_they_make_packets_or_are_lost_by_name(changes):
    whole = json.loads(rows({}))[0]
    answer = json.dumps(
        [whole | {"i:candid": i, "i:jd": 2459000.5 + i} | change for i, change in enumerate(changes, 1)]
    )
    fink, image = Fink("http://here"), reply(three([[1.0, 2.0]]))

    class Stub:
        def ask(self, request, read, most_bytes):
            return read(image)

    reason = "bad_none"
    try:
        listing = fink.listing(NAME, answer.encode())
        for candid in listing.candid.tolist():
            record_of(fink.ask_packet(Stub(), NAME, candid, listing).content)
    except Lost as lost:
        reason = lost.reason
    assert reason in ("unknown_object", "changed_columns") or reason.startswith("bad_")


def test_an_object_that_it_does_not_know(fink, client, services):
    assert lost_by(fink.ask_object, client, "ZTF99nobody") == (ABSENT, "unknown_object")
    assert len(services.asked) == 1


def test_a_missing_cutout_is_an_empty_picture(fink, client, services, listing):
    services.plant(f"cutouts {BIG}", "empty_png")
    services.asked.clear()
    assert lost_by(fink.ask_packet, client, NAME, BIG, listing) == (ABSENT, "missing_cutout")
    assert services.asked == [f"cutouts {BIG}"]


def reply(body, kind="application/json"):
    return Reply("http://here", kind, body if isinstance(body, bytes) else json.dumps(body).encode(), {}, 0.0)


def three(image):
    return {f"b:cutout{channel}_stampData": image for channel in CHANNELS}


def test_pixels_without_a_value_are_nan():
    (stamp, *_) = _stamps(reply(three([[1.5, None], [float("nan"), -2]])))
    np.testing.assert_array_equal(stamp, np.array([[1.5, np.nan], [np.nan, -2]], np.float32))


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (reply(three([])), (ABSENT, "missing_cutout")),
        (reply(three(None)), (ABSENT, "missing_cutout")),
        (reply(b"\n", "text/html"), (ABSENT, "missing_cutout")),
        (reply(three([1.0, 2.0])), (DAMAGED, "bad_cutout")),
        (reply(three([[1.0], [2.0, 3.0]])), (DAMAGED, "bad_cutout")),
        (reply(three([["x"]])), (DAMAGED, "bad_cutout")),
        (reply(three([[1.0] * 64])), (DAMAGED, "bad_cutout")),
        (reply({"b:cutoutScience": [[1.0]]}), (DAMAGED, "changed_columns")),
        (reply([]), (DAMAGED, "changed_columns")),
        (reply(b"{"), (DAMAGED, "bad_json")),
        (reply(b"\x89PNG", "image/png"), (DAMAGED, "wrong_type")),
    ],
)
def test_images_that_are_none(answer, lost):
    assert lost_by(_stamps, answer) == lost
