"""Which detections become alerts, what their history counts, and what packets tell of the past."""

import numpy as np
import pytest

from data_prep.simulate import cadence, detections, objects, survey
from data_prep.simulate.measurements import LEAST_SIGMA
from helpers.made_sky import watched
from jtss.schema import CLASS_NAMES, MAX_DETECTIONS, MIN_GAP_DAYS, TOLD_DAYS

MINUTES = 1 / 1440


def first_of(owner, jd, wanted):
    """Row of the first of the wanted rows of each object that has one, by object."""
    rows = np.flatnonzero(wanted)
    rows = rows[np.lexsort((jd[rows], owner[rows]))]
    return rows[np.unique(owner[rows], return_index=True)[1]]


def times(population, what):
    return population.visits.jd[what.owner, what.visit]


@pytest.fixture(scope="module", params=CLASS_NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module", params=objects.SKIES)
def sky(request):
    return request.param


@pytest.fixture(scope="module")
def made(name, sky):
    return watched(name, 250, sky)


def test_counts_never_fall_and_detections_are_exposures(made):
    _, alerts, _ = made
    same = alerts.owner[1:] == alerts.owner[:-1]
    assert np.all(np.diff(alerts.ndethist)[same] >= 1)
    assert np.all(np.diff(alerts.ncovhist)[same] >= 1)
    assert np.all(alerts.ndethist >= 1)
    assert np.all(alerts.ndethist <= alerts.ncovhist)


def test_the_sequence_ends_with_its_last_alert(made):
    population, alerts, limits = made
    jd, n = times(population, alerts), len(population.ra)
    last = np.full(n, -np.inf)
    np.maximum.at(last, alerts.owner[alerts.kept], jd[alerts.kept])
    assert np.all(jd <= last[alerts.owner])
    assert np.all(times(population, limits) <= last[limits.owner])
    kept = np.bincount(alerts.owner[alerts.kept], minlength=n)
    assert kept.max() <= MAX_DETECTIONS
    assert np.all(kept[np.unique(alerts.owner)] >= 1)
    same = np.diff(alerts.owner[alerts.kept]) == 0
    assert np.all(np.diff(jd[alerts.kept])[same] >= MIN_GAP_DAYS)
    assert np.all(alerts.issued[alerts.kept])


def test_limits_are_exactly_the_good_exposures_without_a_detection(made):
    """Each, from 30 days before the first alert that is issued to the last that is kept, is one or the other."""
    population, alerts, limits = made
    seen, n = population.visits, len(population.ra)
    jd = times(population, alerts)
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(first, alerts.owner[alerts.issued], jd[alerts.issued])
    np.maximum.at(last, alerts.owner[alerts.kept], jd[alerts.kept])
    expected = seen.good & (seen.jd > (first - TOLD_DAYS)[:, None]) & (seen.jd <= last[:, None])
    counted = np.zeros(seen.jd.shape, int)
    np.add.at(counted, (alerts.owner, alerts.visit), 1)
    np.add.at(counted, (limits.owner, limits.visit), 1)
    np.testing.assert_array_equal(counted, expected)
    assert len(limits.owner)


def test_the_first_alert_on_the_papers_sky_is_the_first_that_fires(name):
    """No exposure before it fires: asked of the light itself, with the same noise."""
    rng = np.random.default_rng(5)
    population = survey.populate(rng, CLASS_NAMES.index(name), _plan(rng), "paper")[0]
    assert np.all(np.isneginf(population.watched_jd))
    alerts, _ = detections.fired(np.random.default_rng(6), population)
    assert np.all(alerts.issued)
    everything = population._replace(watched_jd=np.full(len(population.ra), -1e9))
    change, error = detections.photometry(np.random.default_rng(6), everything)
    sure = detections.significance(everything, change, error) > 15  # completeness is 1
    first_sure = np.min(np.where(sure, population.visits.jd, np.inf), axis=1)
    first = first_of(alerts.owner, times(population, alerts), np.ones(len(alerts.owner), bool))
    owner = alerts.owner[first]
    assert np.all(times(population, alerts)[first] <= first_sure[owner])
    assert np.isin(np.flatnonzero(np.isfinite(first_sure)), owner).all()


def test_a_change_of_a_bright_star_that_subtraction_may_leave_is_no_detection():
    """Three hundredths of its light at twenty times the error that is told; where nothing was, the same is a source."""
    rng = np.random.default_rng(5)
    population = survey.populate(rng, CLASS_NAMES.index("VS"), _plan(rng, 20), "paper")[0]
    change = 0.03 * population.reference[:, :1] * np.ones_like(population.flux)
    seen = population.visits.good & (population.flux < detections.flux_of(detections.SATURATED_MAG))
    of_bright = detections.significance(population, change, change / 20)
    assert of_bright[seen].max() < detections.FIRE_SNR
    of_nothing = population._replace(reference=0 * population.reference)
    np.testing.assert_allclose(detections.significance(of_nothing, change, change / 20)[seen], 20)


def _plan(rng, n=250):
    return survey.cadence.schedule(rng, n)


@pytest.mark.parametrize("name", CLASS_NAMES[:3], indirect=True)
def test_on_any_sky_the_past_is_told_and_not_issued(name):
    population, alerts, _ = watched(name, 250, "any")
    jd, earlier = times(population, alerts), ~alerts.issued
    first = np.full(len(population.ra), np.inf)
    np.minimum.at(first, alerts.owner[alerts.issued], jd[alerts.issued])
    age = first[alerts.owner[earlier]] - jd[earlier]
    assert np.all((age > 0) & (age < TOLD_DAYS))
    assert np.isin(np.unique(alerts.owner), alerts.owner[earlier]).mean() > 0.7
    assert not np.any(alerts.kept[earlier])
    start = first_of(alerts.owner, jd, alerts.issued)
    assert np.quantile(alerts.ndethist[start], 0.25) > 5  # what it met had fired for long


@pytest.mark.parametrize("name", CLASS_NAMES[:3], indirect=True)
def test_a_broker_that_joins_late_meets_any_alert_of_a_night(name):
    """Not the first one of a gap: as often the second of a night as the first where there are two."""
    population, alerts, _ = watched(name, 400, "any")
    jd = times(population, alerts)
    start = first_of(alerts.owner, jd, alerts.issued)
    before = np.where(alerts.owner[start] == alerts.owner[start - 1], jd[start] - jd[start - 1], np.inf)
    assert 0.2 < np.mean(before < MIN_GAP_DAYS) < 0.5


def test_what_seldom_fires_is_seldom_met():
    fires = np.zeros((4000, 60), bool)
    fires[:, 0] = True
    fires[:2000, :] = True
    jd = np.tile(np.arange(60.0), (4000, 1))
    met = detections._met(np.random.default_rng(1), fires, jd, np.full(4000, -0.5))
    assert np.all(np.isfinite(met[:2000]))
    assert met[:2000].mean() == pytest.approx(29.5, abs=1.5)  # any of them
    assert np.isfinite(met[2000:]).mean() == pytest.approx(1 / detections.SURELY_MET, abs=0.02)
    assert np.all(np.isneginf(detections._met(np.random.default_rng(1), fires, jd, np.full(4000, -np.inf))))


def test_an_asteroid_passes_once_or_twice_within_minutes():
    population, alerts, _ = watched("asteroid", 1500)
    jd = times(population, alerts)
    first = np.full(len(population.ra), np.inf)
    np.minimum.at(first, alerts.owner, jd)
    assert np.max(jd - first[alerts.owner]) <= detections.AT_ONCE_DAYS < 25 * MINUTES
    counts = np.bincount(alerts.owner)
    assert np.all(np.bincount(alerts.owner[alerts.kept])[np.unique(alerts.owner)] == 1)
    assert set(np.unique(counts[counts > 0])) <= {1, 2}
    first = alerts.ndethist[np.unique(alerts.owner, return_index=True)[1]]
    assert np.mean(first == 1) > 0.85  # else an artefact was there before


@pytest.mark.slow
def test_some_bogus_come_back():
    """TSC §IV-B: 1.5 % of the bogus objects have more than one detection."""
    _, alerts, _ = watched("bogus", 4000)
    kept = np.bincount(alerts.owner[alerts.kept])
    assert np.mean(kept[kept > 0] > 1) == pytest.approx(0.015, abs=0.006)


def test_errors_follow_the_law_of_real_alerts():
    """sigmapsf as a function of diffmaglim - magpsf."""
    rng = np.random.default_rng(7)
    population = objects.asteroids(rng, _plan(rng, 500), "paper")
    good = population.visits.good
    for below_limit, measured in ((0.3, 0.177), (0.85, 0.130), (1.75, 0.079), (3.5, 0.040)):  # medians of asteroids
        flux = objects.flux_of(population.visits.limit - below_limit)
        _, error = detections.photometry(rng, population._replace(flux=flux))
        sigma = 1.0857 * np.hypot(np.median((error / flux)[good]), LEAST_SIGMA[False])
        assert sigma == pytest.approx(measured, rel=0.15)


def test_what_is_subtracted_adds_to_the_error():
    """Medians of nuclei and of stars with the difference and the reference at so many magnitudes above the limit."""
    rng = np.random.default_rng(7)
    population = objects.asteroids(rng, _plan(rng, 500), "paper")
    good = population.visits.good
    flux = objects.flux_of(population.visits.limit - 0.75)
    errors = []
    for reference_mag in (30.0, 17.7, 14.5):
        reference = np.full((500, 3), objects.flux_of(reference_mag))
        _, error = detections.photometry(rng, population._replace(flux=flux + reference[0, 0], reference=reference))
        errors.append(1.0857 * np.median((error / flux)[good]))
    assert errors[1] == pytest.approx(0.15, rel=0.1)
    assert errors[0] < errors[1] < 0.3 * errors[2]


def test_exposures_of_a_place_accumulate_over_the_survey(monkeypatch):
    monkeypatch.setattr(objects, "AT_ANY_AGE", 0.0)
    monkeypatch.setattr(cadence, "LATER_FIELDS", 0.0)
    population, alerts, _ = watched("asteroid", 1500)
    years = (times(population, alerts) - 2458119.5) / 365.25 + 2018
    medians = [np.median(alerts.ncovhist[(years > y) & (years < y + 1)]) for y in (2018, 2021, 2023, 2025)]
    # Real: 74 in 2018, 1045 in 2021, 1578 in 2023, 2040 in 2025.
    np.testing.assert_allclose(np.log10(medians), np.log10([74, 1045, 1578, 2040]), atol=0.25)


def test_near_the_limit_half_of_the_detections_pass(monkeypatch):
    assert detections.completeness(np.array([detections.HALF_COMPLETE_SNR])) == pytest.approx(0.5)
    assert np.all(np.diff(detections.completeness(np.linspace(5, 12, 50))) > 0)

    def faint():
        snr = watched("asteroid", 2000)[1].snr
        assert snr.min() >= detections.FIRE_SNR
        return np.sum(snr < 6)

    some = faint()
    monkeypatch.setattr(detections, "completeness", np.ones_like)
    assert some < 0.6 * faint()


def test_what_saturates_makes_no_alert():
    population, alerts, _ = watched("VS", 800)
    at = alerts.owner, alerts.visit
    assert np.any(-2.5 * np.log10(population.flux) < detections.SATURATED_MAG)
    assert np.all(-2.5 * np.log10(population.flux[at]) > detections.SATURATED_MAG)
    assert np.all(-2.5 * np.log10(np.abs(alerts.change)) > 11.5)


def test_bright_hosts_leave_more_false_detections():
    """What a place has fired before its supernova: artefacts of subtraction."""
    rng = np.random.default_rng(17)
    supernovae = objects.supernovae(rng, _plan(rng, 1200), "paper")
    dark = supernovae._replace(hosts=objects.no_hosts(1200))
    counts = []
    for population in (supernovae, dark):
        alerts, _ = detections.fired(np.random.default_rng(18), population)
        first = np.unique(alerts.owner, return_index=True)[1]
        counts.append(alerts.ndethist[first].mean())
    assert counts[0] > counts[1] + 2
