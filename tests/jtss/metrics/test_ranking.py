"""ROC and precision–recall: by hand, by comparing every pair, and at the shares of a sky."""

import numpy as np
import pytest

from jtss.metrics import priors
from jtss.metrics.classification import ranking
from jtss.reports import figures
from jtss.reports.sections.ranking import POINTS, scores

CLASSES = ("AGN", "SN", "VS")


def test_by_hand():
    found = ranking(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0], bool))
    np.testing.assert_allclose(found.recall, [0.5, 0.5, 1, 1])
    np.testing.assert_allclose(found.false_positive_rate, [0, 0.5, 0.5, 1])
    np.testing.assert_allclose(found.precision, [1, 1 / 2, 2 / 3, 1 / 2])
    assert found.auc == pytest.approx(0.75)
    assert found.average_precision == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    chance = rng.integers(0, 8, 150) / 8  # many are equal
    positive = rng.random(150) < 0.3 + 0.4 * chance
    one, other = chance[positive][:, None], chance[~positive][None]
    expected = np.mean((one > other) + 0.5 * (one == other))
    assert ranking(chance, positive).auc == pytest.approx(expected)


def test_average_precision_by_a_loop():
    rng = np.random.default_rng(1)
    chance, positive = rng.random(80), rng.random(80) < 0.4
    total, before = 0.0, 0.0
    for threshold in sorted(chance, reverse=True):
        kept = chance >= threshold
        recall = positive[kept].sum() / positive.sum()
        total += (recall - before) * positive[kept].mean()
        before = recall
    assert ranking(chance, positive).average_precision == pytest.approx(total)


def test_the_best_and_the_worst_order_and_no_order():
    chance, positive = np.arange(10) / 10, np.arange(10) >= 6
    assert (ranking(chance, positive).auc, ranking(chance, positive).average_precision) == (1, 1)
    assert ranking(-chance, positive).auc == 0
    same = ranking(np.full(10, 0.3), positive)
    assert (same.auc, same.average_precision) == (0.5, 0.4)  # of equal values, precision is the share


def test_weights_are_a_sky():
    """The precision at given shares is that of objects repeated as often as the shares ask for."""
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], 100)
    chance = rng.normal(labels == 1, 0.7)
    shares = np.array([0.3, 0.1, 0.6])
    repeated = np.repeat(np.arange(300), (10 * shares[labels]).round().astype(int))
    expected = ranking(chance[repeated], labels[repeated] == 1)
    found = ranking(chance, labels == 1, priors.weights(labels, shares))
    assert found.average_precision == pytest.approx(expected.average_precision)
    assert found.auc == pytest.approx(expected.auc)


def test_a_class_without_objects_and_one_without_others():
    chance = np.array([0.9, 0.2])
    none, all_ = ranking(chance, np.zeros(2, bool)), ranking(chance, np.ones(2, bool))
    assert np.isnan([none.auc, none.average_precision, all_.auc]).all()
    assert all_.average_precision == 1
    empty = ranking(chance[:0], np.zeros(0, bool))
    assert np.isnan([empty.auc, empty.average_precision]).all()


def test_the_report_leaves_undefined_curves_empty_and_thins_long_ones():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 2000)  # no VS
    p = rng.dirichlet(np.ones(3), 2000) + 0.5 * np.eye(3)[labels]
    found = scores(p, labels, CLASSES, np.array([0.3, 0.02, 0.68]))
    assert np.isnan(found["VS"]["auc"])
    assert found["VS"]["roc"] == {"false_positive_rate": [], "true_positive_rate": []}
    assert np.isnan(found["SN"]["average_precision_on_the_sky"])  # VS has a share, and no objects
    roc = found["SN"]["roc"]
    assert (roc["false_positive_rate"][0], roc["true_positive_rate"][-1]) == (0, 1)
    assert len(roc["true_positive_rate"]) <= POINTS + 1
    area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
    assert area == pytest.approx(found["SN"]["auc"], abs=0.01)
    assert figures.roc_figure(found).startswith(b"\x89PNG")
    assert figures.precision_recall_figure({"VS": found["VS"]}).startswith(b"\x89PNG")
