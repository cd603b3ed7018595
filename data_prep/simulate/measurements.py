"""What the pipeline writes down about each alert: where it is, how the images are, and the candidate record."""

from typing import NamedTuple

import numpy as np

from data_prep.packets.stamps import IMAGE_SIDES_PIX
from data_prep.simulate import cadence, defects
from data_prep.simulate.blobs import MOFFAT_BETA
from data_prep.simulate.catalogue import PIXEL_ARCSEC, Neighbours, measured_neighbours, reference_source
from data_prep.simulate.detections import Alerts, Limits
from data_prep.simulate.images import BAD_BLUR, BAD_OFFSET_PIX, TYPICAL_BLUR, TYPICAL_OFFSET_PIX, Exposures
from data_prep.simulate.objects import Population
from jtss.schema import STAMP_SIDE

EDGE_PIX = STAMP_SIDE // 2
PSF_STRETCH = 0.042  # of the PSF along x against y
BETA, TEMPLATE_BETA = (MOFFAT_BETA, 0.22), (2.45, 0.16)  # the PSF's exponent: median, scatter of its logarithm
BETA_LIMITS = 2.0, 5.0
PROGRAM_SHARES = (0.98, 0.01, 0.01)  # of g and r: the public survey, the partnership, Caltech; i is the partnership's
SHARP_RESIDUAL = 0.55  # FWHM of what a bright source leaves, of that of the PSF
STAR_LIKE_SNR = 12.0  # above, SExtractor tells a star from a galaxy
SHARPEST_PIX = 1.04  # least FWHM that SExtractor gives
LATER_FOREST_JD = 2458500.0  # January 2019
SUREST_RB = 0.985
ROUGH_PIX, ROUGH_SCATTER = 0.085, 0.6  # what is left of a source under the detection moves its centroid
LEAST_SIGMA = {False: 0.018, True: 0.08}  # sigmapsf of what is bright: an artefact is no PSF


class Placement(NamedTuple):
    """Measured positions, [A] each: on the sky [deg], in the image [pix, 1-based], and minus the true one [pix]."""

    ra: np.ndarray
    dec: np.ndarray
    xpos: np.ndarray
    ypos: np.ndarray
    error_x: np.ndarray
    error_y: np.ndarray


def place(
    rng: np.random.Generator,
    alerts: Alerts,
    ra: np.ndarray,
    dec: np.ndarray,
    steady_pix: float,
    on_a_source: np.ndarray,
) -> Placement:
    """Measure the positions of alerts.

    Args:
        ra, dec: [O] true positions [deg].
        steady_pix: error of an object's place in the reference, the same in all its alerts.
        on_a_source: [O] whether the reference shows a source there.
    """
    n = len(alerts.owner)
    steady = steady_pix * np.exp(rng.normal(0, 0.7, len(ra))) * rng.standard_normal((2, len(ra)))
    rough = np.where(on_a_source, ROUGH_PIX * np.exp(rng.normal(0, ROUGH_SCATTER, len(ra))), 0)[alerts.owner]
    scatter = np.hypot(0.05 + 0.45 / alerts.snr, rough)
    error_x, error_y = steady[:, alerts.owner] + scatter * rng.standard_normal((2, n))
    ra, dec = ra[alerts.owner], dec[alerts.owner]
    return Placement(
        np.mod(ra - PIXEL_ARCSEC / 3600 * error_x / np.cos(np.radians(dec)), 360.0),
        dec + PIXEL_ARCSEC / 3600 * error_y,
        *(image_position(rng, alerts.edge, side) for side in IMAGE_SIDES_PIX),
        error_x,
        error_y,
    )


def image_position(rng: np.random.Generator, edge: np.ndarray, side: int) -> np.ndarray:
    """xpos or ypos [pix], 1-based: the whole stamp is in the image unless `edge`, where a part of it is not."""
    inside = rng.uniform(EDGE_PIX + 2, side - EDGE_PIX - 2, len(edge))
    near = rng.uniform(4, EDGE_PIX - 2, len(edge))
    at_edge = np.where(rng.random(len(edge)) < 0.5, near, side + 1 - near)
    return np.float32(np.where(edge, at_edge, inside)).astype(float)


