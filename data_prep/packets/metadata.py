"""Metadata of a detection: ZTF's `candidate` record to the 26 values of the catalogue.

Missing is NaN from here on. One vectorised path serves packets and the simulator.
"""

import re
from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np

from jtss.schema import METADATA, MISSING_FLOOR, ZTF_MISSING

# What we read of `candidate`: the catalogue, the time, the filter, and where the source lies in the image.
CANDIDATE_FIELDS = ("jd", "fid", "xpos", "ypos", *(feature.field for feature in METADATA if feature.field))

# What we read of the rows of `prv_candidates`, which lack the counts and the neighbours in the catalogue.
NOT_TOLD = ("xpos", "ypos", "ndethist", "ncovhist", *(f"{name}{i}" for name in ("sgscore", "distpsnr") for i in "123"))
HISTORY_FIELDS = tuple(field for field in CANDIDATE_FIELDS if field not in NOT_TOLD)

# What lies farther apart is not one object. ZTF joins within 1.5″, and detections of real objects stay within 0.8″ of
# their median; an id such as nan, which a data frame wrote for want of one, joins alerts from all over the sky.
MAX_APART_ARCSEC = 10.0

FILTERS = (1, 2, 3)  # g, r, i
INT64_MAX = 2**63 - 1
DIGITS = re.compile(r"\d{1,19}", re.ASCII)
FLOAT64_BYTES = 8
MAX_EXACT_FLOAT = 2**53  # beyond, a float64 stands for more than one whole number
FLOAT32_MAX = float(np.finfo(np.float32).max)

# Rotations of ICRS unit vectors, printed by astropy 7: SkyCoord(x, y, z, frame="icrs") transformed to Galactic() and to
# BarycentricMeanEcliptic(equinox="J2000"). The textbook matrices (Hipparcos; obliquity 84381.448") agree to 1e-5 deg.
ICRS_TO_GALACTIC = np.array(
    [
        [-0.05487565771259163, -0.8734370519556159, -0.48383507361671546],
        [0.4941094371927268, -0.44482972122329517, 0.7469821839866676],
        [-0.8676661375596576, -0.19807633727300059, 0.45598381368730156],
    ]
)
ICRS_TO_ECLIPTIC = np.array(
    [
        [0.9999999999999941, -7.078368954848322e-08, 8.05621398373642e-08],
        [3.2897004077419646e-08, 0.9174821299149584, 0.39777699944404793],
        [-1.0207044725484355e-07, -0.39777699944404304, 0.9174821299149556],
    ]
)


def isdiffpos_value(value: object) -> float:
    """1.0 for a positive difference ('t', '1', 1, True), 0.0 for a negative one ('f', '0', 0, False), else NaN.

    ZTF alert schema: ZTF itself writes t and f, other streams 1 and 0.
    """
    if value in ("t", "1", 1):
        return 1.0
    if value in ("f", "0", 0):
        return 0.0
    return np.nan


def number(value: object) -> float:
    """`value` as a float; NaN where it is no number or none that float32 can hold."""
    if type(value) is float:  # most are, and to ask whether something is Real takes a while
        return value if abs(value) <= FLOAT32_MAX else np.nan
    if isinstance(value, bool) or not isinstance(value, Real) or not abs(value) <= FLOAT32_MAX:
        return np.nan
    return float(value)


def plain(value: object) -> object:
    """A NumPy scalar as Python's; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def precise(value: object) -> object:
    """As `plain`, without a float32, which holds neither a candid nor the time of an exposure."""
    return None if isinstance(value, np.floating) and value.itemsize < FLOAT64_BYTES else plain(value)


def exact(value: object) -> int:
    """A number, or text of one, as a positive 64-bit integer; 0 where that is not exactly what it says."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str) and DIGITS.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_FLOAT:
        value = int(value)
    return value if type(value) is int and 0 < value <= INT64_MAX else 0  # True is an int, too


def columns_of(candidates: Sequence[Mapping[str, object]]) -> dict[str, np.ndarray]:
    """Turn `candidate` records into columns.

    Args:
        candidates: M records; any field may be absent, None or of a wrong type.

    Returns:
        [M] float64 for each of CANDIDATE_FIELDS; NaN = missing. ZTF's -999 is left as it is.

    ZTF alert schema.
    """
    columns = {
        field: np.array([number(candidate.get(field)) for candidate in candidates], float) for field in CANDIDATE_FIELDS
    }
    columns["isdiffpos"] = np.array([isdiffpos_value(candidate.get("isdiffpos")) for candidate in candidates], float)
    return columns


def unit_vectors(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """[..., 3] unit vectors towards right ascension and declination [deg]."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def chord(arcsec: float) -> float:
    """Distance of two unit vectors that are an angle apart."""
    return 2 * np.sin(np.radians(arcsec / 3600) / 2)


def angles(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude in [0, 360) and latitude [deg] of [..., 3] vectors."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    longitude = np.mod(np.degrees(np.arctan2(y, x)), 360.0)
    longitude = np.where(longitude == 360.0, 0.0, longitude)  # what mod makes of -1e-17
    return longitude, np.degrees(np.arctan2(z, np.hypot(x, y)))


def sky_frames(ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Galactic and ecliptic (mean, J2000) coordinates.

    Args:
        ra_deg, dec_deg: [M] ICRS position [deg]; NaN where missing.

    Returns:
        gal_l, gal_b, ecl_lon, ecl_lat: [M] float64 [deg]; NaN where the position is missing.

    TSC Table 3; matrices from astropy.
    """
    icrs = unit_vectors(np.asarray(ra_deg, float), np.asarray(dec_deg, float))
    return *angles(icrs @ ICRS_TO_GALACTIC.T), *angles(icrs @ ICRS_TO_ECLIPTIC.T)


def within(values: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """`values` with NaN for what lies outside [lower, upper]."""
    return np.where((values >= lower) & (values <= upper), values, np.nan)


def catalogue(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """The metadata catalogue of M detections.

    Args:
        columns: [M] arrays by ZTF field name, NaN = missing, at least one; an absent field is missing throughout.
            isdiffpos is 1 or 0. ZTF's -999 is missing, except where the catalogue's lower limit of -1 absorbs it.

    Returns:
        [M, 26] float32 in the order of `METADATA`; unclipped, NaN = missing.

    TSC Table 3.
    """
    n_rows = len(next(iter(columns.values())))
    values = {}
    for feature in METADATA:
        raw = np.asarray(columns.get(feature.field, np.full(n_rows, np.nan)), np.float64)
        raw = within(raw, -FLOAT32_MAX, FLOAT32_MAX)
        absorbs = feature.lower == MISSING_FLOOR
        values[feature.name] = raw if absorbs else np.where(raw == ZTF_MISSING, np.nan, raw)
    values["isdiffpos"] = np.where(np.isin(values["isdiffpos"], (0.0, 1.0)), values["isdiffpos"], np.nan)
    values["non_detections"] = within(values["ncovhist"] - values["ndethist"], -FLOAT32_MAX, FLOAT32_MAX)
    values["ra"] = within(values["ra"], 0.0, 360.0)
    values["dec"] = within(values["dec"], -90.0, 90.0)
    values.update(zip(("gal_l", "gal_b", "ecl_lon", "ecl_lat"), sky_frames(values["ra"], values["dec"]), strict=True))
    return np.stack([values[feature.name] for feature in METADATA], axis=-1).astype(np.float32)
