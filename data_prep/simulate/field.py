"""The field of each object as light: stars and galaxies around it, its host; and what catalogues list of them."""

import numpy as np

from data_prep.simulate.blobs import Blobs, galaxy, merge
from data_prep.simulate.catalogue import LARGE_GALAXY, PIXEL_ARCSEC, SMALLEST_RESOLVED_PIX, Sources
from data_prep.simulate.objects import Hosts, by_filter
from data_prep.simulate.sky import GALAXIES_PER_ARCMIN2, STAR_LIMIT_MAG, star_density

FIELD_HALF_PIX = 36.0  # a stamp's half side and some more: light from outside falls in
MAX_STARS = 110
BRIGHTEST_STAR_MAG = 11.5
STAR_SLOPE, GALAXY_SLOPE = 0.205, 0.42  # of log10 counts per magnitude
FAINTEST_LIGHT = 10 ** (-0.4 * 22.6)  # a peak of one template noise
BIG_GALAXY_MAG = 19.0  # brighter ones get a shape
SPIKE_MAG = 15.5  # brighter stars leave a trail along their row
MERGED_PIX = 1.6  # nucleus and host closer than this are one catalogue entry


def _magnitudes(rng: np.random.Generator, n: int, slope: float, brightest: float) -> np.ndarray:
    """Counts that grow by 10^slope per magnitude down to the limit."""
    return np.maximum(STAR_LIMIT_MAG + np.log10(1 - rng.random(n)) / slope, brightest)


def field(rng: np.random.Generator, gal_l: np.ndarray, gal_b: np.ndarray) -> tuple[Blobs, Sources]:
    """Unrelated stars and galaxies around each of O objects."""
    area = (2 * FIELD_HALF_PIX * PIXEL_ARCSEC / 60) ** 2
    n_stars = np.minimum(
        rng.poisson(star_density(gal_l, gal_b) * area * np.exp(rng.normal(0, 0.25, len(gal_l)))), MAX_STARS
    )
    n_galaxies = rng.poisson(GALAXIES_PER_ARCMIN2 * area * np.clip(np.abs(gal_b) / 15, 0.1, 1))
    star, other = np.repeat(np.arange(len(gal_l)), n_stars), np.repeat(np.arange(len(gal_l)), n_galaxies)
    star_mag = _magnitudes(rng, len(star), STAR_SLOPE, BRIGHTEST_STAR_MAG)
    other_mag = _magnitudes(rng, len(other), GALAXY_SLOPE, 14.0)
    star_x, star_y = rng.uniform(-FIELD_HALF_PIX, FIELD_HALF_PIX, (2, len(star)))
    other_x, other_y = rng.uniform(-FIELD_HALF_PIX, FIELD_HALF_PIX, (2, len(other)))
    radius = 2.0 * 10 ** (-0.12 * (other_mag - 18)) * np.exp(rng.normal(0, 0.35, len(other)))
    star_colour, other_colour = rng.uniform(0.3, 1.4, len(star)), rng.normal(0.8, 0.25, len(other))
    stars = Blobs(star_x, star_y, np.zeros(len(star)), by_filter(star_mag, star_colour), star)
    galaxies = _galaxies(rng, other_x, other_y, radius, other_mag, by_filter(other_mag, other_colour), other)
    light = [stars, _spikes(stars, star_mag), *galaxies]
    return _visible(merge(light)), Sources(
        np.concatenate([star_x, other_x]),
        np.concatenate([star_y, other_y]),
        np.concatenate([star_mag, other_mag]),
        np.concatenate([star_colour, other_colour]),
        np.concatenate([np.ones(len(star)), 1 - resolution(radius)]),
        np.concatenate([star, other]),
    )


def _visible(blobs: Blobs) -> Blobs:
    """Leave out what even the template cannot show."""
    bright = blobs.flux.max(axis=1) > FAINTEST_LIGHT
    return Blobs(*(column[bright] for column in blobs))


def _galaxies(rng, x, y, radius, r_mag, flux, owner) -> list[Blobs]:
    """Bright galaxies with disc and bulge, faint ones as one round blob."""
    shape = rng.uniform(0.35, 1, len(x)), rng.uniform(0, np.pi, len(x)), rng.uniform(0, 0.8, len(x))
    big = r_mag < BIG_GALAXY_MAG
    columns = [value[big] for value in (x, y, radius, *shape, flux, owner)]
    return [galaxy(*columns), Blobs(x[~big], y[~big], 0.7 * radius[~big], flux[~big], owner[~big])]


