"""Temperature scaling finds what was done to honest probabilities, changes no class, and says when it cannot."""

import jax
import numpy as np
import pytest

from helpers.made_predictions import honest
from jtss.inference import calibration


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 2.5])
def test_it_finds_how_much_too_sure_a_model_is(sharpened):
    labels, p = honest(sharpened=sharpened)
    assert calibration.fit(p, labels) == pytest.approx(sharpened, rel=0.05)


def test_the_interval_of_a_temperature_holds_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(120):
        labels, p = honest(150, seed=seed, sharpened=1.6)
        fitted = calibration.fit(p, labels)
        lower, upper = calibration.interval(p, labels, fitted)
        assert lower < fitted < upper
        covered += lower <= 1.6 <= upper
    assert 0.88 < covered / 120 <= 0.99


def test_a_model_that_is_always_right_has_the_coldest_temperature_and_no_lower_limit():
    labels = np.arange(60) % 3
    p = (0.7 * np.eye(3)[labels] + 0.1).astype(np.float32)
    fitted = calibration.fit(p, labels)
    assert fitted < 0.1
    assert calibration.interval(p, labels, fitted).lower == calibration.COLDEST
    assert np.isnan(calibration.interval(p[:5], labels[:5], calibration.fit(p[:5], labels[:5]))).all()


def test_probabilities_serve_as_well_as_logits():
    logits = 5 * np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    found = calibration.scaled(np.asarray(jax.nn.softmax(logits)), 1.7)
    np.testing.assert_allclose(found, jax.nn.softmax(logits / 1.7), rtol=2e-5)


def test_by_hand_and_without_effect():
    np.testing.assert_allclose(calibration.scaled(np.array([[0.8, 0.2]]), 0.5), [[16 / 17, 1 / 17]], rtol=1e-6)
    p = honest(100).probabilities
    np.testing.assert_allclose(calibration.scaled(p, 1.0), p, rtol=1e-6)
    for t in (0.2, 5.0):
        np.testing.assert_array_equal(calibration.scaled(p, t).argmax(axis=1), p.argmax(axis=1))


def test_certain_probabilities_stay_finite():
    found = calibration.scaled(np.array([[1.0, 0.0, 0.0]], np.float32), 3.0)
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="expected a positive number"):
        calibration.scaled(found, 0.0)
