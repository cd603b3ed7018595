"""The split: by object, stable, balanced as promised."""

import numpy as np
import pytest

from data_prep.labels import assign, split_notes
from jtss.schema import CLASS_NAMES, SPLIT_NAMES

TRAIN, VALIDATION, TEST = range(3)


def objects(n, n_classes=3):
    names = np.array([f"ZTF18{i:07d}" for i in range(n)], object)
    return names, (np.arange(n) % n_classes).astype(np.int8)


def test_two_hundred_per_class_for_test_and_validation():
    names, label = objects(3000)
    split = assign(names, label, seed=1)
    for code in range(3):
        assert np.bincount(split[label == code]).tolist() == [600, 200, 200]
    assert split_notes(label) == {}
    assert SPLIT_NAMES[TEST] == "test"


@pytest.mark.parametrize(("n", "expected"), [(1, [1, 0, 0]), (3, [3, 0, 0]), (4, [2, 1, 1]), (799, [401, 199, 199])])
def test_a_small_class_gives_a_quarter_each_and_a_note(n, expected):
    names, label = objects(n, n_classes=1)
    assert np.bincount(assign(names, label, seed=1), minlength=3).tolist() == expected
    assert split_notes(label) == {f"test objects of {CLASS_NAMES[0]}, fewer than 200": expected[TEST]}


def test_unlabelled_objects_are_in_no_split():
    names, label = objects(90)
    label[::3] = -1
    split = assign(names, label, seed=1)
    np.testing.assert_array_equal(split == -1, label == -1)


def test_the_order_of_the_input_does_not_matter():
    names, label = objects(900)
    shuffle = np.random.default_rng(3).permutation(900)
    np.testing.assert_array_equal(assign(names[shuffle], label[shuffle], 1), assign(names, label, 1)[shuffle])


def test_growth_moves_few_objects():
    """A tenth more objects push about a tenth of the test set out, and nobody else from train into test."""
    names, label = objects(3300)
    before, after = assign(names[:3000], label[:3000], seed=1), assign(names, label, seed=1)[:3000]
    assert (after[before == TEST] != TEST).mean() < 0.2
    assert not (after[before != TEST] == TEST).any()


def test_the_seed_draws_anew_and_the_draw_is_fair():
    names, label = objects(3000)
    one, other = assign(names, label, seed=1), assign(names, label, seed=2)
    assert 0.1 < (one[other == TEST] == TEST).mean() < 0.3  # a fifth by chance
    places = np.flatnonzero(one == TEST) / 3000
    assert abs(places.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 600)  # 4 sigma of a uniform draw


def test_the_draw_is_frozen():
    """Golden: a published split must not move with a new version."""
    names, label = objects(12, n_classes=1)
    assert assign(names, label, seed=0).tolist() == [2, 0, 1, 1, 0, 2, 0, 2, 0, 0, 1, 0]


def test_one_source_stays_on_one_side_whatever_its_ids():
    names, label = objects(3000)
    source = np.arange(3000)
    source[1500:1800] = np.arange(300)  # 300 sources with two ids, of the same class
    alone, together = assign(names, label, 1), assign(names, label, 1, source=source)
    np.testing.assert_array_equal(together[1500:1800], together[:300])
    np.testing.assert_array_equal(together[:1500], alone[:1500])
    assert np.any(together[1500:1800] != alone[1500:1800])
    shuffle = np.random.default_rng(4).permutation(3000)
    again = assign(names[shuffle], label[shuffle], 1, source=source[shuffle])
    np.testing.assert_array_equal(again, together[shuffle])


def test_an_id_without_a_label_draws_no_other_out():
    names, label = objects(90)
    source = np.arange(90)
    source[:45] = np.arange(45, 90)
    label[:45] = -1
    split = assign(names, label, 1, source=source)
    np.testing.assert_array_equal(split[45:], assign(names, label, 1)[45:])
    assert set(split[:45]) == {-1}
