"""Populations: where objects are, what they are made of and how bright at each exposure; nuclei, supernovae, asteroids.

Variable stars are in `stars`, artefacts in `defects`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_prep.simulate import sky
from data_prep.simulate.cadence import Schedule, Visits, visits
from data_prep.simulate.lightcurves import damped_random_walk, supernova
from jtss.schema import NO_SUBCLASS, TOLD_DAYS, subclass_code

AT_ANY_AGE = 0.5  # of what happens once
FOLLOWED_DAYS = 400.0  # after the broker begins to watch; five alerts take less
BULGE_SIZE = 0.45  # mean distance from the centre of a supernova in the bulge, in effective radii of the galaxy
SKIES = ("paper", "any", "mixed")
BY_FILTER = np.array([1.0, 0.0, -0.35])  # magnitude = r + colour * BY_FILTER, colour = g - r


class Hosts(NamedTuple):
    """Galaxy around or beside each object, all [O] but flux [O, 3]; a hostless object has flux 0."""

    flux: np.ndarray
    x: np.ndarray  # centre minus source [pix]
    y: np.ndarray
    radius: np.ndarray  # effective, of the whole [pix]
    axis_ratio: np.ndarray
    angle: np.ndarray
    bulge: np.ndarray


class Population(NamedTuple):
    """O objects of one class, seen V times.

    Attributes:
        visits: [O, V] exposures.
        flux: [O, V] flux of the point source, in units of magnitude 0.
        reference: [O, 3] its flux in the g, r, i reference images.
        hosts: galaxies.
        watched_jd: [O] when the broker begins to watch; what fires earlier is history. -inf: from the beginning.
        returns: [O] whether it is seen again at the same place; asteroids and most artefacts are not.
        ra, dec: [O] [deg].
        infrared: [O] 0 star, 1 dusty or cool star, 2 galaxy, 3 active nucleus, 4 blazar.
        subclass: [O] int8; index into `schema.SUBCLASSES`, -1 = none.
    """

    visits: Visits
    flux: np.ndarray
    reference: np.ndarray
    hosts: Hosts
    watched_jd: np.ndarray
    returns: np.ndarray
    infrared: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    subclass: np.ndarray


def flux_of(magnitude: np.ndarray) -> np.ndarray:
    """Flux in units of magnitude 0."""
    return 10.0 ** (-0.4 * magnitude)


def by_filter(r_mag: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """[O, 3] flux in g, r, i of sources with r magnitude and g - r colour."""
    return flux_of(r_mag[:, None] + colour[:, None] * BY_FILTER)


def of_filter(by_fid: np.ndarray, fid: np.ndarray) -> np.ndarray:
    """[O, V] the entry of [O, 3] that belongs to each exposure's filter."""
    return np.take_along_axis(by_fid, fid - 1, axis=1)


def hosts(rng: np.random.Generator, r_mag: np.ndarray, scale: float, bulge: np.ndarray) -> Hosts:
    """Galaxies centred on their objects; radius [pix] about `scale` at r = 18, smaller when fainter."""
    n = len(r_mag)
    radius = scale * 10 ** (-0.13 * (r_mag - 18)) * np.exp(rng.normal(0, 0.35, n))
    return Hosts(
        flux=by_filter(r_mag, rng.normal(0.6, 0.25, n)),
        x=np.zeros(n),
        y=np.zeros(n),
        radius=np.clip(radius, 0.4, 16.0),
        axis_ratio=rng.uniform(0.35, 1.0, n),
        angle=rng.uniform(0, np.pi, n),
        bulge=bulge,
    )


def no_hosts(n: int) -> Hosts:
    zeros = np.zeros(n)
    return Hosts(np.zeros((n, 3)), zeros, zeros, zeros + 1.0, zeros + 1.0, zeros, zeros)


def draw_watched_jd(rng: np.random.Generator, plan: Schedule, sky_name: str) -> np.ndarray:
    """[O] JD when the broker begins to watch: before the first alert on the paper's sky, at any time on any.

    What it meets first is then any one of the alerts that follow; see `detections.fired`.

    FIDELITY, The sky.
    """
    n = len(plan.begin_jd)
    late = rng.uniform(plan.begin_jd, sky.SURVEY_END_JD - TOLD_DAYS)
    from_the_first = {"paper": 1.0, "any": 0.0, "mixed": 0.5}[sky_name]
    return np.where(rng.random(n) < from_the_first, -np.inf, late)


def _at_any_age(rng: np.random.Generator, begin: np.ndarray, end: np.ndarray | float) -> np.ndarray:
    """[O] when something happens that happens once: half at any time, half at any age of its field, in logarithm.

    Otherwise hardly any would be met in the first nights of a survey, and ncovhist would tell it from what always
    shines.
    """
    share, length = rng.random(len(begin)), end - begin
    return begin + np.where(rng.random(len(begin)) < AT_ANY_AGE, length**share - 1, share * length)


