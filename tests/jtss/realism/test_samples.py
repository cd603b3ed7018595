"""First detections of labelled objects, and random parts of them."""

import numpy as np
import pytest

from helpers.made_runs import write_data
from helpers.made_sequences import sequences
from jtss import dataset
from jtss.realism import samples

COUNTS = [2, 1, 3, 1, 1, 4]
LABEL = [0, -1, 1, 1, 3, 1]


@pytest.fixture
def path(tmp_path):
    write_data(tmp_path / "made.h5", COUNTS, label=LABEL, split=[0, -1, 0, 0, 0, 0])
    return tmp_path / "made.h5"


def test_the_first_detection_of_each_labelled_object(path):
    sample, made = samples.read(path), sequences(COUNTS)
    first = made.object_start[:-1][np.array(LABEL) >= 0]
    np.testing.assert_array_equal(sample.candid, made.candid[first])
    np.testing.assert_array_equal(sample.jd, made.jd[first])
    np.testing.assert_array_equal(sample.metadata, made.metadata[first])
    np.testing.assert_array_equal(sample.crops, made.stamps[first, 16:47, 16:47])
    assert sample.object_id.tolist() == ["ZTF0", "ZTF2", "ZTF3", "ZTF4", "ZTF5"]
    assert sample.counts() == {"AGN": 1, "SN": 3, "asteroid": 1}


def test_at_most_so_many_of_each_class_and_none_of_others(path):
    sample = samples.read(path, {"SN": 2, "AGN": 5})
    assert sample.counts() == {"AGN": 1, "SN": 2}
    assert (np.diff(sample.candid) > 0).all()


def test_the_draw_does_not_depend_on_how_the_file_is_read(path, monkeypatch):
    whole = samples.read(path, {"SN": 1}, seed=3)
    monkeypatch.setattr(dataset, "OBJECTS_PER_READ", 2)
    np.testing.assert_array_equal(samples.read(path, {"SN": 1}, seed=3).candid, whole.candid)


def test_every_object_is_drawn_as_often():
    made = sequences(COUNTS, label=LABEL)
    seen = [samples.first_detections(made, np.random.default_rng(seed)) for seed in range(60)]
    drawn = [samples.thinned(each, {"SN": 1}).object_id[0] for each in seen]
    counts = [drawn.count(name) for name in ("ZTF2", "ZTF3", "ZTF5")]
    assert min(counts) >= 10
    assert sum(counts) == 60


def test_a_file_without_labelled_objects_is_named(tmp_path):
    write_data(tmp_path / "made.h5", [1, 2], label=[-1, -1], split=[-1, -1])
    with pytest.raises(dataset.DataError, match=r"made\.h5: no labelled object$"):
        samples.read(tmp_path / "made.h5")


def test_a_file_without_the_classes_asked_for_is_named(path):
    with pytest.raises(dataset.DataError, match=r"made\.h5: no labelled object of class VS, bogus$"):
        samples.read(path, {"VS": 3, "bogus": 2})
