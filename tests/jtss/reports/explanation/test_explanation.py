"""The script explains objects of data files and of alert packets, and the page says what the JSON says."""

import json
import re

import numpy as np
import pytest

from helpers.made_runs import FIRST, TINY, make_run, write_data
from helpers.made_sequences import sequences
from helpers.make_packets import night, save
from jtss.config import settings
from jtss.inference import predict
from jtss.pretrained import load
from jtss.reports.explanation import explanation

IMAGELESS = settings.override(TINY, ["stamp.channels="])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explanation")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    make_run(folder / "one", FIRST, folder / "made.h5")
    make_run(folder / "imageless", IMAGELESS, folder / "made.h5")
    save(folder / "packets", night())
    return folder


def test_objects_of_the_data_set_by_several_models(evaluate, folder, tmp_path):
    status, out, _ = evaluate(folder / "one", "--explain", "ZTF3", "ZTF1", "--out", tmp_path / "why")
    assert status == 0
    assert re.findall(r"^ZTF\d", out, re.MULTILINE) == ["ZTF3", "ZTF1"]
    document = json.loads((tmp_path / "why" / "ZTF3.json").read_text())
    run = load.load_model(folder / "run")
    _, expected = predict.predict(run, sequences([3] * 24 + [2, 5]))
    np.testing.assert_allclose(list(document["trajectory"][1]["probabilities"].values()), expected[3], rtol=1e-5)
    assert [of["n_detections"] for of in document["trajectory"]] == [1, 3]
    assert document["true_class"] == "AGN"
    assert document["explained"]["run"] == str(folder / "run")
    names = {of["name"] for of in document["explained"]["metadata"]}
    assert names == {*TINY.metadata.dynamic, *TINY.metadata.static}
    changes = [abs(of["log_odds_change"]) for of in document["explained"]["metadata"]]
    assert changes == sorted(changes, reverse=True)
    occlusion = document["explained"]["occlusion"]
    places = len(occlusion["places_pixels"])
    assert np.shape(occlusion["drop"]) == (3, len(TINY.stamp.channels), places, places)
    page = (tmp_path / "why" / "ZTF3.html").read_text()
    titles = ("Which parts of the stamps matter", "Which metadata matter")
    for words in (*titles, "True class: AGN", document["explained"]["class"]):
        assert words in page
    assert page.count("data:image/png") == 4
    assert "<script" not in page


def test_an_object_of_alert_packets(evaluate, folder, tmp_path):
    status, _, _ = evaluate("--alerts", folder / "packets", "--explain", "ZTF18a", "--out", tmp_path / "why")
    assert status == 0
    document = json.loads((tmp_path / "why" / "ZTF18a.json").read_text())
    assert document["true_class"] is None
    assert "No label" in (tmp_path / "why" / "ZTF18a.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["why"]  # nothing of the ingestion is left


def test_a_model_without_images_has_no_map_of_them(evaluate, folder, tmp_path):
    status, _, _ = evaluate("--explain", "ZTF0", "--out", tmp_path, ckpt="imageless")
    assert status == 0
    assert json.loads((tmp_path / "ZTF0.json").read_text())["explained"]["occlusion"] is None
    assert "Which parts of the stamps matter" not in (tmp_path / "ZTF0.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--explain", "ZTF0", "ZTF99"], "made.h5 has no object ZTF99 with a usable detection"),
        (["--explain", "ZTF24"], "ZTF24: detections: 2, expected 3 or more"),
        (["--explain", "ZTF0", "--split", "test", "--purity", "0.9"], "--split, --purity: only without --explain"),
    ],
)
def test_mistakes_are_named(evaluate, tmp_path, arguments, message):
    status, _, err = evaluate(*arguments)
    assert status == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_file_name(tmp_path):
    paths = explanation.write(tmp_path, {"object_id": "../../x/<y>"}, "page")
    assert {path.parent for path in paths} == {tmp_path}
    assert paths[0].name == "_.._x__y_.json"
