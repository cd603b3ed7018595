"""What the pipeline writes down about an alert."""

import numpy as np
import pytest

from data_prep.simulate import measurements, objects
from data_prep.simulate.detections import Alerts
from helpers.made_sky import watched


def scores(jd, bogus=False, below_limit=1.0, reference_mag=np.inf, n=4000, per_object=1):
    """rb of alerts of one kind."""
    owner = np.repeat(np.arange(n // per_object), per_object)
    change = np.full(n, objects.flux_of(20.0 - below_limit))
    alerts = Alerts(owner, owner, change, change / 10, *np.zeros((3, n), bool), owner, owner)
    reference = np.full(n, 0.0 if np.isinf(reference_mag) else objects.flux_of(reference_mag))
    return measurements.real_bogus(
        np.random.default_rng(10), np.full(n, jd), np.full(n, 20.0), alerts, reference, bogus
    )


def test_first_years_score_rb_is_less_sure():
    assert np.median(scores(2458300)) == pytest.approx(0.59, abs=0.02)
    assert np.median(scores(2458300, reference_mag=17.0)) == pytest.approx(0.70, abs=0.02)
    assert np.median(scores(2458300, bogus=True)) == pytest.approx(0.29, abs=0.02)
    assert np.median(scores(2460000, bogus=True)) == pytest.approx(0.48, abs=0.02)


def test_rb_is_less_sure_of_what_is_faint_or_on_a_bright_star():
    """Medians of real asteroids, nuclei and stars."""
    later = 2460000
    for below_limit, measured in ((0.25, 0.73), (0.75, 0.83), (1.5, 0.91), (2.5, 0.94)):
        assert np.median(scores(later, below_limit=below_limit)) == pytest.approx(measured, abs=0.03)
    for reference_mag, measured in ((13.0, 0.57), (14.7, 0.76), (17.7, 0.92)):
        assert np.median(scores(later, reference_mag=reference_mag)) == pytest.approx(measured, abs=0.05)


def test_rb_has_a_share_that_belongs_to_the_object():
    own = scores(2460000, per_object=8, below_limit=1.5).reshape(-1, 8)
    assert own.mean(axis=1).std() > 1.4 * own.std(axis=1).mean() / np.sqrt(8)


def test_what_is_left_of_a_source_moves_the_centroid():
    """Bright alerts on a source scatter, by object; those on nothing keep to the twentieth of a pixel."""
    rng, n, times = np.random.default_rng(2), 500, 20
    owner = np.repeat(np.arange(n), times)
    change = np.full(n * times, 1.0)
    alerts = Alerts(owner, owner, change, change / 1000, *np.zeros((3, n * times), bool), owner, owner)
    ra = np.full(n, 10.0)
    placed = measurements.place(rng, alerts, ra, 0 * ra, steady_pix=0.1, on_a_source=np.arange(n) < n // 2)
    scatter = placed.error_x.reshape(n, times).std(axis=1)
    assert np.median(scatter[n // 2 :]) == pytest.approx(0.05, rel=0.1)
    on_a_source = scatter[: n // 2]
    assert np.median(on_a_source) == pytest.approx(np.hypot(0.05, measurements.ROUGH_PIX), rel=0.15)
    assert np.quantile(on_a_source, 0.9) > 2 * np.quantile(on_a_source, 0.1)


def test_small_changes_of_bright_sources_look_sharp():
    """The same objects always: a share that grows from nothing to a half at 3 mag."""
    population, alerts, _ = watched("VS", 600)
    n = len(alerts.owner)
    for fainter, share in ((0.0, 0.01), (3.0, 0.5), (6.0, 0.99)):
        reference = np.abs(alerts.change) * 10 ** (0.4 * fainter)
        exposed = type("Exposed", (), {"reference": reference})
        sharp = measurements.sharp_residuals(np.random.default_rng(1), population, alerts, exposed)
        assert sharp.shape == (n,)
        by_object = np.bincount(alerts.owner, sharp) / np.maximum(np.bincount(alerts.owner), 1)
        assert np.all((by_object == 0) | (by_object == 1))
        assert np.mean(by_object[np.unique(alerts.owner)]) == pytest.approx(share, abs=0.06)


def test_limits_are_told_with_time_filter_depth_and_programme():
    population, _, limits = watched("SN", 200)
    made = measurements.limits_of(np.random.default_rng(4), population, limits)
    seen, at = population.visits, (limits.owner, limits.visit)
    np.testing.assert_array_equal(made["owner"], limits.owner)
    np.testing.assert_allclose(made["jd"], seen.jd[at], atol=1e-7)
    np.testing.assert_array_equal(made["fid"], seen.fid[at])
    np.testing.assert_allclose(made["diffmaglim"], seen.limit[at], rtol=1e-6)
    assert np.all(made["programid"][made["fid"] == 3] == 2)


def test_rb_has_no_upper_limit_that_many_share():
    rb = scores(2460000, below_limit=3.0)
    assert rb.max() <= measurements.SUREST_RB
    assert np.mean(rb == rb.max()) < 0.001
