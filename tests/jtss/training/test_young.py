"""Training alerts as other surveys send them: how many, and how young."""

import numpy as np
import pytest

from jtss.config import named
from jtss.config.settings import override
from jtss.schema import TOLD_DAYS
from jtss.training import young

CONFIG = override(named.get("n1_baseline"), ["training.young=0.3", "training.lone=0.1"])


def test_shares_of_the_alerts_are_of_a_young_survey_and_lone():
    days, lone = young.watched(CONFIG, 20_000, np.random.default_rng(0))
    assert lone.mean() == pytest.approx(0.1, abs=0.01)
    assert np.all(days[lone] == TOLD_DAYS)
    told = days[np.isfinite(days) & ~lone]
    assert len(told) / 20_000 == pytest.approx(0.3, abs=0.02)
    for share in (np.mean(told == 0), np.mean(told == TOLD_DAYS), np.mean((told > 0) & (told < TOLD_DAYS))):
        assert share == pytest.approx(1 / 3, abs=0.02)


def test_without_a_share_every_alert_stays_as_it_came():
    days, lone = young.watched(named.get("n1_baseline"), 1000, np.random.default_rng(0))
    assert np.isposinf(days).all()
    assert not lone.any()
