"""Tables of AllWISE: every kind of file and unit, and what is wrong with a file by name."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, Table
from pyarrow import csv, parquet

from data_prep.infrared import allwise
from data_prep.infrared.crossmatch import load, match
from jtss.errors import InputError

ARCSEC = 1 / 3600

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


NUMBERS = {name: np.array(values, float) for name, values in COLUMNS.items()}
UNITS = {"degrees": (1, u.deg), "hours": (15, u.hour), "radians": (np.degrees(1), u.rad)}


def matched(path) -> np.ndarray:
    """W4 at the two places of COLUMNS, and where nothing is."""
    return match(load(path), np.array([20.0, 10.0 + ARCSEC, 50.0]), np.array([-2.0, 1.0, 1.0]))[:, 3]


@pytest.mark.parametrize("extension", ["fits", "fits.gz", "ecsv", "vot", "tbl", "parquet"])
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_that_the_file_states_counts(tmp_path, extension, unit):
    """As astropy writes it into every kind of file; only ra is in hours, as usual."""
    table, (scale, of_ra) = Table(NUMBERS), UNITS[unit]
    of_dec = u.deg if unit == "hours" else of_ra
    table["ra"] = Column(NUMBERS["ra"] / scale, unit=of_ra)
    table["dec"] = Column(NUMBERS["dec"] / (1 if unit == "hours" else scale), unit=of_dec)
    path = tmp_path / f"cat.{extension}"
    table.write(path, format={"vot": "votable", "tbl": "ascii.ipac"}.get(extension))
    np.testing.assert_array_equal(matched(path), np.float32([8.5, 9.0, np.nan]))


@pytest.mark.parametrize("unit", ["deg", "DEGREES", "h", "hr", "hourangle", "rad", "Radian"])
def test_units_in_a_parquet_fields_own_metadata(tmp_path, unit):
    scale = {"d": 1, "h": 15, "r": np.degrees(1)}[unit[0].lower()]
    fields = [pa.field(name, pa.float64(), metadata={"unit": unit} if name == "ra" else None) for name in NUMBERS]
    values = NUMBERS | {"ra": NUMBERS["ra"] / scale}
    parquet.write_table(pa.table(list(values.values()), schema=pa.schema(fields)), tmp_path / "cat.parquet")
    np.testing.assert_array_equal(matched(tmp_path / "cat.parquet"), np.float32([8.5, 9.0, np.nan]))


@pytest.mark.parametrize("extension", ["csv", "parquet", "fits"])
@pytest.mark.parametrize(
    ("ra", "dec", "scale"),
    [
        ("ra_deg", "DEC (degrees)", (1, 1)),
        ("ra_hours", "dec", (15, 1)),
        ("RA_h", "dec_deg", (15, 1)),
        ("raRad", "decRad", (np.degrees(1), np.degrees(1))),
        ("ra [radian]", "dec [radian]", (np.degrees(1), np.degrees(1))),
    ],
)
def test_a_unit_in_the_name_of_a_column_counts(tmp_path, extension, ra, dec, scale):
    columns = {ra: NUMBERS["ra"] / scale[0], dec: NUMBERS["dec"] / scale[1]}
    path = save(tmp_path / f"cat.{extension}", columns | {k: COLUMNS[k] for k in COLUMNS if k.startswith("w")})
    np.testing.assert_array_equal(matched(path), np.float32([8.5, 9.0, np.nan]))


@pytest.mark.parametrize(
    ("name", "unit", "message"),
    [
        ("ra", u.m, "column ra has the unit 'm', expected deg, hours or radians"),
        ("w1mpro", u.mJy, "column w1mpro has the unit 'mjy', expected mag"),
        ("ra_hours", u.deg, "column ra_hours has the unit 'deg', which its name denies"),
    ],
)
def test_units_that_cannot_be_meant_are_refused(tmp_path, name, unit, message):
    table = Table(NUMBERS)
    table[name] = Column(NUMBERS[name.partition("_")[0]], unit=unit)
    if name == "ra_hours":
        table.remove_column("ra")
    table.write(tmp_path / "cat.fits")
    with pytest.raises(InputError, match=message):
        load(tmp_path / "cat.fits")


def test_the_plain_name_goes_before_one_with_a_unit(tmp_path):
    columns = NUMBERS | {"ra_rad": np.radians(NUMBERS["ra"]), "dec_h": NUMBERS["dec"]}
    np.testing.assert_array_equal(matched(save(tmp_path / "cat.csv", columns)), np.float32([8.5, 9.0, np.nan]))


@pytest.mark.parametrize("extension", ["csv", "csv.gz", "parquet", "fits", "ecsv", "vot", "tbl"])
@pytest.mark.parametrize("text", ["10:12:30.5", "10 12 30.5", "10h12m30.5s", "-01d02m03s"])
def test_a_place_in_hours_minutes_and_seconds_is_refused_with_the_remedy(tmp_path, extension, text):
    """Colons were a time of day to Arrow; text of plain numbers, in another column, is read."""
    column = "dec" if text.startswith("-") else "ra"
    table = Table(NUMBERS | {column: [text, text], "w4mpro": ["9.0", "8.5"]})
    path = tmp_path / f"cat.{extension}"
    if extension[:3] == "csv":
        with (gzip.open if extension.endswith("gz") else open)(path, "wb") as file:
            csv.write_csv(pa.table({name: table[name].tolist() for name in table.colnames}), file)
    else:
        table.write(path, format={"vot": "votable", "tbl": "ascii.ipac"}.get(extension))
    with pytest.raises(InputError) as refused:
        load(path)
    said = rf"{path}: column {column} has {text!r}, expected a number: give it in degrees, as SkyCoord"
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("extension", ["csv", "parquet", "fits", "ecsv", "vot"])
def test_numbers_as_text_are_numbers_and_other_text_is_named(tmp_path, extension):
    columns = NUMBERS | {"ra": ["10.0", "20"], "w4mpro": ["9.0", "8.5"]}
    path = tmp_path / f"cat.{extension}"
    Table(columns).write(path, **({"format": "votable"} if extension == "vot" else {}))
    np.testing.assert_array_equal(matched(path), np.float32([8.5, 9.0, np.nan]))
    Table(columns | {"w4mpro": ["9.0", "faint"]}).write(
        path, overwrite=True, **({"format": "votable"} if extension == "vot" else {})
    )
    with pytest.raises(InputError, match=rf"cat\.{extension}: column w4mpro has 'faint', expected a number$"):
        load(path)


def test_what_stands_for_nothing_in_csv_is_not_the_text_that_is_named(tmp_path):
    path = tmp_path / "cat.csv"
    path.write_text("ra,dec,w1,w2,w3,w4\n10,1,NA,,null,faint\n")
    with pytest.raises(InputError, match=r"cat\.csv: column w4 has 'faint', expected a number$"):
        load(path)


def test_right_ascensions_may_run_from_minus_180(tmp_path):
    """The same places as from 0 to 360, also beside 0 and beside 180."""
    ra = np.array([-179.99995, -90.0, -1e-5, 0.0, 90.0, 180.0, 270.0001, 359.99995])
    columns = {"ra": ra, "dec": np.zeros(8), **{f"w{k}": np.arange(8.0) for k in range(1, 5)}}
    found = match(load(save(tmp_path / "cat.csv", columns)), np.mod(ra, 360), np.zeros(8))
    np.testing.assert_array_equal(found[:, 0], np.arange(8))
    with pytest.raises(InputError, match=r"1 of 8 rows lack .* ra in \[-180, 360\].*, first row 3: ra -181, dec 0$"):
        load(save(tmp_path / "cat.csv", columns | {"ra": np.where(ra == ra[2], -181, ra)}))


@pytest.mark.parametrize("stand_in", [-999.0, -9999.0, -99.0, -99.9, 99.0, 99.99, 999.9, 1e20, np.inf])
def test_what_stands_for_no_magnitude_is_missing(tmp_path, stand_in):
    """So that no colour comes of it."""
    path = save(tmp_path / "cat.parquet", NUMBERS | {"w1mpro": np.array([stand_in, 15.0])})
    found = match(load(path), np.array([10.0, 20.0]), np.array([1.0, -2.0]))
    np.testing.assert_array_equal(found[:, 0], np.float32([np.nan, 15.0]))


def test_positions_in_float32_radians_reach_all_round_the_sky(tmp_path):
    columns = {"ra_rad": np.float32([2 * np.pi, 1]), "dec_rad": np.float32([0.5 * np.pi, 1])}
    parquet.write_table(pa.table(columns | {f"w{k}": [9.0, 9.0] for k in range(1, 5)}), tmp_path / "cat.parquet")
    assert match(load(tmp_path / "cat.parquet"), np.array([10.0]), np.array([90.0]))[0, 0] == 9


@pytest.mark.parametrize("partitioned", [False, True])
def test_a_folder_of_parquet_files(tmp_path, partitioned):
    """As HATS and Spark write one: files of other kinds, marks of success, and folders whose names say something."""
    folder, table = tmp_path / "cat.parquet", pa.table(COLUMNS)
    parts = (
        ["Norder=3/Dir=0/Npix=1.parquet", "Norder=3/Dir=0/Npix=2.parquet"]
        if partitioned
        else ["p-0.parquet", "p-1.snappy.parquet"]
    )
    for row, part in enumerate(parts):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table.slice(row, 1).add_column(0, "source_id", [[row]]), folder / part)
    for name in (
        "_metadata",
        "_common_metadata",
        "_SUCCESS",
        "._SUCCESS.crc",
        ".p-0.parquet",
        "_temporary.parquet",
        "properties",
    ):
        (folder / name).write_bytes(b"PAR1")
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log" / "0.checkpoint.parquet").write_bytes(b"PAR1")
    np.testing.assert_array_equal(matched(folder), np.float32([8.5, 9.0, np.nan]))


def test_a_folder_without_parquet_and_a_part_that_differs_are_named(tmp_path):
    with pytest.raises(InputError, match=r"a folder without .parquet files, expected a catalogue: .csv"):
        load(tmp_path)
    save(tmp_path / "a.parquet", COLUMNS)
    save(tmp_path / "b.parquet", {"ra": [1.0]})
    with pytest.raises(InputError, match=r"b\.parquet: no column dec or dej2000; found ra"):
        load(tmp_path)


def test_a_compressed_csv_and_an_ecsv_by_another_name(tmp_path):
    with gzip.open(tmp_path / "cat.csv.gz", "wb") as file:
        csv.write_csv(pa.table(COLUMNS), file)
    assert np.isfinite(matched(tmp_path / "cat.csv.gz")).tolist() == [True, True, False]
    table = Table(NUMBERS)
    table["ra"] = Column(NUMBERS["ra"] / 15, unit=u.hourangle)
    table.write(tmp_path / "cat.csv", format="ascii.ecsv", delimiter=",")
    assert np.isfinite(matched(tmp_path / "cat.csv")).tolist() == [True, True, False]


# They live as long as Arrow, which may give back to them what it took long after the test.
COUNTING_POOLS = {name: pa.proxy_memory_pool(pa.default_memory_pool()) for name in ("csv", "parquet")}


@pytest.mark.parametrize("extension", COUNTING_POOLS)
def test_six_columns_are_read_of_however_many(tmp_path, extension):
    """What pyarrow has allocated at the peak does not know the others; a column of text among them does no harm."""
    n_rows = 200_000
    columns = {name: np.full(n_rows, 1.0) for name in COLUMNS}
    wide = columns | {f"extra{i}": np.full(n_rows, i + 0.5) for i in range(60)} | {"text": ["x"] * n_rows}
    path, pool = save(tmp_path / f"cat.{extension}", wide), COUNTING_POOLS[extension]
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        columns = allwise.read(path)
    finally:
        pa.set_memory_pool(before)
    assert {len(column) for column in columns.values()} == {n_rows}
    assert pool.max_memory() < 0.8 * 8 * n_rows * len(wide)


@pytest.mark.parametrize("extension", ["csv", "parquet", "fits"])
def test_a_missing_column_is_named(tmp_path, extension):
    path = save(tmp_path / f"cat.{extension}", {k: v for k, v in COLUMNS.items() if k != "w3mpro"})
    with pytest.raises(
        ValueError, match=r"cat\.\w+: no column w3 or w3mpro or w3mag; found ra, dec, w1mpro, w2mpro, w4mpro"
    ):
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
        (text, "column ra has 'a', expected a number"),
        (deep, "column dec has shape .2, 3., expected one number a row"),
    ):
        with pytest.raises(InputError, match=rf"{path.name}: {message}"):
            load(path)


@pytest.mark.parametrize(
    ("extension", "old", "new", "message"),
    [
        ("fits", b"'D       '", b"'D       ", "not a readable table"),
        ("fits", b"TTYPE2", b"OTHER2", "no column dec or dej2000; found ra, , w1mpro"),
        ("vot", b'ID="ra" datatype="double" name="ra"', b'datatype="double"', "not a readable table"),
    ],
)
def test_a_table_that_astropy_refuses_in_its_own_way_is_named(tmp_path, extension, old, new, message):
    """By VerifyError and W12, of which neither is a ValueError; or not at all, where a column has no name."""
    path = tmp_path / f"cat.{extension}"
    Table(NUMBERS).write(path, format={"vot": "votable"}.get(extension))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new.ljust(len(old)), 1))
    with pytest.raises(InputError, match=rf"cat.{extension}: {message}"):
        load(path)
