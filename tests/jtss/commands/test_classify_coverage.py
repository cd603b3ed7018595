"""`jtss classify --coverage` and the column of outliers: what the program says, Python says as well."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import jtss as python
from data_prep import ingest
from helpers.made_models import run_of_packets
from helpers.make_packets import CANDIDATE, alert, detection, images, limit, save
from helpers.programs import jtss
from jtss.errors import InputError
from jtss.files import write_sums
from jtss.inference.known_alerts import SHARES
from jtss.pretrained import file
from jtss.reports import export

JD = CANDIDATE["jd"]
PAST = [detection(20, 3), limit(8), detection(4, 4, fid=2), limit(2, fid=2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = run_of_packets(tmp_path_factory.mktemp("coverage"))
    path = export.export(made / "run", "packets", made / "files")
    records = [alert(f"ZTF18{name}", i, images(i), jd=JD + i) for i, name in enumerate("abcdefg", start=1)]
    broken = alert("ZTF18z", 99, images(3))
    broken["cutoutScience"]["stampData"] = b"no image"
    save(made / "alerts", [*records, alert("ZTF18h", 11, images(2), history=PAST), broken])
    _know(path, made / "alerts")
    return made


def _know(path, alerts):
    """Give a model other known alerts, from which these, unlike its made data, are neither far nor near."""
    trained = file.read(path)

    def write(**changes):
        path.write_bytes(file.to_bytes(replace(trained, known_alerts=trained.known_alerts._replace(**changes))))
        write_sums(path.parent)
        return python.load_model(path).classify(alerts)[:-1]  # the last is broken

    far = 1e4
    table = write(distances=far * SHARES)
    write(distances=2 * far * table["outlier"].max() * SHARES, confidences=np.quantile(table["probability"], SHARES))


@pytest.fixture
def classify(folder, monkeypatch, capsys, tmp_path):
    """The first row of each packet in the table, and what was said."""
    monkeypatch.setattr(ingest, "available_cores", lambda: 1)

    def call(*words, model="files/packets.h5"):
        table = tmp_path / "t.csv"
        status = jtss("classify", folder / "alerts", "-m", folder / model, "--out", table, "--force", *words)
        said = "".join(capsys.readouterr())
        assert status == 0, said
        with open(table, newline="") as opened:
            rows = [*csv.DictReader(opened)]
        return {row["oid"]: row for row in rows if row["ranking"] in ("1", "")}, rows, said

    return call


def test_a_table_says_how_unusual_an_alert_is(classify, folder):
    first, rows, said = classify()
    assert first.pop("ZTF18z")["outlier"] == ""
    scores = {oid: float(row["outlier"]) for oid, row in first.items()}
    assert len(scores) == 8
    assert all(0 < score < 1 for score in scores.values())
    assert len({*scores.values()}) == 8
    assert all(row["outlier"] == first[row["oid"]]["outlier"] for row in rows if row["class_name"])
    assert "abstains" not in said
    of_run, _, _ = classify(model="run")
    assert {row["outlier"] for row in of_run.values()} == {""}
    table = python.load_model(folder / "files" / "packets.h5").classify(folder / "alerts")
    assert table["outlier"].dtype == np.float32
    found = dict(zip(table["object_id"], table["outlier"], strict=True))
    assert np.isnan(found.pop("ZTF18z"))
    assert found == {oid: np.float32(score) for oid, score in scores.items()}
    assert np.isnan(python.load_model(folder / "run").classify(folder / "alerts")["outlier"]).all()


def test_it_abstains_from_the_least_certain_and_their_answers_stay(classify, folder):
    model, everything = python.load_model(folder / "files" / "packets.h5"), classify()[1]
    for coverage in (0.9, 0.3):
        level = np.quantile(model.trained.known_alerts.confidences, 1 - coverage)
        first, rows, said = classify("--coverage", coverage)
        assert [row | {"note": ""} for row in rows] == [row | {"note": ""} for row in everything]
        first.pop("ZTF18z")
        uncertain = {oid for oid, row in first.items() if float(row["probability"]) < level}
        assert 1 <= len(uncertain) <= 8 * (1 - coverage) + 1
        pattern = r"abstains: the model's largest probability is 0\.\d+, below 0\.\d+, the level for a coverage of"
        noted = {oid for oid, row in first.items() if re.match(rf"{pattern} {100 * coverage:g} %", row["note"])}
        assert noted == uncertain
        assert re.search(rf"  of these it abstains for a coverage of {100 * coverage:g} % +{len(noted)}\n", said)
        table = model.classify(folder / "alerts", coverage=coverage)
        assert {row["object_id"] for row in table if row["note"].startswith("abstains: ")} == noted
        assert (table.meta["coverage"], table.meta["abstained"]) == (coverage, len(noted))
    sure, _, _ = classify("--coverage", 0.3, "--priors", "AGN=.96,SN=.01,VS=.01,asteroid=.01,bogus=.01")
    assert {oid for oid, row in sure.items() if row["note"].startswith("abstains: ")} == noted


@pytest.mark.parametrize(
    ("model", "coverage", "message"),
    [
        ("packets", 0, "--coverage 0.0: expected a share of the alerts, above 0 and at most 1, as 0.9"),
        ("packets", 90, "--coverage 90.0: expected a share of the alerts"),
        ("packets", "nan", "--coverage nan: expected a share of the alerts"),
        ("n1_baseline", 0.9, "--coverage 0.9: n1_baseline is a model of sequences, expected a model of packets"),
        ("run", 0.9, "run does not know how sure it is of held-out alerts; expected an exported model of this version"),
    ],
)
def test_a_coverage_that_cannot_be_is_refused(folder, tmp_path, capsys, model, coverage, message):
    given = {"packets": folder / "files" / "packets.h5", "run": folder / "run"}.get(model, model)
    words = ("classify", folder / "alerts", "-m", given, "--out", tmp_path / "t.csv", "--coverage", coverage)
    assert jtss(*words) == 2
    said = capsys.readouterr().err
    assert message in said
    if model == "run":
        assert f"jtss models export {folder / 'run'} --name NAME" in said
    assert not (tmp_path / "t.csv").exists()
    asked = python.load_model(given)
    with pytest.raises(InputError, match=r"^coverage="):
        asked.classify(folder / "alerts", coverage=float(coverage))


def test_a_page_says_it(folder, tmp_path):
    words = ("explain", folder / "files" / "packets.h5", "ZTF18h", "--alerts", folder / "alerts", "--out", tmp_path)
    assert jtss(*words) == 0
    score = json.loads((tmp_path / "ZTF18h.json").read_text())["explained"]["outlier"]
    assert 0 <= score <= 1
    assert f"More unusual than {100 * score:.1f} % of held-out alerts." in (tmp_path / "ZTF18h.html").read_text()
