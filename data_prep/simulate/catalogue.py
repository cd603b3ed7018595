"""Catalogue values of each alert: Pan-STARRS sources around it, and the nearest source in the reference image."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate.objects import BY_FILTER
from jtss.schema import SEARCH_RADIUS_ARCSEC, ZTF_MISSING

PIXEL_ARCSEC = 1.01
N_NEIGHBOURS = 3
# Nearest to the nominal position: some of them are not listed, and their order may change with the measured position.
N_CANDIDATES = 10
SMALLEST_RESOLVED_PIX = 0.6
LARGE_GALAXY = 0.06  # how point-like a galaxy of 2.4 pixels is
TREES = 800  # of the forest that gives the star score
STACK_LIMIT_MAG = 22.5  # of the Pan-STARRS stack in r
REFERENCE_LIMIT_MAG = np.array([23.3, 23.0, 22.4])  # of the reference images in g, r, i
NOISE_PEAKS_PER_PIX2 = 0.0019  # of the reference image that DAOPhot takes for faint sources
CENTROID_PIX, CENTROID_OF_GALAXIES = 0.035, 8.0  # error in the reference image, per axis, of stars; times more


class Sources(NamedTuple):
    """What catalogues may list, flat, by owner: [S] each; `pointlike` 1 for a star, 0 for a well resolved galaxy."""

    x: np.ndarray
    y: np.ndarray
    r_mag: np.ndarray
    colour: np.ndarray  # g - r
    pointlike: np.ndarray
    owner: np.ndarray


class Neighbours(NamedTuple):
    """Nearest sources of each object: [O, 10]; infinitely far and -999 where there are fewer.

    Pan-STARRS lists most (`listed`); the reference images, which are deeper in places, have others, too.
    """

    x: np.ndarray
    y: np.ndarray
    r_mag: np.ndarray
    colour: np.ndarray
    pointlike: np.ndarray
    listed: np.ndarray
    star_score: np.ndarray


def nearest(rng: np.random.Generator, lists: list[Sources], n_objects: int) -> Neighbours:
    """The sources nearest to each object, with Pan-STARRS star scores; that catalogue often misses faint ones."""
    sources = Sources(*(np.concatenate(column) for column in zip(*lists, strict=True)))
    listed = rng.random(len(sources.x)) < 1 / (1 + np.exp((sources.r_mag - STACK_LIMIT_MAG) / 0.4))
    score = star_score(rng, sources.r_mag, sources.pointlike)
    distance = np.hypot(sources.x, sources.y)
    order = np.lexsort((distance, sources.owner))
    owner = sources.owner[order]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    keep = rank < N_CANDIDATES
    order, owner, rank = order[keep], owner[keep], rank[keep]

    def table(values: np.ndarray, missing: float) -> np.ndarray:
        filled = np.full((n_objects, N_CANDIDATES), missing)
        filled[owner, rank] = values[order]
        return filled

    return Neighbours(
        table(sources.x, np.inf),
        table(sources.y, np.inf),
        table(sources.r_mag, 99.0),
        table(sources.colour, 0.0),
        table(sources.pointlike, 0.0),
        table(listed, 0.0) > 0,
        table(score, ZTF_MISSING),
    )


def star_score(rng: np.random.Generator, r_mag: np.ndarray, pointlike: np.ndarray) -> np.ndarray:
    """Pan-STARRS star score: sure when bright, wider when faint, and exactly 0.5 where it was not computed.

    In log odds; fitted by eye to the second and third neighbours of real alerts by magnitude.

    Tachibana & Miller 2018, PASP 130, 128001.
    """
    certainty = 0.5 + 0.5 / (1 + np.exp((r_mag - 21.3) / 0.6))
    log_odds = np.maximum(certainty * 19 * (pointlike - 0.73), -5.0) + 2.3 * rng.standard_normal(len(r_mag))
    # Large galaxies fall apart in the catalogue: many have no score, and few a sure one.
    large = pointlike < LARGE_GALAXY
    log_odds += large * 1.5
    not_scored = np.select([large | (r_mag < 14.5), r_mag < 19.5], [0.3, 0.04], 0.13)  # saturated, sound, faint
    votes = np.round(TREES / (1 + np.exp(-log_odds))) / TREES  # so that what is sure is exactly 0 or 1
    return np.where(rng.random(len(r_mag)) < not_scored, 0.5, votes)


def measured_neighbours(
    neighbours: Neighbours, owner: np.ndarray, x: np.ndarray, y: np.ndarray
) -> dict[str, np.ndarray]:
    """ZTF's sgscore and distpsnr of the three nearest sources, from each detection's measured position.

    Args:
        neighbours: of each object.
        owner: [M] object of each detection.
        x, y: [M] measured minus true position [pix].

    Returns:
        sgscore1 to 3, distpsnr1 to 3 [arcsec], each [M]; -999 beyond 30 arcsec.
    """
    distance = PIXEL_ARCSEC * np.hypot(neighbours.x[owner] - x[:, None], neighbours.y[owner] - y[:, None])
    distance[~neighbours.listed[owner]] = np.inf
    order = np.argsort(distance, axis=1, kind="stable")[:, :N_NEIGHBOURS]
    distance = np.take_along_axis(distance, order, axis=1)
    score = np.take_along_axis(neighbours.star_score[owner], order, axis=1)
    near = distance <= SEARCH_RADIUS_ARCSEC
    columns = {}
    for k in range(N_NEIGHBOURS):
        columns[f"sgscore{k + 1}"] = np.where(near[:, k], score[:, k], ZTF_MISSING)
        columns[f"distpsnr{k + 1}"] = np.where(near[:, k], distance[:, k], ZTF_MISSING)
    return columns


def reference_source(
    rng: np.random.Generator, neighbours: Neighbours, alert: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray
) -> dict[str, np.ndarray]:
    """DAOPhot's values of the nearest source in the reference image of the alert's filter.

    Args:
        neighbours: of each of O objects.
        alert: ([A] object, [A] filter counted from 0) of each alert.
        x, y: [A] measured minus true position [pix].

    Returns:
        distnr [arcsec], magnr [mag], chinr, sharpnr, each [A]; see `reference_images`.
    """
    at = reference_images(rng, neighbours)
    return {
        "distnr": PIXEL_ARCSEC * np.hypot(at.x[alert] - x, at.y[alert] - y),
        "magnr": at.magnitude[alert],
        "chinr": at.chi[alert],
        "sharpnr": at.sharpness[alert],
    }


class ReferenceSources(NamedTuple):
    """The nearest source in the reference images, [O, 3] each: place [pix], magnitude, how it differs from a PSF."""

    x: np.ndarray
    y: np.ndarray
    magnitude: np.ndarray
    chi: np.ndarray
    sharpness: np.ndarray


def reference_images(rng: np.random.Generator, neighbours: Neighbours) -> ReferenceSources:
    """The nearest source in the g, r and i reference image of each object.

    What is too faint for the image is not in it, but peaks of its noise are. The magnitude is a PSF's share of an
    extended source. chi is near 0.6 and the sharpness near 0 for stars, both larger for galaxies: the better the galaxy
    is seen, the worse the PSF fits; the sharpness of faint sources scatters. Fitted to real alerts by magnr, for high
    and low star scores.
    """
    shape = (len(neighbours.x), len(BY_FILTER))
    by_filter = neighbours.r_mag[:, None] + neighbours.colour[:, None] * BY_FILTER[:, None]  # [O, 3, 10]
    resolved = np.clip(1 - neighbours.pointlike, 0, 0.98)
    radius2 = SMALLEST_RESOLVED_PIX**2 * resolved / (1 - resolved)
    by_filter += 2.5 * np.log10(1 + 0.25 * radius2)[:, None]
    distance = np.hypot(neighbours.x, neighbours.y)[:, None]
    limit = REFERENCE_LIMIT_MAG[:, None] + 0.15 * rng.standard_normal((*shape, 1))
    nearest = np.argmin(np.where(by_filter < limit, distance, np.inf), axis=2)[..., None]

    def of_nearest(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(np.broadcast_to(values, by_filter.shape), nearest, axis=2)[..., 0]

    x, y, magnitude = of_nearest(neighbours.x[:, None]), of_nearest(neighbours.y[:, None]), of_nearest(by_filter)
    peak_x, peak_y = rng.normal(0, 1 / np.sqrt(2 * np.pi * NOISE_PEAKS_PER_PIX2), (2, *shape))
    peak = (np.hypot(peak_x, peak_y) < np.hypot(x, y)) | (magnitude >= limit[..., 0])
    x, y = np.where(peak, peak_x, x), np.where(peak, peak_y, y)
    faintest = limit[..., 0] - np.abs(rng.normal(0, 0.3, shape))
    magnitude = np.where(peak, faintest, magnitude + rng.normal(0, 0.03, shape))
    extended = np.where(peak, 0, of_nearest(resolved[:, None]))
    centroid = rng.normal(0, CENTROID_PIX, (2, *shape)) * (1 + CENTROID_OF_GALAXIES * extended**2)
    return ReferenceSources(x + centroid[0], y + centroid[1], magnitude, *_shape(rng, magnitude, extended))


def _shape(rng: np.random.Generator, magnitude: np.ndarray, extended: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """chi and sharpness [O, 3]; a galaxy's misfit is its own, whatever the filter."""
    contrast = 10 ** (-0.4 * (np.clip(magnitude, 14.5, None) - 20))
    misfit = extended**1.5 * np.exp(rng.normal(0, 0.3, (len(magnitude), 1)))
    chi_of_stars = 0.57 + 0.25 / (1 + np.exp((19.3 - magnitude) / 0.3))
    # Crowding, saturation and variability give both a wider tail than a normal distribution has.
    chi = chi_of_stars * np.exp(1.8 * np.tanh(0.4 / 1.8 * rng.standard_t(4, magnitude.shape)))
    chi += misfit * 4.2 * contrast / (1 + 0.55 * contrast)
    faint = 1 / (1 + np.exp((21.7 - magnitude) / 0.35))
    scatter = 0.018 * rng.standard_t(4, magnitude.shape) + faint * rng.normal(-0.22, 0.24, magnitude.shape)
    return chi, -0.018 + scatter + 0.46 * misfit
