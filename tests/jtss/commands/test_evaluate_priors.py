"""The script: class priors, thresholds, and several models in one report."""

import json

import numpy as np
import pytest

from helpers.made_runs import COUNTS, FIRST, TINY, make_run, write_data
from jtss.config import settings

PRIORS = ["--priors", "AGN=.3,SN=.1,VS=.6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models for three and for two detections of three classes, and one for single alerts of five."""
    folder = tmp_path_factory.mktemp("sky")
    write_data(folder / "made.h5", split=[2] * 12 + [1] * 12 + [2, 2])
    make_run(folder / "run", TINY, folder / "made.h5")
    two = settings.override(TINY, ["n_detections=2", "temporal.kernel=2"])
    make_run(folder / "two", two, folder / "made.h5", favoured="SN")
    make_run(folder / "one", FIRST, folder / "made.h5", favoured="bogus")
    return folder


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def test_three_classes_get_the_papers_priors_others_only_what_is_given(evaluate, folder, tmp_path):
    assert evaluate("--out", tmp_path / "three")[0] == 0
    assert (
        report_of(tmp_path / "three")["sky"]["source"]
        == "the labelled sample of TSC §IV-A, without asteroids, bogus and unknown objects"
    )
    status, out, _ = evaluate("--out", tmp_path / "given", *PRIORS)
    assert (status, report_of(tmp_path / "given")["sky"]["shares"]) == (0, {"AGN": 0.3, "SN": 0.1, "VS": 0.6})
    assert "at the class priors AGN 30.0 %, SN 10.0 %, VS 60.0 % (--priors):" in out
    assert evaluate("--out", tmp_path / "five", ckpt="one")[0] == 0
    assert report_of(tmp_path / "five")["sky"] is None
    five = "AGN=.2,SN=.2,VS=.2,asteroid=.4,bogus=0"
    assert evaluate("--out", tmp_path / "five", "--priors", five, ckpt="one")[0] == 0
    found = report_of(tmp_path / "five")["sky"]["as_classified"]["classes"]
    assert found["AGN"]["purity"]["value"] is None  # never predicted, and no asteroid was tried
    assert "give them with --priors" not in (tmp_path / "five" / "report.html").read_text()


def test_validation_objects_choose_and_are_not_evaluated(evaluate, folder, tmp_path):
    assert evaluate("--out", tmp_path, "--purity", "0.4")[0] == 0
    found = report_of(tmp_path)
    assert found["results"]["n_objects"] == 12
    assert found["selective"]["wanted_purity"] == 0.4
    assert (found["selective"]["thresholds_chosen_on"], found["selective"]["objects_chosen_on"]) == (
        "the validation split",
        12,
    )
    assert found["calibration"]["temperature"] is None
    assert (
        found["calibration"]["temperature_is"]
        == "not fitted, since the 12 labelled objects of the validation split are too few"
    )
    evaluate("--out", tmp_path, "--split", "all")
    assert report_of(tmp_path)["selective"]["thresholds_chosen_on"] == "the objects evaluated"


@pytest.mark.slow
def test_several_models_in_one_report(evaluate, folder, tmp_path):
    status, out, _ = evaluate(folder / "two", folder / "one", "--split", "all", "--out", tmp_path / "all")
    assert status == 0
    found = report_of(tmp_path / "all")
    models = found["by_detections"]["models"]
    assert [of["n_detections"] for of in models] == [1, 2, 3]
    assert found["model"]["run"] == str(folder / "run")  # the report is of the first
    assert found["by_detections"]["common_objects"] == found["results"]["n_objects"] == 24
    assert models[0]["common"]["correct"] == 0  # it says bogus of everything
    assert models[1]["own"]["objects"] == sum(count >= 2 for count in COUNTS[:-1])
    assert models[2]["common"]["accuracy"] == found["results"]["accuracy"]["value"]
    assert np.isclose(models[1]["common"]["accuracy"], 8 / 24)
    assert "on the same 24 objects:" in out
    assert "By number of detections" in (tmp_path / "all" / "report.html").read_text()
    assert evaluate(folder / "two")[0] == 0
    assert (folder / "run" / "evaluation-compared" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--priors", "AGN=.5,SN=.5"], "--priors: AGN, SN, but the classes of the model are AGN, SN, VS"),
        (["--priors", "AGN=.5,SN=.4,VS=.3"], "the fractions add up to 1.2, expected 1"),
        (["--purity", "95"], "--purity 95: expected more than 0, at most 1"),
        (["nowhere"], "nowhere: no such run directory and no pretrained model"),
    ],
)
def test_mistakes_get_one_line(evaluate, tmp_path, arguments, message):
    status, _, err = evaluate(*arguments)
    assert (status, len(err.splitlines())) == (2, 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []
