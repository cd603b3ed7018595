"""What a packet tells of its object's past."""

import numpy as np
import pytest

from data_prep.simulate import survey
from data_prep.simulate.history import told
from jtss.schema import CLASS_NAMES, TOLD_DAYS


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_told_rows_lie_within_thirty_days_and_none_is_left_out(name):
    observed = survey.observe(np.random.SeedSequence(3), CLASS_NAMES.index(name), 40, "any")
    jd, owner = observed.columns["jd"], observed.alerts.owner
    for row in np.flatnonzero(observed.alerts.kept):
        earlier, limits = told(observed, row)
        for times, owners, rows in (
            (jd, owner, earlier),
            (observed.limits["jd"], observed.limits["owner"], limits),
        ):
            expected = (owners == owner[row]) & (times < jd[row]) & (times > jd[row] - TOLD_DAYS)
            np.testing.assert_array_equal(rows, np.flatnonzero(expected))
