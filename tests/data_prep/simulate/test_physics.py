"""Light curves, cadence, sky and catalogues of the simulator."""

import numpy as np
import pytest

from data_prep.simulate import allwise, cadence, defects, detections, lightcurves, measurements, objects, sky, stars
from data_prep.simulate.catalogue import (
    REFERENCE_LIMIT_MAG,
    Sources,
    measured_neighbours,
    nearest,
    reference_images,
    star_score,
)
from jtss.schema import MIN_GAP_DAYS, ZTF_MISSING


def test_damped_random_walk_has_its_variance_and_structure_function():
    rng = np.random.default_rng(0)
    n, tau, sigma = 4000, 50.0, 0.3
    times = np.sort(rng.uniform(0, 300, 12))
    walk = lightcurves.damped_random_walk(rng, np.tile(times, (n, 1)), np.full(n, tau), np.full(n, sigma))
    assert walk.std() == pytest.approx(sigma, rel=0.03)
    lag = np.abs(times[:, None] - times)
    structure = ((walk[:, :, None] - walk[:, None, :]) ** 2).mean(axis=0)
    np.testing.assert_allclose(structure, 2 * sigma**2 * (1 - np.exp(-lag / tau)), atol=0.012)


def test_supernova_rises_peaks_at_zero_and_falls():
    days = np.arange(-60, 300.0)[None]
    flux = lightcurves.supernova(days, np.array([17.0]), np.array([0.0]), np.array([20.0]))[0]
    assert days[0, np.argmax(flux)] == 0
    assert flux.max() == 1
    assert np.all(flux[days[0] <= -17] == 0)
    assert np.all(np.diff(flux[days[0] >= 0]) < 0)
    assert 10 < np.interp(0.5, flux[days[0] >= 0][::-1], days[0][days[0] >= 0][::-1]) < 30


def test_plateau_stays():
    flux = lightcurves.supernova(np.array([[0.0, 30.0, 59.0, 120.0]]), *np.array([[9.0], [60.0], [22.0]]))[0]
    np.testing.assert_allclose(flux[:3], 1)
    assert flux[3] < 0.2


def test_rr_lyrae_rises_faster_than_it_falls():
    phase = np.linspace(0, 1, 1000, endpoint=False)[None]
    magnitude = lightcurves.rr_lyrae(phase, np.array([0.2]))[0]
    assert magnitude.min() == pytest.approx(-0.5)
    assert magnitude.max() == pytest.approx(0.5, abs=0.01)
    assert np.mean(np.diff(magnitude) < 0) == pytest.approx(0.2, abs=0.01)


def test_binary_is_deepest_at_phase_zero():
    phase = np.array([[0.0, 0.25, 0.5]])
    depth = lightcurves.eclipses(phase, np.array([0.05]), np.array([0.4]))[0]
    np.testing.assert_allclose(depth, [1, 0, 0.4], atol=1e-4)


def test_half_of_the_gaps_are_shorter_than_six_hours():
    seen = cadence.visits(np.random.default_rng(1), np.full(200, 2458500.0), 60)
    gaps = np.concatenate([np.diff(jd[good]) for jd, good in zip(seen.jd, seen.good, strict=True)])
    assert gaps.min() > 0
    assert 0.35 < np.mean(gaps < MIN_GAP_DAYS) < 0.6
    long = gaps[gaps > MIN_GAP_DAYS]
    assert 1.5 < np.median(long) < 3.1
    assert 0.85 < np.quantile(long, 0.05) < 1.1
    shares = np.bincount(seen.fid[seen.good], minlength=4)[1:] / seen.good.sum()
    np.testing.assert_allclose(shares, [0.49, 0.49, 0.02], atol=0.01)


def test_limits_match_the_survey():
    seen = cadence.visits(np.random.default_rng(2), np.full(300, 2458500.0), 60)
    quantiles = np.quantile(seen.limit[seen.good], [0.05, 0.5, 0.95])
    np.testing.assert_allclose(quantiles, [19.0, 20.1, 20.6], atol=0.4)
    assert 0.01 < np.mean(seen.limit[seen.good] < 18.8) < 0.08  # clouds


def test_positions_keep_to_their_part_of_the_sky():
    rng = np.random.default_rng(3)
    latitude = {}
    disc = sky.stars(8.0, 0.4)
    for kind in (sky.extragalactic, disc, sky.solar_system):
        ra, dec = sky.positions(rng, 2000, kind)
        assert np.all((dec > sky.DEC_MIN_DEG) & (dec < sky.DEC_MAX_DEG) & (ra >= 0) & (ra < 360))
        latitude[kind] = np.abs(sky.galactic(ra, dec)[1])
    assert latitude[sky.extragalactic].min() > 5
    assert np.median(latitude[disc]) < np.median(latitude[sky.extragalactic])
    ra, dec = sky.positions(rng, 2000, sky.solar_system)
    assert np.median(np.abs(sky.sky_frames(ra, dec)[3])) < 15