def exposures_of(
    rng: np.random.Generator, population: Population, alerts: Alerts, artefact: np.ndarray, placement: Placement
) -> Exposures:
    """What the images of each alert need to know."""
    seen, at = population.visits, (alerts.owner, alerts.visit)
    fid, n, n_objects = seen.fid[at], len(alerts.owner), len(artefact)
    scale = 10 ** (0.4 * seen.zero_point[at])
    frames = np.where(rng.random((n_objects, 3)) < 0.65, 15, rng.integers(15, 42, (n_objects, 3)))
    reference_sky = cadence.SKY_DN * np.exp(rng.normal(-0.1, 0.2, (n_objects, 3)))
    grain = np.exp(rng.normal(-0.03, 0.1, (n_objects, 3))) * np.sqrt(
        (cadence.VARIANCE_PER_DN * reference_sky + cadence.READ_VARIANCE) / frames
    )
    typical = 10 ** (0.4 * cadence.ZERO_POINT_MAG)
    seeing = np.array([2.09, 1.99, 1.97]) * np.exp(rng.normal(0, 0.08, (n_objects, 3)))
    bad = artefact[alerts.owner] == defects.BAD_SUBTRACTION
    sharp = np.isin(artefact, (defects.COSMIC_RAY, defects.HOT_PIXELS))[alerts.owner]
    own = alerts.owner, fid - 1
    return Exposures(
        fid=fid,
        scale=scale,
        seeing=seen.seeing[at],
        source_seeing=np.where(sharp, rng.uniform(0.95, 1.6, n), seen.seeing[at]),
        template_seeing=seeing[own],
        sky=seen.sky[at],
        noise_sky=seen.noise_sky[at],
        template_noise=grain[own] * scale / typical[fid - 1],
        x=placement.xpos - np.rint(placement.xpos) - placement.error_x,
        y=placement.ypos - np.rint(placement.ypos) - placement.error_y,
        # Measured light: what lifted an alert above the limit shows in its pixels, whose own noise comes on top.
        source=population.reference[own] + alerts.change,
        reference=population.reference[own],
        sign=np.sign(alerts.change),
        stretch=np.exp(rng.normal(0, PSF_STRETCH, n)),
        template_stretch=np.exp(rng.normal(0, PSF_STRETCH, (n_objects, 3)))[own],
        beta=exponents(rng, *BETA, n),
        template_beta=exponents(rng, *TEMPLATE_BETA, (n_objects, 3))[own],
        offset_x=rng.normal(0, np.where(bad, BAD_OFFSET_PIX, TYPICAL_OFFSET_PIX)),
        offset_y=rng.normal(0, np.where(bad, BAD_OFFSET_PIX, TYPICAL_OFFSET_PIX)),
        blur=rng.normal(0, np.where(bad, BAD_BLUR, TYPICAL_BLUR)),
        match=np.exp(rng.normal(0, 0.04, n)),
        foreign=np.minimum(0.2 * np.exp(rng.normal(0, 0.5, n)), 0.7),
        subtracted=np.clip(rng.normal(0.85, 0.4, n), 0.1, 1.7),
        frames=frames[own],
    )


def exponents(rng: np.random.Generator, median: float, scatter: float, shape: int | tuple[int, ...]) -> np.ndarray:
    """Of Moffat PSFs."""
    return np.clip(median * np.exp(rng.normal(0, scatter, shape)), *BETA_LIMITS)


def columns_of(
    rng: np.random.Generator,
    population: Population,
    alerts: Alerts,
    exposures: Exposures,
    placement: Placement,
    neighbours: Neighbours,
    bogus: bool,
) -> dict[str, np.ndarray]:
    """ZTF's candidate fields, [A] float64 each, rounded as in a packet."""
    seen, at, n = population.visits, (alerts.owner, alerts.visit), len(alerts.owner)
    snr = alerts.snr
    floor = LEAST_SIGMA[bogus] * np.exp(rng.normal(0, 0.4, n))
    # Bright variables leave residuals that widen what SExtractor sees.
    messy = 0.25 * np.clip(exposures.reference / np.abs(alerts.change) / 5, 0, 1.5)
    spread = np.clip(0.10 + 0.9 / snr + messy, 0, 0.6)
    fwhm = np.minimum(1.1 * exposures.source_seeing * np.exp(spread * rng.standard_normal(n)), 12)
    fwhm = np.where(sharp_residuals(rng, population, alerts, exposures), SHARP_RESIDUAL * fwhm, fwhm)
    columns = {
        "jd": np.round(seen.jd[at], 7),
        "fid": exposures.fid,
        "ra": placement.ra,
        "dec": placement.dec,
        "xpos": placement.xpos,
        "ypos": placement.ypos,
        "isdiffpos": (alerts.change > 0) * 1.0,
        "magpsf": -2.5 * np.log10(np.abs(alerts.change)),
        "sigmapsf": 2.5 / np.log(10) * np.hypot(1 / snr, floor),
        "diffmaglim": seen.limit[at],
        "fwhm": SHARPEST_PIX + np.abs(fwhm - SHARPEST_PIX),  # no threshold that many share
        "classtar": star_likeness(rng, snr, messy),
        "ndethist": alerts.ndethist,
        "ncovhist": alerts.ncovhist,
        "magzpsci": seen.zero_point[at],
        "nframesref": exposures.frames,
        "programid": programme(rng, exposures.fid),
        "rb": real_bogus(rng, seen.jd[at], seen.limit[at], alerts, exposures.reference, bogus),
        **measured_neighbours(neighbours, alerts.owner, placement.error_x, placement.error_y),
        **reference_source(rng, neighbours, (alerts.owner, exposures.fid - 1), placement.error_x, placement.error_y),
    }
    return {name: as_in_a_packet(name, value) for name, value in columns.items()}


