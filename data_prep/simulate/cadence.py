"""When and how well a place is seen: the survey's schedule for its field, and the conditions of each exposure.

A field has a cadence, season by season; an object has none of its own. Fitted to the nights, filters and limits that
real packets tell of their last 30 days, by year.
"""

from typing import NamedTuple

import numpy as np

from data_prep.simulate.blobs import NOISE_PIXELS_PER_FWHM2
from data_prep.simulate.sky import SURVEY_END_JD, SURVEY_START_JD

G, R, I = 1, 2, 3  # noqa: E741  ZTF's fid

DAYS_PER_YEAR = 365.25
N_SEASONS = int((SURVEY_END_JD - SURVEY_START_JD) / DAYS_PER_YEAR) + 2
SEASON_DAYS, SHORTEST_SEASON_DAYS, LONGEST_SEASON_DAYS = (245.0, 35.0), 150.0, 340.0  # mean and scatter, limits
FIRST_FIELDS_DAYS = 150.0  # the fields of the first year are begun within this time
LATER_FIELDS = 0.5  # of the fields are begun at any time

NIGHT_GAPS_DAYS = np.array([1, 2, 3, 4, 5, 6, 10, 14])
# 8 nights a month until the autumn of 2020, 11 since, and every clear night for some fields and seasons.
THIRD_NIGHT = np.array([0.05, 0.08, 0.44, 0.18, 0.10, 0.08, 0.05, 0.02])
SECOND_NIGHT = np.array([0.22, 0.30, 0.25, 0.10, 0.05, 0.04, 0.03, 0.01])
EVERY_NIGHT = np.array([0.85, 0.10, 0.03, 0.01, 0.01, 0.0, 0.0, 0.0])
FASTER_SINCE_JD = 2459123.0  # October 2020
EVERY_NIGHT_SHARE = 0.06  # of the seasons of a field
NIGHTS_PER_SEASON = 110  # at most; a season of one night in one ends with them

BOTH_FILTERS = {False: 0.50, True: 0.74}  # of the nights, before and since the faster cadence
BOTH_SCATTER = 0.13  # between fields and seasons
REPEATED_SHARE, REPEATED_NIGHTS, SELDOM_REPEATED = 0.12, 0.8, 0.07  # seasons whose nights take each filter twice
ONE_FILTER_SHARE = 0.025  # of the seasons take r alone
I_SHARE = 0.02  # of the exposures
EXPOSURES_PER_NIGHT = 4  # at most
DUSK, DAWN = 0.58, 1.08  # Palomar's night, of a Julian day
AT_ONCE_SHARE, AT_ONCE_DAYS, LATER_DAYS = 0.27, (0.0004, 0.0012), (0.012, 0.105)  # from one exposure to the next

# Variance of a science pixel [DN^2] = VARIANCE_PER_DN * light + READ_VARIANCE; robust fit to the rings of real stamps.
VARIANCE_PER_DN = 0.1731
READ_VARIANCE = 11.53
DIFFERENCE_NOISE = 0.985  # of the science noise

ZERO_POINT_MAG = np.array([26.2, 26.26, 25.6])  # by filter
SKY_DN = np.array([97.0, 207.0, 320.0])
SEEING_PIX = np.array([2.2, 2.0, 1.9])  # median
SEEING_SPREAD = 0.16, 0.34  # of the logarithm over nights, below and above the median: bad nights are far from it
CLOUDY_NIGHTS, CLOUD_MAG, THICKEST_CLOUD_MAG = 0.13, 1.2, 4.0  # share, mean and most
LIMIT_LOSS_MAG = 0.58  # real limits are that much brighter than white noise and a known PSF would allow
REFERENCE_DEPTH_MAG = 0.12  # scatter of the limit between places: some references are deeper
LUNAR_MONTH_DAYS = 29.53


class Schedule(NamedTuple):
    """Exposures of O places over the whole survey, in time order: [O, T] each.

    Attributes:
        jd: [day]; fid: 1 g, 2 r, 3 i. taken: False for the columns after the last exposure of a place.
        begin_jd: [O] when the field of the place was begun.
    """

    jd: np.ndarray
    fid: np.ndarray
    taken: np.ndarray
    begin_jd: np.ndarray


