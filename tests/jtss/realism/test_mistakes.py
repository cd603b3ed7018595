"""Misclassified objects are listed by pair of classes, and nothing else is."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.made_runs import write_data
from jtss.inference import predict
from jtss.realism import mistakes

LABEL = [0, 0, 1, 2, 4, -1, 0, 1]  # AGN, AGN, SN, VS, bogus, none, AGN, SN
PREDICTED = {"ZTF0": (1, 0.6), "ZTF1": (1, 0.9), "ZTF2": (1, 0.9), "ZTF3": (0, 0.7), "ZTF4": (0, 1.0), "ZTF5": (0, 1.0)}
MODEL = SimpleNamespace(config=SimpleNamespace(classes=("AGN", "SN", "VS"), n_detections=1))


@pytest.fixture
def pairs(monkeypatch, tmp_path):
    """Of a model that says what is planted; it answers for all but the last two objects."""

    def fake(model, sequences):
        rows = [i for i, name in enumerate(sequences.object_id) if name in PREDICTED]
        p = np.zeros((len(rows), 3))
        for row, i in enumerate(rows):
            best, probability = PREDICTED[sequences.object_id[i]]
            p[row] = (1 - probability) / 2
            p[row, best] = probability
        return np.array(rows), p

    monkeypatch.setattr(predict, "predict", fake)
    write_data(tmp_path / "made.h5", [1] * len(LABEL), label=LABEL, split=[-1] * len(LABEL))
    return mistakes.find(MODEL, tmp_path / "made.h5")


def test_pairs_by_number_and_objects_by_confidence(pairs):
    """The bogus object is none of the model's classes, and one has no label."""
    assert mistakes.listed(pairs) == [
        {"true": "AGN", "called": "SN", "objects": {"ZTF1": pytest.approx(0.9), "ZTF0": pytest.approx(0.6)}},
        {"true": "VS", "called": "AGN", "objects": {"ZTF3": pytest.approx(0.7)}},
    ]
    assert list(mistakes.listed(pairs)[0]["objects"]) == ["ZTF1", "ZTF0"]


def test_a_picture_for_each_pair_with_the_most_confident_first(pairs, monkeypatch):
    drawn = {}
    monkeypatch.setattr(mistakes, "sheet_picture", lambda portraits, title: drawn.update({title: portraits}) or b"png")
    monkeypatch.setattr(mistakes, "MOST_SHOWN", 1)
    assert list(mistakes.pictures("run", pairs)) == ["run_AGN_called_SN.png", "run_VS_called_AGN.png"]
    assert [shown.object_id for shown in drawn["run: AGN predicted as SN, 1 of 2"]] == ["ZTF1"]
