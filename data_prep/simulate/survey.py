"""Chunks of simulated objects: populations watched by the survey, with everything an alert packet holds."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate import allwise, cadence, catalogue, defects, objects, sky
from data_prep.simulate.blobs import Blobs, merge
from data_prep.simulate.catalogue import PIXEL_ARCSEC, Neighbours
from data_prep.simulate.detections import Alerts, fired
from data_prep.simulate.images import Exposures, stamps, template_grain
from data_prep.simulate.objects import Hosts, Population, flux_of
from data_prep.stamps import IMAGE_SIDES_PIX
from jtss.schema import CLASS_NAMES, STAMP_SIDE

AGN, SN, VS, ASTEROID, BOGUS = range(len(CLASS_NAMES))
OVERSAMPLING = 2.0  # candidates per object wanted: many are too faint to fire
FROM_THE_START_SHARE = 0.35  # objects that the broker has watched since the survey began
EDGE_PIX = STAMP_SIDE // 2
SKY_OF = {
    AGN: sky.extragalactic,
    SN: sky.extragalactic,
    VS: sky.stellar,
    ASTEROID: sky.solar_system,
    BOGUS: sky.stellar,
}
# Streams of random numbers: one for the catalogue values of a chunk, and one each for what is seen in the images.
CATALOGUE_STREAM, SHAPE_STREAM, TEMPLATE_STREAM, EXPOSURE_STREAM = range(4)


class Observed(NamedTuple):
    """O objects of one class and their A alerts, without pixels.

    Attributes:
        seed: of the chunk. label: index into CLASS_NAMES.
        alerts: [A]; exposures: [A]; columns: ZTF's candidate fields, [A] float64 as a packet would give them back.
        jd: [A] [day]; fid: [A].
        blobs: constant light of all objects, by owner.
        artefact: [O] kind of bogus, -1 for real objects.
        ra, dec: [O] true positions [deg].
        infrared: [O, 4] AllWISE magnitudes; infrared_ra, infrared_dec: [O] of that source [deg].
    """

    seed: np.random.SeedSequence
    label: int
    alerts: Alerts
    exposures: Exposures
    columns: dict[str, np.ndarray]
    blobs: Blobs
    artefact: np.ndarray
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
    return np.random.Generator(np.random.Philox(counter=counter, key=seed.generate_state(2, np.uint64)))


def observe(seed: np.random.SeedSequence, label: int, n_objects: int) -> Observed:
    """Draw objects of one class until `n_objects` have fired at least one alert, and measure their alerts.

    Raises:
        RuntimeError: a class so faint that fifty rounds do not give enough objects.
    """
    rng = stream(seed, CATALOGUE_STREAM)
    for _ in range(50):
        n_drawn = int(OVERSAMPLING * n_objects) + 16
        start_jd = start_dates(rng, n_drawn)
        population, artefact = populate(rng, label, start_jd)
        alerts = fired(rng, population, start_jd, one_only=label in (ASTEROID, BOGUS))
        firing = np.unique(alerts.owner)
        if len(firing) >= n_objects:
            return _measured(rng, seed, label, population, artefact, alerts, firing[:n_objects])
    raise RuntimeError(f"{CLASS_NAMES[label]}: fewer than {n_objects} of {n_drawn} objects fire an alert")


def start_dates(rng: np.random.Generator, n: int) -> np.ndarray:
    """[n] JD when a broker starts to watch: for some the start of the survey, for the rest any time."""
    late = rng.uniform(sky.SURVEY_START_JD, sky.SURVEY_END_JD, n)
    early = sky.SURVEY_START_JD + rng.uniform(0, 150, n)
    return np.where(rng.random(n) < FROM_THE_START_SHARE, early, late)


def populate(rng: np.random.Generator, label: int, start_jd: np.ndarray) -> tuple[Population, np.ndarray]:
    """The population of a class, and which artefact each object is (-1: none)."""
    n = len(start_jd)
    if label in (AGN, SN, VS):
        draw = (objects.agn, objects.supernovae, objects.variable_stars)[label]
        return draw(rng, start_jd), np.full(n, -1)
    if label == ASTEROID:
        magnitude = 20.4 - rng.exponential(1.1, n)
        return objects.single(rng, start_jd, magnitude, np.zeros((n, 3))), np.full(n, -1)
    artefact = rng.choice(4, p=[0.45, 0.33, 0.10, 0.12], size=n)
    star = artefact == defects.BAD_SUBTRACTION
    star_mag = rng.uniform(12.3, 16.0, n)
    reference = np.where(star[:, None], objects.by_filter(star_mag, rng.uniform(0.3, 1.3, n)), 0)
    magnitude = np.where(star, star_mag + rng.normal(3.2, 0.8, n), rng.normal(18.4, 1.0, n))
    population = objects.single(rng, start_jd, magnitude, reference)
    darker = (star & (rng.random(n) < 0.5))[:, None]
    change = population.flux - objects.of_filter(reference, population.visits.fid)
    return population._replace(flux=population.flux - 2 * np.where(darker, change, 0)), artefact


def _measured(rng, seed, label, population, artefact, alerts, firing) -> Observed:
    """Drop the objects that did not fire and measure the alerts of those that did."""
    renumber = np.full(len(artefact), -1)
    renumber[firing] = np.arange(len(firing))
    chosen = renumber[alerts.owner] >= 0
    alerts = Alerts(*(column[chosen] for column in alerts))
    alerts = alerts._replace(owner=renumber[alerts.owner])
    population = _objects(population, firing)
    n = len(firing)
    ra, dec = sky.positions(rng, n, SKY_OF[label])
    gal_l, gal_b = sky.galactic(ra, dec)
    field_light, field_entries = catalogue.field(rng, gal_l, gal_b)
    own_light, own_entries = catalogue.counterparts(population.reference, population.hosts)
    neighbours = catalogue.nearest(rng, [field_entries, own_entries, catalogue.shreds(rng, population.hosts)], n)
    exposures = _exposures(rng, population, alerts, artefact[firing])
    columns, exposures = _columns(rng, label, population, alerts, exposures, neighbours, ra, dec)
    infrared = _infrared(rng, label, population, sky.star_density(gal_l, gal_b))
    return Observed(
        seed, label, alerts, exposures, columns, merge([field_light, own_light]), artefact[firing], ra, dec,
        infrared, *_infrared_positions(rng, population, ra, dec),
    )  # fmt: skip


def _objects(population: Population, rows: np.ndarray) -> Population:
    visits = cadence.Visits(*(column[rows] for column in population.visits))
    hosts = Hosts(*(column[rows] for column in population.hosts))
    rest = {name: getattr(population, name)[rows] for name in ("flux", "reference", "earlier", "infrared")}
    return population._replace(visits=visits, hosts=hosts, **rest)


def _exposures(rng, population: Population, alerts: Alerts, artefact: np.ndarray) -> Exposures:
    """What the images of each alert need to know."""
    seen, at = population.visits, (alerts.owner, alerts.visit)
    fid, n, n_objects = seen.fid[at], len(alerts.owner), len(artefact)
    scale = 10 ** (0.4 * seen.zero_point[at])
    frames = np.where(rng.random((n_objects, 3)) < 0.65, 15, rng.integers(15, 42, (n_objects, 3)))
    reference_sky = cadence.SKY_DN * np.exp(rng.normal(-0.1, 0.2, (n_objects, 3)))
    grain = 0.95 * np.sqrt((cadence.VARIANCE_PER_DN * reference_sky + cadence.READ_VARIANCE) / frames)
    typical = 10 ** (0.4 * cadence.ZERO_POINT_MAG)
    seeing = np.array([2.16, 2.06, 2.04]) * np.exp(rng.normal(0, 0.08, (n_objects, 3)))
    bad = np.isin(artefact, (defects.BAD_SUBTRACTION,))[alerts.owner]
    sharp = np.isin(artefact, (defects.COSMIC_RAY, defects.HOT_PIXELS))[alerts.owner]
    own = alerts.owner, fid - 1
    return Exposures(
        fid=fid,
        scale=scale,
        seeing=seen.seeing[at],
        source_seeing=np.where(sharp, rng.uniform(0.6, 1.2, n), seen.seeing[at]),
        template_seeing=seeing[own],
        sky=seen.sky[at],
        noise_sky=seen.noise_sky[at],
        template_noise=grain[own] * scale / typical[fid - 1],
        x=np.zeros(n),
        y=np.zeros(n),
        source=population.flux[at],
        reference=population.reference[own],
        sign=np.sign(alerts.change),
        offset_x=rng.normal(0, np.where(bad, 0.15, 0.045)),
        offset_y=rng.normal(0, np.where(bad, 0.15, 0.045)),
        blur=rng.normal(0, np.where(bad, 0.06, 0.025)),
        frames=frames[own],
    )


def _columns(rng, label, population, alerts: Alerts, exposures: Exposures, neighbours: Neighbours, ra, dec):
    """ZTF's candidate fields, and the exposures with the source where the measured position puts it in the stamp."""
    seen, at, n = population.visits, (alerts.owner, alerts.visit), len(alerts.owner)
    snr = np.abs(alerts.change) / alerts.error
    steady = rng.normal(0, 0.07 if label != VS else 0.17, (2, len(ra)))[:, alerts.owner]
    error_x, error_y = steady + (0.05 + 0.45 / snr) * rng.standard_normal((2, n))  # pixels
    xpos, ypos = (_image_position(rng, alerts.edge, side) for side in IMAGE_SIDES_PIX)
    exposures = exposures._replace(x=xpos - np.rint(xpos) - error_x, y=ypos - np.rint(ypos) - error_y)
    floor = np.exp(rng.normal(np.log(0.045), 0.4, n))
    # Bright variables leave residuals that widen what SExtractor sees.
    messy = 0.25 * np.clip(exposures.reference / np.abs(alerts.change) / 5, 0, 1.5)
    spread = np.clip(0.10 + 0.9 / snr + messy, 0, 0.6)
    sharpness = 4.6 + 1.0 * rng.standard_normal(n) - 8.0 / snr * rng.exponential(1.0, n)
    columns = {
        "jd": np.round(seen.jd[at], 7),
        "fid": exposures.fid,
        "ra": np.mod(ra[alerts.owner] - PIXEL_ARCSEC / 3600 * error_x / np.cos(np.radians(dec[alerts.owner])), 360.0),
        "dec": dec[alerts.owner] + PIXEL_ARCSEC / 3600 * error_y,
        "xpos": xpos,
        "ypos": ypos,
        "isdiffpos": (alerts.change > 0) * 1.0,
        "magpsf": -2.5 * np.log10(np.abs(alerts.change)),
        "sigmapsf": 2.5 / np.log(10) * np.hypot(1 / snr, floor * rng.uniform(0.3, 1.0, n)),
        "diffmaglim": seen.limit[at],
        "fwhm": np.clip(1.1 * exposures.source_seeing * np.exp(spread * rng.standard_normal(n)), 0.9, 12),
        "classtar": np.minimum(1 / (1 + np.exp(-sharpness)), rng.choice([0.984, 0.984, 0.999, 1.0], n)),
        "ndethist": alerts.ndethist,
        "ncovhist": alerts.ncovhist,
        "magzpsci": seen.zero_point[at],
        "nframesref": exposures.frames,
        "programid": np.ones(n),
        "rb": np.clip(rng.normal(0.35 if label == BOGUS else 0.84, 0.12, n), 0.02, 0.99),
        **catalogue.measured_neighbours(neighbours, alerts.owner, error_x, error_y),
        **catalogue.reference_source(rng, neighbours, alerts.owner, error_x, error_y),
    }
    return {name: _as_in_a_packet(name, value) for name, value in columns.items()}, exposures


