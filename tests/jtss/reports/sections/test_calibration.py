"""The section on calibration: what a temperature mends, and why there is none."""

import numpy as np

from jtss.reports.evaluation import Answers
from jtss.reports.sections.calibration import scores, section


def honest(n=6000, seed=0, sharpened=1.0):
    """Labels drawn from probabilities that are then stated `sharpened` times too confident."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(max=2)
    stated = np.exp(sharpened * logits)
    return Answers(labels, (stated / stated.sum(axis=1, keepdims=True)).astype(np.float32))


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
        assert "Temperature –: not fitted: " in page
        assert words in page
