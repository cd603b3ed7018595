"""What an evaluation is about is told plainly: which data, what to beware of, and where its report goes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.made_models import made_model
from jtss.pretrained import load
from jtss.reports import assessment
from jtss.reports.assessment import Request

ATTRIBUTES = {"content_hash": "77", "survey": "ZTF", "command": "build"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load.load_model(made_model(tmp_path_factory.mktemp("assessment"), "tiny") / "run")


def data(split="test", trained_on="77"):
    return assessment.describe_data(Path("folder/a.h5"), ATTRIBUTES, split, trained_on)


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
    def folder(described, screener=None, others=(), model=run):
        request = Request(None, "test", screener, "", others=others)
        return assessment._folder(model, described, request).name

    assert folder(data()) == "evaluation"
    assert folder(data("validation")) == "evaluation-a-validation"
    assert folder(data(trained_on="78"), screener=run) == "evaluation-a-test-screened"
    assert folder(data(), others=(Path("other"),)) == "evaluation-compared"
    assert folder(data(), model=SimpleNamespace(folder=None, label="n3")) == "n3-evaluation"


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
