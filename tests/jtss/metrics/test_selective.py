"""Coverage and thresholds: by hand, by trying every threshold, and on objects other than those that chose them."""

import numpy as np
import pytest

from jtss.metrics import classification, priors
from jtss.reports.evaluation import Answers
from jtss.reports.sections import selective

CLASSES = ("AGN", "SN", "VS")


def answers(n=3000, seed=0, noise=1.0):
    """A classifier of three classes that is right more often the surer it is; the same for any seed."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    logits = 2.5 * np.eye(3)[label] + noise * rng.normal(size=(n, 3))
    p = np.exp(logits)
    return Answers(label, (p / p.sum(axis=1, keepdims=True)).astype(np.float32))


def test_coverage_by_hand():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.6, 0.4]])
    found = classification.coverage_curve(p, np.array([0, 0, 0, 0]))  # the second is wrong, and as sure as the third
    np.testing.assert_array_equal(found.threshold, [0.9, 0.8, 0.6])
    np.testing.assert_array_equal(found.count, [1, 3, 4])
    np.testing.assert_allclose(found.coverage, [0.25, 0.75, 1])
    np.testing.assert_allclose(found.accuracy, [1, 2 / 3, 3 / 4])
    assert [classification.at_coverage(found, wanted) for wanted in (0.1, 0.5, 0.75, 0.8, 1)] == [0, 1, 1, 2, 2]


def test_coverage_by_counting():
    label, p = answers(300)
    found = classification.coverage_curve(p, label)
    for threshold, coverage, accuracy in zip(found.threshold, found.coverage, found.accuracy, strict=True):
        kept = p.max(axis=1) >= threshold
        assert coverage == pytest.approx(kept.mean())
        assert accuracy == pytest.approx((p.argmax(axis=1) == label)[kept].mean())


def test_the_threshold_is_the_lowest_that_is_pure_enough():
    chance = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5])
    true = np.array([1, 1, 0, 1, 1, 0], bool)
    ones = np.ones(6)
    assert classification.threshold_for_purity(chance, true, ones, 0.8) == 0.6  # 4 of 5
    assert classification.threshold_for_purity(chance, true, ones, 0.66) == 0.5  # 4 of 6
    assert classification.threshold_for_purity(chance, true, ones, 0.95) == 0.9
    # the false one at 0.8 weighs nine times: 4 / 13, and then nothing but the first is pure enough
    assert classification.threshold_for_purity(chance, true, np.array([1, 1, 9, 1, 1, 1]), 0.5) == 0.9
    assert np.isnan(classification.threshold_for_purity(chance, ~true & (chance < 0.9), ones, 0.6))
    assert np.isnan(classification.threshold_for_purity(chance, true, np.full(6, np.nan), 0.1))
    assert np.isnan(classification.threshold_for_purity(chance[:0], true[:0], ones[:0], 0.1))


def test_thresholds_agree_with_trying_every_one():
    label, p = answers(400, noise=2.0)
    shares = np.array([0.3, 0.02, 0.68])
    weights = priors.weights(label, shares)
    for i in range(3):
        claimed = p.argmax(axis=1) == i
        enough = [
            t
            for t in np.unique(p[claimed, i])
            if (weights * (label == i))[claimed & (p[:, i] >= t)].sum() >= 0.9 * weights[claimed & (p[:, i] >= t)].sum()
        ]
        found = classification.threshold_for_purity(p[claimed, i], label[claimed] == i, weights[claimed], 0.9)
        assert found == pytest.approx(min(enough)) if enough else np.isnan(found)


def test_thresholds_of_the_validation_split_keep_their_purity_elsewhere():
    wanted = 0.97
    found = selective.scores(answers(seed=1), answers(seed=2), CLASSES, None, wanted)
    assert found["thresholds_chosen_on"] == selective.VALIDATION
    for of in found["classes"].values():
        assert of["purity"]["value"] == pytest.approx(wanted, abs=0.012)
        assert of["purity"]["interval"][0] <= of["purity"]["value"] <= of["purity"]["interval"][1]
        assert 0.5 < of["completeness"]["value"] < 1


def test_a_rare_class_needs_a_higher_threshold():
    evaluated, chosen = answers(seed=1, noise=1.5), answers(seed=2, noise=1.5)
    here = selective.scores(evaluated, chosen, CLASSES, None)["classes"]["SN"]
    there = selective.scores(evaluated, chosen, CLASSES, np.array([0.3, 0.02, 0.68]))["classes"]["SN"]
    assert there["threshold"] > here["threshold"]
    assert there["completeness"]["value"] < here["completeness"]["value"]


def test_without_validation_it_says_so_and_what_cannot_be_is_undefined():
    found = selective.scores(Answers(np.zeros(50, int), answers(50).probabilities), None, CLASSES, None)
    assert found["thresholds_chosen_on"] == selective.THEMSELVES
    assert found["classes"]["SN"]["kept"] == 0
    assert np.isnan(found["classes"]["SN"]["threshold"])
    assert np.isnan(found["classes"]["SN"]["purity"]["value"])
    assert np.isnan(found["classes"]["SN"]["completeness"]["value"])
    page = selective.section(found)
    assert "none keeps it" in page
    assert "which flatters" in page
    assert "nan" not in page.split("base64")[-1].lower().split("</figure>")[-1]


def test_a_wanted_purity_that_is_none():
    for wanted in (0, -1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="--purity"):
            selective.check_purity(wanted)
