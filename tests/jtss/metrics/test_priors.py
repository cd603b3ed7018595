"""Purity at given class proportions: by hand, by drawing objects, and intervals that hold what they promise."""

import numpy as np
import pytest

from jtss.metrics import classification, priors

CONFUSION = np.array([[90, 2, 8], [4, 95, 1], [10, 1, 189]])
SUPPORT = CONFUSION.sum(axis=1)  # 100, 100, 200
PROPORTIONS = np.array([0.3, 0.02, 0.68])


def test_purity_by_hand():
    # SN: .02 · .95 / (.3 · .02 + .02 · .95 + .68 · .005) = .019 / .0284
    purities = [float(priors.purity(CONFUSION[:, i], SUPPORT, PROPORTIONS, i)) for i in range(3)]
    assert purities == pytest.approx([0.27 / 0.3048, 0.019 / 0.0284, 0.6426 / 0.6668])
    assert priors.accuracy(CONFUSION, PROPORTIONS) == pytest.approx(0.27 + 0.019 + 0.6426)


def test_at_the_proportions_of_the_test_itself_purity_is_precision():
    proportions = SUPPORT / SUPPORT.sum()
    expected = classification.class_scores(CONFUSION).precision
    purities = [priors.purity(CONFUSION[:, i], SUPPORT, proportions, i) for i in range(3)]
    np.testing.assert_allclose(purities, expected)
    assert priors.accuracy(CONFUSION, proportions) == pytest.approx(float(classification.accuracy(CONFUSION)))


def test_purity_by_drawing_objects():
    """A million objects drawn with these proportions from the test's objects; what is predicted as SN is counted."""
    rng = np.random.default_rng(1)
    true = np.repeat([0, 1, 2], SUPPORT)
    predicted = np.concatenate([np.repeat([0, 1, 2], row) for row in CONFUSION])
    kinds = rng.choice(3, size=1_000_000, p=PROPORTIONS)
    starts = np.concatenate([[0], np.cumsum(SUPPORT)])
    drawn = starts[kinds] + (rng.random(len(kinds)) * SUPPORT[kinds]).astype(int)
    for i in range(3):
        counted = np.mean(true[drawn][predicted[drawn] == i] == i)
        assert float(priors.purity(CONFUSION[:, i], SUPPORT, PROPORTIONS, i)) == pytest.approx(counted, abs=0.008)


def test_weights_of_objects_give_the_same_purity():
    labels = np.repeat([0, 1, 2], SUPPORT)
    predicted = np.concatenate([np.repeat([0, 1, 2], row) for row in CONFUSION])
    weights = priors.weights(labels, PROPORTIONS)
    assert weights.sum() == pytest.approx(1)
    purity = weights[(predicted == 1) & (labels == 1)].sum() / weights[predicted == 1].sum()
    assert purity == pytest.approx(0.019 / 0.0284)


def test_a_class_without_objects_leaves_purity_undefined_unless_its_prior_is_0():
    confusion = np.array([[9, 1, 0], [1, 9, 0], [0, 0, 0]])
    support = confusion.sum(axis=1)
    assert np.isnan(priors.purity(confusion[:, 0], support, PROPORTIONS, 0))
    assert np.isnan(priors.accuracy(confusion, PROPORTIONS))
    assert np.isnan(priors.weights(np.repeat([0, 1], 10), PROPORTIONS)).all()
    assert np.isnan(priors.purity_interval(confusion[:, 0], support, PROPORTIONS, 0)).all()
    half = np.array([0.5, 0.5, 0.0])
    assert float(priors.purity(confusion[:, 0], support, half, 0)) == pytest.approx(0.9)
    assert np.isnan(priors.purity(confusion[:, 2], support, half, 2))  # never predicted


