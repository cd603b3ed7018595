"""Chunks of simulated objects: populations watched by the survey, with everything an alert packet holds."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate import allwise, cadence, catalogue, defects, field, objects, sky, stars
from data_prep.simulate.blobs import Blobs, merge
from data_prep.simulate.detections import Alerts, Limits, fired
from data_prep.simulate.images import Exposures, stamps, template_grain
from data_prep.simulate.measurements import columns_of, exposures_of, limits_of, place
from data_prep.simulate.objects import Hosts, Population
from jtss.schema import CLASS_NAMES, STAMP_SIDE

AGN, SN, VS, ASTEROID, BOGUS = range(len(CLASS_NAMES))
MOVING_OR_UNREAL = (ASTEROID, BOGUS)
OVERSAMPLING = 1.5  # candidates per object wanted: many are too faint to fire
# Streams of random numbers: one for the catalogue values of a chunk, and one each for what is seen in the images.
CATALOGUE_STREAM, SHAPE_STREAM, TEMPLATE_STREAM, EXPOSURE_STREAM = range(4)


class Observed(NamedTuple):
    """O objects of one class and their A detections, without pixels.

    Attributes:
        seed: of the chunk. label: index into CLASS_NAMES.
        alerts: [A]; exposures: [A]; columns: ZTF's candidate fields, [A] float64 as a packet would give them back.
        limits: of the exposures without a detection, their jd, fid, diffmaglim and programid by name, and their owner.
        blobs: constant light of all objects, by owner.
        artefact: [O] kind of bogus, -1 for real objects.
        subclass: [O] int8; index into `schema.SUBCLASSES`, -1 = none.
        ra, dec: [O] true positions [deg].
        infrared: [O, 4] AllWISE magnitudes; infrared_ra, infrared_dec: [O] of that source [deg].
    """

    seed: np.random.SeedSequence
    label: int
    alerts: Alerts
    exposures: Exposures
    columns: dict[str, np.ndarray]
    limits: dict[str, np.ndarray]
    blobs: Blobs
    artefact: np.ndarray
    subclass: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    infrared: np.ndarray
    infrared_ra: np.ndarray
    infrared_dec: np.ndarray


def stream(seed: np.random.SeedSequence, *place: int) -> np.random.Generator:
    """The random numbers of one place in a chunk: they depend on the chunk and the place, not on what was drawn before.

    Philox counts: each place (up to three numbers) starts at a counter of its own, 2^64 draws from the next.
    """
    counter = np.zeros(4, np.uint64)
    counter[4 - len(place) :] = place
    return np.random.Generator(np.random.Philox(seed, counter=counter))


def observe(seed: np.random.SeedSequence, label: int, n_objects: int, sky_name: str = "paper") -> Observed:
    """Draw objects of one class until `n_objects` have fired at least one alert, and measure their alerts.

    Args:
        sky_name: "paper", objects from their first alert on; "any", from the time when a broker joins; or "mixed".

    Raises:
        RuntimeError: a class so faint that twenty rounds, each larger than the last, do not give enough objects.
    """
    rng = stream(seed, CATALOGUE_STREAM)
    for attempt in range(20):
        n_drawn = int(OVERSAMPLING * 1.3**attempt * n_objects) + 16
        population, artefact = populate(rng, label, cadence.schedule(rng, n_drawn), sky_name)
        alerts, limits = fired(rng, population)
        firing = np.unique(alerts.owner)
        if len(firing) >= n_objects:
            return _measured(rng, seed, label, population, artefact, alerts, limits, firing[:n_objects])
    raise RuntimeError(f"{CLASS_NAMES[label]}: fewer than {n_objects} of {n_drawn} objects fire an alert")


def populate(
    rng: np.random.Generator, label: int, plan: cadence.Schedule, sky_name: str
) -> tuple[Population, np.ndarray]:
    """The population of a class, and which artefact each object is (-1: none)."""
    if label == BOGUS:
        return defects.artefacts(rng, plan)
    draw = (objects.agn, objects.supernovae, stars.variable_stars, objects.asteroids)[label]
    return draw(rng, plan, sky_name), np.full(len(plan.begin_jd), -1)


def _measured(rng, seed, label, population, artefact, alerts, limits, firing) -> Observed:
    """Drop the objects that did not fire and measure the alerts of those that did."""
    renumber = np.full(len(artefact), -1)
    renumber[firing] = np.arange(len(firing))
    alerts = Alerts(*(column[renumber[alerts.owner] >= 0] for column in alerts))
    alerts = alerts._replace(owner=renumber[alerts.owner])
    told = renumber[limits.owner] >= 0
    limits = Limits(renumber[limits.owner[told]], limits.visit[told])
    population, artefact = _objects(population, firing), artefact[firing]
    ra, dec = population.ra, population.dec
    gal_l, gal_b = sky.galactic(ra, dec)
    field_light, field_entries = field.field(rng, gal_l, gal_b)
    own_light, own_entries = field.counterparts(population.reference, population.hosts)
    knot_light, knot_entries = field.knots(rng, population.hosts)
    entries = [field_entries, own_entries, knot_entries, field.halo_entries(rng, population.reference)]
    neighbours = catalogue.nearest(rng, entries, len(firing))
    # Fitted to the distances of labelled alerts from their stars and nuclei.
    placement = place(
        rng, alerts, ra, dec, steady_pix=0.13 if label == VS else 0.04, on_a_source=population.reference[:, 1] > 0
    )
    exposures = exposures_of(rng, population, alerts, artefact, placement)
    infrared = allwise.counterparts(rng, population, label in MOVING_OR_UNREAL, sky.star_density(gal_l, gal_b))
    infrared_ra, infrared_dec = allwise.positions(rng, population, ra, dec)
    return Observed(
        seed=seed,
        label=label,
        alerts=alerts,
        exposures=exposures,
        columns=columns_of(rng, population, alerts, exposures, placement, neighbours, bogus=label == BOGUS),
        limits=limits_of(rng, population, limits),
        blobs=merge([field_light, own_light, knot_light]),
        artefact=artefact,
        subclass=population.subclass,
        ra=ra,
        dec=dec,
        infrared=infrared,
        infrared_ra=infrared_ra,
        infrared_dec=infrared_dec,
    )


def _objects(population: Population, rows: np.ndarray) -> Population:
    visits = cadence.Visits(*(column[rows] for column in population.visits))
    hosts = Hosts(*(column[rows] for column in population.hosts))
    rest = {name: value[rows] for name, value in population._asdict().items() if name not in ("visits", "hosts")}
    return Population(visits=visits, hosts=hosts, **rest)


def take_stamps(observed: Observed, rows: np.ndarray) -> np.ndarray:
    """Make the stamps of some alerts; a stamp does not depend on which others are made.

    Args:
        rows: ascending indices of alerts.

    Returns:
        [len(rows), 63, 63, 3] float32 [DN].
    """
    images = np.empty((len(rows), STAMP_SIDE, STAMP_SIDE, 3), np.float32)
    owner = observed.alerts.owner[rows]
    first = np.searchsorted(observed.alerts.owner, owner)
    objects_here, start = np.unique(owner, return_index=True)
    for index, begin, end in zip(objects_here.tolist(), start, [*start[1:], len(rows)], strict=True):
        number = rows[begin:end] - first[begin:end]  # of the alert within its object
        streams = [stream(observed.seed, EXPOSURE_STREAM, index, int(k)) for k in number]
        images[begin:end] = _stamps_of(observed, index, rows[begin:end], streams)
        for image, noise in zip(images[begin:end], streams, strict=True):
            defects.apply(image, noise)
    return images


def _stamps_of(observed: Observed, index: int, rows: np.ndarray, streams: list[np.random.Generator]) -> np.ndarray:
    """The stamps of some alerts of one object, without masks."""
    exposures = Exposures(*(column[rows] for column in observed.exposures))
    grain = {
        fid: template_grain(stream(observed.seed, TEMPLATE_STREAM, index, fid))
        for fid in np.unique(exposures.fid).tolist()
    }
    shape_stream = stream(observed.seed, SHAPE_STREAM, index)
    shape = defects.shape_of(shape_stream, observed.label == ASTEROID, observed.artefact[index])
    own = slice(*np.searchsorted(observed.blobs.owner, [index, index + 1]))
    return stamps(Blobs(*(column[own] for column in observed.blobs)), exposures, shape, streams, grain)
