"""Training alerts as other surveys send them: how many, how young, and the same on every road."""

import numpy as np
import pytest

from jtss.config import named
from jtss.config.settings import override
from jtss.schema import TOLD_DAYS
from jtss.training import young

CONFIG = override(named.get("n1_baseline"), ["training.young=0.3", "training.lone=0.1"])


def test_shares_of_the_alerts_are_of_a_young_survey_and_lone():
    days, lone, _ = young.watched(CONFIG, 20_000, 0)
    assert lone.mean() == pytest.approx(0.1, abs=0.01)
    assert np.all(days[lone] == TOLD_DAYS)
    told = days[np.isfinite(days) & ~lone]
    assert len(told) / 20_000 == pytest.approx(0.3, abs=0.02)
    for share in (np.mean(told == 0), np.mean(told == TOLD_DAYS), np.mean((told > 0) & (told < TOLD_DAYS))):
        assert share == pytest.approx(1 / 3, abs=0.02)


def test_without_a_share_every_alert_stays_as_it_came():
    days, lone, shown = young.watched(named.get("n1_baseline"), 1000, 0)
    assert np.isposinf(days).all()
    assert not lone.any()
    assert not shown.any()


def test_a_quarter_shows_one_of_the_earlier_stamps():
    shown = young.watched(override(named.get("any_gru"), ["packet.stamps=4"]), 20_000, 0).shown
    shares = np.bincount(shown) / 20_000
    assert shares == pytest.approx([0.75, 0.25 / 3, 0.25 / 3, 0.25 / 3], abs=0.01)


def test_the_same_alerts_are_young_each_time_and_others_in_the_next_batch():
    first, again, next_batch = (young.watched(CONFIG, 50, n_before) for n_before in (0, 0, 50))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first.days, next_batch.days)
