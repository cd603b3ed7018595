"""The metadata catalogue: what is missing, what is derived, and the sky frames against astropy."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import BarycentricMeanEcliptic, Galactic, SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from data_prep.packets.metadata import CANDIDATE_FIELDS, catalogue, columns_of, isdiffpos_value, sky_frames
from jtss.schema import METADATA, METADATA_NAMES, MISSING_FLOOR

WHOLE = dict.fromkeys(CANDIDATE_FIELDS, 1.0) | {"isdiffpos": "t", "ra": 150.0, "dec": 2.0, "ncovhist": 9}
RAW = [feature for feature in METADATA if feature.field]


def value(candidate: dict, name: str) -> float:
    return float(catalogue(columns_of([candidate]))[0, METADATA_NAMES.index(name)])


def angular_error_arcsec(lon_a, lat_a, lon_b, lat_b):
    a, b = SkyCoord(lon_a * u.deg, lat_a * u.deg), SkyCoord(lon_b * u.deg, lat_b * u.deg)
    return a.separation(b).arcsec


def positions():
    rng = np.random.default_rng(5)
    ra = rng.uniform(0, 360, 2000)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 2000)))
    # poles, RA at its ends, and the poles and origins of both frames, where longitude is lost or wraps
    special = [(0, 0), (360, 0), (0, 90), (123, -90), (359.9999999, 1e-9), (180, 0), (270, 66.5607), (90, -66.5607)]
    special += [(192.85948, 27.12825), (12.85948, -27.12825), (266.40499, -28.93617), (86.40499, 28.93617)]
    return np.append(ra, [p[0] for p in special]), np.append(dec, [p[1] for p in special])


def test_sky_frames_agree_with_astropy():
    """To 1 micro-arcsecond as directions: float64 rounding is 1e-10 arcsec, and arcsin near a pole costs some."""
    ra, dec = positions()
    icrs = SkyCoord(ra * u.deg, dec * u.deg)
    galactic, ecliptic = icrs.transform_to(Galactic()), icrs.transform_to(BarycentricMeanEcliptic(equinox="J2000"))
    gal_l, gal_b, ecl_lon, ecl_lat = sky_frames(ra, dec)
    assert angular_error_arcsec(gal_l, gal_b, galactic.l.deg, galactic.b.deg).max() < 1e-6
    assert angular_error_arcsec(ecl_lon, ecl_lat, ecliptic.lon.deg, ecliptic.lat.deg).max() < 1e-6
    for longitude in (gal_l, ecl_lon):
        assert ((longitude >= 0) & (longitude < 360)).all()


def test_sky_frames_agree_with_the_textbook_rotations():
    """Obliquity 84381.448 arcsec and the galactic pole of 1958 in its J2000 place: what other brokers use."""
    ra, dec = positions()
    _, gal_b, _, ecl_lat = sky_frames(ra, dec)
    ra, dec, obliquity = np.radians(ra), np.radians(dec), np.radians(84381.448 / 3600)
    pole_ra, pole_dec = np.radians([192.85948, 27.12825])
    sin_b = np.sin(pole_dec) * np.sin(dec) + np.cos(pole_dec) * np.cos(dec) * np.cos(ra - pole_ra)
    sin_beta = np.cos(obliquity) * np.sin(dec) - np.sin(obliquity) * np.cos(dec) * np.sin(ra)
    np.testing.assert_allclose(np.sin(np.radians(gal_b)), sin_b, atol=3e-7)
    np.testing.assert_allclose(np.sin(np.radians(ecl_lat)), sin_beta, atol=3e-7)


@pytest.mark.parametrize("feature", RAW, ids=lambda feature: feature.name)
@pytest.mark.parametrize("bad", [None, np.nan, np.inf, -np.inf, 1e39, 10**400, "word", b"t", [1.0], {}, "absent"])
def test_what_is_no_number_is_missing(feature, bad):
    candidate = {key: entry for key, entry in WHOLE.items() if key != feature.field}
    if bad != "absent":
        candidate[feature.field] = bad
    assert np.isnan(value(candidate, feature.name))
    lost = np.isnan(catalogue(columns_of([candidate]))[0])
    derived = {"ncovhist": 1, "ndethist": 1, "ra": 4, "dec": 4}.get(feature.name, 0)
    assert lost.sum() == 1 + derived  # nothing else goes with it


@pytest.mark.parametrize("feature", RAW, ids=lambda feature: feature.name)
def test_minus_999_is_missing_unless_the_floor_absorbs_it(feature):
    found = value(WHOLE | {feature.field: -999}, feature.name)
    assert found == -999 if feature.lower == MISSING_FLOOR else np.isnan(found)


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [("t", 1), ("1", 1), (1, 1), (True, 1), (1.0, 1), ("f", 0), ("0", 0), (0, 0), (False, 0)]
    + [(bad, np.nan) for bad in (None, "", "x", 2, -1, -999, np.nan, [1], b"t", "true")],
)
def test_isdiffpos(given_value, expected):
    np.testing.assert_equal(isdiffpos_value(given_value), float(expected))
    np.testing.assert_equal(value(WHOLE | {"isdiffpos": given_value}, "isdiffpos"), float(expected))


def test_non_detections_is_a_difference():
    assert value(WHOLE | {"ncovhist": 90, "ndethist": 12}, "non_detections") == 78


@pytest.mark.parametrize("bad", [{"ra": -1e-3}, {"ra": 360.1}, {"dec": 90.01}, {"dec": -91.0}, {"ra": -999}])
def test_a_position_off_the_sky_is_missing_with_its_frames(bad):
    candidate = WHOLE | bad
    assert all(np.isnan(value(candidate, name)) for name in (*bad, "gal_l", "gal_b", "ecl_lon", "ecl_lat"))


NUMBERS = st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.sampled_from(["", "t", "f", "x"]))


@given(st.lists(st.dictionaries(st.sampled_from(CANDIDATE_FIELDS), NUMBERS, max_size=8), min_size=1, max_size=3))
def test_any_candidate_gives_finite_values_or_nan(candidates):
    values = catalogue(columns_of(candidates))
    assert values.shape == (len(candidates), len(METADATA))
    assert values.dtype == np.float32
    assert not np.isinf(values).any()
    one_by_one = np.concatenate([catalogue(columns_of([candidate])) for candidate in candidates])
    np.testing.assert_array_equal(values, one_by_one)


def test_values_keep_their_place_and_value():
    candidate = {name: float(i) for i, name in enumerate(CANDIDATE_FIELDS, start=2)} | {"isdiffpos": "f"}
    for feature in RAW:
        expected = 0.0 if feature.name == "isdiffpos" else candidate[feature.field]
        assert value(candidate, feature.name) == expected
