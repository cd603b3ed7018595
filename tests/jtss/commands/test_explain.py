"""`jtss explain`: whose objects, and where the pages go."""

import json

import pytest

from helpers.made_explained import TEMPERATURE, warm_of_packets
from helpers.made_runs import TINY, make_run, write_data
from helpers.make_packets import CANDIDATE, alert, night, save
from helpers.programs import jtss
from jtss.config import settings

IMAGELESS = settings.override(TINY, ["stamp.channels="])  # nothing to occlude


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    write_data(folder / "made.h5")
    make_run(folder / "run", IMAGELESS, folder / "made.h5")
    save(folder / "packets", night())
    return folder


def test_an_object_of_the_training_data_has_its_page_in_the_run_directory(folder, capsys):
    assert jtss("explain", folder / "run", "ZTF3") == 0
    assert capsys.readouterr().out.startswith("ZTF3")
    pages = sorted(path.name for path in (folder / "run" / "explained").iterdir())
    assert pages == ["ZTF3.html", "ZTF3.json"]
    document = json.loads((folder / "run" / "explained" / "ZTF3.json").read_text())
    assert (document["object_id"], document["true_class"]) == ("ZTF3", "AGN")


def test_with_m_all_words_are_objects(folder, tmp_path, capsys):
    assert jtss("explain", "ZTF3", "ZTF4", "-m", folder / "run", "--out", tmp_path) == 0
    assert {path.stem for path in tmp_path.iterdir()} == {"ZTF3", "ZTF4"}


def test_calibrated_probabilities_are_those_of_the_table(tmp_path, capsys):
    """Of a model of packets; and nothing is left of a model that knows no temperature."""
    model, words = warm_of_packets(tmp_path), ("--out", tmp_path / "why")
    alerts = ("--alerts", save(tmp_path / "packets", [alert("ZTF18a", 7)]))
    assert jtss("explain", "ZTF18a", "-m", model, *alerts, "--calibrated", *words) == 0
    why = json.loads((tmp_path / "why" / "ZTF18a.json").read_text())["explained"]
    assert jtss("classify", alerts[1], "-m", model, "--calibrated", "--out", tmp_path / "t.jsonl") == 0
    rows = [*map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines())]
    assert why["probabilities"] == {row["class_name"]: row["probability"] for row in rows}
    assert {row["classifier_version"] for row in rows} == {why["version"]}
    assert why["version"].endswith(f".t{TEMPERATURE:.4g}")
    assert why["version"] in (tmp_path / "why" / "ZTF18a.html").read_text()
    assert jtss("explain", "ZTF18a", "-m", tmp_path / "run", *alerts, "--calibrated", "--out", tmp_path / "no") == 2
    assert "--calibrated: " in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_model_is_needed(capsys):
    assert jtss("explain", "ZTF3") == 2
    assert "a model and an object are required: -m NAME|FILE|RUN OBJECT" in capsys.readouterr().err


def test_an_object_of_alert_packets_has_no_true_class(folder, tmp_path):
    words = ("--alerts", folder / "packets", "--out", tmp_path / "why")
    assert jtss("explain", folder / "run", "ZTF18a", *words) == 0
    assert json.loads((tmp_path / "why" / "ZTF18a.json").read_text())["true_class"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["why"]


@pytest.mark.parametrize(("ra", "said"), [(0, "AllWISE: 1 of 5 objects matched; by 3"), (9, "AllWISE: 0 of 5 objects")])
def test_what_a_match_with_a_catalogue_came_to_is_said(folder, tmp_path, capsys, ra, said):
    place = f"{CANDIDATE['ra'] + ra},{CANDIDATE['dec']}"
    (tmp_path / "allwise.csv").write_text(f"ra,dec,W1,W2,W3,W4\n{place},12,12,11,9\n")
    words = ("--alerts", folder / "packets", "--allwise", tmp_path / "allwise.csv", "--allwise-radius", 3)
    assert jtss("explain", folder / "run", "ZTF18a", *words, "--out", tmp_path / "why") == 0
    out, err = capsys.readouterr()
    assert said in (err if ra else out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ZTF0", "ZTF99"), "made.h5 has no object ZTF99 with a usable detection"),
        (("ZTF24",), "ZTF24: detections: 2, expected 3 or more"),
        (("ZTF0", "--data", "x.h5", "--alerts", "y"), "not allowed with argument"),
        (("ZTF0", "--beside", "nowhere"), "nowhere: no such run directory and no pretrained model"),
    ],
)
def test_a_mistake_is_named_and_leaves_nothing(folder, tmp_path, capsys, words, message):
    assert jtss("explain", folder / "run", *words, "--out", tmp_path / "why") == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
