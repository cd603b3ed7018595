"""What is wrong with stamps: masked pixels, fill values, and the artefacts that become bogus alerts."""

import numpy as np

from data_prep.simulate import objects, sky
from data_prep.simulate.cadence import ZERO_POINT_MAG, Schedule
from data_prep.simulate.images import CENTRE_PIX, POINT, Shape
from jtss.schema import STAMP_SIDE

MASKED_SHARE = 0.12  # of alerts have NaN pixels, the same in the three stamps
FILL_SHARE = 0.006  # of alerts have a template filled with FILL_VALUE where the science stamp is NaN
FILL_VALUE = -3.4028235e38
BAD_SUBTRACTION, COSMIC_RAY, STREAK, HOT_PIXELS, NOISE_PEAK, GHOST = range(6)
KIND_SHARES = np.array([0.30, 0.28, 0.05, 0.15, 0.18, 0.04])
DARKER_SHARES = np.array([0.5, 0.0, 0.0, 0.5, 0.5, 0.0])  # darker than the reference; light falls on, it does not leave
# Of the artefacts that a star or the camera makes, some come back to their place, in a share of its exposures: 1.5 % of
# all that is bogus has more than one detection (TSC §IV-B).
RETURNING_SHARE, RETURNING_EXPOSURES = 0.05, 0.4
# Clouds spoil calibration and subtraction: many artefacts are of exposures through a magnitude of them.
CLOUDED_SHARE, CLOUD_FOR_ARTEFACTS_MAG, CLOUDED_ABOVE_LIMIT_MAG = 0.35, 1.0, 1.8
GHOST_STEP_PIX = 1.2  # less than the PSF, so that a sum of points is smooth


def artefacts(rng: np.random.Generator, plan: Schedule) -> tuple[objects.Population, np.ndarray]:
    """Bogus detections, and the kind of each: badly subtracted stars and things that are no stars.

    Shares are of what happens: among alerts there are fewer of what is mostly too faint. Stars and what light makes are
    dimmed by clouds; what the camera makes of itself is not, so it seems brighter; a peak of the noise is as bright as
    the noise allows.
    """
    n = len(plan.begin_jd)
    kind = rng.choice(len(KIND_SHARES), p=KIND_SHARES, size=n)
    star = kind == BAD_SUBTRACTION
    star_mag = rng.uniform(12.3, 16.5, n)
    reference = np.where(star[:, None], objects.by_filter(star_mag, rng.uniform(0.3, 1.3, n)), 0)
    magnitude = np.where(star, star_mag + rng.normal(3.2, 1.0, n), rng.normal(18.2, 1.5, n))
    population = objects.single(rng, plan, magnitude, reference, sky.stars(8.0, 0.75))
    seen = population.visits
    change = population.flux - objects.of_filter(reference, seen.fid)
    camera = np.isin(kind, (COSMIC_RAY, HOT_PIXELS))[:, None]
    change = np.where(camera, change * 10 ** (0.4 * (ZERO_POINT_MAG[seen.fid - 1] - seen.zero_point)), change)
    peak = objects.flux_of(seen.limit - rng.exponential(0.5, (n, 1))) * (change != 0)
    change = np.where((kind == NOISE_PEAK)[:, None], peak, change)
    clouded = (rng.random(n) < CLOUDED_SHARE)[:, None] & (kind != STREAK)[:, None]
    in_cloud = objects.flux_of(seen.limit - rng.exponential(CLOUDED_ABOVE_LIMIT_MAG, (n, 1))) * (change != 0)
    in_cloud *= seen.zero_point < ZERO_POINT_MAG[seen.fid - 1] - CLOUD_FOR_ARTEFACTS_MAG
    change = np.where(clouded, in_cloud, change)
    returns = np.isin(kind, (BAD_SUBTRACTION, HOT_PIXELS, GHOST)) & (rng.random(n) < RETURNING_SHARE)
    change *= ~returns[:, None] | (rng.random(change.shape) < RETURNING_EXPOSURES)
    change *= np.where(rng.random(n) < DARKER_SHARES[kind], -1, 1)[:, None]
    flux = objects.of_filter(reference, seen.fid) + change
    return population._replace(flux=flux, returns=returns), kind