def _image_position(rng: np.random.Generator, edge: np.ndarray, side: int) -> np.ndarray:
    """xpos or ypos [pix], 1-based: the whole stamp is in the image unless `edge`, where a part of it is not."""
    inside = rng.uniform(EDGE_PIX + 2, side - EDGE_PIX - 2, len(edge))
    near = rng.uniform(4, EDGE_PIX - 2, len(edge))
    at_edge = np.where(rng.random(len(edge)) < 0.5, near, side + 1 - near)
    return np.float32(np.where(edge, at_edge, inside)).astype(float)


def _as_in_a_packet(name: str, value: np.ndarray) -> np.ndarray:
    """Round to the type that the alert schema gives the field."""
    value = np.asarray(value, float)
    return value if name in ("jd", "ra", "dec") else value.astype(np.float32).astype(float)


def _infrared(rng, label, population: Population, crowding: np.ndarray) -> np.ndarray:
    total = population.reference[:, 1] + population.hosts.flux[:, 1]
    if label in (ASTEROID, BOGUS):
        total = np.where(rng.random(len(total)) < 0.05, flux_of(rng.normal(18, 1.5, len(total))), total)
    share = population.reference[:, 1] / np.maximum(total, 1e-30)
    r_mag = -2.5 * np.log10(np.maximum(total, 1e-16))
    return allwise.photometry(rng, population.infrared, r_mag, share, crowding)


