"""`jtss classify` and the Python API with a model of packets: the latest packet of each object, with all it tells."""

import csv
import json
import shutil

import numpy as np
import pytest

import jtss as python
from data_prep import ingest
from helpers.made_runs import make_run, write_data
from helpers.make_packets import CANDIDATE, alert, detection, images, limit, save
from helpers.programs import jtss
from jtss.config import named
from jtss.config.settings import override
from jtss.errors import InputError

SMALL = ["stamp.crop=5", "stamp.copies=1", "stamp.rotation_range_deg=0", "encoder.filters=2,2,3,3,3", "encoder.units=3",
         "temporal.units=4", "head.units=4", "head.dropout=0", "packet.rows=6"]  # fmt: skip
TINY = override(named.get("any_gru"), SMALL)
JD = CANDIDATE["jd"]
PAST = [detection(20, 3), limit(8), detection(4, 4, fid=2), limit(2, fid=2)]


def later(**changes):
    """Two alerts of A, the later of which tells of the past, and one of B without stamps in its crop."""
    masked = images(3)
    for image in masked:
        image[20:43, 20:43] = np.nan
    return [
        alert("ZTF18a", 10, images(1), jd=JD - 40),
        alert("ZTF18a", 11, images(2), **({"history": PAST} | changes)),
        alert("ZTF18b", 20, masked),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packets")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5", certainty=0.05)
    return folder / "run"


