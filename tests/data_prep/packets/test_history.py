"""What a packet tells of the past, well or badly: the right rows, the right notes, never at the cost of the alert."""

import io
import json

import fastavro
import numpy as np
import pytest

from data_prep.packets.alerts import Alert, decode_block, from_record
from data_prep.packets.avro import Block
from data_prep.packets.history import MAX_BYTES, MAX_ROWS, judge, parse, tally
from data_prep.simulate.packets import alert_schema
from helpers.make_packets import CANDIDATE, NO_STAMPS, alert, detection, limit
from jtss.schema import DETECTION, LIMIT, METADATA_NAMES, NO_CANDID

JD, PLACE = CANDIDATE["jd"], (CANDIDATE["ra"], CANDIDATE["dec"])
ARCSEC = 1 / 3600


def judged(history, place=PLACE):
    """Rows and notes of a history that the alert of the helpers tells."""
    rows, n_told, notes = judge([parse(history)], np.array([JD]), np.array([place]))
    assert n_told.tolist() == [len(rows)]
    return rows, dict(tally(notes))


def value(row, name):
    return row["metadata"][METADATA_NAMES.index(name)]


def test_detections_and_limits_are_told_apart():
    rows, notes = judged([detection(3, 7, magpsf=18.25), limit(2, fid=2, diffmaglim=20.5)])
    assert notes == {}
    assert rows["kind"].tolist() == [DETECTION, LIMIT]
    assert rows["candid"].tolist() == [7, NO_CANDID]
    assert rows["fid"].tolist() == [1, 2]
    assert (JD - rows["jd"]).tolist() == pytest.approx([3, 2])
    assert value(rows[0], "magpsf") == 18.25
    assert value(rows[0], "isdiffpos") == 1
    absent = [name for name in METADATA_NAMES if np.isnan(value(rows[0], name))]
    counted = ["ndethist", "ncovhist", "non_detections"]
    assert absent == counted + [f"{name}{i}" for i in (1, 2, 3) for name in ("sgscore", "distpsnr")]
    assert [name for name in METADATA_NAMES if not np.isnan(value(rows[1], name))] == ["diffmaglim"]


ONE = [detection(3, 7)]
CASES = {
    "null": (None, 0, {"history_not_given": 1}),
    "empty": ([], 0, {"history_not_given": 1}),
    "NaN of a data frame": (float("nan"), 0, {"history_not_given": 1}),
    "text": ("none", 0, {"history_unreadable": 1}),
    "a number": (5, 0, {"history_unreadable": 1}),
    "a row without its list": (ONE[0], 0, {"history_unreadable": 1}),
    "a table": (np.zeros((2, 2)), 0, {"history_unreadable": 1}),
    "an array": (np.array(ONE, object), 1, {}),
    "rows that are none": ([None, "x", 3, *ONE], 1, {"history_not_a_row": 3}),
    "nothing but null": ([None], 0, {"history_not_a_row": 1}),
    "too many rows": (ONE * (MAX_ROWS + 1), 0, {"history_too_long": 1}),
    "forced photometry": ([{"jd": JD - 1, "diffmaglim": 20.0, "forcediffimflux": 7.0}], 0, {"history_other_form": 1}),
    "limit without depth": ([limit(2, diffmaglim=None), *ONE], 1, {"history_limit_without_depth": 1}),
    "limit of depth -999": ([limit(2, diffmaglim=-999.0), *ONE], 1, {"history_limit_without_depth": 1}),
    "later": ([detection(-1, 8), limit(-40), *ONE], 1, {"history_later_than_alert": 2}),
    "equal": ([detection(0, 1), limit(1e-7), *ONE], 1, {"history_later_than_alert": 2}),
    "nothing but the alert itself": ([detection(0, 1)], 0, {"history_later_than_alert": 1}),
    "all at the time of the alert": ([detection(0, i) for i in (1, 2, 3)], 0, {"history_unreadable": 1}),
    "all at one time": ([detection(5, i) for i in (1, 2, 3)], 0, {"history_unreadable": 1}),
    "all later, at one time": ([detection(-1, 8), limit(-1), limit(-1)], 0, {"history_unreadable": 1}),
    "two filters at one time": ([detection(5, 8), detection(5, 9, fid=2)], 0, {"history_unreadable": 1}),
    "two of one exposure": ([detection(5, 8), detection(5, 9)], 2, {}),
    "a limit told twice": ([limit(5), limit(5)], 2, {}),
    "a limit and a detection of one exposure": ([limit(5), detection(5, 8)], 2, {}),
    "two later, of one exposure": ([detection(-1, 8), limit(-1)], 0, {"history_later_than_alert": 2}),
    "limits of two filters at one time": ([limit(5), limit(5, fid=2)], 0, {"history_unreadable": 1}),
    "an exposure among others": ([detection(5, 8), detection(5, 9), *ONE], 3, {}),
    "filter in words": ([detection(1, 8, fid="g"), limit(2, fid=b"4"), *ONE], 1, {"history_bad_fid": 2}),
    "filter as text of a number": ([detection(1, 8, fid="2"), limit(2, fid=b"3"), *ONE], 3, {}),
    "just before": ([limit(1e-4), *ONE], 2, {}),
    "30 days": ([limit(30), limit(72), *ONE], 1, {"history_older_than_30_days": 2}),
    "nearly 30 days": ([limit(29.9999), *ONE], 2, {}),
    "no time": ([detection(1, 8, jd=None), {"magpsf": 18.0}, *ONE], 1, {"history_without_jd": 2}),
    "time of NaN": ([detection(1, 8, jd=float("nan")), limit(1, jd=-999.0), *ONE], 1, {"history_without_jd": 2}),
    "time in single precision": ([detection(1, 8, jd=np.float32(JD - 1)), *ONE], 1, {"history_without_jd": 1}),
    "another object's": ([detection(1, 8, dec=2 + 11 * ARCSEC), *ONE], 1, {"history_apart": 1}),
    "9 arcsec off": ([detection(1, 8, dec=2 + 9 * ARCSEC), *ONE], 2, {}),
    "without a place": ([detection(1, 8, ra=None), detection(2, 9, dec=999.0), *ONE], 3, {}),
    "a limit elsewhere": ([limit(1, ra=10.0, dec=2.0), *ONE], 2, {}),  # ZTF gives them none
    "text for a number": ([detection(1, 8, fwhm="wide"), *ONE], 2, {"history_not_a_number": 1}),
    "text for a magnitude": ([detection(1, 8, magpsf="18.5"), *ONE], 1, {"history_not_a_number": 1}),
    "no finite magnitude": ([detection(1, 8, magpsf=float("inf")), *ONE], 1, {"history_not_a_number": 1}),
    "text for a time": (
        [detection(1, 8, jd="today"), *ONE],
        1,
        {"history_not_a_number": 1, "history_without_jd": 1},
    ),
    "numbers of NumPy": ([{k: np.float64(v) if type(v) is float else v for k, v in ONE[0].items()}], 1, {}),
}


