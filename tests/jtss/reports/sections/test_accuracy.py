"""The scores that a report opens with are those of the metrics, with intervals that claim no certainty."""

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, sequences
from jtss.metrics import classification
from jtss.reports import evaluation
from jtss.reports.sections.accuracy import scores

COUNTS = (3, 3, 2, 3, 3, 5, 3, 3)
LABEL = (0, 1, 2, 2, 3, 2, -1, 0)
SPLIT = (2, 2, 2, 2, 2, 2, 2, 0)


def data(**changes):
    return sequences(COUNTS, **{"label": LABEL, "split": SPLIT} | changes)


def evaluate(batches, split="test", wrong=None):
    return evaluation.evaluate(FakeClassifier(3, wrong), batches, CLASSES, 3, split)


def test_scores_agree_with_metrics():
    evaluated = evaluate([data()], wrong={"ZTF3": (0, 0.95)})
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
    numbers = scores(evaluate([data()]))["classes"]["SN"]
    assert numbers["f1"]["value"] == 1
    assert np.isnan(numbers["f1"]["interval"]).all()
    assert numbers["precision"]["interval"][0] < 0.5


def test_scores_of_a_class_without_objects_are_undefined():
    evaluated = evaluate([data(label=[0, 1, 1, 1, 1, 1, 0, 0])])
    assert np.isnan(scores(evaluated)["classes"]["VS"]["recall"]["value"])
    assert np.isnan(scores(evaluated)["classes"]["VS"]["recall"]["interval"]).all()
