"""What can be measured in the three stamps of an alert, in DN and pixels.

The circular Gaussian is fitted by our own Levenberg–Marquardt, because it fits thousands of small images at once, where
scipy's would be called for each.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter

from jtss.schema import CHANNEL_NAMES, FILL_LIMIT, STAMP_SIDE

SCIENCE, TEMPLATE, DIFFERENCE = range(len(CHANNEL_NAMES))
CENTRE = STAMP_SIDE // 2
OFFSET_Y, OFFSET_X = np.mgrid[:STAMP_SIDE, :STAMP_SIDE] - CENTRE
RADIUS = np.hypot(OFFSET_X, OFFSET_Y)
BACKGROUND_RING = RADIUS > 15
SIGMA_PER_MAD = 1.4826
CENTRAL = slice(CENTRE - 10, CENTRE + 11)  # 21 x 21 pixels
FIT_WINDOW = slice(CENTRE - 4, CENTRE + 5)
SOURCE_SIGMA = 8.0  # a local maximum above is a source
FIT_SIGMA, FIT_OFFSET_PIX = 15.0, 1.5  # shapes are measured of central sources at least so bright and so well centred
MASK_SIGMA, MASK_GROWTH_PIX, MIN_SKY_PIXELS = 4.0, 5, 1000  # what counts as empty sky
CORE_PIX, WHOLE_PIX = 1.5, 5.0  # concentration: light within the one over light within the other
MOMENT_SIGMA_PIX = 2.0
NEIGHBOUR_MIN_PIX, NEIGHBOUR_BOX, NEIGHBOUR_SIGMA = 12.0, 3, 50.0

SHIFTS = {"lag_x1": (0, 1), "lag_y1": (1, 0), "lag_x2": (0, 2)}  # rows, columns

PER_CHANNEL = ("background", "noise", "peak", "fwhm", "concentration", *SHIFTS)
OTHERS = (
    "template_minus_science",
    "noise_difference_over_science",
    "noise_template_over_science",
    "sources_science",
    "sources_template",
    "dipole",
    "neighbour_residual",
    "neighbour_positive",
    "neighbour_negative",
    "ellipticity_template",
    "nan_share",
    "any_nan",
    "any_fill",
)
STAMP_STATISTICS = (*(f"{name}_{channel}" for name in PER_CHANNEL for channel in CHANNEL_NAMES), *OTHERS)

# the fit of a Gaussian
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
ITERATIONS = 25
START_SIGMA_PIX = 1.0
LOG_SIGMA_LIMITS = (np.log(0.2), np.log(10.0))


def stamp_statistics(images: np.ndarray) -> dict[str, np.ndarray]:
    """Measure stamps.

    Args:
        images: [N, 3, 63, 63] science, template, difference [DN]; NaN = no light, |x| > 1e30 likewise.

    Returns:
        [N] for each of STAMP_STATISTICS, NaN = cannot be measured:
        background, noise: median and 1.48 * median absolute deviation at r > 15 pix [DN].
        peak: brightest of the central 21 x 21 pixels above the background, in units of the noise.
        fwhm: of a circular Gaussian fitted to a central source [pix]; concentration: its light within 1.5 pix over that
            within 5 pix. Only where the source is above 15 noise and within 1.5 pix of the centre.
        lag_x1, lag_y1, lag_x2: correlation of pixels of empty sky 1 apart along a row or a column, 2 apart along a row.
        sources: local maxima above 8 noise.
        dipole: depth of the deepest over height of the highest pixel in the central 21 x 21 of the difference.
        neighbour_*: the brightest template source beyond 12 pix, if above 50 of the difference's noise: what is left of
            it in the difference, as sum, highest and deepest pixel of 7 x 7, over sum and peak in the template.
        ellipticity_template: of the central source, from moments under a Gaussian of sigma 2 pix.
        nan_share, any_nan, any_fill: pixels that are NaN, whether there is one, whether there is a fill value.
    """
    fills = np.abs(images) > FILL_LIMIT
    images = np.where(fills, np.nan, images.astype(float))
    lost = np.isnan(images) & ~fills
    ring = images[..., BACKGROUND_RING]
    background = median(ring)
    noise = SIGMA_PER_MAD * median(np.abs(ring - background[..., None]))
    noise = np.where(noise > 0, noise, np.nan)
    light = images - background[..., None, None]
    statistics = _of_channels(background, noise, light) | _between_channels(background, noise, light)
    statistics |= {
        "nan_share": lost.mean(axis=(1, 2, 3)),
        "any_nan": lost.any(axis=(1, 2, 3)),
        "any_fill": fills.any(axis=(1, 2, 3)),
    }
    return {name: statistics[name].astype(float) for name in STAMP_STATISTICS}


def _of_channels(background: np.ndarray, noise: np.ndarray, light: np.ndarray) -> dict[str, np.ndarray]:
    """What is measured within a channel; `background`, `noise` [N, 3], `light` [N, 3, 63, 63] above background."""
    signal = light / noise[..., None, None]
    fwhm = _fwhm(signal)
    bright = np.isfinite(fwhm)
    measured = {
        "background": background,
        "noise": noise,
        "peak": _extreme(np.fmax, signal[..., CENTRAL, CENTRAL]),
        "fwhm": fwhm,
        "concentration": np.where(bright, _sum(light, RADIUS <= CORE_PIX) / _sum(light, RADIUS <= WHOLE_PIX), np.nan),
    } | _neighbour_correlations(light, signal)
    channels = list(enumerate(CHANNEL_NAMES))
    return {f"{name}_{channel}": v[:, i] for name, v in measured.items() for i, channel in channels} | {
        "sources_science": _sources(signal[:, SCIENCE]),
        "sources_template": _sources(signal[:, TEMPLATE]),
        "dipole": _dipole(light[:, DIFFERENCE]),
        "ellipticity_template": np.where(bright[:, TEMPLATE], _ellipticity(light[:, TEMPLATE]), np.nan),
    }


def _between_channels(background: np.ndarray, noise: np.ndarray, light: np.ndarray) -> dict[str, np.ndarray]:
    """How channels compare; arguments as above."""
    return {
        "template_minus_science": background[:, TEMPLATE] - background[:, SCIENCE],
        "noise_difference_over_science": noise[:, DIFFERENCE] / noise[:, SCIENCE],
        "noise_template_over_science": noise[:, TEMPLATE] / noise[:, SCIENCE],
    } | _neighbour(light[:, TEMPLATE], light[:, DIFFERENCE], noise[:, DIFFERENCE])


def median(values: np.ndarray) -> np.ndarray:
    """Median along the last axis without the NaN; NaN where nothing else is left."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(values).sum(axis=-1)[..., None]
    middle = [np.take_along_axis(ordered, index, axis=-1)[..., 0] for index in ((count - 1) // 2, count // 2)]
    return (middle[0] + middle[1]) / 2


def _extreme(pick: np.ufunc, images: np.ndarray) -> np.ndarray:
    """fmin or fmax over the pixels; NaN only where all are."""
    return pick.reduce(images.reshape(*images.shape[:-2], -1), axis=-1)


def _sum(light: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Sum of the light in a region; NaN where it is not all there, or not positive."""
    total = light[..., region].sum(axis=-1)
    return np.where(total > 0, total, np.nan)


def _fwhm(signal: np.ndarray) -> np.ndarray:
    """[N, 3] FWHM, NaN where there is no bright central source."""
    windows = signal[..., FIT_WINDOW, FIT_WINDOW]
    fwhm = np.full(signal.shape[:2], np.nan)
    chosen = _extreme(np.fmax, windows) > FIT_SIGMA
    if chosen.any():
        fit = fit_gaussians(windows[chosen])
        good = (fit.amplitude > FIT_SIGMA) & (np.hypot(fit.x, fit.y) < FIT_OFFSET_PIX)
        fwhm[chosen] = np.where(good, fit.fwhm, np.nan)
    return fwhm


def _neighbour_correlations(light: np.ndarray, signal: np.ndarray) -> dict[str, np.ndarray]:
    """[N, 3] each: mean product of empty-sky pixels a shift apart, over their mean square."""
    bright = np.nan_to_num(np.abs(signal), nan=np.inf).max(axis=1) > MASK_SIGMA
    sky = ~maximum_filter(bright, (1, MASK_GROWTH_PIX, MASK_GROWTH_PIX)) & BACKGROUND_RING
    sky &= (sky.sum(axis=(1, 2)) >= MIN_SKY_PIXELS)[:, None, None]
    level = np.where(sky[:, None], light, 0)
    level -= np.where(sky[:, None], _mean(level, sky)[..., None, None], 0)
    variance = _mean(level**2, sky)
    variance = np.where(variance > 0, variance, np.nan)
    correlations = {}
    for name, (rows, columns) in SHIFTS.items():
        ends = (slice(rows, None), slice(columns, None)), (slice(STAMP_SIDE - rows), slice(STAMP_SIDE - columns))
        product, both = (np.multiply(*(array[..., *end] for end in ends)) for array in (level, sky))
        correlations[name] = _mean(product, both) / variance
    return correlations


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """[N, 3] mean over the pixels of [N, H, W] `where`; `values` are 0 elsewhere."""
    return values.sum(axis=(2, 3)) / np.maximum(where.sum(axis=(1, 2)), 1)[:, None]


def _sources(signal: np.ndarray) -> np.ndarray:
    filled = np.nan_to_num(signal, nan=-np.inf)
    return ((filled > SOURCE_SIGMA) & (maximum_filter(filled, (1, 3, 3)) == filled)).sum(axis=(1, 2))


def _dipole(difference: np.ndarray) -> np.ndarray:
    central = difference[:, CENTRAL, CENTRAL]
    lowest, highest = _extreme(np.fmin, central), _extreme(np.fmax, central)
    return -lowest / np.where(highest > 0, highest, np.nan)


def _ellipticity(template: np.ndarray) -> np.ndarray:
    weight = np.where(RADIUS <= WHOLE_PIX, np.exp(-0.5 * (RADIUS / MOMENT_SIGMA_PIX) ** 2), 0)
    weighted = np.where(weight > 0, template * weight, 0)
    total = weighted.sum(axis=(1, 2))
    total = np.where(total > 0, total, np.nan)
    x, y, xx, yy, xy = (
        (weighted * moment).sum(axis=(1, 2)) / total
        for moment in (OFFSET_X, OFFSET_Y, OFFSET_X**2, OFFSET_Y**2, OFFSET_X * OFFSET_Y)
    )
    xx, yy, xy = xx - x**2, yy - y**2, xy - x * y
    size = np.where(xx + yy > 0, xx + yy, np.nan)
    return np.hypot(xx - yy, 2 * xy) / size


def _neighbour(template: np.ndarray, difference: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
    margin = NEIGHBOUR_BOX
    inside = np.maximum(np.abs(OFFSET_X), np.abs(OFFSET_Y)) <= CENTRE - margin
    candidates = np.where(inside & (RADIUS > NEIGHBOUR_MIN_PIX), template, -np.inf)
    candidates = np.nan_to_num(candidates, nan=-np.inf).reshape(len(template), -1)
    peak = candidates.max(axis=1)
    row, column = np.unravel_index(candidates.argmax(axis=1), RADIUS.shape)
    box = np.arange(-margin, margin + 1)
    pixels = (np.arange(len(template))[:, None, None], row[:, None, None] + box[:, None], column[:, None, None] + box)
    good = np.isfinite(peak) & (peak > NEIGHBOUR_SIGMA * noise)
    pixels = tuple(index.clip(0, STAMP_SIDE - 1) if axis else index for axis, index in enumerate(pixels))
    before, left = template[pixels], difference[pixels]
    scale, total = np.where(good, peak, np.nan), np.where(good, before.sum(axis=(1, 2)), np.nan)
    return {
        "neighbour_residual": left.sum(axis=(1, 2)) / np.where(total > 0, total, np.nan),
        "neighbour_positive": _extreme(np.fmax, left) / scale,
        "neighbour_negative": -_extreme(np.fmin, left) / scale,
    }


class Gaussians(NamedTuple):
    """[K] each: amplitude in the unit of the image; centre relative to the middle pixel and FWHM [pix]."""

    amplitude: np.ndarray
    x: np.ndarray
    y: np.ndarray
    fwhm: np.ndarray


def fit_gaussians(images: np.ndarray) -> Gaussians:
    """Least-squares fit of amplitude * exp(-r^2 / 2 sigma^2) by Levenberg and Marquardt's method.

    Args:
        images: [K, S, S] with S odd, background subtracted, with a positive pixel each; NaN pixels are left out.
    """
    size = images.shape[-1]
    grid = np.arange(size) - size // 2
    x, y = np.tile(grid, size), np.repeat(grid, size)
    pixels = images.reshape(len(images), -1).astype(float)
    valid = np.isfinite(pixels)
    pixels = np.where(valid, pixels, 0)
    brightest = pixels.argmax(axis=1)
    scale = pixels.max(axis=1)
    pixels = pixels / scale[:, None]
    start = [np.ones(len(images)), x[brightest], y[brightest], np.full(len(images), np.log(START_SIGMA_PIX))]
    parameters = _iterate(np.stack(start, axis=-1).astype(float), pixels, valid, x, y)
    amplitude, centre_x, centre_y, log_sigma = parameters.T
    return Gaussians(amplitude * scale, centre_x, centre_y, FWHM_PER_SIGMA * np.exp(log_sigma))


def _iterate(parameters: np.ndarray, pixels: np.ndarray, valid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    damping = np.full(len(parameters), 1e-2)
    reach = np.abs(x).max()
    residual, slopes = _model(parameters, pixels, valid, x, y)
    for _ in range(ITERATIONS):
        curvature = slopes.transpose(0, 2, 1) @ slopes
        diagonal = np.einsum("kii->ki", curvature)
        diagonal *= 1 + damping[:, None]
        diagonal += 1e-9
        step = np.linalg.solve(curvature, slopes.transpose(0, 2, 1) @ residual[..., None])[..., 0]
        tried = parameters + step
        tried[:, 1:3] = tried[:, 1:3].clip(-reach, reach)
        tried[:, 3] = tried[:, 3].clip(*LOG_SIGMA_LIMITS)
        new_residual, new_slopes = _model(tried, pixels, valid, x, y)
        better = (new_residual**2).sum(axis=1) < (residual**2).sum(axis=1)
        parameters[better], residual[better], slopes[better] = tried[better], new_residual[better], new_slopes[better]
        damping = np.where(better, damping / 5, damping * 5).clip(1e-7, 1e7)
    return parameters


def _model(
    parameters: np.ndarray, pixels: np.ndarray, valid: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[K, P] image minus model, and [K, P, 4] the model's derivatives by amplitude, x, y and log sigma."""
    amplitude, centre_x, centre_y, log_sigma = parameters.T[:, :, None]
    inverse = np.exp(-2 * log_sigma)
    dx, dy = x - centre_x, y - centre_y
    shape = np.exp(-0.5 * (dx**2 + dy**2) * inverse) * valid
    model = amplitude * shape
    slopes = np.stack([shape, model * dx * inverse, model * dy * inverse, model * (dx**2 + dy**2) * inverse], axis=-1)
    return pixels - model, slopes