@pytest.mark.parametrize("case", list(CASES))
def test_odd_histories(case):
    history, n_rows, expected = CASES[case]
    rows, notes = judged(history)
    assert (len(rows), notes) == (n_rows, expected)


@pytest.mark.parametrize("missing", [None, float("nan"), -999.0])
def test_without_a_magnitude_it_is_a_limit(missing):
    (row,), notes = judged([detection(1, 8, magpsf=missing)])
    assert (row["kind"], row["candid"], notes) == (LIMIT, NO_CANDID, {})
    assert np.isnan(value(row, "fwhm"))


@pytest.mark.parametrize(("candid", "read"), [(None, 0), (8, 8), ("8", 8), (-3, 0), (np.float32(8), 0), ("x", 0)])
def test_a_detection_needs_no_candid(candid, read):
    (row,), notes = judged([detection(1, candid)])
    assert (row["kind"], row["candid"], notes) == (DETECTION, read, {})


@pytest.mark.parametrize("fid", [0, 9, None, 1.5])
def test_an_unknown_filter_is_none(fid):
    (row,), _ = judged([detection(1, 8, fid=fid)])
    assert row["fid"] == 0


def test_text_of_a_filter_is_read_as_in_an_alert():
    rows, _ = judged([detection(1, 8, fid="2"), limit(2, fid=b" 3 ")])
    assert rows["fid"].tolist() == [2, 3]


def test_nothing_is_apart_from_an_alert_without_a_place():
    rows, notes = judged([detection(1, 8, dec=40.0)], place=(np.nan, np.nan))
    assert (len(rows), notes) == (1, {})


def test_each_packet_judges_its_own():
    early, late = parse([limit(20), limit(29)]), parse([limit(20), limit(29)])
    rows, n_told, notes = judge([early, late], np.array([JD, JD + 5]), np.full((2, 2), np.nan))
    assert n_told.tolist() == [2, 1]
    assert notes["packet"].tolist() == [1]
    assert tally(notes) == {"history_older_than_30_days": 1}
    assert (JD - rows["jd"]).tolist() == pytest.approx([20, 29, 20])


def test_no_packets_tell_nothing():
    rows, n_told, notes = judge([], np.zeros(0), np.zeros((0, 2)))
    assert (len(rows), len(n_told), len(notes)) == (0, 0, 0)