def test_stars_crowd_towards_the_plane_and_the_centre():
    density = sky.star_density(np.array([0.0, 180.0, 0.0, 0.0]), np.array([0.0, 0.0, 30.0, -90.0]))
    assert density[0] > density[1] > 5 * density[2] > 5 * density[3] > 0


def test_supernovae_follow_the_light_of_their_hosts():
    start = np.full(3000, 2459000.0)
    hosts = objects.supernovae(np.random.default_rng(4), start).hosts
    distance = np.hypot(hosts.x, hosts.y)
    # An exponential disc has half its light within its effective radius; inclination brings sources closer, and a
    # bulge keeps more of them near the centre.
    disc, bulge = hosts.bulge < 0.3, hosts.bulge > 0.6
    assert 0.6 < np.median(distance[disc] / hosts.radius[disc]) < 1.05
    central = [np.mean(distance[some] < 0.15 * hosts.radius[some]) for some in (disc, bulge)]
    assert central[1] > 2 * central[0] > 0
    along = np.abs(hosts.x * np.cos(hosts.angle) + hosts.y * np.sin(hosts.angle))
    across = np.abs(hosts.y * np.cos(hosts.angle) - hosts.x * np.sin(hosts.angle))
    thin = hosts.axis_ratio < 0.5
    assert np.median(across[thin] / along[thin]) < 0.6


def test_some_supernovae_are_in_dwarf_galaxies(monkeypatch):
    def faint():
        hosts = objects.supernovae(np.random.default_rng(21), np.full(6000, 2459000.0)).hosts
        return np.mean(-2.5 * np.log10(hosts.flux[:, 1]) > 21.5)

    some = faint()
    monkeypatch.setattr(objects, "DWARF_SHARES", np.zeros(len(objects.SUPERNOVAE)))
    assert 0.03 < some < 0.1
    assert faint() < 0.3 * some


def test_star_scores_are_sure_when_bright_and_wide_when_faint():
    rng = np.random.default_rng(5)
    n = 4000
    bright_star, bright_galaxy = (star_score(rng, np.full(n, 17.0), np.full(n, p)) for p in (1.0, 0.1))
    faint = star_score(rng, np.full(n, 23.2), np.ones(n))
    assert np.median(bright_star) > 0.97
    assert np.median(bright_galaxy) < 0.02
    assert 0.1 < np.mean(faint == 0.5) < 0.2
    assert 0.6 < np.mean(faint > 0.5) / np.mean(faint != 0.5) < 0.95


def test_host_dilutes_the_colours_of_a_nucleus():
    rng, n = np.random.default_rng(6), 2000
    nuclei = np.full(n, allwise.NUCLEUS)

    def median_colour(share):
        magnitudes = allwise.photometry(rng, nuclei, np.full(n, 17.0), np.full(n, share), np.zeros(n))
        return np.nanmedian(magnitudes[:, 0] - magnitudes[:, 1])

    assert median_colour(1.0) > 0.9
    assert 0.2 < median_colour(0.2) < 0.6
    assert np.isnan(allwise.photometry(rng, nuclei, np.full(n, 22.0), np.ones(n), np.zeros(n))).mean() > 0.9


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


def test_first_years_score_rb_is_less_sure():
    rng, n = np.random.default_rng(10), 3000
    early, late = (measurements.real_bogus(rng, np.full(n, jd), np.zeros(n, bool), False) for jd in (2458300, 2460000))
    assert np.median(early) == pytest.approx(0.59, abs=0.02)
    assert np.median(late) == pytest.approx(0.86, abs=0.02)
    early, late = (measurements.real_bogus(rng, np.full(n, jd), np.zeros(n, bool), True) for jd in (2458300, 2460000))
    assert np.median(early) == pytest.approx(0.29, abs=0.02)
    assert np.median(late) == pytest.approx(0.48, abs=0.02)


def reference_of(r_mag, colour, n=2000, pointlike=1.0):
    """The reference images of n objects that are a source of this kind, alone on the sky."""
    rng, ones = np.random.default_rng(12), np.ones(n)
    one = Sources(0 * ones, 0 * ones, r_mag * ones, colour * ones, pointlike * ones, np.arange(n))
    return reference_images(rng, nearest(rng, [one], n))


