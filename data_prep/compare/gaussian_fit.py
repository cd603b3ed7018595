"""A circular Gaussian fitted to many small images at once."""

from typing import NamedTuple

import numpy as np

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
ITERATIONS = 25
START_SIGMA_PIX = 1.0
LOG_SIGMA_LIMITS = (np.log(0.2), np.log(10.0))


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
    found = np.stack([np.ones(len(images)), x[brightest], y[brightest], np.full(len(images), np.log(START_SIGMA_PIX))])
    found = _iterate(found.T.astype(float), pixels, valid, x, y)
    return Gaussians(found[:, 0] * scale, found[:, 1], found[:, 2], FWHM_PER_SIGMA * np.exp(found[:, 3]))


def _iterate(found: np.ndarray, pixels: np.ndarray, valid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    damping = np.full(len(found), 1e-2)
    reach = np.abs(x).max()
    residual, slopes = _model(found, pixels, valid, x, y)
    for _ in range(ITERATIONS):
        curvature = slopes.transpose(0, 2, 1) @ slopes
        diagonal = np.einsum("kii->ki", curvature)
        diagonal *= 1 + damping[:, None]
        diagonal += 1e-9
        step = np.linalg.solve(curvature, slopes.transpose(0, 2, 1) @ residual[..., None])[..., 0]
        tried = found + step
        tried[:, 1:3] = tried[:, 1:3].clip(-reach, reach)
        tried[:, 3] = tried[:, 3].clip(*LOG_SIGMA_LIMITS)
        new_residual, new_slopes = _model(tried, pixels, valid, x, y)
        better = (new_residual**2).sum(axis=1) < (residual**2).sum(axis=1)
        found[better], residual[better], slopes[better] = tried[better], new_residual[better], new_slopes[better]
        damping = np.where(better, damping / 5, damping * 5).clip(1e-7, 1e7)
    return found


def _model(
    found: np.ndarray, pixels: np.ndarray, valid: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[K, P] image minus model, and [K, P, 4] the model's derivatives by amplitude, x, y and log sigma."""
    amplitude, centre_x, centre_y, log_sigma = found.T[:, :, None]
    inverse = np.exp(-2 * log_sigma)
    dx, dy = x - centre_x, y - centre_y
    shape = np.exp(-0.5 * (dx**2 + dy**2) * inverse) * valid
    model = amplitude * shape
    slopes = np.stack([shape, model * dx * inverse, model * dy * inverse, model * (dx**2 + dy**2) * inverse], axis=-1)
    return pixels - model, slopes
