"""Catalogue values of each alert: Pan-STARRS sources around it, and the nearest source in the reference image."""

from typing import NamedTuple

import numpy as np

from jtss.schema import ZTF_MISSING

PIXEL_ARCSEC = 1.01
SEARCH_RADIUS_ARCSEC = 30.0  # ZTF lists Pan-STARRS sources within this
N_NEIGHBOURS = 3
N_CANDIDATES = 6  # nearest to the nominal position; the order of three may change with the measured one
SMALLEST_RESOLVED_PIX = 0.6
LARGE_GALAXY = 0.06  # how point-like a galaxy of 2.4 pixels is
STACK_LIMIT_MAG = 22.5  # of the Pan-STARRS stack in r
NOISE_PEAKS_PER_PIX2 = 0.0022  # of the reference image that DAOPhot takes for faint sources
CENTROID_PIX = 0.08  # error of a source in the reference image, per axis


class Sources(NamedTuple):
    """Catalogue entries, flat, by owner: [S] each; `pointlike` 1 for a star, 0 for a well resolved galaxy."""

    x: np.ndarray
    y: np.ndarray
    r_mag: np.ndarray
    pointlike: np.ndarray
    owner: np.ndarray


class Neighbours(NamedTuple):
    """Nearest entries of each object: [O, 6]; infinitely far and -999 where there are fewer."""

    x: np.ndarray
    y: np.ndarray
    r_mag: np.ndarray
    pointlike: np.ndarray
    star_score: np.ndarray


def nearest(rng: np.random.Generator, lists: list[Sources], n_objects: int) -> Neighbours:
    """The catalogue entries nearest to each object, with Pan-STARRS star scores; faint ones are often missed."""
    sources = Sources(*(np.concatenate(column) for column in zip(*lists, strict=True)))
    listed = rng.random(len(sources.x)) < 1 / (1 + np.exp((sources.r_mag - STACK_LIMIT_MAG) / 0.4))
    sources = Sources(*(column[listed] for column in sources))
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
        table(sources.pointlike, 0.0),
        table(score, ZTF_MISSING),
    )


def star_score(rng: np.random.Generator, r_mag: np.ndarray, pointlike: np.ndarray) -> np.ndarray:
    """Pan-STARRS star score: sure when bright, wider when faint, and exactly 0.5 where it was not computed.

    In log odds; fitted by eye to the second and third neighbours of real alerts by magnitude.

    Tachibana & Miller 2018, PASP 130, 128001.
    """
    certainty = 0.5 + 0.5 / (1 + np.exp((r_mag - 21.3) / 0.6))
    log_odds = np.maximum(certainty * 16 * (pointlike - 0.73), -5.0) + 1.6 * rng.standard_normal(len(r_mag))
    # Large galaxies fall apart in the catalogue: many have no score, and few a sure one.
    large = pointlike < LARGE_GALAXY
    log_odds += large * 2.5
    not_scored = np.select([large | (r_mag < 14.5), r_mag < 19.5], [0.28, 0.05], 0.16)  # saturated, sound, faint
    return np.where(rng.random(len(r_mag)) < not_scored, 0.5, 1 / (1 + np.exp(-log_odds)))


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
    rng: np.random.Generator, neighbours: Neighbours, owner: np.ndarray, x: np.ndarray, y: np.ndarray
) -> dict[str, np.ndarray]:
    """DAOPhot's values of the nearest source in the reference image.

    Returns:
        distnr [arcsec], magnr [mag], chinr, sharpnr, each [M]; chinr near 0.6 and sharpnr near 0 for stars, both larger
        for galaxies: the better the galaxy is seen, the worse the PSF fits. sharpnr of faint sources scatters. magnr is
        a PSF's share of an extended source. Fitted to real alerts by magnr, for high and low star scores.
    """
    n_objects = len(neighbours.x)
    first = np.arange(n_objects), np.argmin(np.hypot(neighbours.x, neighbours.y), axis=1)
    x0, y0, r_mag, pointlike = (np.asarray(v)[first] for v in neighbours[:4])
    spurious_x, spurious_y = rng.normal(0, 1 / np.sqrt(2 * np.pi * NOISE_PEAKS_PER_PIX2), (2, n_objects))
    spurious = np.hypot(spurious_x, spurious_y) < np.hypot(x0, y0)
    x0, y0 = np.where(spurious, spurious_x, x0), np.where(spurious, spurious_y, y0)
    extended = np.clip(np.where(spurious, 0, 1 - pointlike), 0, 0.98)
    radius2 = SMALLEST_RESOLVED_PIX**2 * extended / (1 - extended)
    magnr = r_mag + 2.5 * np.log10(1 + 0.25 * radius2) + rng.normal(0, 0.03, n_objects)
    magnr = np.where(spurious, rng.normal(22.9, 0.3, n_objects), magnr)
    contrast = 10 ** (-0.4 * (np.clip(magnr, 14.5, None) - 20))
    misfit = extended**1.5 * np.exp(rng.normal(0, 0.4, n_objects))
    chi_of_stars = 0.57 + 0.25 / (1 + np.exp((19.3 - magnr) / 0.3))
    # Crowding, saturation and variability give both a wider tail than a normal distribution has.
    chi = chi_of_stars * np.exp(np.clip(0.33 * rng.standard_t(4, n_objects), -1.5, 1.8))
    chi += misfit * 2.8 * contrast / (1 + 0.3 * contrast)
    faint = 1 / (1 + np.exp((21.7 - magnr) / 0.35))
    sharp = -0.018 + 0.018 * rng.standard_t(4, n_objects) + 0.36 * misfit + faint * rng.normal(-0.22, 0.24, n_objects)
    centroid = rng.normal(0, CENTROID_PIX, (2, n_objects))
    x0, y0 = x0 + centroid[0], y0 + centroid[1]
    return {
        "distnr": PIXEL_ARCSEC * np.hypot(x0[owner] - x, y0[owner] - y),
        "magnr": magnr[owner],
        "chinr": chi[owner],
        "sharpnr": sharp[owner],
    }
