"""Predictions are those of the labelled objects, in the order of the file, however it is read."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_runs import write_data
from helpers.made_sequences import sequences, with_histories
from jtss import dataset, schema, views
from jtss.inference import predict, versions
from jtss.realism import voting

COUNTS = [2, 1, 3, 1, 2]
LABEL = [0, -1, 1, 2, 1]


def model(n, channels=()):
    config = SimpleNamespace(classes=("SN", "VS"), n_detections=n, stamp=SimpleNamespace(channels=channels))
    return SimpleNamespace(config=config, label="made")


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
    votes = voting.votes({"first": model(1), "again": model(1)}, path)
    assert list(votes) == list(versions.VERSIONS)
    for models in votes.values():
        for each in (models["first"], models["again"]):
            assert each.classes == ("SN", "VS")
            np.testing.assert_allclose(each.probabilities, [[0, 1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])


def test_detections_of_the_first_packet_are_counted(path):
    """By walking along the rows of its month."""
    made = with_histories(sequences(COUNTS))
    expected = []
    for start, end, label in zip(made.object_start[:-1], made.object_start[1:], LABEL, strict=True):
        alert = start + int(np.argmax(made.kind[start:end] == schema.ALERT))
        month = [row for row in range(start, alert) if made.jd[row] > made.jd[alert] - schema.TOLD_DAYS]
        if label >= 0:
            expected.append(1 + sum(made.kind[row] != schema.LIMIT for row in month))
    assert voting.told(path).tolist() == expected


def test_each_version_is_asked_for_with_its_counters(path, monkeypatch):
    """A model that answers by ndethist alone."""

    def by_count(_, made):
        ndethist = made.metadata[made.object_start[1:] - 1, schema.METADATA_NAMES.index("ndethist")]
        p = np.nan_to_num(1 / (1 + np.abs(ndethist)), nan=0.125)
        return np.arange(made.n_objects), np.stack([p, 1 - p], axis=1)

    monkeypatch.setattr(predict, "predict", by_count)
    votes = voting.votes({"counts": model(1)}, path)
    said = {version: models["counts"].probabilities[:, 0] for version, models in votes.items()}
    made = sequences(COUNTS)
    came = made.metadata[made.object_start[:-1], schema.METADATA_NAMES.index("ndethist")][np.array(LABEL) >= 0]
    np.testing.assert_allclose(said["as_is"], 1 / (1 + np.abs(came)), rtol=1e-6)
    for version in ("day_one", "first"):
        np.testing.assert_array_equal(said[version], [0.5] * 4)
    whole = with_histories(made)
    told = [
        np.sum((whole.kind[start:end] == schema.DETECTION)[: np.argmax(whole.kind[start:end] == schema.ALERT)])
        for start, end in pairwise(whole.object_start)
    ]
    assert max(told) > 0
    month = np.array(told)[np.array(LABEL) >= 0] + 1
    np.testing.assert_allclose(said["month"], 1 / (1 + month), rtol=1e-6)
    np.testing.assert_array_equal(said["hidden"], [0.125] * 4)


def test_sequences_from_histories_are_read_as_alerts_without_a_pixel(tmp_path, monkeypatch):
    asked = []

    def fake(_, made):
        schema.check(made)
        asked.append(made)
        return np.arange(made.n_objects), np.tile([0.25, 0.75], (made.n_objects, 1))

    monkeypatch.setattr(predict, "predict", fake)
    both = with_histories(sequences(COUNTS, label=LABEL), seed=1, most=12)
    with dataset.Writer(tmp_path / "told.h5", survey="made", command="a test") as writer:
        writer.append(both)
        writer.finish(split=both.split, ledger=Ledger().as_dict())
    label, votes = voting.from_histories(model(2), tmp_path / "told.h5")
    index, expected = views.recent(both, np.array([0, 2, 3, 4]), np.zeros(4, int), 2)
    assert len(index)
    (made,) = asked
    assert label.tolist() == both.label[[0, 2, 3, 4]][index].tolist()
    assert len(votes.probabilities) == len(index)
    np.testing.assert_array_equal(made.metadata, expected.metadata)
    assert (made.kind == schema.ALERT).all()
    assert np.isnan(made.stamps).all()
    assert made.stamps.strides == (0, 0, 0, 0)  # nothing is stored
    with pytest.raises(ValueError, match="made reads stamps, expected a model of metadata alone"):
        voting.from_histories(model(2, channels=("science",)), tmp_path / "told.h5")


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