def test_no_false_positive_is_not_certainty():
    predicted, support = np.array([0, 190, 0]), np.array([200, 200, 200])
    assert float(priors.purity(predicted, support, PROPORTIONS, 1)) == 1
    lower, upper = priors.purity_interval(predicted, support, PROPORTIONS, 1)
    assert upper == 1
    assert lower < 0.85


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    rates, support = np.array([0.02, 0.9, 0.01]), np.array([200, 200, 200])
    true = float(priors.purity(rates, np.ones(3), PROPORTIONS, 1))
    covered = 0
    for i in range(300):
        predicted = rng.binomial(support, rates)
        lower, upper = priors.purity_interval(predicted, support, PROPORTIONS, 1, n_draws=1500, seed=i)
        covered += lower <= true <= upper
    assert 0.91 < covered / 300 < 0.99


def test_reweighted_probabilities_by_hand_and_for_an_honest_model():
    p = priors.reweighted(np.array([[0.6, 0.4]]), np.array([0.1, 0.9]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(p, [[0.06 / 0.42, 0.36 / 0.42]])
    # two Gaussians, trained with equal priors; then the first is rare, and the reweighted prediction is the best one
    rng, proportions = np.random.default_rng(2), np.array([0.05, 0.95])
    labels = (rng.random(60_000) > proportions[0]).astype(int)
    x = rng.normal(np.where(labels == 0, 1.0, -1.0))
    likelihood = np.exp(-0.5 * np.stack([x - 1, x + 1], axis=1) ** 2)
    equal = likelihood / likelihood.sum(axis=1, keepdims=True)
    best = priors.reweighted(equal, proportions, np.array([0.5, 0.5]))
    assert np.mean(best.argmax(axis=1) == labels) > np.mean(equal.argmax(axis=1) == labels) + 0.05
    assert best[:, 0].mean() == pytest.approx(0.05, abs=0.004) != pytest.approx(equal[:, 0].mean(), abs=0.1)
    assert classification.cross_entropy(best, labels) < classification.cross_entropy(equal, labels) - 0.1


def test_proportions_as_text():
    assert priors.parse("AGN=.318, SN=.017,VS=.665") == pytest.approx({"AGN": 0.318, "SN": 0.017, "VS": 0.665})
    assert sum(priors.parse("a=.333,b=.333,c=.333").values()) == pytest.approx(1)
    for text, message in (
        ("AGN", "'AGN', expected CLASS=FRACTION"),
        ("AGN=x,SN=1", "'AGN=x'"),
        ("AGN=-.1,SN=1.1", "AGN is -0.1, expected a fraction from 0 to 1"),
        ("AGN=nan,SN=1", "AGN is nan, expected a fraction from 0 to 1"),
        ("AGN=.5,AGN=.5", "AGN is given twice"),
        ("AGN=.5,SN=.4", "add up to 0.9, expected 1"),
    ):
        with pytest.raises(ValueError, match=message):
            priors.parse(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("AGN=.5,SN=.5", "--priors AGN=.5,SN=.5: expected a fraction for each class"),
        ({"AGN": "0.5", "SN": 0.5}, "AGN is '0.5', expected a fraction from 0 to 1"),
        ({"AGN": True}, "AGN is True, expected a fraction"),
        ({"AGN": 1.5}, "AGN is 1.5, expected a fraction"),
        ({}, "add up to 0, expected 1"),
    ],
)
def test_proportions_that_are_none(given, message):
    with pytest.raises(ValueError, match=message):
        priors.normalised(given)


def test_the_papers_proportions_serve_its_three_classes_only():
    proportions, source, _ = priors.class_priors(None, ("SN", "AGN", "VS"), True)
    assert proportions == pytest.approx([0.017, 0.318, 0.665], abs=5e-4)
    assert "TSC" in source
    assert priors.class_priors(None, ("AGN", "SN", "VS", "bogus"), True) is None
    with pytest.raises(ValueError, match="--priors: AGN, SN, but the classes of the model are AGN, SN, VS"):
        priors.class_priors({"AGN": 0.5, "SN": 0.5}, ("AGN", "SN", "VS"), True)
