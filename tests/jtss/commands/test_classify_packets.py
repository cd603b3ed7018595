"""`jtss classify` and the Python API with a model of packets: the latest packet of each object, with all it tells."""

import csv

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
        save(tmp_path / "alerts", records)
        assert jtss("classify", tmp_path / "alerts", "-m", run, "--out", tmp_path / "t.csv", "--force", *words) == 0
        call.said = "".join(capsys.readouterr())
        with open(tmp_path / "t.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        return {oid: [row for row in rows if row["oid"] == oid] for oid in {row["oid"] for row in rows}}

    return call


def probabilities(rows):
    return [float(row["probability"]) for row in rows]


def test_the_latest_packet_is_answered_with_what_it_tells(classify):
    table = classify(later())
    assert {row["candid"] for row in table["ZTF18a"]} == {"11"}
    assert sum(probabilities(table["ZTF18a"])) == pytest.approx(1, abs=1e-6)
    assert "before_the_latest" in classify.said
    for changes in ({"history": PAST[:3]}, {"history": None}, {"ndethist": 400}):
        other = classify(later(**changes))
        assert probabilities(other["ZTF18a"]) != probabilities(table["ZTF18a"]), changes
        assert probabilities(other["ZTF18b"]) == probabilities(table["ZTF18b"])
    without_the_first = classify(later()[1:])
    assert probabilities(without_the_first["ZTF18a"]) == probabilities(table["ZTF18a"])


def test_an_alert_without_pixels_is_answered_and_that_is_said(classify):
    rows = classify(later())["ZTF18b"]
    assert len(rows) == 5
    assert {row["note"] for row in rows} == {"no_usable_pixels"}


def test_python_gives_the_same(classify, run, tmp_path):
    table = classify(later())
    model = python.load_model(run)
    found = model.classify(tmp_path / "alerts")
    for row in found:
        ours = [row[f"P_{name}"] for name in TINY.classes]
        np.testing.assert_allclose(ours, probabilities(table[row["object_id"]]), rtol=1e-5)
    with pytest.raises(InputError, match="reads the latest packet of each object: expected the packets"):
        model.classify(python.read_alerts(tmp_path / "alerts"))


def test_no_bogus_is_screened_for_it_nor_by_it(run, tmp_path, capsys):
    save(tmp_path / "alerts", later())
    words = ("classify", tmp_path / "alerts", "--out", tmp_path / "t.csv")
    assert jtss(*words, "-m", run, "--screen-bogus", "n1_baseline") == 2
    assert "reads one packet, expected a model of sequences to screen for" in capsys.readouterr().err
    assert jtss(*words, "-m", "n1_baseline", "--screen-bogus", run) == 2
    assert "reads packets; bogus screening needs a model of sequences" in capsys.readouterr().err


def test_it_is_not_explained(run, tmp_path, capsys):
    save(tmp_path / "alerts", later())
    words = ("--alerts", tmp_path / "alerts", "--out", tmp_path / "pages")
    for models in ((run, "ZTF18a"), ("n1_baseline", "ZTF18a", "--beside", run)):
        assert jtss("explain", *models, *words) == 2
        assert "reads packets, expected a model of sequences: no other can be explained yet" in capsys.readouterr().err
