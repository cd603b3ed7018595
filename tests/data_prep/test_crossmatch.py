"""The match to AllWISE: against astropy's own, and the files it reads."""

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from pyarrow import csv, parquet
from scipy.spatial import cKDTree

from data_prep.crossmatch import AllWise, load, match
from data_prep.packets.metadata import unit_vectors
from jtss.errors import InputError

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


COLUMNS = {
    "ra": [10.0, 20.0],
    "dec": [1.0, -2.0],
    "w1mpro": [15.0, None],
    "w2mpro": [14.5, -999.0],
    "w3mpro": [12.0, 99.9],
    "w4mpro": [9.0, 8.5],
}


def save(path, columns):
    if path.suffix == ".csv":
        csv.write_csv(pa.table(columns), path)
    elif path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
    else:
        filled = {name: np.array(values, float) for name, values in columns.items()}
        Table(filled).write(path)
    return path


@pytest.mark.parametrize("extension", ["csv", "parquet", "fits"])
@pytest.mark.parametrize("names", ["w1mpro w2mpro w3mpro w4mpro RA Dec", "W1 W2 W3 W4 ra dec"])
def test_files_and_spellings(tmp_path, extension, names):
    values = [COLUMNS[key] for key in ("w1mpro", "w2mpro", "w3mpro", "w4mpro", "ra", "dec")]
    path = save(tmp_path / f"cat.{extension}", dict(zip(names.split(), values, strict=True)))
    found = match(load(path), np.array([20.0, 10.0 + ARCSEC, 50.0]), np.array([-2.0, 1.0, 1.0]))
    expected = [[np.nan, np.nan, np.nan, 8.5], [15.0, 14.5, 12.0, 9.0], [np.nan] * 4]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


@pytest.mark.parametrize("extension", ["csv", "parquet", "fits"])
def test_a_missing_column_is_named(tmp_path, extension):
    path = save(tmp_path / f"cat.{extension}", {k: v for k, v in COLUMNS.items() if k != "w3mpro"})
    with pytest.raises(ValueError, match=r"cat\.\w+: no column w3 or w3mpro; found ra, dec, w1mpro, w2mpro, w4mpro"):
        load(path)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        load(tmp_path / "nowhere.csv")
    (tmp_path / "cat.txt").write_text("ra,dec\n")
    with pytest.raises(ValueError, match=r"cat.txt: cannot read a catalogue of type '.txt'"):
        load(tmp_path / "cat.txt")
    (tmp_path / "cat.parquet").write_text("ra,dec\n")
    with pytest.raises(ValueError, match=r"cat.parquet: not a readable table"):
        load(tmp_path / "cat.parquet")
    (tmp_path / "cat.fits").write_text("ra,dec\n")
    with pytest.raises(ValueError, match=r"cat.fits: not a readable table"):
        load(tmp_path / "cat.fits")
    with pytest.raises(ValueError, match="1 of 2 rows lack a position"):
        load(save(tmp_path / "cat.csv", COLUMNS | {"dec": [1.0, 91.0]}))


@pytest.mark.parametrize("second", ["ra", "RA", "w1"])
@pytest.mark.parametrize("extension", ["csv", "parquet", "fits"])
def test_a_column_that_is_there_twice_is_named(tmp_path, extension, second):
    path, names = tmp_path / f"cat.{extension}", [*COLUMNS, second]
    values = [np.array(column, float) for column in [*COLUMNS.values(), COLUMNS["dec"]]]
    if extension == "fits":
        Table(dict(zip([*COLUMNS, "twice"], values, strict=True))).write(path)
        path.write_bytes(path.read_bytes().replace(b"'twice   '", f"'{second:<8}'".encode()))
    else:
        table = pa.table(values, names=names)
        csv.write_csv(table, path) if extension == "csv" else parquet.write_table(table, path)
    with pytest.raises(InputError, match=r"cat\.\w+: (more than one column|not a readable table)"):
        load(path)


def test_fits_files_without_a_table_of_numbers_are_named(tmp_path):
    filled = {name: np.array(values, float) for name, values in COLUMNS.items()}
    image, text, deep = tmp_path / "image.fits", tmp_path / "text.fits", tmp_path / "deep.fits"
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(image)
    Table(filled | {"ra": ["a", "b"]}).write(text)
    Table(filled | {"dec": np.zeros((2, 3))}).write(deep)
    for path, message in (
        (image, "not a readable table"),
        (text, "not a readable table"),
        (deep, "column dec has shape .2, 3., expected one number a row"),
    ):
        with pytest.raises(InputError, match=rf"{path.name}: {message}"):
            load(path)
