"""Matches on the sky: AllWISE magnitudes from a local catalogue file, and objects that are one source under two ids."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_prep.packets.metadata import unit_vectors, within
from jtss.errors import InputError
from jtss.schema import ALLWISE_BANDS, MATCH_RADIUS_ARCSEC

if TYPE_CHECKING:
    from scipy.spatial import cKDTree  # SciPy is imported on use: most alerts are read without a catalogue

# Our name of each column, and AllWISE's own.
COLUMN_NAMES = {"ra": ("ra",), "dec": ("dec",)} | {
    band: (band.lower(), f"{band.lower()}mpro") for band in ALLWISE_BANDS
}
MAGNITUDE_LIMITS = (-10.0, 40.0)  # beyond: a stand-in for a missing value, such as -999 or 99.9


class AllWise(NamedTuple):
    """A catalogue ready for matching: a tree over K unit vectors, and [K, 4] float32 W1 to W4 [mag]."""

    tree: "cKDTree"
    magnitudes: np.ndarray


def load(path: str | Path) -> AllWise:
    """Read a catalogue with the columns ra, dec [deg] and W1 to W4 [mag] (or w1mpro to w4mpro), in any case.

    Args:
        path: a .csv, .parquet or .fits file.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: unknown extension, no table, a column that is missing, there twice or not of numbers, or a position
            off the sky; names file, found, expected.

    AllWISE Source Catalog.
    """
    from scipy.spatial import cKDTree

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (AllWISE catalogue)")
    read_columns = _read_fits if path.suffix.lower() == ".fits" else _read_arrow
    columns = read_columns(path)
    ra, dec = columns["ra"], columns["dec"]
    bad = ~((ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90))
    if bad.any():
        raise InputError(f"{path}: {bad.sum()} of {len(ra)} rows lack a position with ra in [0, 360], dec in [-90, 90]")
    magnitudes = np.stack([within(columns[band], *MAGNITUDE_LIMITS) for band in ALLWISE_BANDS], axis=-1)
    return AllWise(cKDTree(unit_vectors(ra, dec)), magnitudes.astype(np.float32))


def match(
    catalogue: AllWise, ra_deg: np.ndarray, dec_deg: np.ndarray, radius_arcsec: float = MATCH_RADIUS_ARCSEC
) -> np.ndarray:
    """W1 to W4 of the nearest source within the radius.

    Args:
        ra_deg, dec_deg: [N] positions [deg]; NaN where unknown.

    Returns:
        [N, 4] float32 [mag]; NaN where there is no match, or no magnitude.

    TSC §IV-A.
    """
    found = np.full((len(ra_deg), len(ALLWISE_BANDS)), np.nan, np.float32)
    known = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    if not len(known) or not catalogue.tree.n:
        return found
    chord, nearest = catalogue.tree.query(unit_vectors(ra_deg[known], dec_deg[known]))
    matched = chord <= 2 * np.sin(np.radians(radius_arcsec / 3600) / 2)
    found[known[matched]] = catalogue.magnitudes[nearest[matched]]
    return found


def _resolve(path: Path, found: list[str]) -> dict[str, str]:
    """Our column names to those of the file."""
    resolved = {}
    for name, spellings in COLUMN_NAMES.items():
        matching = [column for column in found if column.lower() in spellings]
        if len(matching) != 1:
            count = "more than one" if matching else "no"
            raise InputError(f"{path}: {count} column {' or '.join(spellings)}; found {', '.join(found)}")
        resolved[name] = matching[0]
    return resolved


def _read_arrow(path: Path) -> dict[str, np.ndarray]:
    import pyarrow as pa  # a heavy library that only this option needs
    from pyarrow import csv, parquet

    readers = {".csv": csv.read_csv, ".parquet": parquet.read_table}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: cannot read a catalogue of type '{path.suffix}'; expected .csv, .parquet or .fits")
    try:
        table = readers[path.suffix.lower()](path)
        names = _resolve(path, table.column_names)
        return {name: table[names[name]].cast(pa.float64()).to_numpy() for name in names}
    except (pa.ArrowException, UnicodeError) as error:
        raise InputError(f"{path}: not a readable table of numbers: {error}") from error


def _read_fits(path: Path) -> dict[str, np.ndarray]:
    from astropy.table import Table  # only FITS catalogues need astropy

    try:
        table = Table.read(path, format="fits")
        names = _resolve(path, table.colnames)
        columns = {name: np.ma.filled(np.ma.asarray(table[names[name]], dtype=float), np.nan) for name in names}
    except InputError:
        raise
    except (OSError, ValueError, TypeError) as error:  # no table in it, text in place of numbers
        raise InputError(f"{path}: not a readable table of numbers: {error}") from error
    for name, column in columns.items():
        if column.ndim != 1:
            raise InputError(f"{path}: column {names[name]} has shape {column.shape}, expected one number a row")
    return columns


RADIUS_ARCSEC = 2.0  # what lies closer is one object to ZTF, whose ids have a radius of 1.5


def chord(arcsec: float) -> float:
    """Distance of two unit vectors that are an angle apart."""
    return 2 * np.sin(np.radians(arcsec / 3600) / 2)


def groups(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """[N] int: the same number for objects within `RADIUS_ARCSEC` of each other, in chains if need be.

    Args:
        ra, dec: [N] [deg]; an object without a position is alone.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    with np.errstate(invalid="ignore"):
        placed = np.flatnonzero((ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90))
    pairs = np.empty((0, 2), int)
    if placed.size:
        tree = cKDTree(unit_vectors(ra[placed], dec[placed]))
        pairs = placed[tree.query_pairs(chord(RADIUS_ARCSEC), output_type="ndarray")]
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(ra), len(ra)))
    return connected_components(links, directed=False)[1]
