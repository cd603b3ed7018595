"""What a packet tells of its object's last 30 days, as a few numbers, the same for real and simulated packets."""

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
    "share_negative", "sign_changes", "depth", "depth_scatter", "depth_minus_magnitude", "median_sigmapsf",
    "median_rb", "rb_scatter", "median_fwhm", "fwhm_scatter", "centroid_rms", "median_distnr", "distnr_scatter",
)  # fmt: skip


def summaries(packets: Sequences) -> np.ndarray:
    """Summaries of packets as `views.packet` gives them: the last row of each object is the alert.

    Returns:
        [N, F] float64, see `summary`; NaN throughout where a packet tells nothing of the past, which is not to say that
        there was none.
    """
    columns = packets.jd, packets.fid, packets.kind, packets.metadata
    rows = [summary(*(column[begin:end] for column in columns)) for begin, end in pairwise(packets.object_start)]
    return np.array(rows, float).reshape(-1, len(SUMMARY_NAMES))


def summary(jd: np.ndarray, fid: np.ndarray, kind: np.ndarray, metadata: np.ndarray) -> np.ndarray:
    """One packet's rows in time order, the last of them its alert.

    Magnitudes are those of the difference; scatters are standard deviations, those of magnitudes about a straight line
    in time; the colour is the median in g minus that in r; the rms of the centroid is in arcsec.

    Args:
        jd: [k] [day]. fid: [k] filter. kind: [k] as in `schema.KIND_NAMES`. metadata: [k, 26].

    Returns:
        [F] float64 in the order of SUMMARY_NAMES; NaN where there are too few rows to say.
    """
    if len(jd) < 2:
        return np.full(len(SUMMARY_NAMES), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # medians of nothing are NaN, as they should be
        values = _times(jd, fid, kind) | _measured(jd, fid, kind, metadata.astype(float))
    return np.array([values[name] for name in SUMMARY_NAMES], float)


def _times(jd: np.ndarray, fid: np.ndarray, kind: np.ndarray) -> dict[str, float]:
    """When it was seen."""
    seen = jd[kind != LIMIT]
    nights = np.unique(np.floor(jd - NIGHT_STARTS))
    return {
        "detections": len(seen),
        "limits": len(jd) - len(seen),
        "share_detected": len(seen) / len(jd),
        "span": jd[-1] - jd[0],
        "nights": len(nights),
        "rows_per_night": len(jd) / len(nights),
        "gap_between_nights": np.median(np.diff(nights)),
        "share_g": np.mean(fid == G),
        "last_gap": jd[-1] - jd[-2],
        "since_last_detection": jd[-1] - seen[-2] if len(seen) > 1 else np.nan,
    }


def _measured(jd: np.ndarray, fid: np.ndarray, kind: np.ndarray, metadata: np.ndarray) -> dict[str, float]:
    """What was measured of it."""
    metadata = np.where(metadata == schema.ZTF_MISSING, np.nan, metadata)
    depth = metadata[:, _COLUMN["diffmaglim"]]
    is_seen = kind != LIMIT
    seen = {name: metadata[is_seen, index] for name, index in _COLUMN.items()}
    jd, magnitude, positive = jd[is_seen], seen["magpsf"], seen["isdiffpos"]
    positive = positive[~np.isnan(positive)]
    of_filter = {f: fid[is_seen] == f for f in (G, R)}
    return {
        "magnitude": np.nanmedian(magnitude),
        "now_minus_magnitude": magnitude[-1] - np.nanmedian(magnitude),
        "scatter_g": _scatter(jd[of_filter[G]], magnitude[of_filter[G]]),
        "scatter_r": _scatter(jd[of_filter[R]], magnitude[of_filter[R]]),
        "colour": np.nanmedian(magnitude[of_filter[G]]) - np.nanmedian(magnitude[of_filter[R]]),
        "share_negative": 1 - np.mean(positive),
        "sign_changes": np.mean(np.diff(positive) != 0) if len(positive) > 1 else np.nan,
        "depth": np.nanmedian(depth),
        "depth_scatter": np.nanstd(depth),
        "depth_minus_magnitude": np.nanmedian(seen["diffmaglim"] - magnitude),
        "median_sigmapsf": np.nanmedian(seen["sigmapsf"]),
        "median_rb": np.nanmedian(seen["rb"]),
        "rb_scatter": _std(seen["rb"]),
        "median_fwhm": np.nanmedian(seen["fwhm"]),
        "fwhm_scatter": _std(seen["fwhm"]),
        "centroid_rms": _rms(seen["ra"], seen["dec"]),
        "median_distnr": np.nanmedian(seen["distnr"]),
        "distnr_scatter": _std(seen["distnr"]),
    }


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
