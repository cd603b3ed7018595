"""Which packets of the training show an earlier stamp, and how much earlier."""

import numpy as np
import pytest

from jtss.config import named
from jtss.config.settings import override
from jtss.training import earlier


def stamps(*settings):
    return earlier.stamps(override(named.get("any_gru"), settings), 20_000, np.random.default_rng(0))


def test_half_shows_an_earlier_stamp_beside_its_own_and_a_quarter_one_instead():
    shown = stamps("packet.stamps=4")
    first, second = shown.T
    assert np.mean((first == 0) & (second == 0)) == pytest.approx(0.25, abs=0.01)
    assert np.mean((first == 0) & (second > 0)) == pytest.approx(0.5, abs=0.01)
    assert np.mean((first > 0) & (second == first)) == pytest.approx(0.25, abs=0.01)
    shares = np.bincount(second, minlength=4) / 20_000
    assert shares == pytest.approx([0.25, 0.25, 0.25, 0.25], abs=0.01)


def test_where_one_stamp_is_read_it_is_the_packets_own():
    assert stamps("packet.stamps=1").shape == (20_000, 1)
    assert not stamps("packet.stamps=1").any()
