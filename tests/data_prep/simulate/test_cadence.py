"""When and how well objects are seen, against the survey."""

import numpy as np
import pytest

from data_prep.simulate import cadence
from jtss.schema import MIN_GAP_DAYS


def test_half_of_the_gaps_are_shorter_than_six_hours():
    seen = cadence.visits(np.random.default_rng(1), np.full(200, 2458500.0), 60)
    gaps = np.concatenate([np.diff(jd[good]) for jd, good in zip(seen.jd, seen.good, strict=True)])
    assert gaps.min() > 0
    assert 0.35 < np.mean(gaps < MIN_GAP_DAYS) < 0.6
    long = gaps[gaps > MIN_GAP_DAYS]
    assert 1.5 < np.median(long) < 3.1
    assert 0.85 < np.quantile(long, 0.05) < 1.1
    shares = np.bincount(seen.fid[seen.good], minlength=4)[1:] / seen.good.sum()
    np.testing.assert_allclose(shares, [0.49, 0.49, 0.02], atol=0.01)


def test_limits_match_the_survey():
    seen = cadence.visits(np.random.default_rng(2), np.full(300, 2458500.0), 60)
    quantiles = np.quantile(seen.limit[seen.good], [0.05, 0.5, 0.95])
    np.testing.assert_allclose(quantiles, [19.0, 20.1, 20.6], atol=0.4)
    assert 0.01 < np.mean(seen.limit[seen.good] < 18.8) < 0.08  # clouds


def test_bad_nights_are_further_from_the_median_than_good_ones():
    seen = cadence.visits(np.random.default_rng(13), np.full(400, 2458500.0), 60)
    low, median, high = np.quantile(np.log(seen.seeing[seen.good]), [0.05, 0.5, 0.95])
    assert high - median > 1.5 * (median - low)


def test_clouds_dim_a_share_of_the_nights():
    seen = cadence.visits(np.random.default_rng(14), np.full(400, 2458500.0), 60)
    dimmed = np.mean(seen.zero_point < cadence.ZERO_POINT_MAG[seen.fid - 1] - 0.3)
    assert dimmed == pytest.approx(cadence.CLOUDY_NIGHTS * np.exp(-0.3 / 1.1), abs=0.008)
