"""Simulated stamps against the optics and statistics they are made of, by other roads than the code's."""

import numpy as np
import pytest

from data_prep.simulate.blobs import (
    MOFFAT_BETA,
    Blobs,
    moffat,
    render,
)
from data_prep.simulate.cadence import DIFFERENCE_NOISE, READ_VARIANCE, VARIANCE_PER_DN
from data_prep.simulate.images import POINT, Exposures, correlated, stamps, template_grain
from helpers.made_stamps import MIDDLE, SIDE, point

SCIENCE, TEMPLATE, DIFFERENCE = range(3)


NO_BLOBS = Blobs(*np.zeros((3, 0)), np.zeros((0, 3)), np.zeros(0, int))


def exposures(n, **changes):
    """n exposures in g without residuals; magnitude-26 sources have 1.2 DN."""
    ones = np.ones(n)
    values = dict.fromkeys(Exposures._fields, 0.0 * ones) | {
        "fid": np.ones(n, int), "scale": 10 ** (0.4 * 26.2) * ones, "seeing": 2.15 * ones, "source_seeing": 2.15 * ones,
        "template_seeing": 2.11 * ones, "sky": 100 * ones, "noise_sky": 100 * ones, "template_noise": 1.4 * ones,
        "sign": ones, "frames": 15 * ones, "stretch": ones, "template_stretch": ones, "match": ones,
        "subtracted": ones, "beta": MOFFAT_BETA * ones, "template_beta": MOFFAT_BETA * ones,
    }  # fmt: skip
    return Exposures(**values | changes)


def made(these, blobs=NO_BLOBS, seed=0):
    children = np.random.SeedSequence(seed).spawn(len(these.fid) + 1)
    streams = [np.random.default_rng(child) for child in children[1:]]
    return stamps(blobs, these, POINT, streams, {1: template_grain(np.random.default_rng(children[0]))})


def test_each_exposure_has_its_own_exponent():
    """Two exposures in one call are those of two calls."""
    at, flux, seeing = np.full((2, 1), MIDDLE), np.ones((2, 1)), np.array([2.0, 3.0])
    both = render(at, at, np.zeros(1), flux, seeing, SIDE, moffat(np.array([2.2, 4.0])))
    for image, fwhm, beta in zip(both, seeing, (2.2, 4.0), strict=True):
        np.testing.assert_allclose(image, point(fwhm, psf=moffat(np.array([beta]))), rtol=1e-5)


def test_empty_sky_has_the_measured_noise():
    science, template, difference = np.moveaxis(made(exposures(24)), 3, 0)
    law = np.sqrt(VARIANCE_PER_DN * 100 + READ_VARIANCE)
    assert law == pytest.approx(5.37, abs=0.01)
    assert np.median(science.std(axis=(1, 2))) == pytest.approx(law, rel=0.02)
    assert np.median(difference.std(axis=(1, 2))) == pytest.approx(DIFFERENCE_NOISE * law, rel=0.02)
    assert template[0].std() == pytest.approx(1.4, rel=0.04)
    assert science.mean() == pytest.approx(100, abs=0.2)
    assert abs((template.mean(axis=(1, 2)) - science.mean(axis=(1, 2))).mean()) < 0.5


def test_template_noise_is_correlated_as_in_a_resampled_coadd():
    grain = np.stack([template_grain(np.random.default_rng(seed)) for seed in range(60)])
    assert grain.std() == pytest.approx(1, rel=0.01)
    for axis in (1, 2):
        assert lag(grain, 1, axis) == pytest.approx(0.215, abs=0.02)
        assert lag(grain, 2, axis) == pytest.approx(-0.09, abs=0.02)


def lag(images, distance, axis):
    """Correlation of pixels that far apart, the mean over images."""
    here, there = (np.take(images, range(first, SIDE - distance + first), axis=axis) for first in (0, distance))
    return (here * there).mean() / (images**2).mean()


def test_kernels_correlate_neighbours_as_their_weights_say():
    white = np.random.default_rng(3).standard_normal((80, SIDE, SIDE)).astype(np.float32)
    weights = np.array([[[-0.05, 0.03, 0.02], [0.1, -0.04, -0.06]]], np.float32).repeat(80, axis=0)
    smooth = correlated(white, weights)
    assert smooth.std() == pytest.approx(1, rel=0.01)
    for axis, (near, far, shift) in ((2, weights[0, 0]), (1, weights[0, 1])):
        kernel = np.array([far, near - shift, 1, near + shift, far])
        expected = np.correlate(kernel, kernel, "full")[4:7] / (kernel**2).sum()
        assert lag(smooth, 1, axis) == pytest.approx(expected[1], abs=0.006)
        assert lag(smooth, 2, axis) == pytest.approx(expected[2], abs=0.006)


@pytest.mark.parametrize("at", [30, 0, SIDE - 2])
def test_a_kernel_spreads_a_point_to_its_sides_and_over_the_edge(at):
    """A pixel is near + shift of the one after it and near - shift of the one before it."""
    along_x, along_y = (-0.05, 0.03, 0.02), (0.1, -0.04, -0.06)
    point = np.zeros((1, SIDE, SIDE), np.float32)
    point[0, at, at] = 1
    spread = correlated(point, np.array([[along_x, along_y]], np.float32))[0]
    expected = np.zeros((2, SIDE))
    for line, (near, far, shift) in zip(expected, (along_x, along_y), strict=True):
        line[np.arange(at - 2, at + 3) % SIDE] = np.array([far, near + shift, 1, near - shift, far])
        line /= np.sqrt((line**2).sum())
    np.testing.assert_allclose(spread, np.outer(expected[1], expected[0]), atol=1e-6)


def test_difference_shares_most_of_its_noise_with_the_science_image():
    for foreign in (0.0, 0.5):
        images = made(exposures(40, foreign=np.full(40, foreign), template_noise=np.full(40, 0.01)))
        science, difference = (images[..., channel] - images[..., channel].mean() for channel in (SCIENCE, DIFFERENCE))
        correlation = (science * difference).mean() / science.std() / difference.std()
        assert correlation == pytest.approx(np.sqrt(1 - foreign**2), abs=0.03)
        assert difference.std() / science.std() == pytest.approx(DIFFERENCE_NOISE, abs=0.02)


def test_photon_noise_of_a_bright_source():
    these = exposures(200, source=np.full(200, 10 ** (-0.4 * 15.0)))
    peak = made(these)[:, MIDDLE, MIDDLE, 0]
    assert peak.std() == pytest.approx(np.sqrt(VARIANCE_PER_DN * peak.mean() + READ_VARIANCE), rel=0.15)


def test_template_is_the_same_for_all_exposures_of_an_object():
    template = made(exposures(3))[..., 1]
    template -= template.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(template[1], template[0], atol=1e-3)


def test_saturation_clips():
    image = made(exposures(1, source=np.full(1, 10 ** (-0.4 * 10.0))))[0, ..., 0]
    assert image.max() == 60000
