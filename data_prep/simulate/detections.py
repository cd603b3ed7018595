"""From light to alerts: which exposures fire, what is measured, and what the survey remembers of the place."""

from typing import NamedTuple

import numpy as np

from data_prep.sequences import KEPT, select
from data_prep.simulate.objects import Population, flux_of, of_filter
from jtss.schema import MAX_DETECTIONS, TOLD_DAYS

SATURATED_MAG = 12.0  # what is brighter in the science image makes no alert
FIRE_SNR, HISTORY_SNR = 5.0, 3.0
HALF_COMPLETE_SNR, COMPLETENESS_WIDTH = 6.0, 0.8  # near the limit, half of the detections pass the cuts of the stream
# How many detections are asked of an object; faint ones give fewer.
N_DETECTIONS_SHARES = np.array([0.04, 0.06, 0.08, 0.10, 0.72])
# Share of a source's light that subtraction leaves, beyond the error that is told; fitted to the smallest changes of
# bright stars, and to how many of their exposures make alerts.
LEFT_OVER = 0.011
EDGE_SHARE = 0.011  # of alerts: the source lies within 31 pixels of the image's edge
# ncovhist counts exposures of other fields and programmes, too: so many for each that a packet may tell, and their
# scatter from place to place; ndethist counts the detections in a share of them.
UNTOLD, UNTOLD_SCATTER, UNTOLD_DETECTED = 1.2, 0.6, 0.3
MET_DAYS = 300.0  # of the alerts that a broker meets after it joins; what is followed is longer by five alerts
SURELY_MET = 20  # alerts in that time: fewer make an object less likely to be met
AT_ONCE_DAYS = 0.014  # what moves is still at its place
STRAY_RATES = 0.0001, 0.005  # of the exposures of a place, where there is nothing and on light of magnitude 18


class Alerts(NamedTuple):
    """A detections of O objects, object by object in time order; [A] each.

    Attributes:
        owner: object index. visit: column of the exposure in the population's [O, V] arrays.
        change: measured difference flux (signed) and its error, in units of magnitude 0.
        edge: whether the stamp is cut by the edge of the image.
        issued: whether the broker receives it as an alert; what came before it joined is only told by later packets.
        kept: whether `select` keeps the alert.
        ndethist, ncovhist: detections and exposures so far.
    """

    owner: np.ndarray
    visit: np.ndarray
    change: np.ndarray
    error: np.ndarray
    edge: np.ndarray
    issued: np.ndarray
    kept: np.ndarray
    ndethist: np.ndarray
    ncovhist: np.ndarray

    @property
    def snr(self) -> np.ndarray:
        return np.abs(self.change) / self.error


class Limits(NamedTuple):
    """Exposures without a detection that packets tell: [B] object and column of the exposure, by object and time."""

    owner: np.ndarray
    visit: np.ndarray


def photometry(rng: np.random.Generator, population: Population) -> tuple[np.ndarray, np.ndarray]:
    """[O, V] measured difference flux and error.

    The noise of the sky, which sets the limit of the exposure; of the light itself; and of what was subtracted, 0.4 %
    of which stays. Fitted to sigmapsf of real alerts as a function of diffmaglim - magpsf, up to 5 mag above
    the limit.
    """
    seen = population.visits
    reference = of_filter(population.reference, seen.fid)
    under = reference + 0.3 * of_filter(population.hosts.flux, seen.fid)
    limit = flux_of(seen.limit)
    change = population.flux - reference
    variance = (0.16 * limit) ** 2 + limit * (0.019 * np.abs(change) + 0.0025 * under) + (0.004 * under) ** 2
    error = np.sqrt(variance) * np.exp(rng.normal(0, 0.1, seen.jd.shape))
    return change + error * rng.standard_normal(seen.jd.shape), error


def significance(population: Population, change: np.ndarray, error: np.ndarray) -> np.ndarray:
    """[O, V] by how many times a change exceeds the noise and what subtraction leaves; 0 where nothing is seen."""
    seen = population.visits
    usable = seen.good & (population.flux < flux_of(SATURATED_MAG))
    left_over = LEFT_OVER * of_filter(population.reference, seen.fid)
    return np.where(usable, np.abs(change) / np.hypot(error, left_over), 0.0)


def completeness(snr: np.ndarray) -> np.ndarray:
    """Share of the detections that become alerts."""
    return 1 / (1 + np.exp((HALF_COMPLETE_SNR - np.minimum(snr, 99.0)) / COMPLETENESS_WIDTH))


