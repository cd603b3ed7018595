"""The match to AllWISE, against astropy's own."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from scipy.spatial import cKDTree

from data_prep.infrared.crossmatch import AllWise, match, n_sources, report
from data_prep.packets.metadata import unit_vectors

ARCSEC = 1 / 3600


def catalogue_of(ra, dec):
    """A catalogue whose W1 is the number of the row."""
    magnitudes = np.arange(len(ra), dtype=np.float32)[:, None] + np.zeros(4, np.float32)
    return AllWise(cKDTree(unit_vectors(np.asarray(ra, float), np.asarray(dec, float))), magnitudes)


def crowd():
    """Sources in tight fields: around RA 0, at both poles, and elsewhere; objects a few arcsec off, some matched."""
    rng = np.random.default_rng(11)
    fields = [(0.0, 0.0), (0.0, 60.0), (123.0, 90.0), (10.0, -90.0), (217.3, -41.0)]
    ra, dec = [], []
    for centre_ra, centre_dec in fields:
        at = SkyCoord(centre_ra * u.deg, centre_dec * u.deg)
        places = at.directional_offset_by(rng.uniform(0, 360, 300) * u.deg, rng.uniform(0, 40, 300) * u.arcsec)
        ra.append(places.ra.deg), dec.append(places.dec.deg)
    ra, dec = np.concatenate(ra), np.concatenate(dec)
    is_source = rng.random(len(ra)) < 0.5
    return (ra[is_source], dec[is_source]), (ra[~is_source], dec[~is_source])


def test_equals_astropy_at_the_poles_and_around_zero():
    sources, objects = crowd()
    found = match(catalogue_of(*sources), *objects)
    at, among = SkyCoord(*objects, unit="deg"), SkyCoord(*sources, unit="deg")
    nearest, separation, _ = at.match_to_catalog_sky(among)
    expected = np.where(separation.arcsec <= 2, nearest, np.nan)
    assert 0.1 < np.isfinite(expected).mean() < 0.9  # both outcomes are tested
    np.testing.assert_array_equal(found[:, 0], expected)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.99999, 30.0), (12.0, 89.99999), (200.0, -90.0)])
@pytest.mark.parametrize(("distance_arcsec", "matched"), [(1.999, True), (2.001, False)])
def test_the_radius_is_two_arcsec_on_the_sky(ra, dec, distance_arcsec, matched):
    at = SkyCoord(ra * u.deg, dec * u.deg)
    angles = np.arange(0, 360, 15) * u.deg
    around = at.directional_offset_by(angles, distance_arcsec * u.arcsec)
    found = match(catalogue_of([ra], [dec]), around.ra.deg, around.dec.deg)
    assert (np.isfinite(found[:, 0]) == matched).all()


def test_zero_and_360_are_the_same_place():
    assert match(catalogue_of([360.0], [5.0]), np.array([0.0]), np.array([5.0]))[0, 0] == 0


def test_an_unknown_position_or_an_empty_catalogue_matches_nothing():
    assert np.isnan(match(catalogue_of([1.0], [1.0]), np.array([np.nan, 1.0]), np.array([1.0, np.nan]))).all()
    assert np.isnan(match(catalogue_of([], []), np.array([1.0]), np.array([1.0]))).all()


def test_what_a_match_came_to_is_told_with_doubt_where_nothing_matched():
    catalogue = catalogue_of([0.5, 23.5], [-10.0, 60.0])
    counts = 'by 2", 1 with several sources there, of which the nearest counts'
    assert report(catalogue, 3, 0, 7, 1) == f"AllWISE: 3 of 7 objects matched; {counts}; 4 without a source"
    matched = "AllWISE: 3 of 7 objects matched, 2 more matched, without usable magnitudes"
    assert report(catalogue, 3, 2, 7, 1) == f"{matched}; {counts}; 2 without a source"
    assert "colours count as missing: magnitudes are expected" in report(catalogue, 0, 2, 7)
    said = report(catalogue, 0, 0, 7)
    assert said.startswith("AllWISE: 0 of 7 objects matched; by 2")
    assert "7 without a source; so that colours count as missing" in said
    assert "ra 0.5 to 23.5, dec -10 to 60 degrees" in said
    assert report(catalogue_of([], []), 0, 0, 7).endswith("7 without a source; the catalogue is empty")


@pytest.mark.parametrize("radius", [0.5, 2.0, 5.0])
def test_another_radius_and_how_many_sources_are_within_it(radius):
    """As astropy counts them, where sources crowd."""
    sources, objects = crowd()
    catalogue = catalogue_of(*sources)._replace(radius_arcsec=radius)
    at, among = SkyCoord(*objects, unit="deg"), SkyCoord(*sources, unit="deg")
    of_object, *_ = among.search_around_sky(at, radius * u.arcsec)
    expected = np.bincount(of_object, minlength=len(at))
    assert len(set(expected)) > 1
    np.testing.assert_array_equal(n_sources(catalogue, *objects), expected)
    np.testing.assert_array_equal(np.isfinite(match(catalogue, *objects)[:, 0]), expected > 0)
    assert n_sources(catalogue, np.array([np.nan]), np.array([1.0])) == 0
