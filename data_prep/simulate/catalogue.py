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
BIG_GALAXY_MAG = 19.0  # brighter ones get a shape
SPIKE_MAG = 15.5  # brighter stars leave a trail along their row
NOISE_PEAKS_PER_PIX2 = 0.0022  # of the reference image that DAOPhot takes for faint sources
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
    return radius_pix**2 / (radius_pix**2 + 0.6**2)


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


def shreds(rng: np.random.Generator, hosts: Hosts) -> Sources:
    """False entries on large galaxies, whose arms and knots catalogues take for sources."""
    large = (hosts.flux[:, 1] > 0) & (hosts.radius > 2.0)
    owner = np.repeat(np.arange(len(hosts.x)), rng.poisson(np.where(large, np.minimum(0.45 * hosts.radius, 4), 0)))
    n, reach = len(owner), hosts.radius[owner]
    return Sources(
        hosts.x[owner] + rng.normal(0, 1, n) * reach,
        hosts.y[owner] + rng.normal(0, 1, n) * reach,
        -2.5 * np.log10(hosts.flux[owner, 1]) + rng.uniform(2.0, 5.0, n),
        rng.uniform(0, 0.8, n),
        owner,
    )


def nearest(rng: np.random.Generator, lists: list[Sources], n_objects: int) -> Neighbours:
    """The catalogue entries nearest to each object, with Pan-STARRS star scores; faint ones are often missed."""
    sources = Sources(*(np.concatenate(column) for column in zip(*lists, strict=True)))
    listed = rng.random(len(sources.x)) < 1 / (1 + np.exp((sources.r_mag - 23.0) / 0.25))
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
    """Pan-STARRS star score: sure when bright, near 0.5 when faint, and exactly 0.5 where it was not computed.

    Tachibana & Miller 2018, PASP 130, 128001.
    """
    certainty = 1 / (1 + np.exp((r_mag - 22.1) / 0.45))
    sure = 1 / (1 + np.exp(-12 * (pointlike - 0.62) - 1.3 * rng.standard_normal(len(r_mag))))
    score = 0.5 + (sure - 0.5) * np.sqrt(certainty)
    return np.where(rng.random(len(r_mag)) < 0.04 + 0.6 * (1 - certainty), 0.5, score)


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
        distnr [arcsec], magnr [mag], chinr, sharpnr, each [M]; chinr near 0.7 and sharpnr near 0 for stars, both larger
        for galaxies, by brightness; sharpnr of faint sources scatters.
    """
    n_objects = len(neighbours.x)
    first = np.arange(n_objects), np.argmin(np.hypot(neighbours.x, neighbours.y), axis=1)
    x0, y0, r_mag, pointlike = (np.asarray(v)[first] for v in neighbours[:4])
    spurious_x, spurious_y = rng.normal(0, 1 / np.sqrt(2 * np.pi * NOISE_PEAKS_PER_PIX2), (2, n_objects))
    spurious = np.hypot(spurious_x, spurious_y) < np.hypot(x0, y0)
    x0, y0 = np.where(spurious, spurious_x, x0), np.where(spurious, spurious_y, y0)
    r_mag = np.where(spurious, rng.normal(22.9, 0.3, n_objects), r_mag)
    extended = np.where(spurious, 0, 1 - pointlike)
    faint = 1 / (1 + np.exp((21.5 - r_mag) / 0.5))
    contrast = 10 ** (-0.2 * (np.clip(r_mag, 14.5, None) - 16))
    chi = 0.65 * np.exp(rng.normal(0, 0.38, n_objects)) * (1 + 8 * extended * contrast)
    sharp = rng.normal(-0.02, 0.03, n_objects) + extended * rng.gamma(3.0, 0.13, n_objects)
    sharp += faint * rng.normal(-0.2, 0.26, n_objects)
    magnitude = r_mag + rng.normal(0, 0.03, n_objects)
    return {
        "distnr": PIXEL_ARCSEC * np.hypot(x0[owner] - x, y0[owner] - y),
        "magnr": magnitude[owner],
        "chinr": chi[owner],
        "sharpnr": sharp[owner],
    }
