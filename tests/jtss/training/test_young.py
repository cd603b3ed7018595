"""Training alerts as a young survey sends them: how many, how young, and the same on every road."""

import numpy as np
import pytest

from jtss.config import named
from jtss.config.settings import override
from jtss.schema import TOLD_DAYS
from jtss.training import young

CONFIG = override(named.get("n1_baseline"), ["training.young=0.3"])


def test_a_share_of_the_alerts_is_of_a_young_survey():
    days = young.watched_days(CONFIG, 20_000, 0)
    assert np.isfinite(days).mean() == pytest.approx(0.3, abs=0.02)
    told = days[np.isfinite(days)]
    for share in (np.mean(told == 0), np.mean(told == TOLD_DAYS), np.mean((told > 0) & (told < TOLD_DAYS))):
        assert share == pytest.approx(1 / 3, abs=0.02)


def test_without_a_share_every_alert_stays_as_it_came():
    assert np.isposinf(young.watched_days(named.get("n1_baseline"), 1000, 0)).all()


def test_the_same_alerts_are_young_each_time_and_others_in_the_next_batch():
    first, again, next_batch = (young.watched_days(CONFIG, 50, n_before) for n_before in (0, 0, 50))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_batch)
