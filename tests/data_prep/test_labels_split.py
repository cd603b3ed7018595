"""The split: by object, stable, balanced as promised."""

import numpy as np
import pytest

from data_prep.labels import assign, candidates, split_notes, splits_made
from jtss.schema import CLASS_NAMES, SPLIT_NAMES

TRAIN, VALIDATION, TEST = range(3)


FIVE = 5


def objects(n, n_classes=3):
    names = np.array([f"ZTF18{i:07d}" for i in range(n)], object)
    return names, (np.arange(n) % n_classes).astype(np.int8)


def drawn(names, label, seed, source=None, n_alerts=FIVE):
    return assign(names, label, np.broadcast_to(n_alerts, len(names)), seed, source)


def noted(label, split, n_alerts=FIVE):
    return split_notes(label, np.broadcast_to(n_alerts, len(label)), split)


def test_two_hundred_per_class_for_test_and_validation():
    names, label = objects(3000)
    split = drawn(names, label, seed=1)
    for code in range(3):
        assert np.bincount(split[label == code]).tolist() == [600, 200, 200]
    assert noted(label, split) == {}
    assert SPLIT_NAMES[TEST] == "test"


def test_test_and_validation_have_five_alerts_so_that_all_lengths_are_scored_on_the_same():
    """A third of the objects are long enough; where these are few, the draw is smaller, and that is said."""
    names, label = objects(3 * 3000)
    n_alerts = np.where(np.arange(9000) < 6000, 1 + np.arange(9000) % 4, 5 + np.arange(9000) % 2)
    n_alerts[(label == 1) & (np.arange(9000) >= 6120)] = 4
    split = drawn(names, label, 1, n_alerts=n_alerts)
    for code, n_each in enumerate((200, 10, 200)):
        assert np.bincount(split[label == code]).tolist() == [3000 - 2 * n_each, n_each, n_each]
    assert (n_alerts[split != TRAIN] >= 5).all()
    assert np.mean(n_alerts[split == TRAIN] >= 5) > 0.1
    assert noted(label, split, n_alerts) == {"test objects of SN, fewer than 200": 10}


def test_a_class_without_long_sequences_is_drawn_from_all_and_that_is_said():
    names, label = objects(3000)
    n_alerts = np.where(label == 2, 2, 5)
    split = drawn(names, label, 1, n_alerts=n_alerts)
    assert np.bincount(split[label == 2]).tolist() == [600, 200, 200]
    assert noted(label, split, n_alerts) == {"test objects of VS, not all with 5 alerts": 200}


