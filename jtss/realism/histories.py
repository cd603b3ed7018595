"""What a packet tells of its object's last 30 days, as a few numbers: one set of summaries for real and simulated."""

import warnings
from itertools import pairwise

import numpy as np

from jtss import schema
from jtss.schema import LIMIT, Sequences

_COLUMN = {name: index for index, name in enumerate(schema.METADATA_NAMES)}
G, R = 1, 2  # ZTF's fid
NIGHT_STARTS = 0.3  # of a Julian day: noon at Palomar
LEAST_FOR_SCATTER = 3  # detections in a filter
ARCSEC = 3600.0
SUMMARY_NAMES = (
    "detections", "limits", "share_detected", "span", "nights", "rows_per_night", "gap_between_nights", "share_g",
    "since_last_detection", "last_gap", "magnitude", "now_minus_magnitude", "scatter_g", "scatter_r", "colour",
    "share_negative", "sign_changes", "depth", "depth_scatter", "depth_minus_magnitude", "sigmapsf", "rb", "rb_scatter",
    "fwhm", "fwhm_scatter", "centroid_rms", "distnr", "distnr_scatter",
)  # fmt: skip


def summaries(packets: Sequences) -> np.ndarray:
    """Summaries of packets as `views.packet` gives them: the last row of each object is the alert.

    Magnitudes are those of the difference; scatters are standard deviations, those of magnitudes about a straight line
    in time; the colour is the median in g minus that in r; the rms of the centroid is in arcsec.

    Returns:
        [N, F] float64 in the order of SUMMARY_NAMES; NaN where there are too few rows to say.
    """
    start = packets.object_start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # medians of nothing are NaN, as they should be
        rows = [_summary(packets, begin, end) for begin, end in pairwise(start)]
    return np.array(rows).reshape(-1, len(SUMMARY_NAMES))


def _summary(packets: Sequences, begin: int, end: int) -> list[float]:
    jd, fid, limit = packets.jd[begin:end], packets.fid[begin:end], packets.kind[begin:end] == LIMIT
    metadata = packets.metadata[begin:end].astype(float)
    metadata[metadata == schema.ZTF_MISSING] = np.nan
    values = {name: metadata[:, index] for name, index in _COLUMN.items()}
    seen = {name: column[~limit] for name, column in values.items()}
    nights = np.unique(np.floor(jd - NIGHT_STARTS))
    jd_seen, fid_seen, magnitude = jd[~limit], fid[~limit], seen["magpsf"]
    of_filter = {f: magnitude[fid_seen == f] for f in (G, R)}
    depth = values["diffmaglim"]
    return [
        len(jd_seen), limit.sum(), np.mean(~limit), jd[-1] - jd[0], len(nights), len(jd) / len(nights),
        np.median(np.diff(nights)) if len(nights) > 1 else np.nan, np.mean(fid == G),
        jd_seen[-1] - jd_seen[-2] if len(jd_seen) > 1 else np.nan, jd[-1] - jd[-2] if len(jd) > 1 else np.nan,
        np.nanmedian(magnitude), magnitude[-1] - np.nanmedian(magnitude),
        *(_scatter(jd_seen[fid_seen == f], of_filter[f]) for f in (G, R)),
        np.nanmedian(of_filter[G]) - np.nanmedian(of_filter[R]),
        1 - np.nanmean(seen["isdiffpos"]), np.mean(np.diff(seen["isdiffpos"]) != 0) if len(jd_seen) > 1 else np.nan,
        np.nanmedian(depth), np.nanstd(depth), np.nanmedian(seen["diffmaglim"] - magnitude),
        np.nanmedian(seen["sigmapsf"]), np.nanmedian(seen["rb"]), _std(seen["rb"]),
        np.nanmedian(seen["fwhm"]), _std(seen["fwhm"]), _rms(seen["ra"], seen["dec"]),
        np.nanmedian(seen["distnr"]), _std(seen["distnr"]),
    ]  # fmt: skip


def _std(values: np.ndarray) -> float:
    return np.nanstd(values) if np.isfinite(values).sum() >= LEAST_FOR_SCATTER else np.nan


def _scatter(jd: np.ndarray, magnitude: np.ndarray) -> float:
    """Standard deviation about a straight line in time."""
    if len(jd) <= LEAST_FOR_SCATTER:
        return np.nan
    days = jd - jd.mean()
    slope = (days @ magnitude) / max(days @ days, 1e-9)
    return np.std(magnitude - slope * days)


def _rms(ra: np.ndarray, dec: np.ndarray) -> float:
    """Of the positions about their mean [arcsec]; right ascension may pass through 0."""
    if len(ra) < LEAST_FOR_SCATTER:
        return np.nan
    east = (np.mod(ra - ra[0] + 180, 360) - 180) * np.cos(np.radians(dec))
    return ARCSEC * np.sqrt(np.nanvar(east) + np.nanvar(dec))
