"""What did not come says what, why, and whether to ask again."""

import pytest

from data_prep.lost import FAILED, OUTCOMES, Lost


def test_outcomes_differ():
    assert len({*OUTCOMES}) == len(OUTCOMES) == 6


def test_it_is_raised_with_all_that_a_caller_decides_by():
    with pytest.raises(Lost, match=r"^failed: status_503: http://a: status 503$") as caught:
        raise Lost(FAILED, "status_503", "http://a: status 503", again=True, after=7.0)
    lost = caught.value
    assert (lost.outcome, lost.reason, lost.again, lost.after) == (FAILED, "status_503", True, 7.0)
    assert (Lost(FAILED, "redirects", "").again, Lost(FAILED, "redirects", "").after) == (False, None)
