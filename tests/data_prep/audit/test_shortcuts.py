"""Classes that are given away are noticed, those that are not left in peace; the tree asks the right questions."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier

from data_prep.audit import shortcuts
from data_prep.audit.finding import NOTE, OK, WARNING
from helpers.made_audits import audited, clean
from jtss.schema import METADATA_NAMES


def planted(name: str, strength: float):
    """150 objects, of which a fraction has a date, place or number of visits that goes with the class."""
    made = clean(n_objects=150)
    rng = np.random.default_rng(1)
    given_away = rng.random(150) < strength
    shown = np.where(given_away, made.label, rng.integers(0, 3, 150))
    per_row = np.repeat(shown, 2)
    if name == "date (jd)":
        made.jd[:] += 4000 * per_row
    elif name == "place (ra, dec)":
        made.metadata[:, METADATA_NAMES.index("ra")] = per_row * 100 + np.repeat(rng.random(150) * 50, 2)
    elif name == "visits (ncovhist)":
        made.metadata[:, METADATA_NAMES.index("ncovhist")] += 2000 * per_row
    return made


def levels(report) -> dict[str, str]:
    return {line.text.split(" alone")[0]: line.level for line in report.findings if line.check == "shortcuts"}


@pytest.mark.parametrize("name", shortcuts.VALUES)
def test_a_class_that_is_given_away_is_a_warning(tmp_path, name):
    expected = {other: WARNING if other == name else OK for other in shortcuts.VALUES}
    assert levels(audited(tmp_path, planted(name, strength=0.9))) == expected


def test_what_is_above_chance_but_below_the_limit_is_a_note(tmp_path):
    seen = levels(audited(tmp_path, planted("place (ra, dec)", strength=0.45)))
    assert seen == {"place (ra, dec)": NOTE, "date (jd)": OK, "visits (ncovhist)": OK}


def test_values_that_are_missing_can_give_a_class_away(tmp_path):
    made = clean(n_objects=150)
    made.metadata[np.repeat(made.label, 2) == 1, METADATA_NAMES.index("ncovhist")] = np.nan
    assert levels(audited(tmp_path, made))["visits (ncovhist)"] == WARNING


def test_tiny_classes_are_left_out_and_named_are_those_judged(tmp_path):
    made = clean(n_objects=150)
    made.label[:6] = 4
    texts = [line.text for line in audited(tmp_path, made).findings if line.check == "shortcuts"]
    assert texts[0].endswith("objects of AGN, SN, VS")
    made.label[made.label > 0] = -1
    (finding,) = [line for line in audited(tmp_path, made).findings if line.check == "shortcuts"]
    assert (finding.level, finding.text[:10]) == (NOTE, "not judged")


def test_the_interval_of_nothing_to_learn_holds_chance():
    """Of 60 data sets without any connection about 57 intervals hold a third."""
    rng = np.random.default_rng(2)
    label = np.arange(300) % 3
    scores = [
        shortcuts.balanced_accuracy(rng.normal(size=(300, 2)), label, np.arange(150), np.arange(150, 300))
        for _ in range(60)
    ]
    assert 0.85 <= np.mean([score.lower <= 1 / 3 <= score.upper for score in scores]) <= 1


def test_tree_by_hand():
    """Class 1 lies above 5 or is missing; the first question separates 40 of 60, the second the rest."""
    values = np.concatenate([np.linspace(0, 4, 40), np.linspace(6, 9, 20), np.full(20, np.nan)])[:, None]
    label = np.repeat([0, 1, 1], [40, 20, 20])
    grown = shortcuts.fit(values, label, 2)
    assert shortcuts.predict(grown, np.array([[2.0], [7.0], [np.nan], [-5.0], [1e9]])).tolist() == [0, 1, 1, 0, 1]
    shallow = shortcuts.fit(values, label, 2, depth=1)
    assert (shallow.yes.yes, shallow.no.yes) == (None, None)
    assert np.mean(shortcuts.predict(shallow, values) == label) == pytest.approx(60 / 80)


@pytest.mark.parametrize("seed", range(3))
def test_tree_is_as_good_as_scikit_learns(seed):
    """On three overlapping classes of unequal numbers, some values missing; ours has only 64 thresholds a value."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, 4000, p=[0.7, 0.25, 0.05])
    values = rng.normal(size=(4000, 2)) + np.array([[0, 0], [1.5, 0], [0, 2]])[label]
    values[rng.random((4000, 2)) < 0.05 * (label == 1)[:, None]] = np.nan
    train, test = np.arange(2000), np.arange(2000, 4000)
    theirs = DecisionTreeClassifier(
        max_depth=shortcuts.DEPTH, min_samples_leaf=shortcuts.LEAST_IN_LEAF, class_weight="balanced"
    ).fit(values[train], label[train])
    expected = balanced_accuracy_score(label[test], theirs.predict(values[test]))
    assert shortcuts.balanced_accuracy(values, label, train, test).value == pytest.approx(expected, abs=0.03)


def test_tree_weighs_classes_alike():
    """Of 990 to 10 objects the rare class still gets its side, which a tree that counts objects would not give it."""
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.uniform(0, 10, 990), rng.uniform(8, 10, 60)])[:, None]
    label = np.repeat([0, 1], [990, 60])
    answer = shortcuts.predict(shortcuts.fit(values, label, 2, depth=1), np.array([[3.0], [9.0]]))
    assert answer.tolist() == [0, 1]


def test_tree_combines_values():
    """Four quarters of a square, two classes: neither value alone tells anything."""
    rng = np.random.default_rng(4)
    values = rng.uniform(-1, 1, (2000, 2))
    label = (values.prod(axis=1) > 0).astype(int)
    both, one = shortcuts.fit(values, label, 2), shortcuts.fit(values[:, :1], label, 2)
    assert np.mean(shortcuts.predict(both, values) == label) > 0.9
    assert np.mean(shortcuts.predict(one, values[:, :1]) == label) < 0.6


def test_tree_without_a_question_answers_the_same():
    grown = shortcuts.fit(np.full((30, 1), np.nan), np.arange(30) % 2, 2)
    assert grown.yes is None
    assert len(set(shortcuts.predict(grown, np.arange(5.0)[:, None]))) == 1
