"""The section on calibration: what a temperature mends, and why there is none."""

import numpy as np

from helpers.made_predictions import honest
from jtss.reports.sections.calibration import scores, section


def test_a_fit_on_other_objects_mends_the_calibration():
    document = scores(honest(seed=3, sharpened=3), honest(seed=4, sharpened=3))
    before, after = document["before"], document["after"]
    assert before["calibration_error"] > 0.05 > 0.02 > after["calibration_error"]
    assert after["brier"] < before["brier"]
    assert after["cross_entropy_nat"] < before["cross_entropy_nat"]
    page = section(document)
    assert "fitted to 6,000 labelled objects of the validation split" in page
    assert "consistent with 1" not in page
    assert "consistent with 1" in section(scores(honest(100), honest(200, seed=5)))


def test_without_enough_objects_there_is_no_temperature():
    for validation, words in (
        (None, "no labelled objects"),
        (honest(29), "29 labelled objects of the validation split are too few"),
    ):
        document = scores(honest(100), validation)
        assert np.isnan(document["temperature"])
        assert document["after"] is None
        page = section(document)
        assert "Temperature –: not fitted, since " in page
        assert words in page
