"""Which objects are one source."""

import numpy as np

from data_prep.same_source import groups


def test_objects_closer_than_two_arcseconds_are_one_source():
    ra = np.array([10.0, 10.0, 10.0, 359.9999, 0.0001, 200.0, 200.0])
    dec = np.array([60.0, 60.0 + 1.9 / 3600, 60.0 + 3.8 / 3600, 0.0, 0.0, -20.0, -20.0 + 2.1 / 3600])
    found = groups(ra, dec)
    assert found[0] == found[1] == found[2]  # a chain
    assert found[3] == found[4]  # 0.7″ apart, across the meridian
    assert found[5] != found[6]
    assert len(set(found)) == 4


def test_an_object_without_a_position_is_alone():
    found = groups(np.array([np.nan, np.nan, 10.0, -999.0]), np.array([np.nan, np.nan, 10.0, -999.0]))
    assert len(set(found)) == 4
    assert groups(np.empty(0), np.empty(0)).size == 0
