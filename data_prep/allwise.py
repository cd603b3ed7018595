"""Tables of AllWISE sources as people have them: text, Parquet, FITS or VOTable, places in degrees, hours or radians.

Six columns are read of however many there are. A unit counts where it is stated, by the file or in a column's name;
what states none is in degrees and magnitudes.
"""

import re
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss.errors import InputError
from jtss.schema import ALLWISE_BANDS

# Our name of each column, AllWISE's own, and VizieR's.
SPELLINGS = {"ra": ("ra", "raj2000"), "dec": ("dec", "dej2000")} | {
    band: (band.lower(), f"{band.lower()}mpro", f"{band.lower()}mag") for band in ALLWISE_BANDS
}

ANGLES_DEG = (
    dict.fromkeys(("deg", "degs", "degree", "degrees"), 1.0)
    | dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "hourangle"), 15.0)
    | dict.fromkeys(("rad", "rads", "radian", "radians"), float(np.degrees(1.0)))
    | {"arcmin": 1 / 60, "arcsec": 1 / 3600, "mas": 1 / 3_600_000}
)
MAGNITUDES = dict.fromkeys(("mag", "mags", "magnitude", "magnitudes", "vegamag", "mag(vega)"), 1.0)
PLACE = re.compile(rf"(ra|dec)[\W_]*({'|'.join(ANGLES_DEG)})[\W_]*", re.IGNORECASE)  # ra_hours, raRad, RA [deg]

COMPRESSED = ".gz"
ECSV_MARK = b"# %ECSV"
EXPECTED = ".csv, .ecsv, .tbl, .vot, .fits (each also as .gz), .parquet or a folder of .parquet files"


class Column(NamedTuple):
    """A column of a file that was chosen: its name there, and what takes its values to our unit."""

    name: str
    factor: float


def read(path: Path) -> dict[str, np.ndarray]:
    """Positions and magnitudes of K sources.

    Args:
        path: a .csv, .ecsv, .tbl (IPAC), .vot, .fits or .parquet file, or a folder of Parquet files as HATS and Spark
            write them. Those whose name starts with "_" or "." (_metadata, _SUCCESS) are passed over.

    Returns:
        ra, dec [deg] and W1 to W4 [mag], each [K] float64; NaN = missing.

    Raises:
        FileNotFoundError: there is no such file or folder.
        InputError: unknown extension, no table, a column that is missing, there twice, not of numbers or of a unit that
            is none of an angle or of a magnitude; names the file, what it has and what was expected.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file (AllWISE catalogue)")
    parts = [_numbers(file) for file in (_parquet_files(path) if path.is_dir() else [path])]
    return {name: np.concatenate([part[name] for part in parts]) for name in SPELLINGS}


def _parquet_files(folder: Path) -> list[Path]:
    inside = sorted(file for file in folder.rglob("*.parquet") if file.is_file())
    files = [file for file in inside if not any(part[0] in "._" for part in file.relative_to(folder).parts)]
    if not files:
        raise InputError(f"{folder}: a folder without .parquet files, expected a catalogue: {EXPECTED}")
    return files


def _numbers(path: Path) -> dict[str, np.ndarray]:
    """The six columns of one file, in our units."""
    kind = next((suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() != COMPRESSED), "")
    if kind not in READERS:
        raise InputError(f"{path}: cannot read a catalogue of type '{kind}'; expected {EXPECTED}")
    try:
        return READERS[kind](path)
    except InputError:
        raise
    except Exception as error:  # pyarrow and astropy on any bytes: OSError, ValueError, VerifyError, and more to come
        raise InputError(f"{path}: not a readable table of numbers: {error}") from error


def _resolve(path: Path, stated: Iterable[tuple[str, str | None]]) -> dict[str, Column]:
    """Our column names to those of a file, given as pairs of a name and a unit, None where it states none."""
    units = [(name, (unit or "").strip(" []-").lower()) for name, unit in stated]
    resolved = {}
    for ours, spellings in SPELLINGS.items():
        matching = [(name, unit) for name, unit in units if name.lower() in spellings]
        matching = matching or [(name, unit) for name, unit in units if _named_unit(ours, name)]
        if len(matching) != 1:
            count = "more than one" if matching else "no"
            names = ", ".join(name for name, _ in units)
            raise InputError(f"{path}: {count} column {' or '.join(spellings)}; found {names}")
        resolved[ours] = Column(matching[0][0], _factor(path, ours, *matching[0]))
    return resolved


def _named_unit(ours: str, name: str) -> str:
    """The unit in a name such as ra_hours; "" where it is no name of our column with a unit."""
    match = PLACE.fullmatch(name)
    return match[2].lower() if match and match[1].lower() == ours else ""


def _factor(path: Path, ours: str, name: str, unit: str) -> float:
    known, expected = (MAGNITUDES, "mag") if ours in ALLWISE_BANDS else (ANGLES_DEG, "deg, hours or radians")
    of_name = _named_unit(ours, name)
    for text in filter(None, (unit, of_name)):
        if text not in known:
            raise InputError(f"{path}: column {name} has the unit '{text}', expected {expected}")
    if unit and of_name and known[unit] != known[of_name]:
        raise InputError(f"{path}: column {name} has the unit '{unit}', which its name denies")
    return known.get(unit or of_name, 1.0)


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    import pyarrow as pa  # a heavy library that only this option needs
    from pyarrow import csv

    with pa.input_stream(str(path)) as file:
        if file.read(len(ECSV_MARK)) == ECSV_MARK:
            return _read_astropy(path, "ascii.ecsv")
    with csv.open_csv(path) as head:
        chosen = _resolve(path, [(name, None) for name in head.schema.names])
    names = [column.name for column in chosen.values()]
    options = csv.ConvertOptions(include_columns=names, column_types=dict.fromkeys(names, pa.float64()))
    with csv.open_csv(path, convert_options=options) as batches:  # reads a block at a time, where read_csv reads ahead
        return _of_arrow(batches.read_all(), chosen)


def _read_parquet(path: Path) -> dict[str, np.ndarray]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        chosen = _resolve(path, _parquet_units(file.schema_arrow))
        return _of_arrow(file.read(columns=[column.name for column in chosen.values()]), chosen)


def _parquet_units(schema) -> list[tuple[str, str | None]]:
    """Names and units of a schema: of a field's own metadata, or of those of the table that astropy writes."""
    of_table = {}
    if described := (schema.metadata or {}).get(b"table_meta_yaml"):
        from astropy.table.meta import get_header_from_yaml

        columns = get_header_from_yaml(described.decode().splitlines())["datatype"]
        of_table = {column["name"]: str(column.get("unit") or "") for column in columns}
    of_field = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
    return [(name, of_field[name] or of_table.get(name)) for name in schema.names]


