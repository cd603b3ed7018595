"""Light curves: their statistics and their shapes."""

import numpy as np
import pytest

from data_prep.simulate import lightcurves


def test_damped_random_walk_has_its_variance_and_structure_function():
    rng = np.random.default_rng(0)
    n, tau, sigma = 4000, 50.0, 0.3
    times = np.sort(rng.uniform(0, 300, 12))
    walk = lightcurves.damped_random_walk(rng, np.tile(times, (n, 1)), np.full(n, tau), np.full(n, sigma))
    assert walk.std() == pytest.approx(sigma, rel=0.03)
    lag = np.abs(times[:, None] - times)
    structure = ((walk[:, :, None] - walk[:, None, :]) ** 2).mean(axis=0)
    np.testing.assert_allclose(structure, 2 * sigma**2 * (1 - np.exp(-lag / tau)), atol=0.012)


def test_supernova_rises_peaks_at_zero_and_falls():
    days = np.arange(-60, 300.0)[None]
    flux = lightcurves.supernova(days, np.array([17.0]), np.array([0.0]), np.array([20.0]))[0]
    assert days[0, np.argmax(flux)] == 0
    assert flux.max() == 1
    assert np.all(flux[days[0] <= -17] == 0)
    assert np.all(np.diff(flux[days[0] >= 0]) < 0)
    assert 10 < np.interp(0.5, flux[days[0] >= 0][::-1], days[0][days[0] >= 0][::-1]) < 30


def test_plateau_stays():
    flux = lightcurves.supernova(np.array([[0.0, 30.0, 59.0, 120.0]]), *np.array([[9.0], [60.0], [22.0]]))[0]
    np.testing.assert_allclose(flux[:3], 1)
    assert flux[3] < 0.2


def test_rr_lyrae_rises_faster_than_it_falls():
    phase = np.linspace(0, 1, 1000, endpoint=False)[None]
    magnitude = lightcurves.rr_lyrae(phase, np.array([0.2]))[0]
    assert magnitude.min() == pytest.approx(-0.5)
    assert magnitude.max() == pytest.approx(0.5, abs=0.01)
    assert np.mean(np.diff(magnitude) < 0) == pytest.approx(0.2, abs=0.01)


def test_binary_is_deepest_at_phase_zero():
    phase = np.array([[0.0, 0.25, 0.5]])
    depth = lightcurves.eclipses(phase, np.array([0.05]), np.array([0.4]))[0]
    np.testing.assert_allclose(depth, [1, 0, 0.4], atol=1e-4)