def mask(stream: np.random.Generator) -> np.ndarray:
    """[63, 63] bool: boxes around saturated or bad pixels, bad columns with ragged edges, or the edge of the image."""
    bad = np.zeros((STAMP_SIDE, STAMP_SIDE), bool)
    kind = stream.random()
    if kind < 0.72:
        for _ in range(1 + stream.poisson(0.5)):
            x, y = _off_centre(stream)
            half_x, half_y = stream.integers(3, 8, 2)
            bad[max(y - half_y, 0) : y + half_y, max(x - half_x, 0) : x + half_x] = True
    elif kind < 0.88:
        x, _ = _off_centre(stream)
        for y in range(0, STAMP_SIDE, 6):
            left, right = stream.integers(2, 7, 2)
            bad[y : y + 6, max(x - left, 0) : x + right] = True
    else:
        width = stream.integers(2, 20)
        bad[:, :width] = True
        bad = np.rot90(bad, stream.integers(4))
    return bad


def _off_centre(stream: np.random.Generator) -> tuple[int, int]:
    """A pixel whose box seldom covers the source: real masks rarely do, or there would be no alert."""
    while True:
        x, y = stream.integers(0, STAMP_SIDE, 2)
        if max(abs(x - CENTRE_PIX), abs(y - CENTRE_PIX)) > 10:
            return int(x), int(y)


def apply(images: np.ndarray, stream: np.random.Generator) -> None:
    """Mask some of the images [63, 63, 3] in place."""
    draw = stream.random()
    if draw >= MASKED_SHARE + FILL_SHARE:
        return
    bad = mask(stream)
    images[bad] = np.nan
    if draw >= MASKED_SHARE:
        images[bad, 1] = FILL_VALUE


def trail(stream: np.random.Generator, length_pix: float) -> Shape:
    """A moving source: points along a line through the middle, `length_pix` long."""
    angle = stream.uniform(0, np.pi)
    along = np.linspace(-0.5, 0.5, 7) * length_pix
    return Shape(along * np.cos(angle), along * np.sin(angle), np.full(7, 1 / 7))


def streak(stream: np.random.Generator) -> Shape:
    """A satellite or an aeroplane: a line, or a chain of flashes, across the whole stamp."""
    angle = stream.uniform(0, np.pi)
    step = stream.uniform(1.0, 1.5) if stream.random() < 0.4 else stream.uniform(5, 20)
    along = np.arange(-60, 60, step)
    along -= along[np.argmin(np.abs(along))]
    return Shape(along * np.cos(angle), along * np.sin(angle), np.full(len(along), min(step / 3, 1.0)))


def ghost(stream: np.random.Generator) -> Shape:
    """A reflection of a bright star in the camera: a faint disc or ring; the alert is somewhere on it."""
    outer = stream.uniform(6, 24)
    inner = outer * stream.choice([0.0, stream.uniform(0.3, 0.7)])
    x, y = (axis.ravel() for axis in np.meshgrid(*2 * [np.arange(-outer, outer + GHOST_STEP_PIX, GHOST_STEP_PIX)]))
    distance = np.hypot(x, y)
    x, y = (axis[(distance <= outer) & (distance >= inner)] for axis in (x, y))
    here = stream.integers(len(x))
    return Shape(x - x[here], y - y[here], np.full(len(x), stream.uniform(0.025, 0.075) * GHOST_STEP_PIX**2))


def hot_pixels(stream: np.random.Generator) -> Shape:
    """A cluster of sharp points, some negative: a bad pixel that drifted between science and template."""
    n = stream.integers(2, 5)
    share = stream.choice([-1.0, 1.0], n) * stream.uniform(0.3, 1.0, n)
    return Shape(stream.integers(-2, 3, n) + 0.0, stream.integers(-2, 3, n) + 0.0, share / np.abs(share).sum())


def shape_of(stream: np.random.Generator, asteroid: bool, artefact: int | None) -> Shape:
    """The shape of the transient source; a point for everything that stays in place."""
    if asteroid and stream.random() < 0.12:
        return trail(stream, stream.uniform(1.5, 7.0))
    if artefact == STREAK:
        return streak(stream)
    if artefact == HOT_PIXELS:
        return hot_pixels(stream)
    if artefact == GHOST:
        return ghost(stream)
    return POINT