def whole_life(rng: np.random.Generator, plan: Schedule, watched_jd: np.ndarray) -> Visits:
    """What shines always is followed from the first exposure of its place, so that its counts are counted."""
    end = np.where(np.isfinite(watched_jd), watched_jd + FOLLOWED_DAYS, np.inf)
    return visits(rng, plan, plan.begin_jd, end)


def subclasses_of(kind: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """[O] int8: the subclasses of objects of the given kinds [O], "" = none."""
    return np.array([subclass_code(name) for name in names], np.int8)[kind]


NUCLEI = (("Seyfert", 0.12), ("quasar", 0.43), ("blazar", 0.45))  # kind, share
RELAXATION_DAYS = 250.0, 500.0, 250.0  # of their damped random walks, in the observer's frame


def agn(rng: np.random.Generator, plan: Schedule, sky_name: str) -> Population:
    """Seyferts (host brighter than nucleus), quasars and blazars; damped random walks.

    Times as in MacLeod et al. 2010, ApJ 721, 1014, of the observer; amplitudes above theirs, as of nuclei that make
    alerts; blazars vary twice as much and twice as fast. So they change by a tenth of a magnitude in three weeks, as
    real ones do in the 30 days that packets tell. The reference was taken years away, in another state, when many were
    brighter: so nuclei fire in most of their exposures, half of them negative.
    """
    n = len(plan.begin_jd)
    kind = rng.choice(len(NUCLEI), p=[share for _, share in NUCLEI], size=n)
    nucleus = np.choose(kind, [rng.normal(18.1, 0.9, n), rng.normal(18.5, 0.9, n), rng.normal(17.7, 1.2, n)])
    nucleus = np.clip(nucleus, 14.5, 21.3)
    host_mag = nucleus + np.choose(kind, [rng.normal(-0.2, 0.9, n), rng.normal(3.9, 0.9, n), rng.normal(3.3, 1.0, n)])
    host = hosts(rng, host_mag, 3.0, rng.uniform(0.1, 0.8, n))
    watched = draw_watched_jd(rng, plan, sky_name)
    seen = whole_life(rng, plan, watched)
    tau = np.exp(rng.normal(np.log(np.array(RELAXATION_DAYS)[kind]), 0.8))
    sigma = np.exp(rng.normal(np.log(0.17), 0.45, n)) * np.where(kind == 2, 2.2, 1)
    reference = by_filter(nucleus, rng.normal(0.45, 0.22, n))
    since_reference = rng.normal(0.6, 1.8, n) * sigma  # the reference caught another state
    change = damped_random_walk(rng, seen.jd, tau, sigma) + since_reference[:, None]
    flux = of_filter(reference, seen.fid) * flux_of(change * np.where(seen.fid == 1, 1.06, 1.0))  # bluer when brighter
    place = sky.positions(rng, n, sky.extragalactic)
    subclass = subclasses_of(kind, [name for name, _ in NUCLEI])
    return Population(seen, flux, reference, host, watched, np.full(n, True), 3 + (kind == 2), *place, subclass)


# Type, share, peak magnitude, scatter, rise, plateau, fall [day], colour at peak, reddening [mag/day].
SUPERNOVAE = (
    ("Ia", 0.62, -19.2, 0.35, 17.0, 0.0, 20.0, 0.05, 0.022),
    ("II", 0.20, -17.0, 0.9, 9.0, 60.0, 22.0, 0.15, 0.012),
    ("IIn", 0.04, -18.8, 0.9, 20.0, 0.0, 80.0, 0.15, 0.004),
    ("Ibc", 0.09, -17.5, 0.7, 15.0, 0.0, 17.0, 0.45, 0.022),
    ("SLSN", 0.05, -21.2, 0.4, 35.0, 0.0, 45.0, -0.05, 0.010),
)
# In dwarf galaxies, below 10^9 solar masses: a third of those of massive stars, Taggart & Perley 2021, MNRAS 503, 3931.
DWARF_SHARES = np.array([0.12, 0.33, 0.33, 0.33, 0.8])
HOST_MAG, DWARF_MAG = (-20.6, 1.3), (-17.0, 1.4)  # absolute, in r: mean and scatter


def supernovae(rng: np.random.Generator, plan: Schedule, sky_name: str) -> Population:
    """Supernovae Ia, II, IIn, Ibc and superluminous; hosts by luminosity, places by the light of the host."""
    n = len(plan.begin_jd)
    kind = rng.choice(len(SUPERNOVAE), p=[row[1] for row in SUPERNOVAE], size=n)
    absolute, scatter, rise, plateau, fall, colour, reddening = np.array([row[2:] for row in SUPERNOVAE])[kind].T
    peak = 19.1 - rng.exponential(0.9, n) + rng.normal(0, 0.3, n)  # apparent, r: what spectrographs can classify
    absolute = absolute + scatter * rng.standard_normal(n)
    redshift = 10 ** (0.2 * (peak - absolute + 5)) / 4.3e9  # 70 km/s/Mpc, Hubble's law: below z = 0.3 for most
    stretch = (1 + redshift) * np.exp(rng.normal(0, 0.12, n))
    distance_modulus = peak - absolute
    dwarf = rng.random(n) < DWARF_SHARES[kind]
    host_mag = np.where(dwarf, rng.normal(*DWARF_MAG, n), rng.normal(*HOST_MAG, n)) + distance_modulus
    host = hosts(rng, np.clip(host_mag, 12.5, 24.5), 3.2, np.where(rng.random(n) < 0.3, 0.7, 0.15))
    host = _offset(rng, host)
    rise, plateau, fall = rise * stretch, plateau * stretch, fall * stretch
    explosion = _at_any_age(rng, plan.begin_jd, sky.SURVEY_END_JD - TOLD_DAYS) - rise
    watched = np.where(np.isfinite(draw_watched_jd(rng, plan, sky_name)), explosion, -np.inf)
    seen = visits(rng, plan, explosion - 2 * TOLD_DAYS, explosion + FOLLOWED_DAYS)
    days = seen.jd - (explosion + rise)[:, None]
    shape = supernova(days, rise, plateau, fall)
    reddened = colour[:, None] + reddening[:, None] * np.clip(days, -10, 40) / stretch[:, None]
    magnitude = peak[:, None] + (reddened + rng.normal(0, 0.1, (n, 1))) * BY_FILTER[seen.fid - 1]
    place = sky.positions(rng, n, sky.extragalactic)
    flux, subclass = shape * flux_of(magnitude), subclasses_of(kind, [_subclass(row[0]) for row in SUPERNOVAE])
    returns, galaxy = np.full(n, True), np.full(n, 2)
    return Population(seen, flux, np.zeros((n, 3)), host, watched, returns, galaxy, *place, subclass)


def _subclass(supernova_type: str) -> str:
    return "SN Ia" if supernova_type == "Ia" else "other SN"


def _offset(rng: np.random.Generator, host: Hosts) -> Hosts:
    """Move each host so that the source sits where its light is: in the disc, seen at its inclination, or the bulge."""
    n = len(host.x)
    in_disc = rng.gamma(2.0, size=n) / 1.678 * np.exp(rng.normal(0, 0.2, n))
    in_bulge = BULGE_SIZE * rng.exponential(1.0, n)  # steep towards the centre, as a de Vaucouleurs profile
    distance = np.where(rng.random(n) < host.bulge, in_bulge, in_disc) * host.radius
    turn = rng.uniform(0, 2 * np.pi, n)
    along, across = distance * np.cos(turn), distance * np.sin(turn) * host.axis_ratio
    x = along * np.cos(host.angle) - across * np.sin(host.angle)
    y = along * np.sin(host.angle) + across * np.cos(host.angle)
    return host._replace(x=x, y=y)


def single(
    rng: np.random.Generator,
    plan: Schedule,
    magnitude: np.ndarray,
    reference: np.ndarray,
    kind_of_sky,
) -> Population:
    """Something of the given r magnitude [O], above `reference` [O, 3], that is there from some exposure on.

    Asteroids and artefacts: only the first exposure that shows them becomes an alert, with one right after it.
    """
    n = len(plan.begin_jd)
    exposures = np.maximum(plan.taken.sum(axis=1), 1)
    number = np.floor(_at_any_age(rng, np.zeros(n), exposures)).astype(int)
    appears = plan.jd[np.arange(n), np.minimum(number, exposures - 1)]
    seen = visits(rng, plan, appears - 2 * TOLD_DAYS, appears + 6 * TOLD_DAYS)
    there = (seen.jd >= appears[:, None])[..., None]
    above = np.where(there, by_filter(magnitude, np.full(n, 0.5))[:, None], 0)
    flux = of_filter(reference, seen.fid) + np.take_along_axis(above, seen.fid[..., None] - 1, axis=2)[..., 0]
    place = sky.positions(rng, n, kind_of_sky)
    never, no, none = np.full(n, -np.inf), np.zeros(n, bool), np.full(n, NO_SUBCLASS, np.int8)
    return Population(seen, flux, reference, no_hosts(n), never, no, np.zeros(n, int), *place, none)


def asteroids(rng: np.random.Generator, plan: Schedule, sky_name: str) -> Population:
    """Asteroids: nothing in the reference; each passes once, on whatever sky."""
    n = len(plan.begin_jd)
    return single(rng, plan, 20.2 - rng.exponential(1.25, n), np.zeros((n, 3)), sky.solar_system)
