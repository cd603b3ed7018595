"""Strata: order and shares, the bound on how often an object is drawn, and what a count tells of the class."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.made_training import TINY
from jtss.config.settings import override
from jtss.training import strata

COUNTS = override(TINY, ["training.class_balance=counts"])


def test_bins_of_counts():
    ndethist = np.float32([0, 1, 2, 3, 4, 5, 9, 10, 29, 30, 99, 100, 5000, np.nan])
    ncovhist = np.float32([1, 2, 20, 21, 60, 61, 200, 201, 1000, 1001, 9000, np.nan, 1, np.nan])
    bins = strata.bin_of(np.stack([ndethist, ncovhist], axis=1))
    np.testing.assert_array_equal(bins // 7, [0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7])
    np.testing.assert_array_equal(bins % 7, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 0, 6])
    assert bins.max() == strata.N_BINS - 1


@pytest.mark.parametrize(("balance", "share"), [("uniform", [1 / 3] * 3), ("natural", [0.5, 0.3, 0.2])])
def test_otherwise_the_strata_are_the_classes(balance, share):
    label = np.array([2, 0, 1, 0, 0, 1, 2, 1, 0, 0])
    config = override(TINY, [f"training.class_balance={balance}"])
    order, groups = strata.of(label, np.stack([np.arange(10.0)] * 2, axis=1), config)
    assert order.tolist() == [1, 3, 4, 8, 9, 2, 5, 7, 0, 6]
    assert groups.count.tolist() == [5, 3, 2]
    np.testing.assert_allclose(groups.share, share, rtol=1e-6)


def test_objects_stand_in_the_order_of_their_strata():
    rng = np.random.default_rng(0)
    label, counts = rng.integers(0, 3, 400), rng.choice([1, 2, 7, 50, np.nan], (400, 2))
    order, groups = strata.of(label, counts, COUNTS)
    assert sorted(order) == list(range(400))
    there = np.repeat(np.arange(len(groups.count)), groups.count)
    np.testing.assert_array_equal(label[order] * strata.N_BINS + strata.bin_of(counts[order]), there)
    assert groups.share[groups.count == 0].sum() == 0


def test_a_class_with_few_objects_in_a_bin_is_drawn_no_more_than_the_bound_and_the_others_share_the_rest():
    count = np.array([[500, 500], [998, 2], [100, 900]])
    found = strata.shares(count)
    of_bin = (count / 1000 / 3).sum(axis=0)
    assert found[1, 1] == pytest.approx(strata.MOST_OFTEN * 0.002 / 3)
    np.testing.assert_allclose(found[[0, 2], 1], (of_bin[1] - found[1, 1]) / 2)
    np.testing.assert_allclose(found[:, 0], of_bin[0] / 3)


@st.composite
def tables(draw) -> np.ndarray:
    """[L, K] objects of each class in each bin; each class has one."""
    shape = draw(st.tuples(st.integers(2, 5), st.integers(1, strata.N_BINS)))
    count = draw(arrays(np.int64, shape, elements=st.one_of(st.just(0), st.integers(0, 30), st.integers(0, 50_000))))
    count[:, 0] += count.sum(axis=1) == 0
    return count


@given(tables())
def test_shares_are_bounded_leave_nothing_out_and_are_alike_where_no_class_is_rare(count):
    found = strata.shares(count)
    uniform = count / count.sum(axis=1, keepdims=True) / len(count)
    np.testing.assert_allclose(found.sum(axis=0), uniform.sum(axis=0), atol=1e-12)  # a bin is as frequent as ever
    assert np.all(found <= strata.MOST_OFTEN * uniform * (1 + 1e-9))
    np.testing.assert_array_equal(found > 0, count > 0)
    for k, highest in enumerate(found.max(axis=0)):
        bound = found[:, k] < highest * (1 - 1e-9)  # only what is at its bound has less than the others
        np.testing.assert_allclose(found[bound, k], strata.MOST_OFTEN * uniform[bound, k], rtol=1e-9)