def _of_arrow(table, chosen: dict[str, Column]) -> dict[str, np.ndarray]:
    import pyarrow as pa

    return {ours: table[name].cast(pa.float64()).to_numpy() * factor for ours, (name, factor) in chosen.items()}


def _read_fits(path: Path) -> dict[str, np.ndarray]:
    from astropy.io import fits  # only some catalogues need astropy

    with fits.open(path, memmap=True) as file:
        table = next((part for part in file if isinstance(part, fits.BinTableHDU | fits.TableHDU)), None)
        if table is None:
            raise InputError(f"{path}: not a readable table of numbers: no table in it")
        chosen = _resolve(path, [(column.name or "", column.unit) for column in table.columns])
        columns = {ours: table.columns[name] for ours, (name, _) in chosen.items()}
        values = {ours: _missing_as_nan(table.data[column.name], column.null) for ours, column in columns.items()}
    return _flat(path, values, chosen)


def _missing_as_nan(values: np.ndarray, null: object) -> np.ndarray:
    numbers = np.array(values, np.float64)
    return np.where(np.asarray(values) == null, np.nan, numbers) if isinstance(null, int) else numbers


def _read_astropy(path: Path, kind: str) -> dict[str, np.ndarray]:
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of VOTables and units that are not to the letter; we look at what we read
        table = Table.read(path, format=kind)
    chosen = _resolve(path, [(name, str(table[name].unit or "")) for name in table.colnames])
    values = {
        ours: np.ma.filled(np.ma.asarray(table[name], dtype=np.float64), np.nan) for ours, (name, _) in chosen.items()
    }
    return _flat(path, values, chosen)


def _flat(path: Path, values: dict[str, np.ndarray], chosen: dict[str, Column]) -> dict[str, np.ndarray]:
    """The values in our units; InputError where a column has more than one number a row."""
    for ours, column in values.items():
        if column.ndim != 1:
            raise InputError(f"{path}: column {chosen[ours].name} has shape {column.shape}, expected one number a row")
    return {ours: column * chosen[ours].factor for ours, column in values.items()}


READERS = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    **dict.fromkeys((".fits", ".fit"), _read_fits),
    ".ecsv": partial(_read_astropy, kind="ascii.ecsv"),
    ".tbl": partial(_read_astropy, kind="ascii.ipac"),
    **dict.fromkeys((".vot", ".votable", ".xml"), partial(_read_astropy, kind="votable")),
}