def _spikes(stars: Blobs, r_mag: np.ndarray) -> Blobs:
    """Faint trails along the rows of bright stars, 0.4 % of their light."""
    bright = r_mag < SPIKE_MAG
    reach = np.concatenate([-np.geomspace(3, 20, 7), np.geomspace(3, 20, 7)])
    share = 0.004 * np.exp(-np.abs(reach) / 9) / np.exp(-np.abs(reach) / 9).sum()
    n = int(bright.sum())
    return Blobs(
        x=(stars.x[bright][:, None] + reach).ravel(),
        y=np.repeat(stars.y[bright], len(reach)),
        sigma=np.full(n * len(reach), 0.7),
        flux=(share[:, None] * stars.flux[bright][:, None, :]).reshape(-1, 3),
        owner=np.repeat(stars.owner[bright], len(reach)),
    )


def resolution(radius_pix: np.ndarray) -> np.ndarray:
    """How resolved a galaxy is: 0 for a point, 1 for much larger than the PSF."""
    return radius_pix**2 / (radius_pix**2 + SMALLEST_RESOLVED_PIX**2)


def counterparts(reference: np.ndarray, hosts: Hosts) -> tuple[Blobs, Sources]:
    """Hosts as light, and the catalogue entries of each object itself: its star, its nucleus in its host, or its host.

    The point source's own light is not among the blobs: it changes.
    """
    n = len(reference)
    present = hosts.flux[:, 1] > 0
    rows = np.flatnonzero(present)
    light = galaxy(*(np.asarray(v)[rows] for v in (hosts.x, hosts.y, hosts.radius)), hosts.axis_ratio[rows],
                   hosts.angle[rows], hosts.bulge[rows], hosts.flux[rows], rows)  # fmt: skip
    point, galactic = reference[:, 1], hosts.flux[:, 1]
    merged = present & (np.hypot(hosts.x, hosts.y) < MERGED_PIX) & (point > 0)
    extended = resolution(hosts.radius)
    own = point > 0
    total = point + np.where(merged, galactic, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total_mag, host_mag = -2.5 * np.log10(total), -2.5 * np.log10(galactic)
        own_colour, host_colour = _colour(reference + np.where(merged[:, None], hosts.flux, 0)), _colour(hosts.flux)
        share = 1 - np.where(merged, galactic * extended / total, 0)
    alone = present & ~merged
    index, zeros = np.arange(n), np.zeros(n)
    entries = Sources(
        np.concatenate([zeros[own], hosts.x[alone]]),
        np.concatenate([zeros[own], hosts.y[alone]]),
        np.concatenate([total_mag[own], host_mag[alone]]),
        np.concatenate([own_colour[own], host_colour[alone]]),
        np.concatenate([share[own], 1 - extended[alone]]),
        np.concatenate([index[own], index[alone]]),
    )
    return light, entries


def _colour(flux: np.ndarray) -> np.ndarray:
    """g - r [mag] of [S, 3] fluxes."""
    return -2.5 * np.log10(flux[:, 0] / flux[:, 1])


def knots(rng: np.random.Generator, hosts: Hosts) -> tuple[Blobs, Sources]:
    """Clusters and arms of large galaxies: light, and what catalogues take for sources."""
    large = (hosts.flux[:, 1] > 0) & (hosts.radius > 2.0)
    owner = np.repeat(np.arange(len(hosts.x)), rng.poisson(np.where(large, np.minimum(0.6 * hosts.radius, 6), 0)))
    n, reach = len(owner), hosts.radius[owner]
    along, across = rng.normal(0, 1, (2, n)) * reach
    across *= hosts.axis_ratio[owner]
    cosine, sine = np.cos(hosts.angle[owner]), np.sin(hosts.angle[owner])
    x, y = hosts.x[owner] + along * cosine - across * sine, hosts.y[owner] + along * sine + across * cosine
    flux = hosts.flux[owner] * 10 ** (-0.4 * rng.uniform(2.5, 5.5, n))[:, None]
    light = Blobs(x, y, rng.uniform(0.2, 1.2, n), flux, owner)
    return light, Sources(x, y, -2.5 * np.log10(flux[:, 1]), _colour(flux), rng.uniform(0, LARGE_GALAXY, n), owner)


def halo_entries(rng: np.random.Generator, reference: np.ndarray) -> Sources:
    """False entries of the catalogue: what the halos and spikes of bright stars are taken for."""
    star_mag = -2.5 * np.log10(np.maximum(reference[:, 1], 1e-12))
    owner = np.repeat(np.arange(len(reference)), rng.poisson(np.clip(0.5 * (17.5 - star_mag), 0, 2)))
    n, turn = len(owner), rng.uniform(0, 2 * np.pi, len(owner))
    distance = rng.gamma(2.0, 2.2, n)
    x, y = distance * np.cos(turn), distance * np.sin(turn)
    return Sources(x, y, rng.uniform(20.0, 22.5, n), rng.uniform(0.3, 1.4, n), rng.uniform(0.3, 1.0, n), owner)