def test_reference_source_has_the_colour_of_its_filter():
    found = reference_of(17.0, 1.2)
    np.testing.assert_allclose(np.median(found.magnitude, axis=0), [18.2, 17.0, 17.0 - 0.35 * 1.2], atol=0.01)
    assert np.median(np.hypot(found.x, found.y)) < 0.2


def test_a_red_source_may_be_in_one_reference_image_and_not_in_another():
    found = reference_of(22.0, 1.6)
    there = np.hypot(found.x, found.y) < 0.5
    assert there[:, 0].mean() < 0.05
    assert there[:, 1].mean() > 0.6  # as often as the catalogue lists it
    assert np.all(found.magnitude < REFERENCE_LIMIT_MAG + 0.7)
    assert np.isfinite(found.magnitude).all()


def test_galaxies_fit_a_psf_badly_in_every_filter():
    star, galaxy = reference_of(18.0, 0.8), reference_of(18.0, 0.8, pointlike=0.05)
    assert np.all(np.median(galaxy.chi, axis=0) > 3 * np.median(star.chi, axis=0))
    assert np.all(np.median(galaxy.sharpness, axis=0) > 0.2 + np.median(star.sharpness, axis=0))
    assert np.all(np.median(galaxy.magnitude - star.magnitude, axis=0) > 0.5)  # a PSF's share of the light
    assert np.corrcoef(galaxy.sharpness[:, 0], galaxy.sharpness[:, 1])[0, 1] > 0.8


def test_bad_nights_are_further_from_the_median_than_good_ones():
    seen = cadence.visits(np.random.default_rng(13), np.full(400, 2458500.0), 60)
    low, median, high = np.quantile(np.log(seen.seeing[seen.good]), [0.05, 0.5, 0.95])
    assert high - median > 1.5 * (median - low)


def test_clouds_dim_a_share_of_the_nights():
    seen = cadence.visits(np.random.default_rng(14), np.full(400, 2458500.0), 60)
    dimmed = np.mean(seen.zero_point < cadence.ZERO_POINT_MAG[seen.fid - 1] - 0.3)
    assert dimmed == pytest.approx(cadence.CLOUDY_NIGHTS * np.exp(-0.3 / 1.1), abs=0.008)


def artefacts_of(kind, n=6000):
    """Of artefacts of one kind [A, V]: change of flux, limit [mag], and zero point less the typical one [mag]."""
    start = np.full(n, 2459000.0)
    population, kinds = defects.artefacts(np.random.default_rng(19), start)
    rows = kinds == kind
    seen = population.visits
    change = population.flux - objects.of_filter(population.reference, seen.fid)
    return change[rows], seen.limit[rows], seen.zero_point[rows] - cadence.ZERO_POINT_MAG[seen.fid[rows] - 1]


def test_clouds_dim_light_but_not_what_the_camera_makes_of_itself():
    for kind, dimmed in ((defects.STREAK, False), (defects.COSMIC_RAY, True)):
        change, _, zero_point = artefacts_of(kind)
        clear, cloudy = (
            np.median(-2.5 * np.log10(np.abs(change[some]))) for some in (zero_point > -0.2, zero_point < -1)
        )
        assert (clear - cloudy > 0.8) == dimmed


def test_peaks_of_the_noise_are_as_bright_as_the_noise_allows():
    change, limit, _ = artefacts_of(defects.NOISE_PEAK)
    above = limit + 2.5 * np.log10(np.abs(change))
    assert above.min() >= 0
    assert np.median(above) == pytest.approx(0.5 * np.log(2), abs=0.03)
    assert np.mean(change < 0) == pytest.approx(0.5, abs=0.05)


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


def test_what_the_catalogue_misses_may_be_in_the_reference_image():
    """A faint host is the nearest source of the reference image, and nothing that Pan-STARRS lists."""
    rng, n = np.random.default_rng(16), 2000
    ones, zeros = np.ones(n), np.zeros(n)
    found = nearest(rng, [Sources(zeros, zeros, 22.8 * ones, 0.1 * ones, ones, np.arange(n))], n)
    columns = measured_neighbours(found, np.arange(n), zeros, zeros)
    listed = columns["distpsnr1"] == 0
    assert 0.2 < listed.mean() < 0.45
    assert np.all(columns["sgscore1"][~listed] == ZTF_MISSING)
    there = np.hypot(*reference_images(rng, found)[:2])[:, 1] < 0.5
    assert there[~listed].mean() > 0.8


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
