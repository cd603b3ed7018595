"""When and how well places are seen, against the survey."""

import numpy as np
import pytest

from data_prep.simulate import cadence, sky
from helpers.made_sky import plan, whole
from jtss.schema import MIN_GAP_DAYS

HALF_A_MINUTE = 30 / 86400
SEASON_ENDS_DAYS = 20.0  # no gap within a season is longer


@pytest.fixture(scope="module")
def places():
    return plan(300)


@pytest.fixture(scope="module")
def seen():
    return whole(300)


def by_place(made, column="jd"):
    return [getattr(made, column)[place, taken] for place, taken in enumerate(made.taken)]


def test_no_two_exposures_of_a_place_coincide(places):
    assert min(np.diff(jd).min() for jd in by_place(places)) > HALF_A_MINUTE


def test_exposures_are_taken_at_night_from_the_beginning_of_the_field_to_the_end_of_the_survey(places):
    jd = np.concatenate(by_place(places))
    assert np.all(places.jd[places.taken] >= np.repeat(places.begin_jd, places.taken.sum(axis=1)))
    assert sky.SURVEY_START_JD <= jd.min() < jd.max() < sky.SURVEY_END_JD
    hour = np.mod(jd - 0.3, 1) + 0.3  # the night is one piece when days begin at noon
    assert hour.min() > 0.579
    assert hour.max() < 1.081  # real exposures: 1.076


def test_what_is_not_taken_repeats_the_last_time(places):
    for place in range(5):
        taken = places.taken[place]
        assert np.all(np.diff(taken.astype(int)) <= 0)  # first what is taken, then what is not
        assert np.all(places.jd[place, ~taken] == places.jd[place, taken].max())


@pytest.mark.parametrize(("first", "last", "nights"), [(2018.3, 2020.7, 8), (2020.9, 2026.0, 11)])
def test_nights_of_a_month_by_year(places, first, last, nights):
    """The median place; of some, every night."""
    begin, end = (2458119.5 + 365.25 * (year - 2018) for year in (first, last))
    months = []
    for jd in by_place(places):
        night = np.unique(np.floor(jd[(jd > begin) & (jd < end)] - 0.3))
        gaps = np.diff(night)
        months.append(30 / gaps[gaps < SEASON_ENDS_DAYS].mean() if len(gaps) > 30 else np.nan)
    assert np.nanmedian(months) == pytest.approx(nights, abs=1)


def test_some_seasons_have_every_night(places):
    jd = [jd[jd > cadence.FASTER_SINCE_JD] for jd in by_place(places)]
    nightly = [np.mean(np.diff(np.unique(np.floor(times - 0.3))) == 1) for times in jd]
    median = np.median(nightly)
    assert median == pytest.approx(cadence.SECOND_NIGHT[0], abs=0.05)
    assert 0.05 < np.mean(np.array(nightly) > median + 0.12) < 0.6


def test_a_place_has_months_without_exposures_every_year(places):
    rest = [(gaps > 40).sum() for gaps in map(np.diff, by_place(places))]
    years = (sky.SURVEY_END_JD - np.array([jd[0] for jd in by_place(places)])) / 365.25
    assert np.median(rest / years) == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("since", [False, True])
def test_nights_with_both_filters(places, since):
    shares = []
    for jd, fid in zip(by_place(places), by_place(places, "fid"), strict=True):
        some = (jd >= cadence.FASTER_SINCE_JD + 365) if since else (jd < cadence.FASTER_SINCE_JD - 365)
        night = np.floor(jd[some] - 0.3)
        g, r = (set(night[fid[some] == f]) for f in (cadence.G, cadence.R))
        if g | r:
            shares.append(len(g & r) / len(g | r))
    assert np.median(shares) == pytest.approx(cadence.BOTH_FILTERS[since], abs=0.06)


def test_half_of_the_gaps_are_shorter_than_six_hours(places):
    gaps = np.concatenate([np.diff(jd) for jd in by_place(places)])
    assert 0.35 < np.mean(gaps < MIN_GAP_DAYS) < 0.6
    assert 0.85 < np.quantile(gaps[gaps > MIN_GAP_DAYS], 0.05) < 1.1
    shares = np.bincount(np.concatenate(by_place(places, "fid")), minlength=4)[1:]
    np.testing.assert_allclose(shares / shares.sum(), [0.48, 0.50, 0.02], atol=0.02)


def test_visits_are_the_exposures_between_two_dates(places):
    begin, end = places.begin_jd + 300, places.begin_jd + 900
    part = cadence.visits(np.random.default_rng(4), places, begin, end)
    for place, jd in enumerate(by_place(places)):
        np.testing.assert_array_equal(part.jd[place, part.good[place]], jd[(jd >= begin[place]) & (jd < end[place])])
        assert part.before[place] == np.sum(jd < begin[place])


def test_limits_match_the_survey(seen):
    """Quantiles of the limits in g and r that real packets tell."""
    for fid, expected in ((cadence.G, [18.95, 20.14, 20.76]), (cadence.R, [18.32, 20.00, 20.60])):
        limits = seen.limit[seen.good & (seen.fid == fid)]
        faint, middle, deep = np.quantile(limits, [0.05, 0.5, 0.95])
        assert faint == pytest.approx(expected[0], abs=0.5)  # clouds, of few nights
        assert middle == pytest.approx(expected[1], abs=0.1)
        assert deep == pytest.approx(expected[2], abs=0.2)


def test_some_references_are_deeper(seen):
    medians = [np.median(limit[good]) for limit, good in zip(seen.limit, seen.good, strict=True)]
    assert np.std(medians) == pytest.approx(cadence.REFERENCE_DEPTH_MAG, rel=0.25)


def test_bad_nights_are_further_from_the_median_than_good_ones(seen):
    low, median, high = np.quantile(np.log(seen.seeing[seen.good]), [0.05, 0.5, 0.95])
    assert high - median > 1.5 * (median - low)


def test_clouds_dim_a_share_of_the_nights(seen):
    dimmed = np.mean((seen.zero_point < cadence.ZERO_POINT_MAG[seen.fid - 1] - 0.3)[seen.good])
    assert dimmed == pytest.approx(cadence.CLOUDY_NIGHTS * np.exp(-0.3 / cadence.CLOUD_MAG), abs=0.008)


def test_a_night_has_one_weather(seen):
    """Exposures of one night share clouds and most of the seeing; those of two nights nothing."""
    good = seen.good[:, 1:] & seen.good[:, :-1]
    together = np.diff(seen.jd, axis=1) < MIN_GAP_DAYS
    clouds = seen.zero_point - cadence.ZERO_POINT_MAG[seen.fid - 1] < -0.5
    same = clouds[:, 1:] == clouds[:, :-1]
    assert np.mean(same[good & together]) > 0.98
    assert np.mean(same[good & ~together]) < 0.9
