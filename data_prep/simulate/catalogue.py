"""The field of each object: stars and galaxies around it, as light and as entries of catalogues."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate.blobs import Blobs, galaxy, merge
from data_prep.simulate.objects import Hosts, by_filter
from data_prep.simulate.sky import GALAXIES_PER_ARCMIN2, STAR_LIMIT_MAG, star_density
from jtss.schema import ZTF_MISSING

PIXEL_ARCSEC = 1.01
FIELD_HALF_PIX = 36.0  # a stamp's half side and some more: light from outside falls in
SEARCH_RADIUS_ARCSEC = 30.0  # ZTF lists Pan-STARRS sources within this
N_NEIGHBOURS = 3
N_CANDIDATES = 6  # nearest to the nominal position; the order of three may change with the measured one
MAX_STARS = 110
BRIGHTEST_STAR_MAG = 11.5
STAR_SLOPE, GALAXY_SLOPE = 0.205, 0.42  # of log10 counts per magnitude
FAINTEST_LIGHT = 10 ** (-0.4 * 22.6)  # a peak of one template noise
SMALLEST_RESOLVED_PIX = 0.6
BIG_GALAXY_MAG = 19.0  # brighter ones get a shape
SPIKE_MAG = 15.5  # brighter stars leave a trail along their row
NOISE_PEAKS_PER_PIX2 = 0.0022  # of the reference image that DAOPhot takes for faint sources
LARGE_GALAXY = 0.06  # how point-like a galaxy of 2.4 pixels is
STACK_LIMIT_MAG = 22.5  # of the Pan-STARRS stack in r
CENTROID_PIX = 0.08  # error of a source in the reference image, per axis
MERGED_PIX = 1.6  # nucleus and host closer than this are one catalogue entry


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
    stars = Blobs(star_x, star_y, np.zeros(len(star)), by_filter(star_mag, rng.uniform(0.3, 1.4, len(star))), star)
    light = [stars, _spikes(stars, star_mag), *_galaxies(rng, other_x, other_y, radius, other_mag, other)]
    return _visible(merge(light)), Sources(
        np.concatenate([star_x, other_x]),
        np.concatenate([star_y, other_y]),
        np.concatenate([star_mag, other_mag]),
        np.concatenate([np.ones(len(star)), 1 - resolution(radius)]),
        np.concatenate([star, other]),
    )


def _visible(blobs: Blobs) -> Blobs:
    """Leave out what even the template cannot show."""
    bright = blobs.flux.max(axis=1) > FAINTEST_LIGHT
    return Blobs(*(column[bright] for column in blobs))


def _galaxies(rng, x, y, radius, r_mag, owner) -> list[Blobs]:
    """Bright galaxies with disc and bulge, faint ones as one round blob."""
    flux = by_filter(r_mag, rng.normal(0.8, 0.25, len(x)))
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
        share = 1 - np.where(merged, galactic * extended / total, 0)
    alone = present & ~merged
    index, zeros = np.arange(n), np.zeros(n)
    entries = Sources(
        np.concatenate([zeros[own], hosts.x[alone]]),
        np.concatenate([zeros[own], hosts.y[alone]]),
        np.concatenate([total_mag[own], host_mag[alone]]),
        np.concatenate([share[own], 1 - extended[alone]]),
        np.concatenate([index[own], index[alone]]),
    )
    return light, entries


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
    return light, Sources(x, y, -2.5 * np.log10(flux[:, 1]), rng.uniform(0.0, 0.25, n), owner)


def halo_entries(rng: np.random.Generator, reference: np.ndarray) -> Sources:
    """False entries of the catalogue: what the halos and spikes of bright stars are taken for."""
    star_mag = -2.5 * np.log10(np.maximum(reference[:, 1], 1e-12))
    owner = np.repeat(np.arange(len(reference)), rng.poisson(np.clip(0.5 * (17.5 - star_mag), 0, 2)))
    n, turn = len(owner), rng.uniform(0, 2 * np.pi, len(owner))
    distance = rng.gamma(2.0, 2.2, n)
    x, y = distance * np.cos(turn), distance * np.sin(turn)
    return Sources(x, y, rng.uniform(20.0, 22.5, n), rng.uniform(0.3, 1.0, n), owner)


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
    chi = chi_of_stars * np.exp(np.clip(0.33 * rng.standard_t(4, n_objects), -1.5, 1.8)) + misfit * 2.8 * contrast / (
        1 + 0.3 * contrast
    )
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
