"""What catalogues and reference images list of sources."""

import numpy as np

from data_prep.simulate.catalogue import (
    REFERENCE_LIMIT_MAG,
    Sources,
    measured_neighbours,
    nearest,
    reference_images,
    star_score,
)
from jtss.schema import ZTF_MISSING


def test_star_scores_are_sure_when_bright_and_wide_when_faint():
    rng = np.random.default_rng(5)
    n = 4000
    bright_star, bright_galaxy = (star_score(rng, np.full(n, 17.0), np.full(n, p)) for p in (1.0, 0.1))
    faint = star_score(rng, np.full(n, 23.2), np.ones(n))
    assert np.median(bright_star) > 0.97
    assert np.median(bright_galaxy) < 0.02
    assert 0.1 < np.mean(faint == 0.5) < 0.2
    assert 0.6 < np.mean(faint > 0.5) / np.mean(faint != 0.5) < 0.95


def reference_of(r_mag, colour, n=2000, pointlike=1.0):
    """The reference images of n objects that are a source of this kind, alone on the sky."""
    rng, ones = np.random.default_rng(12), np.ones(n)
    one = Sources(0 * ones, 0 * ones, r_mag * ones, colour * ones, pointlike * ones, np.arange(n))
    return reference_images(rng, nearest(rng, [one], n))


def test_reference_source_has_the_colour_of_its_filter():
    found = reference_of(17.0, 1.2)
    np.testing.assert_allclose(np.median(found.magnitude, axis=0), [18.2, 17.0, 17.0 - 0.35 * 1.2], atol=0.01)
    assert np.median(np.hypot(found.x, found.y)) < 0.2


def test_a_red_source_may_be_in_one_reference_image_and_not_in_another():
    found = reference_of(22.0, 1.6)
    there = np.hypot(found.x, found.y) < 0.5
    assert there[:, 0].mean() < 0.05
    assert there[:, 1].mean() > 0.6  # as often as the catalogue lists it
    assert np.all(found.magnitude < REFERENCE_LIMIT_MAG + 0.7)
    assert np.isfinite(found.magnitude).all()


def test_galaxies_fit_a_psf_badly_in_every_filter():
    star, galaxy = reference_of(18.0, 0.8), reference_of(18.0, 0.8, pointlike=0.05)
    assert np.all(np.median(galaxy.chi, axis=0) > 3 * np.median(star.chi, axis=0))
    assert np.all(np.median(galaxy.sharpness, axis=0) > 0.2 + np.median(star.sharpness, axis=0))
    assert np.all(np.median(galaxy.magnitude - star.magnitude, axis=0) > 0.5)  # a PSF's share of the light
    assert np.corrcoef(galaxy.sharpness[:, 0], galaxy.sharpness[:, 1])[0, 1] > 0.8


def test_what_the_catalogue_misses_may_be_in_the_reference_image():
    """A faint host is the nearest source of the reference image, and nothing that Pan-STARRS lists."""
    rng, n = np.random.default_rng(16), 2000
    ones, zeros = np.ones(n), np.zeros(n)
    found = nearest(rng, [Sources(zeros, zeros, 22.8 * ones, 0.1 * ones, ones, np.arange(n))], n)
    columns = measured_neighbours(found, np.arange(n), zeros, zeros)
    listed = columns["distpsnr1"] == 0
    assert 0.2 < listed.mean() < 0.45
    assert np.all(columns["sgscore1"][~listed] == ZTF_MISSING)
    there = np.hypot(*reference_images(rng, found)[:2])[:, 1] < 0.5
    assert there[~listed].mean() > 0.8
