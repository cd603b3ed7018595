"""Light as Gaussians, against the profiles that it stands for."""

import numpy as np
import pytest

from data_prep.simulate.blobs import (
    MOFFAT_BETA,
    NOISE_PIXELS_PER_FWHM2,
    galaxy,
    moffat,
    outer_sum,
    render,
)
from helpers.made_stamps import COLUMNS, MIDDLE, RADIUS, ROWS, SIDE, TYPICAL, point


@pytest.mark.parametrize(
    ("fwhm", "beta", "off"), [(1.5, 2.9, 0.01), (2.15, 2.9, 0.01), (4.0, 2.9, 0.01), (2.5, 2.2, 0.02), (2.5, 4.0, 0.02)]
)
def test_point_source_is_a_moffat(fwhm, beta, off):
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    expected = (beta - 1) / (np.pi * alpha**2) * (1 + (RADIUS / alpha) ** 2) ** -beta
    image = point(fwhm, psf=moffat(np.array([beta])))
    np.testing.assert_allclose(image, expected, atol=off * expected.max())
    wings = (RADIUS / alpha > 2) & (RADIUS / alpha < 5)
    np.testing.assert_allclose(image[wings], expected[wings], rtol=0.12)


def test_point_source_keeps_its_flux_and_its_place():
    image = point(2.15, MIDDLE + 0.3, MIDDLE - 0.4, 500.0)
    assert image.sum() == pytest.approx(500, rel=0.01)
    assert (image * COLUMNS).sum() / image.sum() == pytest.approx(MIDDLE + 0.3, abs=0.01)
    assert (image * ROWS).sum() / image.sum() == pytest.approx(MIDDLE - 0.4, abs=0.01)


def test_weights_add_up():
    for core_only in (False, True):
        weights = moffat(np.array([2.0, MOFFAT_BETA, 5.0]), core_only).weights
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    noise_pixels = 1 / (point(2.15) ** 2).sum()
    assert noise_pixels == pytest.approx(NOISE_PIXELS_PER_FWHM2 * 2.15**2, rel=0.02)


def test_outer_sum_is_one_product_in_blocks():
    rng = np.random.default_rng(0)
    rows, columns = rng.standard_normal((2, 3, SIDE, 150)).astype(np.float32)
    np.testing.assert_allclose(outer_sum(rows, columns), np.einsum("dis,djs->dij", rows, columns), atol=1e-4)


def test_disc_galaxy_holds_half_its_light_within_its_effective_radius():
    one = np.ones(1)
    blobs = galaxy(0 * one, 0 * one, 6 * one, one, 0 * one, 0 * one, np.full((1, 3), 1000.0), np.zeros(1, int))
    assert blobs.flux[:, 1].sum() == pytest.approx(1000)
    light = render(
        MIDDLE + blobs.x[None],
        MIDDLE + blobs.y[None],
        blobs.sigma,
        blobs.flux[None, :, 1],
        np.array([0.5]),
        SIDE,
        TYPICAL,
    )[0]
    assert light[RADIUS < 6].sum() / light.sum() == pytest.approx(0.5, abs=0.04)


def test_inclined_galaxy_has_its_axes_where_they_should_be():
    one = np.ones(1)
    blobs = galaxy(0 * one, 0 * one, 5 * one, 0.4 * one, 0.6 * one, 0 * one, np.full((1, 3), 1.0), np.zeros(1, int))
    weight = blobs.flux[:, 0]
    xx, yy, xy = (
        (weight * v).sum() for v in (blobs.x**2 + blobs.sigma**2, blobs.y**2 + blobs.sigma**2, blobs.x * blobs.y)
    )
    values, vectors = np.linalg.eigh([[xx, xy], [xy, yy]])
    assert np.sqrt(values[0] / values[1]) == pytest.approx(0.4, abs=0.03)
    assert np.arctan2(vectors[1, 1], vectors[0, 1]) % np.pi == pytest.approx(0.6, abs=1e-3)


def test_stretched_psf_is_wider_along_x_and_keeps_its_flux():
    at = np.array([[float(MIDDLE)]])
    image = render(at, at, np.zeros(1), np.ones((1, 1)), np.array([3.0]), SIDE, TYPICAL, np.array([1.1]))[0]
    round_image = point(3.0)
    assert image.sum() == pytest.approx(round_image.sum(), rel=1e-3)
    for profile, fwhm in ((image[MIDDLE], 3.3), (image[:, MIDDLE], 3.0 / 1.1)):
        alpha = fwhm / 2 / np.sqrt(2 ** (1 / MOFFAT_BETA) - 1)
        expected = (1 + ((np.arange(SIDE) - MIDDLE) / alpha) ** 2) ** -MOFFAT_BETA
        np.testing.assert_allclose(profile / profile.max(), expected, atol=0.012)
