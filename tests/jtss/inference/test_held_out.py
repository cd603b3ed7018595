"""Which alerts of its training data a model of packets is compared with, and that they are seen as `classify` does."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.made_models import N_OF_PACKETS, run_of_packets
from helpers.made_runs import write_data
from jtss import dataset, schema
from jtss.dataset import DataError, Outline
from jtss.inference import held_out, known_alerts, packets
from jtss.training import trained

HALF = N_OF_PACKETS // 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return run_of_packets(tmp_path_factory.mktemp("held_out"))


@pytest.fixture(scope="module")
def model(folder):
    return trained.load(folder / "run")


@pytest.fixture(scope="module")
def fitted(folder, model):
    return held_out.fit(model, folder / "made.h5")


def drawn(folder, model):
    path = folder / "made.h5"
    return held_out.draw(path, dataset.outline(path), model.config)


def test_one_alert_of_each_object_of_both_splits_is_drawn_the_same_each_time(folder, model):
    found = drawn(folder, model)
    assert found.objects.tolist() == [*range(N_OF_PACKETS)]
    assert found.is_held_out.tolist() == [False] * HALF + [True] * HALF
    assert found.label.tolist() == [i % 5 for i in range(N_OF_PACKETS)]
    n_alerts = np.tile([1, 2, 3], N_OF_PACKETS // 3)
    assert (found.which < n_alerts).all()
    assert set(found.which) == {0, 1, 2}  # not always the first
    for again, values in zip(drawn(folder, model), found, strict=True):
        np.testing.assert_array_equal(again, values)


def test_of_each_class_and_split_no_more_than_so_many_objects_are_drawn(folder, model, monkeypatch):
    monkeypatch.setattr(held_out, "MOST_OBJECTS", 4)
    found = drawn(folder, model)
    assert (np.diff(found.objects) > 0).all()
    for split in (False, True):
        assert np.bincount(found.label[found.is_held_out == split]).tolist() == [4] * 5
    monkeypatch.setattr(held_out, "SEED", 1)
    assert not np.array_equal(drawn(folder, model).objects, found.objects)


def test_held_out_alerts_are_answered_by_the_share_that_was_asked_for(folder, model, fitted):
    """As `classify` answers them: a score is uniform, and the coverage is what was promised."""
    (whole,) = dataset.read(folder / "made.h5")
    answered = packets.answers(replace(model, known_alerts=fitted), whole)
    found = drawn(folder, model)
    keys = {*zip(found.objects[found.is_held_out], found.which[found.is_held_out], strict=True)}
    mine = [key in keys for key in zip(answered.object, answered.which, strict=True)]
    scores, confidence = np.sort(answered.outlier[mine]), answered.confidence[mine]
    np.testing.assert_allclose(scores, np.linspace(0, 1, HALF), atol=0.01)
    for coverage in (0.5, 0.8, 0.9):
        level = known_alerts.abstention(fitted, coverage).level
        assert np.mean(confidence >= level) == pytest.approx(coverage, abs=1 / HALF)
    assert (fitted.fitted.tolist(), fitted.held_out.tolist()) == ([6] * 5, [6] * 5)
    assert not np.array_equal(np.sort(answered.outlier[~np.array(mine)])[:HALF], scores)


def test_read_in_parts_it_is_the_same(folder, model, fitted, monkeypatch):
    monkeypatch.setattr(dataset, "OBJECTS_PER_READ", 7)
    again = held_out.fit(model, folder / "made.h5")
    for name, values in again._asdict().items():
        np.testing.assert_allclose(values, getattr(fitted, name), rtol=1e-3, atol=1e-4, err_msg=name)


def test_other_data_than_the_model_learnt_from_are_refused(model, tmp_path):
    write_data(tmp_path / "other.h5")
    with pytest.raises(DataError, match=r"other.h5: content hash .*, expected .*, of the data that .*run was trained"):
        held_out.fit(model, tmp_path / "other.h5")


def test_a_class_without_held_out_objects_is_named(model):
    outline = dataset.Outline(np.array([0, 1, 2, 3, 4, 0]), np.array([0, 0, 0, 0, 0, 1]), np.ones(6, np.int64))
    with pytest.raises(DataError, match=r"x\.h5: no validation object of class SN, expected one or more"):
        held_out.draw("x.h5", outline, model.config)


def test_of_several_files_a_class_is_of_the_first_that_has_it(model):
    """The second file has all classes, the first not the last of them."""
    n_classes = len(model.config.classes)
    codes = np.array([schema.CLASS_NAMES.index(name) for name in model.config.classes], np.int8)
    label = np.array([*range(n_classes - 1), *range(n_classes)] * 2, np.int8)
    file = np.repeat([0, 1, 0, 1], [n_classes - 1, n_classes] * 2)
    order = np.argsort(file, kind="stable")
    split = np.repeat([0, 1], 2 * n_classes - 1).astype(np.int8)[order]
    outline = Outline(codes[label][order], split, np.ones(len(label), np.int64))
    drawn = held_out.draw("x.h5", outline, model.config, file[order])
    assert sorted(zip(file[order][drawn.objects], drawn.label, strict=True)) == sorted(
        (int(which == n_classes - 1), which) for which in [*range(n_classes)] * 2
    )
