"""Comparisons of models against values worked by hand, plain resampling, and their own error rates."""

from itertools import combinations

import numpy as np
import pytest

from jtss.metrics import comparisons
from jtss.metrics.comparisons import holm, mcnemar, paired_difference, permutation_test


def hits(wrong: range, n: int = 600) -> np.ndarray:
    return ~np.isin(np.arange(n), wrong)


def test_permutation_by_hand():
    """Of the 20 divisions of six values only the two that separate low from high are so far apart."""
    assert permutation_test([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]) == pytest.approx(2 / 20)
    # sums of a above or equal 1.2 (0.1 0.5 0.6, 0.2 0.4 0.6, 0.3 0.4 0.5 and higher): 7 of 20
    assert permutation_test([0.1, 0.5, 0.6], [0.2, 0.3, 0.4]) == pytest.approx(14 / 20)
    assert permutation_test([0.5, 0.5], [0.5, 0.5]) == 1


def test_permutation_counts_every_division():
    rng = np.random.default_rng(0)
    a, b = rng.integers(560, 590, 5) / 600, rng.integers(570, 600, 6) / 600  # with ties, as accuracies have
    pooled = np.round(np.concatenate([a, b]) * 600).astype(int)
    sums = np.array([pooled[list(rows)].sum() for rows in combinations(range(11), 5)])
    one_sided = min((sums <= pooled[:5].sum()).mean(), (sums >= pooled[:5].sum()).mean())
    assert permutation_test(a, b) == pytest.approx(min(1, 2 * one_sided))
    assert permutation_test(b, a) == pytest.approx(permutation_test(a, b))


def test_permutation_beyond_the_exact_is_seeded_and_close(monkeypatch):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 8), rng.normal(1, 1, 8)
    exact = permutation_test(a, b)
    monkeypatch.setattr(comparisons, "EXACT_PERMUTATIONS", 10_000)
    drawn = permutation_test(a, b, seed=3)
    assert drawn == permutation_test(a, b, seed=3) != permutation_test(a, b, seed=4)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact / 10_000))


def test_permutation_finds_nothing_where_nothing_is():
    """Of 200 pairs of samples from one distribution, about a twentieth are declared different."""
    rng = np.random.default_rng(2)
    p_values = [permutation_test(*rng.normal(size=(2, 5))) for _ in range(200)]
    assert 0.01 <= np.mean(np.array(p_values) <= 0.05) <= 0.09


@pytest.mark.parametrize("bad", [[0.9], [], [0.9, np.nan], [[0.9, 0.8]]])
def test_permutation_refuses_what_it_cannot_judge(bad):
    with pytest.raises(ValueError, match=r"sample b: .*expected two or more finite values"):
        permutation_test([0.9, 0.8], bad)


def test_mcnemar_by_hand():
    """Ten objects tell the models apart, eight of them for b: 2 (1 + 10 + 45) / 1024."""
    test = mcnemar(hits(range(8), 100), hits(range(8, 10), 100))
    assert test == (2, 8, pytest.approx(112 / 1024))
    assert mcnemar(hits(range(3)), hits(range(3))) == (0, 0, 1.0)
    assert mcnemar(hits(range(5)), hits(range(5, 10))).p_value == 1


def test_600_objects_cannot_tell_97_9_from_98_5_percent():
    """587 against 591 right, whichever errors the models share; 6,000 objects of the same kind can."""
    for shared in range(10):
        a, b = hits(range(13)), hits(range(13 - shared, 22 - shared))
        assert mcnemar(a, b).p_value >= 0.125
        difference, interval = paired_difference(a, b)
        assert difference == pytest.approx(-4 / 600)
        if shared <= 7:
            assert interval.lower < 0 < interval.upper
    a, b = hits(range(130), 6000), hits(range(80, 170), 6000)
    assert mcnemar(a, b).p_value < 0.01
    assert paired_difference(a, b)[1].upper < 0


def test_paired_difference_is_that_of_resampled_objects():
    rng = np.random.default_rng(5)
    a, b = rng.random(300) < 0.9, rng.random(300) < 0.8
    difference, interval = paired_difference(a, b)
    rows = rng.integers(0, 300, (4000, 300))
    plain = a[rows].mean(axis=1) - b[rows].mean(axis=1)
    assert difference == pytest.approx(a.mean() - b.mean())
    np.testing.assert_allclose(interval, np.percentile(plain, [2.5, 97.5]), atol=0.004)
    assert interval == paired_difference(a, b)[1]
    np.testing.assert_allclose(paired_difference(b, a)[0], -difference)


def test_pairing_helps_where_errors_are_shared():
    """The same accuracies, first with errors of their own, then with nearly all in common."""
    own, shared = (paired_difference(hits(range(60)), hits(range(first, first + 40)))[1] for first in (60, 15))
    assert np.ptp(shared) < 0.6 * np.ptp(own)


def test_nothing_measured_and_unpaired_hits():
    nothing = np.zeros(0, bool)
    assert mcnemar(nothing, nothing) == (0, 0, 1.0)
    assert np.isnan([paired_difference(nothing, nothing)[0], *paired_difference(nothing, nothing)[1]]).all()
    for a, b in ((nothing, hits(range(3))), (np.ones(3), np.ones(3)), (np.ones((2, 2), bool), np.ones((2, 2), bool))):
        with pytest.raises(ValueError, match="expected bool, one per object"):
            mcnemar(a, b)


def test_holm_by_hand():
    """4 × .005, 3 × .01, 2 × .03, and .04 raised to the one before."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.6]), [1, 1])
    np.testing.assert_allclose(holm([0.02]), [0.02])
    assert len(holm([])) == 0


def test_holm_keeps_the_error_of_a_whole_table():
    """With ten comparisons and no difference anywhere, one table in twenty claims one; uncorrected, two in five."""
    tables = np.random.default_rng(6).random((2000, 10))
    assert np.mean([holm(row).min() <= 0.05 for row in tables]) == pytest.approx(0.05, abs=0.015)
    assert np.mean(tables.min(axis=1) <= 0.05) > 0.35


@pytest.mark.parametrize("bad", [[0.1, np.nan], [1.2], [-0.1], [[0.1]]])
def test_holm_refuses_what_is_no_p_value(bad):
    with pytest.raises(ValueError, match="expected a row of numbers from 0 to 1"):
        holm(bad)
