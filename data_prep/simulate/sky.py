"""Where on the sky: positions of each kind of object, star density, and the dates of the survey."""

from collections.abc import Callable

import numpy as np

from data_prep.packets.metadata import ICRS_TO_ECLIPTIC, ICRS_TO_GALACTIC, angles, sky_frames, unit_vectors

SURVEY_START_JD = 2458190.0  # March 2018
SURVEY_END_JD = 2461200.0  # June 2026
DEC_MIN_DEG, DEC_MAX_DEG = -28.0, 86.0

STAR_LIMIT_MAG = 23.0  # densities count stars and galaxies down to here, in r
GALAXIES_PER_ARCMIN2 = 5.0


def star_density(gal_l: np.ndarray, gal_b: np.ndarray) -> np.ndarray:
    """Stars with r < 23 per square arcminute.

    Fitted by eye to the neighbours of real alerts: about 2 at the poles, 60 in the plane, more towards the bulge.
    """
    bulge = 1 + 0.4 * np.cos(np.radians(gal_l))
    return 10 ** (0.25 + 1.55 * np.exp(-np.abs(gal_b) / 21.0) * np.sqrt(bulge))


def extragalactic(rng: np.random.Generator, n: int) -> np.ndarray:
    """[n, 3] unit vectors, uniform but for the dust of the plane."""
    vectors = _uniform(rng, n)
    gal_b = angles(vectors @ ICRS_TO_GALACTIC.T)[1]
    return vectors[rng.random(n) < np.clip((np.abs(gal_b) - 5.0) / 9.0, 0, 1)]


def stars(disc_deg: float, halo: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Places in the disc of the Galaxy, whose latitudes have the scale `disc_deg`; a share `halo` anywhere."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        latitude = np.clip(rng.laplace(0, disc_deg, n), -89, 89)
        disc = unit_vectors(rng.uniform(0, 360, n), latitude) @ ICRS_TO_GALACTIC
        return np.where((rng.random(n) < halo)[:, None], _uniform(rng, n), disc)

    return draw


def solar_system(rng: np.random.Generator, n: int) -> np.ndarray:
    """[n, 3] unit vectors near the ecliptic, away from the plane of the Galaxy where ZTF finds few asteroids."""
    vectors = unit_vectors(rng.uniform(0, 360, n), rng.normal(0, 13.0, n)) @ ICRS_TO_ECLIPTIC
    gal_b = angles(vectors @ ICRS_TO_GALACTIC.T)[1]
    return vectors[rng.random(n) < np.clip(np.abs(gal_b) / 30.0, 0.1, 1)]


def positions(rng: np.random.Generator, n: int, kind) -> tuple[np.ndarray, np.ndarray]:
    """Draw n positions [deg] by `kind` (one of the functions above) within the survey's declinations."""
    kept = np.empty((0, 2))
    while len(kept) < n:
        ra, dec = angles(kind(rng, 2 * n + 16))
        kept = np.concatenate([kept, np.stack([ra, dec], axis=1)[(dec > DEC_MIN_DEG) & (dec < DEC_MAX_DEG)]])
    return kept[:n, 0], kept[:n, 1]


def galactic(ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Galactic longitude and latitude [deg]."""
    return sky_frames(ra_deg, dec_deg)[:2]


def _uniform(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.standard_normal((n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
