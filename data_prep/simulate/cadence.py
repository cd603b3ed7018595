"""When and how well an object is seen: nights, filters, and the conditions of each exposure."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate.blobs import NOISE_PIXELS_PER_FWHM2

G, R, I = 1, 2, 3  # noqa: E741  ZTF's fid

NIGHT_GAPS_DAYS = np.array([1, 2, 3, 4, 6, 9, 14, 25])
NIGHT_GAP_SHARES = np.array([0.30, 0.28, 0.24, 0.07, 0.05, 0.03, 0.02, 0.01])

# Variance of a science pixel [DN^2] = VARIANCE_PER_DN * light + READ_VARIANCE; robust fit to the rings of real stamps.
VARIANCE_PER_DN = 0.1731
READ_VARIANCE = 11.53
DIFFERENCE_NOISE = 0.985  # of the science noise

ZERO_POINT_MAG = np.array([26.2, 26.26, 25.6])  # by filter
SKY_DN = np.array([97.0, 207.0, 320.0])
SEEING_PIX = np.array([2.2, 2.0, 1.9])  # median
SEEING_SPREAD = 0.16, 0.34  # of the logarithm over nights, below and above the median: bad nights are far from it
CLOUDY_NIGHTS = 0.05
LIMIT_LOSS_MAG = 0.82  # real limits are that much brighter than white noise and a known PSF would allow
LUNAR_MONTH_DAYS = 29.53


class Visits(NamedTuple):
    """V exposures of O objects, in time order; all [O, V].

    Attributes:
        jd: [day]. fid: 1 g, 2 r, 3 i. good: False for exposures that were not made.
        zero_point: [mag]; seeing: FWHM [pix]; limit: ZTF's diffmaglim [mag].
        sky: level that the image shows [DN]. noise_sky: level that makes the noise, higher under the moon: ZTF matches
        what the image shows to the reference.
    """

    jd: np.ndarray
    fid: np.ndarray
    good: np.ndarray
    zero_point: np.ndarray
    seeing: np.ndarray
    sky: np.ndarray
    noise_sky: np.ndarray
    limit: np.ndarray


def visits(rng: np.random.Generator, start_jd: np.ndarray, n_nights: int) -> Visits:
    """Exposures of each object from `start_jd` [O] on: `n_nights` nights with up to two filters each.

    Half of the gaps are below six hours, since most nights take g and r within three hours.
    """
    n_objects = len(start_jd)
    shape = (n_objects, n_nights)
    gaps = rng.choice(NIGHT_GAPS_DAYS, p=NIGHT_GAP_SHARES, size=shape)
    night = np.floor(start_jd)[:, None] + np.cumsum(gaps, axis=1)
    hour = rng.uniform(0.62, 0.95, (n_objects, 1)) + rng.normal(0, 0.03, shape)  # Palomar's night in JD
    first = night + np.clip(hour, 0.58, 1.05)
    second = first + rng.uniform(0.012, 0.13, shape)
    leading = rng.integers(G, R + 1, shape)
    fid = np.stack([leading, 3 - leading], axis=2)
    fid[rng.random(fid.shape) < 0.02] = I
    good = rng.random(fid.shape) < 0.85
    jd = np.stack([first, second], axis=2).reshape(n_objects, -1)
    fid, good = fid.reshape(n_objects, -1), good.reshape(n_objects, -1)
    depth = np.where(rng.random(shape) < CLOUDY_NIGHTS, np.minimum(rng.exponential(1.1, shape), 4.0), 0.0)
    night_value = rng.standard_normal(shape), depth
    return _conditions(rng, jd, fid, good, *(np.repeat(value, 2, axis=1) for value in night_value))


def _conditions(rng, jd, fid, good, seeing_draw, cloud) -> Visits:
    """Seeing and clouds [mag] belong to the night, the rest to the exposure."""
    zero_point = ZERO_POINT_MAG[fid - 1] + rng.normal(0, 0.07, jd.shape) - cloud
    moon = 0.5 - 0.5 * np.cos(2 * np.pi * jd / LUNAR_MONTH_DAYS)  # 1 at full moon
    sky = SKY_DN[fid - 1] * np.exp(0.5 * (moon**3 - 0.2) + rng.normal(0, 0.3, jd.shape)) * 10 ** (-0.25 * cloud)
    # A third of the nights have 1.5 to 2 times the noise that their level explains: those around full moon.
    noise_sky = sky * (1 + 3.5 * np.clip((moon - 0.72) / 0.15, 0, 1) * rng.uniform(0.4, 1.3, jd.shape))
    spread = np.where(seeing_draw < 0, *SEEING_SPREAD)
    seeing = np.clip(SEEING_PIX[fid - 1] * np.exp(spread * seeing_draw + rng.normal(0, 0.09, jd.shape)), 1.3, 6.5)
    noise = DIFFERENCE_NOISE * np.sqrt(VARIANCE_PER_DN * noise_sky + READ_VARIANCE)
    white_limit = 5 * noise * np.sqrt(NOISE_PIXELS_PER_FWHM2) * seeing
    limit = zero_point - 2.5 * np.log10(white_limit) - LIMIT_LOSS_MAG + rng.normal(0, 0.1, jd.shape)
    return Visits(jd, fid, good, zero_point, seeing, sky, noise_sky, limit)
