"""Artefacts: how bright they are, and what they look like."""

import numpy as np
import pytest

from data_prep.simulate import cadence, defects, objects
from data_prep.simulate.blobs import (
    render,
)
from helpers.made_sky import plan
from helpers.made_stamps import TYPICAL


def artefacts_of(kind, n=1500):
    """Of artefacts of one kind [A, V]: change of flux, limit [mag], and zero point less the typical one [mag]."""
    population, kinds = defects.artefacts(np.random.default_rng(19), plan(n))
    rows = kinds == kind
    seen = population.visits
    change = population.flux - objects.of_filter(population.reference, seen.fid)
    zero_point = seen.zero_point - cadence.ZERO_POINT_MAG[seen.fid - 1]
    there = seen.good[rows] & (change[rows] != 0)
    return tuple(np.where(there, column[rows], np.nan) for column in (change, seen.limit, zero_point))


def test_clouds_dim_light_but_not_what_the_camera_makes_of_itself():
    for kind, dimmed in ((defects.STREAK, False), (defects.COSMIC_RAY, True)):
        change, _, zero_point = artefacts_of(kind)
        clear, cloudy = (
            np.median(-2.5 * np.log10(np.abs(change[some]))) for some in (zero_point > -0.2, zero_point < -1)
        )
        assert (clear - cloudy > 0.8) == dimmed


def test_peaks_of_the_noise_are_as_bright_as_the_noise_allows():
    change, limit, zero_point = artefacts_of(defects.NOISE_PEAK)
    clear = zero_point > -defects.CLOUD_FOR_ARTEFACTS_MAG
    above = (limit + 2.5 * np.log10(np.abs(change)))[clear]
    assert above.min() >= -1e-9
    assert np.median(above) == pytest.approx(0.5 * np.log(2), abs=0.1)  # one draw an artefact
    assert np.mean(change[clear] < 0) == pytest.approx(0.5, abs=0.1)


def test_a_share_of_the_artefacts_is_of_exposures_through_clouds():
    population, _ = defects.artefacts(np.random.default_rng(19), plan(1500))
    seen = population.visits
    shows = seen.good & (population.flux != objects.of_filter(population.reference, seen.fid))
    deep = seen.zero_point < cadence.ZERO_POINT_MAG[seen.fid - 1] - defects.CLOUD_FOR_ARTEFACTS_MAG
    only = np.array([np.all(deep[row][there]) for row, there in enumerate(shows) if there.any()])
    share = defects.CLOUDED_SHARE * (1 - defects.KIND_SHARES[defects.STREAK])
    assert only.mean() == pytest.approx(share, abs=0.05)


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
