"""Which detections become alerts, and what their history counts."""

import numpy as np
import pytest

from data_prep.simulate import detections, objects, sky, stars


def test_errors_follow_the_law_of_real_alerts():
    """sigmapsf as a function of diffmaglim - magpsf."""
    rng, n = np.random.default_rng(7), 4000
    start = np.full(n, 2459000.0)
    for below_limit, measured in ((0.3, 0.177), (0.85, 0.130), (1.75, 0.079)):  # medians of real asteroids
        population = objects.asteroids(rng, start)
        flux = objects.flux_of(population.visits.limit - below_limit)
        _, error = detections.photometry(rng, population._replace(flux=flux))
        assert 1.0857 * np.median(error / flux) == pytest.approx(measured, rel=0.2)


def test_history_counts_only_since_it_shines():
    rng, n = np.random.default_rng(8), 1500
    start = np.full(n, sky.SURVEY_START_JD + 5 * 365.25)
    alerts = detections.fired(rng, objects.supernovae(rng, start), start, one_only=False)
    first = np.unique(alerts.owner, return_index=True)[1]
    assert np.quantile(alerts.ndethist[first], 0.95) < 200 < np.median(alerts.ncovhist[first])
    assert np.mean(alerts.ndethist[first] > 5) > 0.2  # a broker that begins to watch late
    nuclei = detections.fired(rng, objects.agn(rng, start), start, one_only=False)
    first = np.unique(nuclei.owner, return_index=True)[1]
    assert 0.1 < np.median(nuclei.ndethist[first] / nuclei.ncovhist[first]) < 0.7


def test_exposures_of_a_place_accumulate_over_the_survey():
    rng, n = np.random.default_rng(9), 400
    medians = []
    for years in (0.3, 2.0, 7.0):
        start = np.full(n, sky.SURVEY_START_JD + years * 365.25)
        alerts = detections.fired(rng, objects.asteroids(rng, start), start, one_only=True)
        medians.append(np.median(alerts.ncovhist))
    assert 20 < medians[0] < 120 < medians[1] < 900 < medians[2] < 2600  # real: 74 in 2018, 1578 in 2023, 2000 in 2025


def test_near_the_limit_half_of_the_detections_pass(monkeypatch):
    assert detections.completeness(np.array([6.5])) == pytest.approx(0.5)
    assert np.all(np.diff(detections.completeness(np.linspace(5, 12, 50))) > 0)

    def faint():
        rng, n = np.random.default_rng(15), 4000
        start = np.full(n, 2459000.0)
        snr = detections.fired(rng, objects.asteroids(rng, start), start, one_only=True).snr
        assert snr.min() >= detections.FIRE_SNR
        return np.sum(snr < 6)

    some = faint()
    monkeypatch.setattr(detections, "completeness", np.ones_like)
    assert some < 0.6 * faint()


def test_what_saturates_makes_no_alert():
    rng, n = np.random.default_rng(20), 3000
    start = np.full(n, 2459000.0)
    variable = stars.variable_stars(rng, start)
    alerts = detections.fired(rng, variable, start, one_only=False)
    at = alerts.owner, alerts.visit
    assert np.any(-2.5 * np.log10(variable.flux) < detections.SATURATED_MAG)
    assert np.all(-2.5 * np.log10(variable.flux[at]) > detections.SATURATED_MAG)
    assert np.all(-2.5 * np.log10(np.abs(alerts.change)) > 11.5)


def test_bright_hosts_leave_more_false_detections():
    rng, n = np.random.default_rng(17), 1500
    start = np.full(n, sky.SURVEY_START_JD + 5 * 365.25)
    supernovae = objects.supernovae(rng, start)
    dark = supernovae._replace(hosts=objects.no_hosts(n))
    counts = []
    for population in (supernovae, dark):
        alerts = detections.fired(np.random.default_rng(18), population, start, one_only=False)
        first = np.unique(alerts.owner, return_index=True)[1]
        assert np.all(alerts.ndethist <= alerts.ncovhist)
        counts.append(alerts.ndethist[first].mean())
    assert counts[0] > counts[1] + 2
