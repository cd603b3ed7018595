"""Which packets of the training show an earlier stamp, and how much earlier."""

import numpy as np
import pytest

from jtss.config import named
from jtss.config.settings import override
from jtss.training import earlier


def stamps(*settings):
    return earlier.stamps(override(named.get("any_gru"), settings), 20_000, np.random.default_rng(0))


def test_a_quarter_shows_one_of_the_earlier_stamps():
    shares = np.bincount(stamps("packet.stamps=4")) / 20_000
    assert shares == pytest.approx([0.75, 0.25 / 3, 0.25 / 3, 0.25 / 3], abs=0.01)


def test_where_one_stamp_is_read_it_is_the_packets_own():
    assert not stamps("packet.stamps=1").any()
