"""Variable stars: kinds, where they are in the Galaxy, how bright, how dimmed by dust, how they vary."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate import sky
from data_prep.simulate.cadence import Schedule
from data_prep.simulate.lightcurves import damped_random_walk, eclipses, outburst, rr_lyrae
from data_prep.simulate.objects import (
    Population,
    by_filter,
    draw_watched_jd,
    flux_of,
    no_hosts,
    of_filter,
    subclasses_of,
    whole_life,
)

BRIGHTEST_MAG = 12.6  # of stars that are seldom saturated
REFERENCE_EXPOSURES = 15  # in a row
DISC_COLOUR = 0.3  # of the change of colour of other stars: a disc in outburst is as hot as it gets
FLUX_FLOOR = 1e-3  # of the reference flux: a variable star never goes dark
DUST_MAG, DUST_SCALE_DEG = 1.5, 4.0  # mean extinction in r of a star in the plane, and how it falls with latitude
REDDENING = 2.3  # extinction in r per g - r


class Kind(NamedTuple):
    """A kind of star: its share, r magnitude and g - r with their scatter, and its place in the Galaxy.

    Attributes:
        amplitude: of the light curves below: median, scatter of its logarithm.
        disc_deg: scale of the latitudes of those in the disc.
        halo: share that is anywhere on the sky: old, or near.
        infrared: 0 bare, 1 dusty or cool; see `allwise`.
        subclass: of `schema.SUBCLASS_NAMES`, "" = none.
    """

    name: str
    share: float
    magnitude: tuple[float, float]
    colour: tuple[float, float]
    amplitude: tuple[float, float]
    disc_deg: float
    halo: float
    infrared: int
    subclass: str


KINDS = (
    Kind("RR Lyrae", 0.17, (15.8, 1.3), (0.25, 0.1), (0.6, 0.5), 14.0, 0.9, 0, "RR Lyrae"),
    Kind("eclipsing", 0.08, (14.9, 1.6), (0.65, 0.3), (0.6, 0.5), 12.0, 0.65, 0, "eclipsing"),
    Kind("contact", 0.10, (15.2, 1.4), (0.65, 0.25), (0.6, 0.5), 14.0, 0.75, 0, "eclipsing"),
    Kind("long-period", 0.17, (14.3, 1.9), (2.1, 0.6), (1.0, 0.8), 6.0, 0.2, 1, "long-period"),
    Kind("pulsating", 0.07, (14.2, 1.4), (0.5, 0.3), (0.8, 0.5), 6.0, 0.5, 0, ""),
    Kind("rotating", 0.13, (14.6, 1.2), (0.8, 0.4), (1.0, 0.4), 10.0, 0.3, 0, ""),
    Kind("young", 0.10, (15.2, 1.6), (1.1, 0.3), (0.75, 0.5), 2.5, 0.05, 1, "young star"),
    Kind("nova-like", 0.09, (16.1, 1.1), (0.15, 0.25), (1.0, 0.0), 14.0, 0.65, 0, "cataclysmic"),
    Kind("dwarf nova", 0.09, (18.5, 1.5), (0.3, 0.25), (1.0, 0.0), 14.0, 0.65, 0, "cataclysmic"),
)
DISCS = tuple(index for index, entry in enumerate(KINDS) if entry.subclass == "cataclysmic")


def variable_stars(rng: np.random.Generator, plan: Schedule, sky_name: str) -> Population:
    """RR Lyrae, eclipsing, contact, long-period, other pulsating, rotating, young and cataclysmic stars."""
    n = len(plan.begin_jd)
    kind = rng.choice(len(KINDS), p=[entry.share for entry in KINDS], size=n)
    ra, dec = places(rng, kind)
    middle, scatter = np.array([entry.magnitude for entry in KINDS])[kind].T
    colour, colour_scatter = np.array([entry.colour for entry in KINDS])[kind].T
    dust = rng.exponential(1.0, n) * DUST_MAG * np.exp(-np.abs(sky.galactic(ra, dec)[1]) / DUST_SCALE_DEG)
    magnitude = middle + scatter * rng.standard_normal(n) + dust
    magnitude = BRIGHTEST_MAG + np.abs(magnitude - BRIGHTEST_MAG)  # others take the place of those too bright
    reference = by_filter(magnitude, colour + dust / REDDENING + colour_scatter * rng.standard_normal(n))
    watched = draw_watched_jd(rng, plan, sky_name)
    seen = whole_life(rng, plan, watched)
    median, amplitude_scatter = np.array([entry.amplitude for entry in KINDS])[kind].T
    amplitude = median * np.exp(amplitude_scatter * rng.standard_normal(n))
    models = (_rr_lyrae, _eclipsing, _contact, _long_period, _pulsating, _rotating, _young, _nova_like, _dwarf_nova)
    change = np.zeros(seen.jd.shape)
    for index, (model, _) in enumerate(zip(models, KINDS, strict=True)):
        rows = np.flatnonzero(kind == index)
        if len(rows):
            change[rows] = amplitude[rows, None] * model(rng, seen.jd[rows])
    colour_effect = np.where(seen.fid == 1, 1.2, np.where(seen.fid == 2, 0.95, 0.75))
    colour_effect = np.where(np.isin(kind, DISCS)[:, None], 1 + DISC_COLOUR * (colour_effect - 1), colour_effect)
    flux = of_filter(reference, seen.fid) * np.maximum(flux_of(change * colour_effect), FLUX_FLOOR)
    dusty = np.array([entry.infrared for entry in KINDS])[kind]
    infrared = np.where(rng.random(n) < 0.04, 1, dusty)
    subclass = subclasses_of(kind, [entry.subclass for entry in KINDS])
    return Population(seen, flux, reference, no_hosts(n), watched, np.full(n, True), infrared, ra, dec, subclass)


def places(rng: np.random.Generator, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions [deg] of stars [O] by their kind."""
    ra, dec = np.empty((2, len(kind)))
    for index, entry in enumerate(KINDS):
        rows = np.flatnonzero(kind == index)
        ra[rows], dec[rows] = sky.positions(rng, len(rows), sky.stars(entry.disc_deg, entry.halo))
    return ra, dec