def test_a_set_of_first_alerts_draws_a_hundred_from_all():
    """As do the paper's five classes: asteroids have a single alert, and the others may."""
    names, label = objects(5000, n_classes=5)
    n_alerts = np.where(label < 3, 1 + np.arange(5000) // 5 % 5, 1)
    split = drawn(names, label, 1, n_alerts=n_alerts)
    for code in range(5):
        assert np.bincount(split[label == code]).tolist() == [800, 100, 100]
    assert set(n_alerts[(label == 0) & (split == TEST)]) == {1, 2, 3, 4, 5}
    assert noted(label, split, n_alerts) == {}
    assert {of_class.wanted for of_class in candidates(label, n_alerts).values()} == {100}


@pytest.mark.parametrize(("n_returning", "n_apart"), [(0, 0), (1, 1), (100, 50), (101, 0)])
def test_half_of_the_bogus_that_returns_is_kept_apart_where_it_is_rare(n_returning, n_apart):
    """It stays unseen, so that its two detections can be screened; a tenth of all bogus is not rare."""
    names, label = objects(5000, n_classes=5)
    n_alerts = np.where(label < 3, 2, 1)
    bogus = np.flatnonzero(label == CLASS_NAMES.index("bogus"))
    n_alerts[bogus[:n_returning]] = 2
    split = drawn(names, label, 1, n_alerts=n_alerts)
    assert np.sum(split == -1) == n_apart
    if n_apart:
        assert np.sum(split[bogus[:n_returning]] == -1) == n_apart
        assert np.sum(split[bogus[:n_returning]] == TRAIN) == n_returning - n_apart
    assert np.bincount(split[bogus] + 1).tolist() == [n_apart, 800 - n_apart, 100, 100]
    assert noted(label, split, n_alerts) == ({"bogus that return, in no split": n_apart} if n_apart else {})
    line, _ = splits_made(label, n_alerts, split)
    assert line.endswith(f"; {n_apart} bogus that return are in none, to be screened unseen") == bool(n_apart)


def test_what_is_one_source_with_bogus_that_is_kept_apart_is_so_too():
    names, label = objects(5000, n_classes=5)
    n_alerts, source = np.where(label < 3, 2, 1), np.arange(5000)
    n_alerts[4], source[[4, 9, 10]] = 2, 4
    split = drawn(names, label, 1, source=source, n_alerts=n_alerts)
    assert np.flatnonzero(split == -1).tolist() == [4, 9, 10]


@pytest.mark.parametrize(("n_long", "n_each"), [(0, 100), (3, 100), (4, 100), (39, 100), (40, 10)])
def test_a_few_long_sequences_do_not_make_the_test_of_a_class(n_long, n_each):
    """Fewer than ten for the test say nothing of a class that has hundreds of shorter ones."""
    names, label = objects(400, n_classes=1)
    n_alerts = np.where(np.arange(400) < n_long, 5, 2)
    split = drawn(names, label, 1, n_alerts=n_alerts)
    assert np.bincount(split).tolist() == [400 - 2 * n_each, n_each, n_each]
    line, warnings = splits_made(label, n_alerts, split)
    whence = " of any number of alerts" if n_long < 40 else ""
    assert line == (
        f"splits of sequences: among objects with 5 alerts, for test / validation: AGN {n_each} / {n_each}{whence}"
    )
    assert warnings == []


def test_a_stray_asteroid_makes_no_set_of_first_alerts():
    """One object more must not take half of the test from the others; that it is out of place is said."""
    names, label = objects(3000)
    before = drawn(names, label, 1)
    label[0] = CLASS_NAMES.index("asteroid")
    split = drawn(names, label, 1)
    np.testing.assert_array_equal(split[np.arange(3000) % 3 > 0], before[np.arange(3000) % 3 > 0])
    line, warnings = splits_made(label, np.full(3000, FIVE), split)
    assert line.startswith("splits of sequences: among objects with 5 alerts, ")
    assert line.endswith(": AGN 200 / 200, SN 200 / 200, VS 200 / 200, asteroid 0 / 0")
    assert warnings[0].startswith("1 of 3000 labelled objects are asteroid or bogus, too few for a data set of first")
    assert warnings[1].startswith("no object of asteroid for test and validation")


@pytest.mark.parametrize(("n_alerts", "doubted"), [(1, False), (FIVE, True)])
def test_a_set_of_first_alerts_says_so_and_where_it_could_be_one_of_sequences(n_alerts, doubted):
    names, label = objects(5000, n_classes=5)
    n_alerts = np.where(label < 3, n_alerts, 1)
    line, warnings = splits_made(label, n_alerts, drawn(names, label, 1, n_alerts=n_alerts))
    assert line == (
        "splits of first alerts, since 2000 of 5000 labelled objects are asteroid or bogus: among all objects of a"
        " class, for test / validation: AGN 100 / 100, SN 100 / 100, VS 100 / 100, asteroid 100 / 100, bogus 100 / 100"
    )
    assert ["for models of sequences build a data set without" in warning for warning in warnings] == [True] * doubted


@pytest.mark.parametrize(("n", "expected"), [(1, [1, 0, 0]), (3, [3, 0, 0]), (4, [2, 1, 1]), (799, [401, 199, 199])])
def test_a_small_class_gives_a_quarter_each_and_a_note(n, expected):
    names, label = objects(n, n_classes=1)
    split = drawn(names, label, seed=1)
    assert np.bincount(split, minlength=3).tolist() == expected
    assert noted(label, split) == {f"test objects of {CLASS_NAMES[0]}, fewer than 200": expected[TEST]}


def test_unlabelled_objects_are_in_no_split():
    names, label = objects(90)
    label[::3] = -1
    split = drawn(names, label, seed=1)
    np.testing.assert_array_equal(split == -1, label == -1)


def test_the_order_of_the_input_does_not_matter():
    names, label = objects(900)
    shuffle = np.random.default_rng(3).permutation(900)
    np.testing.assert_array_equal(drawn(names[shuffle], label[shuffle], 1), drawn(names, label, 1)[shuffle])


def test_growth_moves_few_objects():
    """A tenth more objects push about a tenth of the test set out, and nobody else from train into test."""
    names, label = objects(3300)
    before, after = drawn(names[:3000], label[:3000], seed=1), drawn(names, label, seed=1)[:3000]
    assert (after[before == TEST] != TEST).mean() < 0.2
    assert not (after[before != TEST] == TEST).any()


def test_the_seed_draws_anew_and_the_draw_is_fair():
    names, label = objects(3000)
    one, other = drawn(names, label, seed=1), drawn(names, label, seed=2)
    assert 0.1 < (one[other == TEST] == TEST).mean() < 0.3  # a fifth by chance
    places = np.flatnonzero(one == TEST) / 3000
    assert abs(places.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 600)  # 4 sigma of a uniform draw


def test_the_draw_is_frozen():
    """Golden: a published split must not move with a new version."""
    names, label = objects(12, n_classes=1)
    assert drawn(names, label, seed=0).tolist() == [2, 0, 1, 1, 0, 2, 0, 2, 0, 0, 1, 0]


def test_one_source_stays_on_one_side_whatever_its_ids():
    names, label = objects(3000)
    source = np.arange(3000)
    source[1500:1800] = np.arange(300)  # 300 sources with two ids, of the same class
    alone, together = drawn(names, label, 1), drawn(names, label, 1, source=source)
    np.testing.assert_array_equal(together[1500:1800], together[:300])
    np.testing.assert_array_equal(together[:1500], alone[:1500])
    assert np.any(together[1500:1800] != alone[1500:1800])
    n_test, n_validation = (np.sum((together == part) & (label == 0)) for part in (TEST, VALIDATION))
    assert n_test != 200
    line, _ = splits_made(label, np.full(3000, FIVE), together)
    assert f": AGN {n_test} / {n_validation}, " in line  # what they are, not what was drawn
    fewer = {name: n for name, n in zip(CLASS_NAMES, np.bincount(label[together == TEST]), strict=False) if n < 200}
    assert noted(label, together) == {f"test objects of {name}, fewer than 200": n for name, n in fewer.items()}
    shuffle = np.random.default_rng(4).permutation(3000)
    again = drawn(names[shuffle], label[shuffle], 1, source=source[shuffle])
    np.testing.assert_array_equal(again, together[shuffle])


def test_an_id_without_a_label_draws_no_other_out():
    names, label = objects(90)
    source = np.arange(90)
    source[:45] = np.arange(45, 90)
    label[:45] = -1
    split = drawn(names, label, 1, source=source)
    np.testing.assert_array_equal(split[45:], drawn(names, label, 1)[45:])
    assert set(split[:45]) == {-1}