def star_likeness(rng: np.random.Generator, snr: np.ndarray, messy: np.ndarray) -> np.ndarray:
    """[A] SExtractor's classtar, in thousandths: 0.983 for most of what is sound, up to 1 for what is bright.

    Noise and what is left of a source make a detection less like a star. Fitted, in log odds, to labelled real alerts
    by diffmaglim - magpsf.

    Args:
        snr: [A] of the change. messy: [A] how much of a bright source lies under it, up to about 0.4.
    """
    n = len(snr)
    brightness = 0.8 + 0.5 * np.clip(2.5 * np.log10(snr / STAR_LIKE_SNR), 0, 4)
    surer = (rng.random(n) < 0.25 + 1.2 * messy) * rng.exponential(1.0, n) * brightness
    doubt = 50 / snr**2 * rng.gamma(2.0, 0.5, n) + 2.5 * messy * rng.gamma(0.4, 2.5, n)
    log_odds = 4.05 + 0.1 * rng.standard_normal(n) + surer - doubt
    return np.round(1 / (1 + np.exp(-log_odds)), 3)


def sharp_residuals(
    rng: np.random.Generator, population: Population, alerts: Alerts, exposures: Exposures
) -> np.ndarray:
    """[A] bool: small changes of bright sources look sharper than the PSF, in some objects: those of sharp residuals.

    Fitted to fwhm of nuclei and stars by magpsf - magnr: half of them at 3.0 mag.
    """
    fainter = 2.5 * np.log10(np.maximum(exposures.reference, 1e-12) / np.abs(alerts.change))
    return rng.random(len(population.ra))[alerts.owner] < 1 / (1 + np.exp((3.0 - fainter) / 0.6))


def programme(rng: np.random.Generator, fid: np.ndarray) -> np.ndarray:
    """[A] programid of exposures in the given filters."""
    return np.where(fid == cadence.I, 2, rng.choice(3, p=PROGRAM_SHARES, size=len(fid)) + 1)


def limits_of(rng: np.random.Generator, population: Population, limits: Limits) -> dict[str, np.ndarray]:
    """What a packet tells of exposures without a detection, [B] each, and the `owner` of each."""
    seen, at = population.visits, (limits.owner, limits.visit)
    fid = seen.fid[at]
    told = {"jd": np.round(seen.jd[at], 7), "fid": fid, "diffmaglim": seen.limit[at], "programid": programme(rng, fid)}
    return {"owner": limits.owner, **{name: as_in_a_packet(name, value) for name, value in told.items()}}


def real_bogus(
    rng: np.random.Generator, jd: np.ndarray, limit: np.ndarray, alerts: Alerts, reference: np.ndarray, bogus: bool
) -> np.ndarray:
    """[A] ZTF's score rb: the forest of the first year was less sure than its successors, most so of new sources.

    The later ones are less sure of what is faint, and where a bright star was subtracted; each object has its own share
    of that. Fitted to the detections of labelled objects by diffmaglim - magpsf and by magnr.

    Args:
        jd: [A] [day]. limit: [A] [mag]. reference: [A] flux of the source in the reference.
    """
    n, on_a_source = len(jd), reference > 0
    own = rng.standard_normal(alerts.owner.max() + 1)[alerts.owner]
    if bogus:
        first, later = rng.normal(0.29, 0.07, n), rng.normal(0.48, 0.17, n)
    else:
        first = rng.normal(np.where(on_a_source, 0.70, 0.59), 0.08) + 0.06 * own
        margin = limit + 2.5 * np.log10(np.abs(alerts.change))
        faint = np.where(on_a_source, 0.08 * np.exp(-margin / 0.5), 0.33 * np.exp(-margin / 0.8))
        star_mag = -2.5 * np.log10(np.maximum(reference, 1e-12))
        bright = 0.40 / (1 + np.exp((star_mag - 14.6) / 0.8))
        doubt = (0.055 + faint) * np.exp(rng.normal(0, 0.75, n)) + bright * np.exp(rng.normal(0, 0.45, n))
        later = 1 - doubt * np.exp(0.4 * own)
    score = np.where(jd < LATER_FOREST_JD, first, later)
    return np.maximum(SUREST_RB - np.abs(SUREST_RB - score), 0.05)  # no limit above that many share


def as_in_a_packet(name: str, value: np.ndarray) -> np.ndarray:
    """Round to the type that the alert schema gives the field."""
    value = np.asarray(value, float)
    return value if name in ("jd", "ra", "dec") else value.astype(np.float32).astype(float)
