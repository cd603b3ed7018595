"""What is planted in stamps is measured in them."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.signal import convolve2d

from data_prep.compare.stamp_statistics import FWHM_PER_SIGMA, STAMP_STATISTICS, fit_gaussians, median, stamp_statistics

SIDE, CENTRE = 63, 31
SCIENCE, TEMPLATE, DIFFERENCE = range(3)
Y, X = np.mgrid[:SIDE, :SIDE].astype(float)
LEVELS = (150.0, 148.0, 0.5)
NOISES = (6.0, 1.5, 6.5)


def empty_sky(n: int = 1, seed: int = 0) -> np.ndarray:
    """[n, 3, 63, 63] white noise over a flat background."""
    rng = np.random.default_rng(seed)
    return rng.normal(np.reshape(LEVELS, (3, 1, 1)), np.reshape(NOISES, (3, 1, 1)), (n, 3, SIDE, SIDE))


def gaussian(amplitude: float, fwhm: float, x: float = CENTRE, y: float = CENTRE) -> np.ndarray:
    return amplitude * np.exp(-0.5 * ((X - x) ** 2 + (Y - y) ** 2) * (FWHM_PER_SIGMA / fwhm) ** 2)


def moffat(amplitude: float, fwhm: float, beta: float, x: float = CENTRE, y: float = CENTRE) -> np.ndarray:
    core = fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1)
    return amplitude * (1 + ((X - x) ** 2 + (Y - y) ** 2) / core**2) ** -beta


def test_background_noise_and_a_source_are_recovered():
    images = empty_sky(4)
    images += moffat(2000.0, 2.4, 20.0, CENTRE + 0.3, CENTRE - 0.4)
    measured = stamp_statistics(images)
    for channel, level, noise in zip(("science", "template", "difference"), LEVELS, NOISES, strict=True):
        assert measured[f"background_{channel}"] == pytest.approx(level, abs=5 * 1.25 * noise / np.sqrt(3260))
        assert measured[f"noise_{channel}"] == pytest.approx(noise, rel=0.06)
        assert measured[f"fwhm_{channel}"] == pytest.approx(2.4, rel=0.03)
    assert measured["template_minus_science"] == pytest.approx(-2.0, abs=0.7)
    assert measured["noise_template_over_science"] == pytest.approx(0.25, rel=0.08)
    assert measured["sources_science"] == pytest.approx(1)
    assert measured["any_nan"].sum() == measured["any_fill"].sum() == measured["nan_share"].sum() == 0


def test_what_lies_within_15_pixels_is_no_background():
    images = empty_sky()
    measured = stamp_statistics(images + 40.0 * (np.hypot(X - CENTRE, Y - CENTRE) <= 15))
    for name, value in stamp_statistics(images).items():
        if name.startswith(("background", "noise")):
            assert measured[name] == value, name


def test_peak_is_that_of_the_central_pixels():
    images = empty_sky()
    images[0, SCIENCE, CENTRE + 3, CENTRE] = LEVELS[SCIENCE] + 600
    images[0, SCIENCE, CENTRE + 11, CENTRE] = LEVELS[SCIENCE] + 9000  # beyond the central 21 x 21
    assert stamp_statistics(images)["peak_science"] == pytest.approx(600 / 6, rel=0.05)


def test_fit_finds_the_least_squares_of_scipy():
    """Noisy Moffat sources, one with lost pixels: the same minimum by another program."""
    rng = np.random.default_rng(1)
    windows = slice(CENTRE - 4, CENTRE + 5)
    images = np.stack(
        [moffat(300.0, fwhm, 3.0, CENTRE + 0.4, CENTRE - 0.7)[windows, windows] for fwhm in (1.6, 2.4, 4)]
    )
    images += rng.normal(0, 5, images.shape)
    images[2, 5, 1:3] = np.nan
    grid_y, grid_x = np.mgrid[-4:5, -4:5].astype(float)

    def model(place, amplitude, x, y, sigma):
        return amplitude * np.exp(-0.5 * ((place[0] - x) ** 2 + (place[1] - y) ** 2) / sigma**2)

    fit = fit_gaussians(images)
    for i, image in enumerate(images):
        there = np.isfinite(image)
        best, _ = curve_fit(model, (grid_x[there], grid_y[there]), image[there], p0=(300, 0, 0, 1))
        ours = (fit.amplitude[i], fit.x[i], fit.y[i], fit.fwhm[i])
        assert ours == pytest.approx((*best[:3], abs(best[3]) * FWHM_PER_SIGMA), rel=1e-3, abs=1e-3)


def test_faint_and_displaced_sources_have_no_shape():
    images = empty_sky(2)
    images[0] += gaussian(40.0, 2.4)  # 7 sigma of the science noise, 27 of the template's
    images[1] += gaussian(4000.0, 2.4, CENTRE + 2.5)
    measured = stamp_statistics(images)
    for name in ("fwhm", "concentration"):
        assert np.isnan(measured[f"{name}_science"]).all()
        assert np.isnan(measured[f"{name}_template"]).tolist() == [False, True]
    assert np.isnan(measured["ellipticity_template"]).tolist() == [False, True]


def test_sharper_sources_are_more_concentrated():
    images = empty_sky(2) + np.stack([gaussian(5000.0, 1.8), gaussian(5000.0, 3.5)])[:, None]
    measured = stamp_statistics(images)["concentration_science"]
    in_core = [gaussian(1.0, fwhm)[np.hypot(X - CENTRE, Y - CENTRE) <= 1.5].sum() for fwhm in (1.8, 3.5)]
    in_all = [2 * np.pi * (fwhm / FWHM_PER_SIGMA) ** 2 for fwhm in (1.8, 3.5)]
    assert measured == pytest.approx(np.divide(in_core, in_all), rel=0.03)


def test_correlation_of_neighbours_knows_rows_from_columns():
    """White noise plus a times its neighbour along the row correlates as a / (1 + a^2), and stars do not disturb it."""
    a, n = -0.25, 20
    images = empty_sky(n, seed=2)
    means = np.reshape(LEVELS, (3, 1, 1))
    white = images[:, SCIENCE] - means[SCIENCE]
    images[:, SCIENCE] = means[SCIENCE] + white + a * np.roll(white, 1, axis=2)
    kernel = gaussian(1.0, 2.0)[CENTRE - 4 : CENTRE + 5, CENTRE - 4 : CENTRE + 5]
    smooth = [convolve2d(image - means[TEMPLATE], kernel, mode="same") for image in images[:, TEMPLATE]]
    images[:, TEMPLATE] = means[TEMPLATE] + smooth
    expected = np.exp(-1 / (4 * (2.0 / FWHM_PER_SIGMA) ** 2))  # of noise smoothed by a Gaussian
    images[::2] += gaussian(3000.0, 2.4, 10, 10) + gaussian(3000.0, 2.4, 50, 12)
    measured = {name: values.mean() for name, values in stamp_statistics(images).items()}
    tolerance = 4 / np.sqrt(n * 2500)
    assert measured["lag_x1_science"] == pytest.approx(a / (1 + a**2), abs=tolerance)
    assert measured["lag_y1_science"] == pytest.approx(0, abs=tolerance)
    assert measured["lag_x2_science"] == pytest.approx(0, abs=tolerance)
    assert measured["lag_x1_difference"] == pytest.approx(0, abs=tolerance)
    assert measured["lag_x1_template"] == pytest.approx(expected, abs=0.04)
    assert measured["lag_y1_template"] == pytest.approx(expected, abs=0.04)


def test_sources_are_counted_above_eight_sigma():
    images = empty_sky(2)
    places = ((8, 8), (50, 12), (31, 31), (20, 45), (55, 55))
    images[1] += sum(gaussian(1000.0, 2.2, *place) for place in places)
    images[:, SCIENCE, 40, 10] = LEVELS[SCIENCE] + 5 * NOISES[SCIENCE]
    measured = stamp_statistics(images)
    assert measured["sources_science"].tolist() == [0, 5]
    assert measured["sources_template"].tolist() == [0, 5]


def test_dipole_is_the_ratio_of_its_lobes():
    images = empty_sky()
    images[0, DIFFERENCE] += gaussian(2000.0, 2.2, CENTRE - 2.0) - gaussian(900.0, 2.2, CENTRE + 3.0)
    images[0, DIFFERENCE, 5, 5] -= 5000  # not central
    assert stamp_statistics(images)["dipole"] == pytest.approx(0.45, rel=0.05)


def test_residual_of_a_neighbour_is_relative_to_its_template():
    images = empty_sky(2)
    images[0, TEMPLATE] += gaussian(20_000.0, 2.4, 50, 10) + gaussian(90_000.0, 2.4) + gaussian(5000.0, 2.4, 10, 10)
    images[0, DIFFERENCE] += 0.05 * gaussian(20_000.0, 2.4, 50, 10)
    images[0, DIFFERENCE, 10, 52] -= 4000.0
    images[0, DIFFERENCE, 10, 10] += 7000.0  # of the fainter neighbour
    images[1, TEMPLATE] += gaussian(200.0, 2.4, 50, 10)  # too faint for the noise of the difference
    measured = stamp_statistics(images)
    light = 2 * np.pi * (2.4 / FWHM_PER_SIGMA) ** 2 * 20_000
    assert measured["neighbour_positive"][0] == pytest.approx(0.05, abs=0.002)
    assert measured["neighbour_negative"][0] == pytest.approx(0.2 - 0.05 * np.exp(-4 * 0.5 * 0.9627), abs=0.003)
    assert measured["neighbour_residual"][0] == pytest.approx(0.05 - 4000 / light, abs=0.005)
    assert all(np.isnan(measured[f"neighbour_{name}"][1]) for name in ("positive", "negative", "residual"))


def test_ellipticity_is_that_of_the_windowed_moments():
    """A Gaussian of variances a, b under a window of variance w has 1 / (1 / a + 1 / w), and b likewise."""
    a, b, w = 3.0, 1.2, 4.0
    images = empty_sky(5)
    for image, angle in zip(images, np.radians([0, 45, 90, 135]), strict=False):
        along = (X - CENTRE) * np.cos(angle) + (Y - CENTRE) * np.sin(angle)
        across = (Y - CENTRE) * np.cos(angle) - (X - CENTRE) * np.sin(angle)
        image += 30_000 * np.exp(-0.5 * (along**2 / a + across**2 / b))
    images[4] += gaussian(30_000.0, 2.4)
    wide, narrow = 1 / (1 / a + 1 / w), 1 / (1 / b + 1 / w)
    measured = stamp_statistics(images)["ellipticity_template"]
    assert measured == pytest.approx([(wide - narrow) / (wide + narrow)] * 4 + [0], abs=0.01)


def test_fills_count_as_missing():
    """A fill value and a NaN at the same place give the same numbers, but for their own shares; nothing warns."""
    images = (empty_sky(2) + gaussian(500.0, 2.4)).astype(np.float32)
    images[0, TEMPLATE, :20, :30] = np.nan
    images[1] = images[0]
    images[1, TEMPLATE, :20, :30] = -3.4028235e38
    measured = stamp_statistics(images)
    own = {"nan_share": [600 / 3 / SIDE**2, 0], "any_nan": [1, 0], "any_fill": [0, 1]}
    for name, values in measured.items():
        assert values == pytest.approx(own.get(name, [values[0]] * 2), nan_ok=True), name
    assert measured["background_template"][0] == pytest.approx(LEVELS[TEMPLATE], abs=0.3)


def test_stamps_without_light_or_noise_are_not_measured():
    images = np.stack([np.full((3, SIDE, SIDE), np.nan), np.full((3, SIDE, SIDE), 7.0)])
    measured = stamp_statistics(images)
    assert set(measured) == set(STAMP_STATISTICS)
    assert np.isnan(measured["background_science"][0])
    assert measured["background_science"][1] == 7
    for name in ("noise_science", "peak_template", "fwhm_difference", "lag_x1_science", "ellipticity_template"):
        assert np.isnan(measured[name]).all(), name


def test_numbers_do_not_depend_on_what_else_is_measured():
    images = empty_sky(3) + gaussian(800.0, 2.4)
    together = stamp_statistics(images)
    for i in range(3):
        for name, value in stamp_statistics(images[i : i + 1]).items():
            assert value[0] == pytest.approx(together[name][i], nan_ok=True, rel=1e-9), name


def test_median_passes_over_nan():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(5, 3, 40))
    values[rng.random(values.shape) < 0.4] = np.nan
    assert median(values) == pytest.approx(np.nanmedian(values, axis=-1))
