"""From light to alerts: which exposures fire, what is measured, and what the survey remembers of the place."""

from typing import NamedTuple

import numpy as np

from data_prep.sequences import KEPT, select
from data_prep.simulate.objects import Population, flux_of, of_filter
from data_prep.simulate.sky import SURVEY_START_JD
from jtss.schema import MAX_DETECTIONS

SATURATED_MAG = 12.0  # what is brighter in the science image makes no alert
FIRE_SNR, HISTORY_SNR = 5.0, 3.0
HALF_COMPLETE_SNR, COMPLETENESS_WIDTH = 6.5, 1.0  # near the limit, half of the detections pass the cuts of the stream
# How many detections are asked of an object; faint ones give fewer.
N_DETECTIONS_SHARES = np.array([0.04, 0.06, 0.08, 0.10, 0.72])
EDGE_SHARE = 0.011  # of alerts: the source lies within 31 pixels of the image's edge
EXPOSURES_PER_YEAR, FIRST_YEAR_SHARE = 290.0, 0.5  # the survey began slowly
EXPOSURES_PER_NIGHT = 0.9  # while a field is in season
STRAY_RATES = 0.0003, 0.005  # of the exposures of a place, at the place of nothing and of a host of magnitude 18
DAYS_PER_YEAR = 365.25


class Alerts(NamedTuple):
    """A alerts of O objects, object by object in time order; [A] each.

    Attributes:
        owner: object index. visit: column of the exposure in the population's [O, V] arrays.
        change: measured difference flux (signed) and its error, in units of magnitude 0.
        edge: whether the stamp is cut by the edge of the image. kept: whether `select` keeps the alert.
        ndethist, ncovhist: detections and exposures so far.
    """

    owner: np.ndarray
    visit: np.ndarray
    change: np.ndarray
    error: np.ndarray
    edge: np.ndarray
    kept: np.ndarray
    ndethist: np.ndarray
    ncovhist: np.ndarray

    @property
    def snr(self) -> np.ndarray:
        return np.abs(self.change) / self.error


def photometry(rng: np.random.Generator, population: Population) -> tuple[np.ndarray, np.ndarray]:
    """[O, V] measured difference flux and error.

    The noise of the sky, which sets the limit of the exposure; that of the light itself; and 0.6 % of what was
    subtracted. Fitted to sigmapsf of real alerts as a function of diffmaglim - magpsf.
    """
    seen = population.visits
    reference = of_filter(population.reference, seen.fid)
    under = reference + 0.3 * of_filter(population.hosts.flux, seen.fid)
    limit = flux_of(seen.limit)
    change = population.flux - reference
    variance = (0.2 * limit) ** 2 + 0.011 * limit * np.abs(change) + (0.006 * under) ** 2
    error = np.sqrt(variance) * np.exp(rng.normal(0, 0.1, seen.jd.shape))
    return change + error * rng.standard_normal(seen.jd.shape), error


def completeness(snr: np.ndarray) -> np.ndarray:
    """Share of the detections that become alerts."""
    return 1 / (1 + np.exp((HALF_COMPLETE_SNR - np.minimum(snr, 99.0)) / COMPLETENESS_WIDTH))


def fired(rng: np.random.Generator, population: Population, start_jd: np.ndarray, one_only: bool) -> Alerts:
    """The alerts of each object up to the last one of its sequence.

    Args:
        start_jd: [O] when the broker starts to watch.
        one_only: objects that never come back: asteroids and artefacts.
    """
    seen = population.visits
    change, error = photometry(rng, population)
    usable = seen.good & (population.flux < flux_of(SATURATED_MAG))
    snr = np.where(usable, np.abs(change) / error, 0.0)
    fires = (snr >= FIRE_SNR) & (rng.random(snr.shape) < completeness(snr))
    if one_only:
        fires &= np.cumsum(fires, axis=1) == 1
    owner, visit = np.nonzero(fires)
    edge = (rng.random(len(owner)) < EDGE_SHARE) & (np.cumsum(fires, axis=1)[owner, visit] > 1)
    wanted = rng.choice(MAX_DETECTIONS, p=N_DETECTIONS_SHARES, size=len(fires)) + 1
    kept, issued = _issued(owner, seen.jd[owner, visit], edge, wanted)
    detections, exposures = _history(rng, population, snr, start_jd, one_only)
    row = np.flatnonzero(issued)
    at = owner[row], visit[row]
    return Alerts(*at, change[at], error[at], edge[row], kept[row], detections[at], exposures[at])


def _issued(owner, jd, edge, wanted) -> tuple[np.ndarray, np.ndarray]:
    """Which alerts `select` keeps among the full stamps, and which come no later than the last one wanted."""
    full = np.flatnonzero(~edge)
    _, verdict = select(owner[full], jd[full], full, full)
    kept = np.zeros(len(owner), bool)
    kept[full] = verdict == KEPT
    before = np.cumsum(kept) - kept  # over all objects, this alert left out
    n_before = before - before[np.searchsorted(owner, owner)]
    kept &= n_before < wanted[owner]
    last = np.zeros(len(wanted))
    np.maximum.at(last, owner[kept], jd[kept])
    return kept, jd <= last[owner]


def _history(rng, population: Population, snr, start_jd, one_only: bool) -> tuple[np.ndarray, np.ndarray]:
    """[O, V] detections (3 sigma) and exposures of the place up to and with each exposure."""
    seen = population.visits
    n = len(start_jd)
    rate = EXPOSURES_PER_YEAR * np.exp(rng.normal(0, 0.45, n))
    years = np.clip(start_jd - SURVEY_START_JD, 0, None) / DAYS_PER_YEAR
    before = rng.poisson(10 + rate * (years - (1 - FIRST_YEAR_SHARE) * np.minimum(years, 1)))
    shining = np.where(np.isinf(population.since), before, 0)
    lately = rng.poisson(EXPOSURES_PER_NIGHT * np.where(np.isinf(population.since), 0, population.since))
    in_window = (snr > HISTORY_SNR).sum(axis=1) / np.maximum(seen.good.sum(axis=1), 1)
    share = np.where(np.isnan(population.earlier), in_window * rng.uniform(0.3, 1, n), population.earlier)
    stray = rng.binomial(before, np.minimum(_stray_rate(population) * np.exp(rng.normal(0, 1.3, n)), 0.3))
    detections = rng.binomial(np.minimum(shining + lately, before), np.clip(share, 0, 1))
    detections = np.minimum(detections + stray, before)
    exposures = before[:, None] + np.cumsum(seen.good, axis=1)
    if one_only:
        return np.broadcast_to(1 + stray[:, None], seen.jd.shape), exposures
    return detections[:, None] + np.cumsum(snr > HISTORY_SNR, axis=1), exposures


def _stray_rate(population: Population) -> np.ndarray:
    """[O] share of the exposures that show an artefact there: the more light is subtracted, the more."""
    nothing, bright = STRAY_RATES
    return nothing + (bright - nothing) * np.minimum(population.hosts.flux[:, 1] / flux_of(18.0), 2.0)
