"""How many requests are at work at the same time."""

import pytest

from jtss.serving.http.limits import Places
from jtss.serving.http.problems import Problem


def test_there_are_so_many_places_and_no_more():
    places = Places(2)
    with places.one(), places.one():
        assert places.taken == 2
        with pytest.raises(Problem) as busy, places.one():
            pass
    assert (busy.value.status, busy.value.reason, busy.value.retry_seconds) == (503, "busy", 1)
    assert places.taken == 0


def test_a_place_is_free_again_after_an_error():
    places = Places(1)
    with pytest.raises(KeyError), places.one():
        raise KeyError
    with places.one():
        assert places.taken == 1