def decoded(record, schema=None, tamper=lambda payload: payload) -> list:
    """What is read of one record, written by a schema."""
    schema = schema or alert_schema()
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), record)
    return list(decode_block(Block("here", 0, json.dumps(schema).encode(), "null", 1, tamper(buffer.getvalue()))))


def small(history, candid=5):
    return alert("ZTF18a", candid, NO_STAMPS, history)


def test_packets_and_decoded_records_tell_the_same():
    record = small([detection(3, 7), limit(2), limit(1, diffmaglim=None)])
    (packet,), mapping = decoded(record), from_record(record, "here")
    np.testing.assert_array_equal(packet.history.candid, mapping.history.candid)
    np.testing.assert_allclose(packet.history.values, mapping.history.values, rtol=1e-6)
    assert len(packet.history.values) == 3


def history_field(schema):
    return next(field for field in schema["fields"] if field["name"] == "prv_candidates")


@pytest.mark.parametrize("place", [0, 4, 8])
@pytest.mark.parametrize("nullable", ["list", "rows", "neither"])
def test_a_history_is_read_wherever_it_stands(place, nullable):
    schema = alert_schema()
    field = history_field(schema)
    array = field["type"][0]
    if nullable == "rows":
        array["items"] = ["null", array["items"]]
    if nullable == "neither":
        field["type"] = array
        field.pop("default")
    schema["fields"].remove(field)
    schema["fields"].insert(place, field)
    (found,) = decoded(small([detection(3, 7), limit(2)]), schema)
    assert (found.object_id, found.candid, found.jd) == ("ZTF18a", 5, JD)
    assert found.history.candid.tolist() == [7, 0]
    assert found.history.notes == {}


def other_schema(change):
    schema = alert_schema()
    field = history_field(schema)
    field.pop("default")
    change(field)
    return schema


def without(name):
    def change(field):
        row = field["type"][0]["items"]
        row["fields"] = [each for each in row["fields"] if each["name"] != name]

    return change


def coarse(field):
    for each in field["type"][0]["items"]["fields"]:
        if each["name"] == "jd":
            each["type"] = "float"


IN_FULL = small([detection(3, 7)])["prv_candidates"]
OTHER_FORMS = {
    "no magnitude": (without("magpsf"), IN_FULL),
    "no time": (without("jd"), IN_FULL),
    "time in single precision": (coarse, IN_FULL),
    "text": (lambda field: field.update(type="string"), "[]"),
    "numbers": (lambda field: field.update(type={"type": "array", "items": "double"}), [1.0, 2.0]),
    "a map": (lambda field: field.update(type={"type": "map", "values": "int"}), {"a": 1}),
}


@pytest.mark.parametrize("form", list(OTHER_FORMS))
def test_a_history_of_another_form_is_passed_over(form):
    change, history = OTHER_FORMS[form]
    (found,) = decoded(small(None) | {"prv_candidates": history}, other_schema(change))
    assert isinstance(found, Alert)
    assert found.history.notes == {"history_other_form": 1}


def test_a_packet_without_the_field_gives_none():
    schema = alert_schema()
    schema["fields"].remove(history_field(schema))
    record = {name: value for name, value in small(None).items() if name != "prv_candidates"}
    (found,) = decoded(record, schema)
    assert found.history.notes == {"history_not_given": 1}
    assert from_record(record, "here").history.notes == {"history_not_given": 1}


def test_text_that_is_none_costs_the_history_alone():
    record = small([detection(3, 7, isdiffpos="tttttttt")])
    (found,) = decoded(record, tamper=lambda payload: payload.replace(b"tttttttt", b"tt\xff\xfetttt"))
    assert (found.candid, found.history.notes) == (5, {"history_unreadable": 1})


@pytest.mark.parametrize("n_rows", [MAX_ROWS + 1, MAX_BYTES // 50])
def test_a_history_too_long_costs_the_history_alone(n_rows):
    """Within the bytes that are read, and beyond them; the alert after it is read, too."""
    schema, buffer = alert_schema(), io.BytesIO()
    for record in (small([limit(1)] * n_rows), small([detection(3, 7)], 6)):
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), record)
    first, second = decode_block(Block("here", 0, json.dumps(schema).encode(), "null", 2, buffer.getvalue()))
    assert (first.candid, first.history.notes, len(first.history.candid)) == (5, {"history_too_long": 1}, 0)
    assert (second.candid, second.history.candid.tolist()) == (6, [7])


def test_a_cut_within_a_history_is_a_cut_record():
    record = small([detection(3, 7)] * 20)
    (found,) = decoded(record, tamper=lambda payload: payload[:-2000])
    assert found.reason == "corrupt_record"
