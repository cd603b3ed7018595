"""A portrait has the alerts that the model read, and no others."""

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, sequences, with_histories
from jtss.inference.portraits import portrait


@pytest.mark.parametrize("n", [1, 2])
def test_the_first_alerts_of_the_object(n):
    made = sequences((3, 3))
    p = np.array([0.9, 0.05, 0.05])
    shown = portrait(with_histories(made), 1, CLASSES, p, n, true_class="SN", note="seen")
    assert (shown.object_id, shown.true_class, shown.note) == ("ZTF1", "SN", "seen")
    assert shown.stamps.dtype == np.float32
    np.testing.assert_array_equal(shown.stamps, made.stamps[3 : 3 + n])
    np.testing.assert_array_equal(shown.jd, made.jd[3 : 3 + n])
    np.testing.assert_array_equal(shown.fid, made.fid[3 : 3 + n])
    assert (shown.classes, shown.probabilities.tolist()) == (CLASSES, p.tolist())