def fired(rng: np.random.Generator, population: Population) -> tuple[Alerts, Limits]:
    """The alerts of each object up to the last one of its sequence, and what their packets tell of the 30 days before.

    TSC §IV-A for the sequence; ZTF alert schema, prv_candidates.
    """
    seen = population.visits
    change, error = photometry(rng, population)
    snr = significance(population, change, error)
    fires = (snr >= FIRE_SNR) & (rng.random(snr.shape) < completeness(snr))
    fires = np.where(population.returns[:, None], fires, _once(fires, seen.jd))
    detections, exposures = _history(rng, population, snr, fires)
    watched = fires & (seen.jd >= _met(rng, fires, seen.jd, population.watched_jd)[:, None])
    owner, visit = np.nonzero(watched)
    edge = (rng.random(len(owner)) < EDGE_SHARE) & (np.cumsum(watched, axis=1)[owner, visit] > 1)
    wanted = rng.choice(MAX_DETECTIONS, p=N_DETECTIONS_SHARES, size=len(fires)) + 1
    kept, last = _chosen(owner, seen.jd[owner, visit], edge, wanted)
    first = np.full(len(fires), np.inf)
    np.minimum.at(first, owner, seen.jd[owner, visit])
    told = (seen.jd > (first - TOLD_DAYS)[:, None]) & (seen.jd <= last[:, None])
    at = np.nonzero(fires & told)
    is_edge, is_kept = np.zeros((2, *fires.shape), bool)
    is_edge[owner, visit], is_kept[owner, visit] = edge, kept
    columns = (array[at] for array in (change, error, is_edge, watched, is_kept, detections, exposures))
    return Alerts(*at, *columns), Limits(*np.nonzero(seen.good & ~fires & told))


def _met(rng: np.random.Generator, fires: np.ndarray, jd: np.ndarray, watched_jd: np.ndarray) -> np.ndarray:
    """[O] JD of the alert that a broker meets first: any of those after that, as in a sample of the stream.

    What seldom fires is seldom in such a sample: infinity for objects that are not in it.
    """
    some = fires & (jd >= watched_jd[:, None]) & (jd < watched_jd[:, None] + MET_DAYS)
    n_alerts = some.sum(axis=1)
    number = np.floor(rng.random(len(jd)) * n_alerts)
    column = np.argmax(np.cumsum(some, axis=1) > number[:, None], axis=1)
    met = np.where(rng.random(len(jd)) < n_alerts / SURELY_MET, jd[np.arange(len(jd)), column], np.inf)
    return np.where(np.isfinite(watched_jd), met, watched_jd)


def _once(fires: np.ndarray, jd: np.ndarray) -> np.ndarray:
    """[O, V] only the first detection of each object, and those at once after it."""
    first = np.min(np.where(fires, jd, np.inf), axis=1, keepdims=True)
    return fires & (jd <= first + AT_ONCE_DAYS)


def _chosen(owner, jd, edge, wanted) -> tuple[np.ndarray, np.ndarray]:
    """Which alerts `select` keeps among the full stamps, as many as wanted [O], and [O] the time of the last one."""
    full = np.flatnonzero(~edge)
    _, verdict = select(owner[full], jd[full], full, full)
    kept = np.zeros(len(owner), bool)
    kept[full] = verdict == KEPT
    before = np.cumsum(kept) - kept  # over all objects, this alert left out
    n_before = before - before[np.searchsorted(owner, owner)]
    kept &= n_before < wanted[owner]
    last = np.full(len(wanted), -np.inf)
    np.maximum.at(last, owner[kept], jd[kept])
    return kept, last


def _history(rng, population: Population, snr, fires) -> tuple[np.ndarray, np.ndarray]:
    """[O, V] detections (3 sigma) and exposures of the place up to and with each exposure."""
    seen = population.visits
    untold = UNTOLD * np.exp(rng.normal(0, UNTOLD_SCATTER, (len(snr), 1)))
    stray = rng.binomial(seen.before, np.minimum(_stray_rate(population) * np.exp(rng.normal(0, 1.3, len(snr))), 0.3))
    detected = np.where(population.returns[:, None], (snr > HISTORY_SNR) | fires, fires)
    detections = stray[:, None] + np.cumsum(detected, axis=1)
    exposures = seen.before[:, None] + np.cumsum(seen.good, axis=1)
    return tuple(
        count + np.floor(share * untold * np.maximum(count - 1, 0)).astype(int)
        for count, share in ((detections, UNTOLD_DETECTED), (exposures, 1.0))
    )


def _stray_rate(population: Population) -> np.ndarray:
    """[O] share of the exposures that show an artefact there: the more light is subtracted, the more."""
    nothing, bright = STRAY_RATES
    under = population.hosts.flux[:, 1] + population.reference[:, 1]
    return nothing + (bright - nothing) * np.minimum(under / flux_of(18.0), 2.0)
