"""Predictions are those of the labelled objects, in the order of the file, however it is read."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.made_runs import write_data
from helpers.made_sequences import sequences
from jtss import dataset
from jtss.inference import predict
from jtss.realism import voting

COUNTS = [2, 1, 3, 1, 2]
LABEL = [0, -1, 1, 2, 1]


def model(n):
    return SimpleNamespace(config=SimpleNamespace(classes=("SN", "VS"), n_detections=n))


@pytest.fixture
def path(monkeypatch, tmp_path):
    """A data set, and models whose probability of SN is a number of the object."""

    def fake(asked, made):
        rows = np.flatnonzero(made.n_alerts >= asked.config.n_detections)
        p = np.array([int(made.object_id[i].removeprefix("ZTF")) / 10 for i in rows])
        return rows, np.stack([p, 1 - p], axis=1).reshape(-1, 2)

    monkeypatch.setattr(predict, "predict", fake)
    monkeypatch.setattr(dataset, "OBJECTS_PER_READ", 2)
    write_data(tmp_path / "made.h5", COUNTS, label=LABEL, split=[-1] * 5)
    return tmp_path / "made.h5"


def test_a_vote_for_every_labelled_object(path):
    votes = voting.votes({"first": model(1)}, path)["first"]
    assert votes.classes == ("SN", "VS")
    np.testing.assert_allclose(votes.probabilities, [[0, 1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])


def test_only_objects_with_enough_detections_are_listed(path):
    made = sequences(COUNTS)
    listed = voting.listed(model(2), path)
    assert [(of.object_id, of.label, of.predicted) for of in listed] == [
        ("ZTF0", "AGN", "VS"),
        ("ZTF2", "SN", "VS"),
        ("ZTF4", "SN", "VS"),
    ]
    assert [of.candid for of in listed] == made.candid[
        made.object_start[[0, 2, 4]] + 1
    ].tolist()  # the second detection
    assert listed[1].probabilities == pytest.approx({"SN": 0.2, "VS": 0.8})
