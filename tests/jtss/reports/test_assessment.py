"""What an evaluation is about is told plainly: which data, what to beware of, and where its report goes."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.made_explained import run_of_packets
from helpers.made_models import made_model
from helpers.made_runs import write_data
from jtss.pretrained import load
from jtss.reports import assessment, evaluation, figures, report
from jtss.reports.assessment import Request

ATTRIBUTES = {"content_hash": "77", "survey": "ZTF", "command": "build"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load.load_model(made_model(tmp_path_factory.mktemp("assessment"), "tiny") / "run")


def data(split="test", trained_on="77"):
    return assessment.describe_data(Path("folder/a.h5"), ATTRIBUTES, split, {trained_on, "78"})


@pytest.mark.parametrize(
    ("split", "words"),
    [("train", "memorisation"), ("all", "trained on most of these"), ("validation", "optimistic"), ("test", "")],
)
def test_a_split_that_the_model_was_trained_with_is_a_warning_on_the_same_file_only(split, words):
    warnings = assessment.split_warnings(data(split))
    assert len(warnings) == bool(words)
    assert all(words in warning for warning in warnings)
    assert assessment.split_warnings(data(split, trained_on="78")) == []


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((30, 30, 30), []),
        ((30, 30, 0), ["No objects of VS were evaluated: the numbers say nothing about it."]),
        ((29, 30, 1), ["Fewer than 30 objects of AGN (29) and VS (1): read the intervals, not the values alone."]),
        ((0, 5, 0), ["No objects of AGN and VS", "Fewer than 30 objects of SN (5)"]),
    ],
)
def test_classes_with_few_objects_or_none_are_named(counts, expected):
    label = np.repeat(np.arange(3), counts)
    warnings = assessment.class_warnings(SimpleNamespace(label=label, classes=("AGN", "SN", "VS")))
    assert len(warnings) == len(expected)
    assert all(warning.startswith(words) for warning, words in zip(warnings, expected, strict=True))


def test_the_folder_of_a_report_tells_what_it_is_of(run):
    trained_on_it = replace(run, provenance={"data_hash": "77"})

    def folder(described, screener=None, others=(), model=trained_on_it):
        request = Request(None, "test", screener, "", others=others)
        return assessment._folder(model, described, request).name

    n3 = SimpleNamespace(folder=None, label="n3", provenance={"data_hash": "77"})
    assert folder(data()) == "evaluation"
    assert folder(data("validation")) == "evaluation-a-validation"
    assert folder(data() | {"content_hash": "78"}, screener=run) == "evaluation-a-test-screened"
    assert folder(data(), others=(Path("other"),)) == "evaluation-compared"
    assert folder(data(), model=n3) == "n3-evaluation"


def test_the_model_is_described_by_what_it_was_trained_on(run):
    described = assessment.describe_model(run)
    assert (described["run"], described["seeds"], described["best_steps"]) == (run.label, [0], [5])
    assert described["classes"] == list(run.config.classes)
    assert described["trained_on_hash"] == run.provenance["data_hash"]


def test_a_model_that_ships_does_not_know_its_data():
    with pytest.raises(
        FileNotFoundError, match="n3 is pretrained, without the data it was trained on; name a data set by"
    ):
        assessment.training_data(SimpleNamespace(folder=None, label="n3"))


def test_what_is_true_of_every_seed_is_said_once():
    said = []
    warn = assessment._once(said.append)
    for line in ("a", "b", "a"):
        warn(line)
    assert said == ["a", "b"]


IN_TIME = {"over_time", "subclasses"}


def test_a_model_of_sequences_has_no_answers_over_time(run):
    """Its report has no key of that, and its page no such section."""
    document = json.loads((run.folder / "evaluation" / "report.json").read_text())
    assert not IN_TIME & set(document)
    assert "Answers over time" not in (run.folder / "evaluation" / "report.html").read_text()


def test_a_model_of_packets_is_followed_and_compared(run, tmp_path, monkeypatch):
    """From the data file to the three forms of the report, with a model of three detections beside it."""
    monkeypatch.setattr(evaluation, "N_ERRORS_SHOWN", 0)  # to draw one takes a while
    monkeypatch.setattr(figures, "png", lambda figure: b"not drawn")
    model = run_of_packets(tmp_path)
    counts, label = [5, 3, 1, 2] * 9, [0, 1, 2, 1] * 9
    data_path = tmp_path / "own.h5"
    write_data(data_path, counts, label=label, split=[2] * 36, subclass=[9, 0, 2, 1] * 9)
    request = Request(data_path, "test", None, "a test", others=(run.folder,))
    returned, (json_path, html_path) = assessment.assess(model.folder, request, tmp_path / "out", lambda _: None)
    document = json.loads(json_path.read_text())
    assert set(document) >= IN_TIME
    assert [row["objects"] for row in document["over_time"]["by_alerts"]] == [36, 27, 18, 9, 9]
    assert document["over_time"]["by_alerts"][0]["correct"] == np.trace(document["results"]["confusion_matrix"])
    (against,) = document["over_time"]["against"]
    assert (against["than"], against["n_detections"], against["accuracy_run"]["objects"]) == (run.label, 3, 18)
    own = {of["run"]: of["own"] for of in document["by_detections"]["models"]}
    assert against["accuracy_than"] == own[run.label]
    assert {name: of["objects"] for name, of in document["subclasses"].items()} == {"SN": 18, "VS": 9, "AGN": 9}
    page = html_path.read_text()
    assert page.index("Answers over time") < page.index("Subclasses given the class") < page.index("Accuracy in slices")
    assert f"against {run.label} at alert 3 (18 of AGN, SN, VS)" in report.text(returned)
    assert "subclass given the class, latest packet: SN" in report.text(returned)