class Visits(NamedTuple):
    """V exposures of O objects, in time order; all [O, V] but `before`.

    Attributes:
        jd: [day]. fid: 1 g, 2 r, 3 i. good: False for exposures that were not made.
        zero_point: [mag]; seeing: FWHM [pix]; limit: ZTF's diffmaglim [mag].
        sky: level that the image shows [DN]. noise_sky: level that makes the noise, higher under the moon: ZTF matches
        what the image shows to the reference.
        before: [O] exposures of the place before the first of these.
    """

    jd: np.ndarray
    fid: np.ndarray
    good: np.ndarray
    zero_point: np.ndarray
    seeing: np.ndarray
    sky: np.ndarray
    noise_sky: np.ndarray
    limit: np.ndarray
    before: np.ndarray


def schedule(rng: np.random.Generator, n: int) -> Schedule:
    """The exposures of n places, each in a field of its own."""
    late = rng.uniform(SURVEY_START_JD, SURVEY_END_JD - 2 * DAYS_PER_YEAR, n)
    early = SURVEY_START_JD + rng.uniform(0, FIRST_FIELDS_DAYS, n)
    begin = np.where(rng.random(n) < LATER_FIELDS, late, early)
    night, season = _nights(rng, n)
    jd, fid, taken = _exposures(rng, night, season)
    taken &= (jd >= begin[:, None, None, None]) & (jd < SURVEY_END_JD)
    jd, fid, taken = (array.reshape(n, -1) for array in (jd, fid, taken))
    packed = _pack(taken, jd, fid)
    return Schedule(*packed, begin)