def _phase(rng: np.random.Generator, jd: np.ndarray, log_period: tuple[float, float]) -> np.ndarray:
    period = 10 ** rng.uniform(*log_period, len(jd))
    return np.mod(jd / period[:, None] + rng.random((len(jd), 1)), 1.0)


def _since_reference(rng: np.random.Generator, n: int, scatter: float) -> np.ndarray:
    """[n, 1] how far the mean is from what the reference image caught, of stars whose states last for months."""
    return rng.normal(0, scatter, (n, 1))


def _caught_by_reference(rng: np.random.Generator, change: np.ndarray) -> np.ndarray:
    """[n, 1] magnitude of the mean light of exposures that follow each other, as a reference image adds them up."""
    first = rng.integers(0, max(change.shape[1] - REFERENCE_EXPOSURES, 1), (len(change), 1))
    some = np.minimum(first + np.arange(REFERENCE_EXPOSURES), change.shape[1] - 1)
    return -2.5 * np.log10(np.mean(flux_of(np.take_along_axis(change, some, axis=1)), axis=1, keepdims=True))


def _rr_lyrae(rng, jd):
    return 0.85 * rr_lyrae(_phase(rng, jd, (-0.45, -0.15)), rng.uniform(0.12, 0.4, len(jd)))


def _eclipsing(rng, jd):
    n = len(jd)
    return 0.7 * eclipses(_phase(rng, jd, (-0.6, 0.6)), rng.uniform(0.03, 0.12, n), rng.uniform(0.2, 1.0, n)) - 0.08


def _contact(rng, jd):
    """Contact binaries: two nearly equal minima, no time without change."""
    return 0.35 * np.cos(4 * np.pi * _phase(rng, jd, (-0.65, 0.0)))


def _rotating(rng, jd):
    """Spotted, Be and symbiotic stars: small changes in days to months, about a mean that drifts from year to year."""
    n = len(jd)
    turns = np.exp(rng.normal(np.log(0.025), 0.7, (n, 1))) * np.sin(2 * np.pi * _phase(rng, jd, (0.0, 2.0)))
    return turns + damped_random_walk(rng, jd, np.full(n, 700.0), np.full(n, 0.05)) + _since_reference(rng, n, 0.13)


def _long_period(rng, jd):
    return 0.7 * np.sin(2 * np.pi * _phase(rng, jd, (1.8, 2.6))) + _since_reference(rng, len(jd), 0.45)


def _pulsating(rng, jd):
    return 0.25 * np.sin(2 * np.pi * _phase(rng, jd, (-1.2, 1.2)))


def _young(rng, jd):
    n = len(jd)
    walk = damped_random_walk(rng, jd, np.exp(rng.normal(np.log(25), 1.1, n)), np.full(n, 0.3))
    return walk + _since_reference(rng, n, 0.3)


def _nova_like(rng, jd):
    """Flickering of a hot disc, and states of high and low accretion: nova-like stars and polars."""
    n = len(jd)
    states = damped_random_walk(rng, jd, np.exp(rng.normal(np.log(60), 0.8, n)), np.exp(rng.normal(-1.1, 0.6, n)))
    flicker = damped_random_walk(rng, jd, np.full(n, 0.1), np.full(n, 0.12))
    return states + flicker + _since_reference(rng, n, 0.4)


def _dwarf_nova(rng, jd):
    """Outbursts of dwarf novae, one in each recurrence time, early or late in it."""
    n = len(jd)
    recurrence = 10 ** rng.uniform(1.4, 3.0, (n, 1))
    phase = (jd - jd[:, :1]) / recurrence + rng.random((n, 1))
    cycle = np.floor(phase).astype(int)
    begins = rng.uniform(0.1, 0.6, (n, cycle.max() + 1))
    since_days = (phase - cycle - np.take_along_axis(begins, cycle, axis=1)) * recurrence
    shape = outburst(since_days, rng.uniform(1, 3, n), rng.uniform(2, 12, n), rng.uniform(2, 8, n))
    change = -rng.uniform(2.0, 5.5, (n, 1)) * shape + damped_random_walk(rng, jd, np.full(n, 1.0), np.full(n, 0.1))
    return change - _caught_by_reference(rng, change)
