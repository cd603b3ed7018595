"""What the pipeline writes down about an alert."""

import numpy as np
import pytest

from data_prep.simulate import measurements


def test_first_years_score_rb_is_less_sure():
    rng, n = np.random.default_rng(10), 3000
    early, late = (measurements.real_bogus(rng, np.full(n, jd), np.zeros(n, bool), False) for jd in (2458300, 2460000))
    assert np.median(early) == pytest.approx(0.59, abs=0.02)
    assert np.median(late) == pytest.approx(0.86, abs=0.02)
    early, late = (measurements.real_bogus(rng, np.full(n, jd), np.zeros(n, bool), True) for jd in (2458300, 2460000))
    assert np.median(early) == pytest.approx(0.29, abs=0.02)
    assert np.median(late) == pytest.approx(0.48, abs=0.02)