def _nights(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """[n, seasons, nights] whole JD of the nights, NaN outside the season, and [n, seasons] JD of its first day."""
    first = SURVEY_START_JD - DAYS_PER_YEAR + DAYS_PER_YEAR * (rng.random((n, 1)) + np.arange(N_SEASONS))
    length = np.clip(rng.normal(*SEASON_DAYS, (n, 1)), SHORTEST_SEASON_DAYS, LONGEST_SEASON_DAYS)
    shares = np.where((first < FASTER_SINCE_JD)[..., None], THIRD_NIGHT, SECOND_NIGHT)
    shares = np.where((rng.random(first.shape) < EVERY_NIGHT_SHARE)[..., None], EVERY_NIGHT, shares)
    draws = rng.random((*first.shape, NIGHTS_PER_SEASON, 1), np.float32)
    gaps = NIGHT_GAPS_DAYS[(draws > np.cumsum(shares, axis=-1)[:, :, None, :-1]).sum(axis=-1)]
    night = np.floor(first)[..., None] + np.cumsum(gaps, axis=-1)
    return np.where(night < (first + length)[..., None], night, np.nan), first


def _exposures(rng: np.random.Generator, night: np.ndarray, season: np.ndarray) -> tuple[np.ndarray, ...]:
    """[n, seasons, nights, 4] JD, filter, and whether the exposure is taken: one filter, the other, and both again."""
    since = season >= FASTER_SINCE_JD
    both = np.where(since, BOTH_FILTERS[True], BOTH_FILTERS[False]) + rng.normal(0, BOTH_SCATTER, season.shape)
    repeated = np.where(rng.random(season.shape) < REPEATED_SHARE, REPEATED_NIGHTS, SELDOM_REPEATED)
    one_filter = rng.random(season.shape) < ONE_FILTER_SHARE
    draw = rng.random((*night.shape, 3), np.float32)
    second, again = draw[..., 0] < both[..., None], draw[..., 1] < repeated[..., None]
    leading = np.where(draw[..., 2] < 0.5, G, R)
    fid = np.stack([leading, 3 - leading, leading, 3 - leading], axis=-1)
    fid = np.where(one_filter[..., None, None], R, fid)
    fid[rng.random(fid.shape, np.float32) < I_SHARE] = I
    taken = np.stack([np.isfinite(night), second, again, again & second], axis=-1) & np.isfinite(night)[..., None]
    at_once = rng.random(fid.shape, np.float32) < AT_ONCE_SHARE
    steps = np.where(at_once, rng.uniform(*AT_ONCE_DAYS, fid.shape), rng.uniform(*LATER_DAYS, fid.shape))
    steps[..., 0] = 0
    hour = rng.uniform(0.62, 0.90, (len(night), 1, 1)) + rng.normal(0, 0.03, night.shape)
    hour = np.clip(hour, DUSK, 1.0)[..., None] + np.cumsum(steps, axis=-1)
    return night[..., None] + hour, fid, taken & (hour < DAWN)


def _pack(taken: np.ndarray, jd: np.ndarray, fid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """jd, fid and taken [O, T] with what is taken first; the rest repeats the last time, so that times ascend."""
    order = np.argsort(~taken, axis=1, kind="stable")[:, : max(int(taken.sum(axis=1).max()), 1)]
    jd, fid, taken = (np.take_along_axis(array, order, axis=1) for array in (jd, fid, taken))
    last = np.max(np.where(taken, jd, SURVEY_START_JD), axis=1, keepdims=True)
    return np.where(taken, jd, last), np.where(taken, fid, R), taken


def visits(rng: np.random.Generator, plan: Schedule, begin_jd: np.ndarray, end_jd: np.ndarray) -> Visits:
    """The exposures between two dates [O], with their conditions; half of the gaps are below six hours."""
    before = (plan.taken & (plan.jd < begin_jd[:, None])).sum(axis=1)
    within = plan.taken & (plan.jd >= begin_jd[:, None]) & (plan.jd < end_jd[:, None])
    jd, fid, good = _pack(within, plan.jd, plan.fid)
    seeing, cloudy, depth = rng.standard_normal(jd.shape), rng.random(jd.shape), rng.exponential(CLOUD_MAG, jd.shape)
    depth = np.where(cloudy < CLOUDY_NIGHTS, np.minimum(depth, THICKEST_CLOUD_MAG), 0.0)
    night = _first_of_night(jd)
    of_night = (np.take_along_axis(draw, night, axis=1) for draw in (seeing, depth))
    return Visits(jd, fid, good, *_conditions(rng, jd, fid, *of_night), before)


def _first_of_night(jd: np.ndarray) -> np.ndarray:
    """[O, V] column of the first exposure of the same night."""
    night, column = np.floor(jd - 0.3), np.arange(jd.shape[1])
    new = np.diff(night, axis=1, prepend=-np.inf) > 0
    return np.maximum.accumulate(np.where(new, column, 0), axis=1)


def _conditions(rng, jd, fid, seeing_draw, cloud) -> tuple[np.ndarray, ...]:
    """Seeing and clouds [mag] belong to the night, the rest to the exposure."""
    zero_point = ZERO_POINT_MAG[fid - 1] + rng.normal(0, 0.07, jd.shape) - cloud
    moon = 0.5 - 0.5 * np.cos(2 * np.pi * jd / LUNAR_MONTH_DAYS)  # 1 at full moon
    sky = SKY_DN[fid - 1] * np.exp(0.5 * (moon**3 - 0.2) + rng.normal(0, 0.3, jd.shape)) * 10 ** (-0.25 * cloud)
    # A third of the nights have 1.5 to 2 times the noise that their level explains: those around full moon.
    noise_sky = sky * (1 + 3.5 * np.clip((moon - 0.72) / 0.15, 0, 1) * rng.uniform(0.4, 1.3, jd.shape))
    spread = np.where(seeing_draw < 0, *SEEING_SPREAD)
    seeing = np.clip(SEEING_PIX[fid - 1] * np.exp(spread * seeing_draw + rng.normal(0, 0.09, jd.shape)), 1.3, 6.5)
    noise = DIFFERENCE_NOISE * np.sqrt(VARIANCE_PER_DN * noise_sky + READ_VARIANCE)
    white_limit = 5 * noise * np.sqrt(NOISE_PIXELS_PER_FWHM2) * seeing
    limit = zero_point - 2.5 * np.log10(white_limit) - LIMIT_LOSS_MAG + rng.normal(0, 0.1, jd.shape)
    limit += rng.normal(0, REFERENCE_DEPTH_MAG, (len(jd), 1))
    return zero_point, seeing, sky, noise_sky, limit
