"""The scores that a report opens with are those of the metrics, with intervals that claim no certainty."""

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, sequences
from jtss.metrics import classification
from jtss.reports import evaluation
from jtss.reports.sections.accuracy import scores


def evaluate(label=(0, 1, 2, 2), wrong=None):
    made = sequences([3] * len(label), label=label, split=[2] * len(label))
    return evaluation.evaluate(FakeClassifier(3, wrong), [made], CLASSES, 3, "test")


def test_scores_agree_with_metrics():
    evaluated = evaluate(wrong={"ZTF3": (0, 0.95)})
    numbers = scores(evaluated)
    assert numbers["n_objects"] == 4
    assert numbers["accuracy"]["value"] == 0.75
    assert numbers["accuracy"]["interval"][0] < 0.75 < numbers["accuracy"]["interval"][1]
    assert numbers["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert numbers["classes"]["VS"]["recall"]["value"] == 0.5
    assert numbers["classes"]["AGN"]["precision"]["value"] == 0.5
    assert numbers["classes"]["VS"]["support"] == 2
    assert numbers["classes"]["SN"]["recall"]["interval"] == pytest.approx([0.2065, 1], abs=1e-4)  # Wilson, 1 of 1
    assert numbers["cross_entropy_nat"] == classification.cross_entropy(evaluated.probabilities, evaluated.label)
    assert numbers["reliability"]["count"] == [0, 0, 0, 0, 0, 0, 0, 3, 0, 1]


def test_a_perfect_score_is_not_certain():
    numbers = scores(evaluate())["classes"]["SN"]
    assert numbers["f1"]["value"] == 1
    assert np.isnan(numbers["f1"]["interval"]).all()
    assert numbers["precision"]["interval"][0] < 0.5


def test_scores_of_a_class_without_objects_are_undefined():
    evaluated = evaluate(label=(0, 1, 1, 0))
    assert np.isnan(scores(evaluated)["classes"]["VS"]["recall"]["value"])
    assert np.isnan(scores(evaluated)["classes"]["VS"]["recall"]["interval"]).all()
