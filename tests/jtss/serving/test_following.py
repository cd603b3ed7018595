"""The rows of a packet as measured, with the probabilities after each."""

import json

import pytest

from data_prep.simulate.packets import encode_file
from helpers.made_explained import run_of_packets
from helpers.make_packets import CANDIDATE, alert, detection, images, limit
from jtss.inference import packets
from jtss.serving import answering
from jtss.serving.following import steps
from jtss.serving.framing import Schemas, read_message

JD = CANDIDATE["jd"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return run_of_packets(tmp_path_factory.mktemp("model"))


def steps_of(model, record):
    one = answering.alone(read_message(encode_file([record]), "message", Schemas(None)))
    return steps(one, packets.followed(model, one)[1], model.config.classes)


def test_rows_are_told_as_measured(model):
    past = [
        limit(9, fid=2, diffmaglim=19.5),
        detection(5, 3, isdiffpos="f", magpsf=19.25, sigmapsf=0.25),
        detection(4, 4, isdiffpos=None, sigmapsf=None),
        limit(2, fid=3),
    ]
    found = steps_of(model, alert("ZTF18a", 10, images(1), history=past, fid=1, isdiffpos="1", magpsf=18.5))
    assert [*found] == ["ZTF18a"]
    rows = found["ZTF18a"]
    measured = [tuple(row[name] for name in ("jd", "kind", "filter", "magnitude", "is_positive")) for row in rows]
    assert measured == [
        (JD - 9, "limit", "r", 19.5, None),
        (JD - 5, "detection", "g", 19.25, False),
        (JD - 4, "detection", "g", 18.5, None),
        (JD - 2, "limit", "i", 20.25, None),
        (JD, "alert", "g", 18.5, True),
    ]
    assert [row["magnitude_error"] for row in rows] == [None, 0.25, None, None, 0.1]
    assert [row["probabilities"] is None for row in rows] == [True, False, False, False, False]
    for row in rows[1:]:
        assert row["probabilities"].keys() == {*model.config.classes}
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    json.dumps(found, allow_nan=False)


def test_of_two_detections_in_one_exposure_the_later_is_told(model):
    past = [detection(5, 3, magpsf=19.25), detection(5, 4, magpsf=19.75)]
    rows = steps_of(model, alert("ZTF18a", 10, images(1), history=past))["ZTF18a"]
    assert len(rows) == 2
    assert rows[0]["magnitude"] in (19.25, 19.75)