@pytest.fixture
def classify(run, monkeypatch, capsys, tmp_path):
    """The rows of the table of some records, by object; what was said is in `classify.said`."""
    monkeypatch.setattr(ingest, "available_cores", lambda: 1)

    def call(records, *words):
        shutil.rmtree(tmp_path / "alerts", ignore_errors=True)
        save(tmp_path / "alerts", records)
        assert jtss("classify", tmp_path / "alerts", "-m", run, "--out", tmp_path / "t.csv", "--force", *words) == 0
        call.said = "".join(capsys.readouterr())
        with open(tmp_path / "t.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        return {oid: [row for row in rows if row["oid"] == oid] for oid in {row["oid"] for row in rows}}

    return call


def probabilities(rows):
    return [float(row["probability"]) for row in rows]


def test_every_packet_is_answered_with_what_it_tells(classify):
    table = classify(later())
    of_a = {candid: [row for row in table["ZTF18a"] if row["candid"] == candid] for candid in ("10", "11")}
    assert [(rows[0]["n_detections"], rows[0]["n_limits"], rows[0]["n_stamps"]) for rows in of_a.values()] == [
        ("1", "0", "1"),
        ("3", "2", "1"),
    ]
    assert of_a["10"][0]["missing"] == "allwise, history"
    assert of_a["11"][0]["missing"] == "allwise"
    for rows in of_a.values():
        assert sum(probabilities(rows)) == pytest.approx(1, abs=1e-6)
        assert sorted(row["ranking"] for row in rows) == list("12345")
    for changes in ({"history": PAST[:3]}, {"history": None}, {"ndethist": 400}):
        other = classify(later(**changes))
        assert probabilities(other["ZTF18a"][5:]) != probabilities(of_a["11"]), changes
        assert probabilities(other["ZTF18a"][:5]) == probabilities(of_a["10"])
        assert probabilities(other["ZTF18b"]) == probabilities(table["ZTF18b"])


def test_per_object_the_latest_is_answered(classify):
    every, latest = classify(later()), classify(later(), "--per-object")
    assert latest["ZTF18a"] == every["ZTF18a"][5:]
    assert latest["ZTF18b"] == every["ZTF18b"]
    assert "before_the_latest" in classify.said
    assert classify(later()[1:], "--per-object") == latest


def test_an_alert_without_pixels_is_answered_and_that_is_said(classify):
    rows = classify(later())["ZTF18b"]
    assert len(rows) == 5
    said = {(row["missing"], row["n_stamps"], row["note"]) for row in rows}
    assert said == {("allwise, history, stamps", "0", "no_usable_pixels")}


def test_an_alert_that_cannot_be_read_has_its_row(classify):
    records = later()
    records[0]["cutoutScience"]["stampData"] = b"no image"
    table = classify(records)
    broken, *answered = table["ZTF18a"][-1], *table["ZTF18a"][:-1]
    assert (broken["candid"], broken["class_name"], broken["n_detections"]) == ("10", "", "0")
    assert broken["note"] == "bad_gzip"
    assert [row["candid"] for row in answered] == ["11"] * 5
    latest = classify(records, "--per-object")["ZTF18a"]
    assert {(row["candid"], row["note"]) for row in latest} == {("11", "another_alert_not_read: bad_gzip")}
    lost = classify(records[:1], "--per-object")["ZTF18a"]
    assert [(row["candid"], row["note"]) for row in lost] == [("", broken["note"])]


def test_a_trajectory_is_the_answer_after_each_row(classify, tmp_path):
    table = classify(later(), "--trajectory", tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["candid"] == "11"]
    assert [row["kind"] for row in rows] == ["detection", "limit", "detection", "limit", "alert"]
    assert [row["fid"] for row in rows[1:4]] == [str(past["fid"]) for past in PAST[1:]]
    np.testing.assert_allclose([JD - float(row["jd"]) for row in rows], [20, 8, 4, 2, 0], atol=1e-6)
    depths = [past["magpsf"] or past["diffmaglim"] for past in PAST]
    np.testing.assert_allclose([float(row["magnitude"]) for row in rows[:4]], depths, rtol=1e-6)
    last = [float(rows[-1][f"P_{name}"]) for name in TINY.classes]
    np.testing.assert_allclose(last, probabilities(table["ZTF18a"][5:]), rtol=1e-6)
    earlier = classify([later(history=PAST[:2], jd=JD - 6)[1]])["ZTF18a"]  # the alert of another time
    assert probabilities(earlier) != last


def test_python_gives_the_same(classify, run, tmp_path):
    table = classify(later())
    model = python.load_model(run)
    found = model.classify(tmp_path / "alerts")
    assert len(found) == 3
    for row in found:
        written = [line for line in table[row["object_id"]] if line["candid"] == str(row["candid"])]
        ours = [row[f"P_{name}"] for name in TINY.classes]
        np.testing.assert_allclose(ours, probabilities(written), rtol=1e-5)
        for name in ("n_detections", "n_limits", "n_stamps", "missing"):
            assert str(row[name]) == written[0][name]
    latest = model.classify(tmp_path / "alerts", per_object=True)
    assert latest["candid"].tolist() == [11, 20]
    assert len(model.trajectory(tmp_path / "alerts")) == 7
    course = model.trajectory(tmp_path / "alerts", per_object=True)
    assert course["kind"].tolist() == ["detection", "limit", "detection", "limit", "alert", "alert"]
    np.testing.assert_allclose(course["P_SN"][[4, 5]], latest["P_SN"], rtol=1e-5)
    with pytest.raises(InputError, match="reads packets with all that they tell: expected the packets"):
        model.classify(python.read_alerts(tmp_path / "alerts"))


@pytest.mark.parametrize("option", ["--per-object", "--trajectory"])
def test_a_model_of_sequences_answers_once(option, tmp_path, capsys):
    save(tmp_path / "alerts", later())
    words = [option, *([tmp_path / "rows.csv"] if option == "--trajectory" else [])]
    assert jtss("classify", tmp_path / "alerts", "-m", "n1_baseline", "--out", tmp_path / "t.csv", *words) == 2
    assert f"{option}: n1_baseline answers each object once, by its first 1 alerts" in capsys.readouterr().err
    with pytest.raises(InputError, match="expected a model of packets"):
        python.load_model("n1_baseline").trajectory(tmp_path / "alerts")


def test_no_bogus_is_screened_for_it_nor_by_it(run, tmp_path, capsys):
    save(tmp_path / "alerts", later())
    words = ("classify", tmp_path / "alerts", "--out", tmp_path / "t.csv")
    assert jtss(*words, "-m", run, "--screen-bogus", "n1_baseline") == 2
    assert "reads one packet, expected a model of sequences to screen for" in capsys.readouterr().err
    assert jtss(*words, "-m", "n1_baseline", "--screen-bogus", run) == 2
    assert "reads packets; bogus screening needs a model of sequences" in capsys.readouterr().err


def test_it_explains_the_latest_alert(run, tmp_path, capsys):
    save(tmp_path / "alerts", later())
    words = ("--alerts", tmp_path / "alerts", "--out", tmp_path / "pages")
    assert jtss("explain", run, "ZTF18a", *words) == 0
    document = json.loads((tmp_path / "pages" / "ZTF18a.json").read_text())
    assert document["candid"] == 11
    assert [row["kind"] for row in document["rows"]] == ["detection", "limit", "detection", "limit", "alert"]
    assert "<img" in (tmp_path / "pages" / "ZTF18a.html").read_text()
    assert jtss("explain", "n1_baseline", "ZTF18a", "--beside", run, *words) == 2
    assert "reads packets and answers after every row: expected no model beside it" in capsys.readouterr().err
