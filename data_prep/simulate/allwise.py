"""AllWISE W1 to W4 of each object's counterpart."""

import numpy as np

from data_prep.simulate.catalogue import PIXEL_ARCSEC
from data_prep.simulate.objects import Population, flux_of

STAR, DUSTY, GALAXY, NUCLEUS, BLAZAR = range(5)

# Mean and scatter of r - W1, W1 - W2, W2 - W3, W3 - W4 [mag, Vega].
COLOURS = {
    STAR: ((1.7, 0.7), (-0.02, 0.05), (0.10, 0.30), (0.3, 0.4)),
    DUSTY: ((4.0, 1.0), (0.35, 0.30), (1.2, 0.7), (1.3, 0.6)),
    GALAXY: ((2.6, 0.6), (0.15, 0.15), (2.5, 1.0), (2.2, 0.5)),
    NUCLEUS: ((3.2, 0.5), (1.00, 0.20), (2.9, 0.35), (2.5, 0.35)),
    BLAZAR: ((3.0, 0.7), (0.75, 0.25), (2.2, 0.40), (2.1, 0.35)),
}
DEPTH_MAG = np.array([17.2, 16.2, 12.4, 9.0])  # fainter sources get an upper limit near here
DETECTION_LIMIT_MAG = 17.3  # in W1


def photometry(
    rng: np.random.Generator, kind: np.ndarray, r_mag: np.ndarray, nuclear_share: np.ndarray, crowding: np.ndarray
) -> np.ndarray:
    """W1 to W4 of O sources.

    Args:
        kind: [O] STAR, DUSTY, GALAXY, NUCLEUS or BLAZAR.
        r_mag: [O] total r magnitude of the source (with its host) in the reference.
        nuclear_share: [O] share of the light from the active nucleus; the host dilutes its colours.
        crowding: [O] sources per square arcminute: confusion hides and blends.

    Returns:
        [O, 4] float32 [mag]; NaN where AllWISE has no source.

    Colours after Wright et al. 2010, AJ 140, 1868, figure 12; Stern et al. 2012 for the nuclei; Massaro et al. 2012 for
    the blazars.
    """
    n = len(kind)
    mean, scatter = np.moveaxis(np.array([COLOURS[k] for k in range(5)])[kind], 2, 0)  # [O, 4] each
    colours = mean + scatter * rng.standard_normal((n, 4))
    galaxy = np.array(COLOURS[GALAXY])[:, 0]
    # A nucleus outshines its host more in the infrared than in r.
    share = np.where(kind >= NUCLEUS, 1 - np.clip(1 - nuclear_share, 0, 1) ** 1.5, 1.0)[:, None]
    colours = share * colours + (1 - share) * (galaxy + 0.15 * rng.standard_normal((n, 4)))
    magnitudes = r_mag[:, None] - np.cumsum(colours, axis=1)
    excess = magnitudes - DEPTH_MAG
    noise = 0.02 + 0.2 * 10 ** (0.4 * np.minimum(excess, 0))
    measured = np.minimum(magnitudes, DEPTH_MAG + rng.normal(0, 0.3, (n, 4))) + noise * rng.standard_normal((n, 4))
    blended = rng.random(n) < np.clip(crowding / 250, 0, 0.4)
    measured[blended, 1] -= rng.exponential(0.1, blended.sum())
    seen = (magnitudes[:, 0] < DETECTION_LIMIT_MAG) & (rng.random(n) < 0.97 - np.clip(crowding / 300, 0, 0.35))
    return np.where(seen[:, None], measured, np.nan).astype(np.float32)


def counterparts(rng: np.random.Generator, population: Population, moving: bool, crowding: np.ndarray) -> np.ndarray:
    """[O, 4] magnitudes of what AllWISE has at the place of each object; `moving`: by chance only."""
    total = population.reference[:, 1] + population.hosts.flux[:, 1]
    if moving:
        total = np.where(rng.random(len(total)) < 0.05, flux_of(rng.normal(18, 1.5, len(total))), total)
    share = population.reference[:, 1] / np.maximum(total, 1e-30)
    r_mag = -2.5 * np.log10(np.maximum(total, 1e-16))
    return photometry(rng, population.infrared, r_mag, share, crowding)


def positions(
    rng: np.random.Generator, population: Population, ra: np.ndarray, dec: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where AllWISE has them [deg]: at the star or nucleus, else at the centre of the host; to 0.25 arcsec."""
    host = (population.reference[:, 1] == 0) * 1.0
    x, y = (PIXEL_ARCSEC * host * c + rng.normal(0, 0.25, len(ra)) for c in (population.hosts.x, population.hosts.y))
    return np.mod(ra - x / 3600 / np.cos(np.radians(dec)), 360.0), np.clip(dec + y / 3600, -90, 90)
