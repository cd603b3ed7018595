"""Simulated stamps against the optics and statistics they are made of, by other roads than the code's."""

import numpy as np
import pytest

from data_prep.simulate import defects, survey
from data_prep.simulate.blobs import (
    MOFFAT_BETA,
    NOISE_PIXELS_PER_FWHM2,
    Blobs,
    galaxy,
    moffat,
    outer_sum,
    render,
)
from data_prep.simulate.cadence import DIFFERENCE_NOISE, READ_VARIANCE, VARIANCE_PER_DN
from data_prep.simulate.defects import MASKED_SHARE
from data_prep.simulate.images import POINT, Exposures, correlated, stamps, template_grain
from jtss.schema import CLASS_NAMES, STAMP_SIDE

SIDE, MIDDLE = STAMP_SIDE, STAMP_SIDE // 2
SCIENCE, TEMPLATE, DIFFERENCE = range(3)
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
RADIUS = np.hypot(COLUMNS - MIDDLE, ROWS - MIDDLE)
NO_BLOBS = Blobs(*np.zeros((3, 0)), np.zeros((0, 3)), np.zeros(0, int))


TYPICAL = moffat(np.array([MOFFAT_BETA]))


def point(fwhm, x=MIDDLE, y=MIDDLE, flux=1.0, psf=TYPICAL):
    return render(np.array([[x]]), np.array([[y]]), np.zeros(1), np.array([[flux]]), np.array([fwhm]), SIDE, psf)[0]


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


def test_each_exposure_has_its_own_exponent():
    """Two exposures in one call are those of two calls."""
    at, flux, seeing = np.full((2, 1), MIDDLE), np.ones((2, 1)), np.array([2.0, 3.0])
    both = render(at, at, np.zeros(1), flux, seeing, SIDE, moffat(np.array([2.2, 4.0])))
    for image, fwhm, beta in zip(both, seeing, (2.2, 4.0), strict=True):
        np.testing.assert_allclose(image, point(fwhm, psf=moffat(np.array([beta]))), rtol=1e-5)


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


def test_stretched_psf_is_wider_along_x_and_keeps_its_flux():
    at = np.array([[float(MIDDLE)]])
    image = render(at, at, np.zeros(1), np.ones((1, 1)), np.array([3.0]), SIDE, TYPICAL, np.array([1.1]))[0]
    round_image = point(3.0)
    assert image.sum() == pytest.approx(round_image.sum(), rel=1e-3)
    for profile, fwhm in ((image[MIDDLE], 3.3), (image[:, MIDDLE], 3.0 / 1.1)):
        alpha = fwhm / 2 / np.sqrt(2 ** (1 / MOFFAT_BETA) - 1)
        expected = (1 + ((np.arange(SIDE) - MIDDLE) / alpha) ** 2) ** -MOFFAT_BETA
        np.testing.assert_allclose(profile / profile.max(), expected, atol=0.012)


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


def flux_by_psf(observed, row, image, channel):
    """Least-squares flux [DN] of a point source of known place and PSF on a flat background."""
    exposed = observed.exposures
    template = channel == TEMPLATE
    seeing = (exposed.template_seeing if template else exposed.seeing)[row]
    beta = (exposed.template_beta if template else exposed.beta)[[row]]
    psf = point(seeing, MIDDLE + exposed.x[row], MIDDLE + exposed.y[row], psf=moffat(beta))
    near = np.isfinite(image[..., channel]) & (RADIUS < 6)
    design = np.stack([psf[near], np.ones(near.sum())], axis=1)
    return np.linalg.lstsq(design, image[near, channel], rcond=None)[0][0]


def whole(observed, n=60):
    """Rows of kept alerts without masked pixels near the middle, and their stamps."""
    rows = np.flatnonzero(observed.alerts.kept)[:n]
    images = survey.take_stamps(observed, rows)
    clean = np.isfinite(images[:, RADIUS < 6].sum(axis=(1, 2)))
    return rows[clean], images[clean]


@pytest.fixture(scope="module", params=range(4), ids=CLASS_NAMES[:4])
def observed(request):
    return survey.observe(np.random.SeedSequence(17, spawn_key=(request.param,)), request.param, 40)


def test_difference_flux_is_the_magnitude_by_the_zero_point(observed):
    rows, images = whole(observed)
    flux = np.array([flux_by_psf(observed, row, image, DIFFERENCE) for row, image in zip(rows, images, strict=True)])
    columns = {name: observed.columns[name][rows] for name in ("magzpsci", "magpsf", "sigmapsf")}
    excess = columns["magzpsci"] - 2.5 * np.log10(np.maximum(flux, 1)) - columns["magpsf"]
    # What lifted an alert above the limit is in its pixels, too: no bias.
    assert abs(np.median(excess)) < 0.04
    # What subtraction leaves of the steady light, and trails, are not in the error.
    assert np.mean(np.abs(excess) < np.maximum(3 * columns["sigmapsf"], 0.25)) > 0.8


def test_change_is_bright_in_the_difference_and_has_its_sign_in_the_other_two(observed):
    rows, images = whole(observed)
    assert np.mean(images[:, RADIUS < 2.5, DIFFERENCE].sum(axis=1) > 0) > 0.95
    change = np.array(
        [
            flux_by_psf(observed, row, image, SCIENCE) - flux_by_psf(observed, row, image, TEMPLATE)
            for row, image in zip(rows, images, strict=True)
        ]
    )
    assert np.mean((change > 0) == (observed.columns["isdiffpos"][rows] == 1)) > 0.9


def test_template_has_no_supernova_and_no_asteroid(observed):
    if CLASS_NAMES[observed.label] not in ("SN", "asteroid"):
        assert np.all(observed.exposures.reference > 0)
        return
    assert np.all(observed.exposures.reference == 0)
    rows, _ = whole(observed)
    without = observed._replace(exposures=observed.exposures._replace(source=0 * observed.exposures.source))
    full, empty = survey.take_stamps(observed, rows), survey.take_stamps(without, rows)
    np.testing.assert_array_equal(full[..., 1], empty[..., 1])
    assert np.nanmedian(np.nanmax(full[..., 2] - empty[..., 2], axis=(1, 2))) > 10


def test_a_stamp_does_not_depend_on_the_others(observed):
    rows = np.arange(12)
    np.testing.assert_array_equal(
        survey.take_stamps(observed, rows)[[2, 7]], survey.take_stamps(observed, rows[[2, 7]])
    )


def test_masks_are_shared_by_the_three_stamps(observed):
    images = survey.take_stamps(observed, np.flatnonzero(observed.alerts.kept))
    missing = np.isnan(images)
    some = missing.any(axis=(1, 2, 3))
    assert 0.02 < some.mean() < 2.5 * MASKED_SHARE
    filled = np.abs(images[..., 1]) > 1e30
    np.testing.assert_array_equal(missing[..., 0], missing[..., 2])
    np.testing.assert_array_equal(missing[..., 0], missing[..., 1] | filled)
    assert np.mean(missing[some].mean(axis=(1, 2, 3)) > 0.5) < 0.05


def test_fields_are_crowded_near_the_plane():
    observed = survey.observe(np.random.SeedSequence(2), CLASS_NAMES.index("VS"), 64)
    blobs = np.bincount(observed.blobs.owner, minlength=64)
    latitude = np.abs(survey.sky.galactic(observed.ra, observed.dec)[1])
    assert np.median(blobs[latitude < 8]) > 3 * np.median(blobs[latitude > 40])


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