def _infrared_positions(rng, population: Population, ra, dec) -> tuple[np.ndarray, np.ndarray]:
    """AllWISE sees the star or nucleus where there is one, else the host; to 0.3 arcsec."""
    host = (population.reference[:, 1] == 0) * 1.0
    x, y = (PIXEL_ARCSEC * host * c + rng.normal(0, 0.25, len(ra)) for c in (population.hosts.x, population.hosts.y))
    infrared_dec = np.clip(dec + y / 3600, -90, 90)
    return np.mod(ra - x / 3600 / np.cos(np.radians(dec)), 360.0), infrared_dec


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
    for index, begin, end in zip(objects_here, start, [*start[1:], len(rows)], strict=True):
        exposures = Exposures(*(column[rows[begin:end]] for column in observed.exposures))
        number = rows[begin:end] - first[begin:end]  # of the alert within its object
        streams = [stream(observed.seed, EXPOSURE_STREAM, int(index), int(k)) for k in number]
        grain = {
            fid: template_grain(stream(observed.seed, TEMPLATE_STREAM, int(index), fid))
            for fid in np.unique(exposures.fid).tolist()
        }
        artefact = int(observed.artefact[index])
        shape = defects.shape_of(stream(observed.seed, SHAPE_STREAM, int(index)), observed.label == ASTEROID, artefact)
        blobs = Blobs(
            *(column[slice(*np.searchsorted(observed.blobs.owner, [index, index + 1]))] for column in observed.blobs)
        )
        images[begin:end] = stamps(blobs, exposures, shape, streams, grain)
        for image, noise in zip(images[begin:end], streams, strict=True):
            defects.apply(image, noise)
    return images
