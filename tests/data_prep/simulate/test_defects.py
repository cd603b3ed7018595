"""Artefacts: how bright they are, and what they look like."""

import numpy as np
import pytest

from data_prep.simulate import cadence, defects, objects
from data_prep.simulate.blobs import (
    render,
)
from helpers.made_stamps import TYPICAL


def artefacts_of(kind, n=6000):
    """Of artefacts of one kind [A, V]: change of flux, limit [mag], and zero point less the typical one [mag]."""
    start = np.full(n, 2459000.0)
    population, kinds = defects.artefacts(np.random.default_rng(19), start)
    rows = kinds == kind
    seen = population.visits
    change = population.flux - objects.of_filter(population.reference, seen.fid)
    return change[rows], seen.limit[rows], seen.zero_point[rows] - cadence.ZERO_POINT_MAG[seen.fid[rows] - 1]


def test_clouds_dim_light_but_not_what_the_camera_makes_of_itself():
    for kind, dimmed in ((defects.STREAK, False), (defects.COSMIC_RAY, True)):
        change, _, zero_point = artefacts_of(kind)
        clear, cloudy = (
            np.median(-2.5 * np.log10(np.abs(change[some]))) for some in (zero_point > -0.2, zero_point < -1)
        )
        assert (clear - cloudy > 0.8) == dimmed


def test_peaks_of_the_noise_are_as_bright_as_the_noise_allows():
    change, limit, _ = artefacts_of(defects.NOISE_PEAK)
    above = limit + 2.5 * np.log10(np.abs(change))
    assert above.min() >= 0
    assert np.median(above) == pytest.approx(0.5 * np.log(2), abs=0.03)
    assert np.mean(change < 0) == pytest.approx(0.5, abs=0.05)


def test_a_ghost_is_an_even_disc_or_ring_on_which_the_alert_is():
    """Rendered: wide, as bright where the alert is as elsewhere on it, and far more light than its peak shows."""
    rings = 0
    for seed in range(20):
        shape = defects.ghost(np.random.default_rng(seed))
        assert np.any((shape.x == 0) & (shape.y == 0))
        assert 10 < np.ptp(shape.x) <= 50
        image = render(
            100 + shape.x[None], 100 + shape.y[None], 0 * shape.x, shape.share[None], np.array([4.0]), 201, TYPICAL
        )[0]
        on = image[np.rint(100 + shape.y).astype(int), np.rint(100 + shape.x).astype(int)]
        assert 0.4 * np.median(on) < image[100, 100] < 1.5 * np.median(on)
        assert image.sum() > 20 * image.max()
        middle = np.hypot(shape.x - np.median(shape.x), shape.y - np.median(shape.y))
        rings += middle.min() > 1
    assert 5 <= rings <= 15
