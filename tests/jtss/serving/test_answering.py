"""Answers to alerts are those of `jtss classify` to each packet alone."""

import csv
import json

import numpy as np
import pytest

from data_prep import ingest
from data_prep.ledger import Rejection
from data_prep.simulate.packets import encode_file
from helpers.made_explained import run_of_packets
from helpers.make_packets import CANDIDATE, alert, detection, images, limit, save
from helpers.programs import jtss
from jtss.errors import InputError
from jtss.pretrained import load
from jtss.serving import answering
from jtss.serving.answering import answerer, answers
from jtss.serving.framing import Schemas, read_message

JD = CANDIDATE["jd"]
PAST = [detection(20, 3), limit(8), detection(4, 4, fid=2), limit(2, fid=2)]
RECORDS = [
    alert("ZTF18a", 10, images(1), jd=JD - 3),
    alert("ZTF18a", 11, images(2), history=PAST),  # of the same object: alone, it knows no more than it tells
    alert("ZTF18b", 20, images(3, (63, 40)), xpos=9.0),  # at the edge
    alert("ZTF18c", 30, jd=JD + 1),
]


@pytest.fixture(scope="module")
def by(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return folder, answerer(run_of_packets(folder))


def alerts_of(records):
    packets = (encode_file([record]) for record in records)
    return [read_message(packet, f"message {place}", Schemas(None)) for place, packet in enumerate(packets)]


@pytest.fixture
def classified(by, monkeypatch, tmp_path):
    """The rows of `jtss classify` of one record."""
    monkeypatch.setattr(ingest, "available_cores", lambda: 1)

    def call(record):
        alerts = save(tmp_path / f"{record['candid']}", [record])
        assert jtss("classify", alerts, "-m", by[0] / "run", "--out", tmp_path / "t.csv", "--force") == 0
        with open(tmp_path / "t.csv", newline="") as file:
            return list(csv.DictReader(file))

    return call


def test_answers_are_those_of_classify(by, classified, capsys):
    found = answers(by[1], alerts_of(RECORDS))
    for record, answer in zip(RECORDS, found, strict=True):
        rows = classified(record)
        assert (answer["objectId"], answer["candid"]) == (record["objectId"], record["candid"])
        assert answer["jd"] == record["candidate"]["jd"]
        assert answer["class"] == next(row["class_name"] for row in rows if row["ranking"] == "1")
        # the batch is another, which changes the order of sums
        ours = [answer["probabilities"][row["class_name"]] for row in rows]
        np.testing.assert_allclose(ours, [float(row["probability"]) for row in rows], rtol=1e-5, atol=1e-7)
        for name in ("n_detections", "n_limits", "n_stamps", "note", "classifier_version"):
            assert str(answer[name]) == rows[0][name], name
        assert ", ".join(answer["missing"]) == rows[0]["missing"]
        assert answer["model"] == rows[0]["classifier_name"]
        json.dumps(answer, allow_nan=False)
    assert [answer["n_detections"] for answer in found] == [1, 3, 1, 1]
    assert found[2]["note"].startswith("padded_edge")


def test_an_answer_does_not_depend_on_the_batch(by):
    read = alerts_of(RECORDS)
    together, alone = answers(by[1], read), [answers(by[1], [one])[0] for one in read]
    for one, other in zip(together, alone, strict=True):
        assert one.keys() == other.keys()
        np.testing.assert_allclose([*one["probabilities"].values()], [*other["probabilities"].values()], rtol=1e-5)
    assert answers(by[1], read, alike=True) == alone  # to the bit
    again = answers(by[1], [read[1], read[1]])  # twice the same is answered twice
    assert [one["candid"] for one in again] == [11, 11]


def test_an_answer_tells_how_it_came_about_where_that_is_asked_for(by):
    read = alerts_of(RECORDS)
    plain, followed = answers(by[1], read), answers(by[1], read, followed=True)
    for record, one, other in zip(RECORDS, plain, followed, strict=True):
        steps = other.pop("trajectory")
        assert one == other
        told = sorted([*(record["prv_candidates"] or ()), record["candidate"]], key=lambda row: row["jd"])
        assert [step["jd"] for step in steps] == [row["jd"] for row in told]
        assert steps[-1]["probabilities"] == one["probabilities"]


def test_an_alert_alone_is_an_object_of_its_name(by):
    found = answering.alone(alerts_of(RECORDS)[1])
    assert (found.object_id.tolist(), found.candid.tolist()) == (["ZTF18a"], [3, 0, 4, 0, 11])
    broken = alert("ZTF18d", 40)
    broken["cutoutScience"]["stampData"] = b"no image"
    lost = answering.alone(alerts_of([broken])[0])
    assert (lost.reason, lost.object_id, lost.candid) == ("bad_gzip", "ZTF18d", 40)


def test_an_alert_whose_stamps_cannot_be_read_is_rejected_and_no_other(by):
    broken = alert("ZTF18d", 40)
    broken["cutoutScience"]["stampData"] = b"no image"
    found = answers(by[1], alerts_of([RECORDS[0], broken, RECORDS[3]]))
    assert [isinstance(one, Rejection) for one in found] == [False, True, False]
    assert (found[1].reason, found[1].object_id, found[1].candid) == ("bad_gzip", "ZTF18d", 40)


def test_an_error_that_nobody_thought_of_is_that_of_one_alert(by, monkeypatch):
    work = answering._answers

    def fails(by, alerts, *how):
        if any(one.candid == 11 for one in alerts):
            raise KeyError("unthought of")
        return work(by, alerts, *how)

    monkeypatch.setattr(answering, "_answers", fails)
    found = answers(by[1], alerts_of(RECORDS))
    assert [isinstance(one, Rejection) for one in found] == [False, True, False, False]
    assert found[1][:2] == ("failed", "KeyError: 'unthought of'")


def test_an_error_of_the_machine_is_no_alerts(by, monkeypatch):
    def fails(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(answering, "_answers", fails)
    with pytest.raises(OSError, match="No space left"):
        answers(by[1], alerts_of(RECORDS))


def test_a_model_of_sequences_is_refused():
    with pytest.raises(InputError, match="n1_baseline answers an object by its first 1 alerts, expected a model of"):
        answerer(load.load_model("n1_baseline"))
