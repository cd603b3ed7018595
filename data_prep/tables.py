"""Tables as people have them: text, Parquet, FITS or VOTable; the columns that are asked for, however many there are.

A unit counts where it is stated, by the file or in a column's name; what states none is in degrees and magnitudes.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np

from jtss.errors import InputError

ANGLES_DEG = (
    dict.fromkeys(("deg", "degs", "degree", "degrees"), 1.0)
    | dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "hourangle"), 15.0)
    | dict.fromkeys(("rad", "rads", "radian", "radians"), float(np.degrees(1.0)))
    | {"arcmin": 1 / 60, "arcsec": 1 / 3600, "mas": 1 / 3_600_000}
)
MAGNITUDES = dict.fromkeys(("mag", "mags", "magnitude", "magnitudes", "vegamag", "mag(vega)"), 1.0)
UNITS = {"angle": (ANGLES_DEG, "deg, hours or radians"), "magnitude": (MAGNITUDES, "mag")}
PLACE = re.compile(rf"(ra|dec)[\W_]*({'|'.join(ANGLES_DEG)})[\W_]*", re.IGNORECASE)  # ra_hours, raRad, RA [deg]

SEXAGESIMAL = re.compile(r"\s*[+-]?\d+\s*[:hd°\s]\s*\d+\s*[:m'′\s]\s*\d+(\.\d*)?\s*[s\"″]?\s*", re.IGNORECASE)
TO_DEGREES = (
    "give it in degrees, as SkyCoord(ra, dec, unit=('hourangle', 'deg')) of astropy.coordinates has it in .ra.deg and"
    " .dec.deg"
)

COMPRESSED, ZIPPED = ".gz", ".zip"
ECSV_MARK = b"# %ECSV"
EXPECTED = ".csv, .ecsv, .tbl, .vot, .fits (each also as .gz), .parquet or a folder of .parquet files"


class Wanted(NamedTuple):
    """A column to look for.

    Attributes:
        kind: "angle" [deg], "magnitude" [mag] or "text".
        names: in any case, in groups: of the first group that a file has anything of, it must have one.
        required: whether a file without it is refused.
    """

    kind: str
    names: tuple[tuple[str, ...], ...]
    required: bool = True


class Column(NamedTuple):
    """A column of a file that was chosen: its name there, and what takes its values to our unit (None: it is text)."""

    name: str
    factor: float | None


Layout = Mapping[str, tuple[int, int]]  # of a file with columns of fixed width: where each begins and ends


def read(path: Path, wanted: Mapping[str, Wanted], what: str, layout: Layout | None = None) -> dict:
    """The wanted columns of a table.

    Args:
        path: a .csv, .ecsv, .tbl (IPAC), .vot, .fits or .parquet file, a .zip with one .csv, or a folder of Parquet
            files as HATS and Spark write them. Those whose name starts with "_" or "." (_metadata, _SUCCESS) are passed
            over. The header of a CSV may be in its second line, below a title.
        wanted: columns by our name.
        what: it is, for messages.
        layout: of the .txt or .dat file that the table may also be.

    Returns:
        By our name, of K rows: numbers [K] float64, NaN = missing; texts as an Arrow array of K large strings,
        stripped, "" = missing. A column that is not required and not there is absent.

    Raises:
        FileNotFoundError: there is no such file or folder.
        InputError: unknown extension, no table, a column that is missing, there twice, of the wrong kind (names the
            first such value, and for one such as 10:12:30.5 the remedy) or of a unit that is none of its kind; names
            file, found, expected.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file ({what})")
    parts = [_columns(file, wanted, layout) for file in (_parquet_files(path) if path.is_dir() else [path])]
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts: list):
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import pyarrow as pa  # a heavy library that only tables need

    return pa.concat_arrays(parts)


def _parquet_files(folder: Path) -> list[Path]:
    inside = sorted(file for file in folder.rglob("*.parquet") if file.is_file())
    files = [file for file in inside if not any(part[0] in "._" for part in file.relative_to(folder).parts)]
    if not files:
        raise InputError(f"{folder}: a folder without .parquet files, expected a catalogue: {EXPECTED}")
    return files


def kind_of(path: Path) -> str:
    """The extension that says what a table is, in lower case: of what was compressed, also within a .zip."""
    if path.suffix.lower() == ZIPPED:
        with _zipped(path) as (_, member):
            path = Path(member)
    return next((suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() != COMPRESSED), "")


@contextmanager
def _zipped(path: Path) -> Iterator[tuple[ZipFile, str]]:
    """A .zip, and the name of the one file in it."""
    try:
        with ZipFile(path) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if len(members) != 1:
                raise InputError(f"{path}: {len(members)} files in it, expected one table; unpack it and name the file")
            yield archive, members[0]
    except BadZipFile as error:
        raise InputError(f"{path}: not a readable .zip: {error}") from error


@contextmanager
def _opened(path: Path):
    """The bytes of a file, unpacked, for Arrow."""
    import pyarrow as pa

    if path.suffix.lower() == ZIPPED:
        with _zipped(path) as (archive, member), pa.PythonFile(archive.open(member), mode="r") as file:
            yield file
    else:
        with pa.input_stream(str(path)) as file:
            yield file


def _columns(path: Path, wanted: Mapping[str, Wanted], layout: Layout | None) -> dict:
    """The columns of one file, in our units."""
    kind = kind_of(path)
    readers = READERS | (dict.fromkeys((".txt", ".dat"), partial(_read_fixed, layout=layout)) if layout else {})
    if kind not in readers:
        expected = EXPECTED if layout is None else f".txt, {EXPECTED}"
        raise InputError(f"{path}: cannot read a catalogue of type '{kind}'; expected {expected}")
    try:
        return readers[kind](path, wanted)
    except InputError:
        raise
    except Exception as error:  # pyarrow and astropy on any bytes: OSError, ValueError, VerifyError, and more to come
        raise InputError(f"{path}: not a readable table of numbers: {error}") from error


def resolve(path: Path | str, wanted: Mapping[str, Wanted], stated: Iterable[tuple[str, str | None]]) -> dict:
    """The `Column` of each wanted one, of those of a file, given as pairs of a name and a unit, None where it has none.

    Raises:
        InputError: as `read`.
    """
    units = [(name, (unit or "").strip(" []-").lower()) for name, unit in stated]
    resolved = {}
    for ours, column in wanted.items():
        matching = _matching(ours, column, units)
        if not matching and not column.required:
            continue
        if len(matching) != 1:
            count = "more than one" if matching else "no"
            names, expected = ", ".join(name for name, _ in units), " or ".join(sum(column.names, ()))
            raise InputError(f"{path}: {count} column {expected}; found {names}")
        factor = None if column.kind == "text" else _factor(path, ours, column.kind, *matching[0])
        resolved[ours] = Column(matching[0][0], factor)
    return resolved


def _matching(ours: str, column: Wanted, units: list[tuple[str, str]]) -> list[tuple[str, str]]:
    for group in column.names:
        names = [name.lower() for name in group]
        if matching := [(name, unit) for name, unit in units if name.strip().lower() in names]:
            return matching
    return [(name, unit) for name, unit in units if column.kind == "angle" and _named_unit(ours, name)]


def _named_unit(ours: str, name: str) -> str:
    """The unit in a name such as ra_hours; "" where it is no name of our column with a unit."""
    match = PLACE.fullmatch(name)
    return match[2].lower() if match and match[1].lower() == ours else ""


def _factor(path: Path | str, ours: str, kind: str, name: str, unit: str) -> float:
    known, expected = UNITS[kind]
    of_name = _named_unit(ours, name)
    for text in filter(None, (unit, of_name)):
        if text not in known:
            raise InputError(f"{path}: column {name} has the unit '{text}', expected {expected}")
    if unit and of_name and known[unit] != known[of_name]:
        raise InputError(f"{path}: column {name} has the unit '{unit}', which its name denies")
    return known.get(unit or of_name, 1.0)


def _read_csv(path: Path, wanted: Mapping[str, Wanted]) -> dict:
    import pyarrow as pa

    with _opened(path) as file:
        if file.read(len(ECSV_MARK)) == ECSV_MARK:
            return _read_astropy(path, wanted, "ascii.ecsv")
    chosen, title = _csv_header(path, wanted)
    numbers = {column.name for column in chosen.values() if column.factor is not None}
    types = {column.name: pa.float64() if column.name in numbers else pa.string() for column in chosen.values()}
    try:
        return of_arrow(path, _csv_table(path, types, title), chosen)
    except pa.ArrowInvalid:
        as_text = _csv_table(path, dict.fromkeys(numbers, pa.string()), title, strings_can_be_null=True)
        of_arrow(path, as_text, {ours: column for ours, column in chosen.items() if column.name in numbers})
        raise  # where no text was named there is none in place of a number: the table is broken


def _csv_header(path: Path, wanted: Mapping[str, Wanted]) -> tuple[dict[str, Column], int]:
    """The chosen columns, and how many lines stand above the header: none, or a title as TNS writes it."""
    import pyarrow as pa
    from pyarrow import csv

    first = None
    for title in (0, 1):
        try:
            with _opened(path) as file, csv.open_csv(file, csv.ReadOptions(skip_rows=title)) as head:
                return resolve(path, wanted, [(name, None) for name in head.schema.names]), title
        except (InputError, pa.ArrowInvalid) as error:
            first = first or error
    raise first


def _csv_table(path: Path, types: dict, title: int, strings_can_be_null: bool = False):
    """The columns of these types. NA is a fast nova where it is text, and no number where a number should be."""
    from pyarrow import csv

    options = csv.ConvertOptions(
        include_columns=list(types), column_types=types, strings_can_be_null=strings_can_be_null
    )
    # open_csv reads a block at a time, where read_csv reads ahead
    with (
        _opened(path) as file,
        csv.open_csv(file, csv.ReadOptions(skip_rows=title), convert_options=options) as batches,
    ):
        return batches.read_all()


def _read_parquet(path: Path, wanted: Mapping[str, Wanted]) -> dict:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        chosen = resolve(path, wanted, parquet_units(file.schema_arrow))
        return of_arrow(path, file.read(columns=[column.name for column in chosen.values()]), chosen)


def parquet_units(schema) -> list[tuple[str, str | None]]:
    """Names and units of a schema: of a field's own metadata, or of those of the table that astropy writes."""
    of_table = {}
    if described := (schema.metadata or {}).get(b"table_meta_yaml"):
        from astropy.table.meta import get_header_from_yaml

        columns = get_header_from_yaml(described.decode().splitlines())["datatype"]
        of_table = {column["name"]: str(column.get("unit") or "") for column in columns}
    of_field = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
    return [(name, of_field[name] or of_table.get(name)) for name in schema.names]


def of_arrow(path: Path, table, chosen: dict[str, Column]) -> dict:
    import pyarrow as pa

    columns = {}
    for ours, (name, factor) in chosen.items():
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if factor is None:
            columns[ours] = _texts_of_arrow(path, name, column)
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            columns[ours] = _numbers_of_text(path, name, column.to_pylist()) * factor
        else:
            columns[ours] = column.cast(pa.float64()).to_numpy() * factor
    return columns


def _texts_of_arrow(path: Path, name: str, column):
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_floating(column.type):
        raise InputError(_not_a_text(path, name, str(column.type)))
    texts = compute.utf8_trim_whitespace(compute.fill_null(column.cast(pa.large_string()), ""))
    return texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)


def _not_a_text(path: Path, name: str, kind: str) -> str:
    return f"{path}: column {name} has numbers of type {kind}, expected text or integers (names lose digits so)"


def _numbers_of_text(path: Path, name: str, values: Iterable[str | bytes | None]) -> np.ndarray:
    """Text of numbers as such, NaN for none; InputError naming the first value that is no number, and what to do."""
    numbers = []
    for value in values:
        text = value.decode(errors="replace") if isinstance(value, bytes) else value or ""
        try:
            numbers.append(float(text) if text.strip() else np.nan)
        except ValueError:
            advice = f": {TO_DEGREES}" if SEXAGESIMAL.fullmatch(text) else ""
            raise InputError(f"{path}: column {name} has {text!r}, expected a number{advice}") from None
    return np.array(numbers, np.float64)


def _read_fits(path: Path, wanted: Mapping[str, Wanted]) -> dict:
    from astropy.io import fits  # only some tables need astropy

    with fits.open(path, memmap=True) as file:
        table = next((part for part in file if isinstance(part, fits.BinTableHDU | fits.TableHDU)), None)
        if table is None:
            raise InputError(f"{path}: not a readable table of numbers: no table in it")
        chosen = resolve(path, wanted, [(column.name or "", column.unit) for column in table.columns])
        columns = {ours: table.columns[name] for ours, (name, _) in chosen.items()}
        values = {
            ours: _of_fits(path, table.data[column.name], column, chosen[ours].factor is None)
            for ours, column in columns.items()
        }
    return _flat(path, values, chosen)


def _of_fits(path: Path, values: np.ndarray, column, is_text: bool) -> np.ndarray:
    if is_text:
        return np.ma.asarray(np.array(values))
    if values.dtype.kind in "SU":
        return _numbers_of_text(path, column.name, values)
    numbers = np.array(values, np.float64)
    return np.where(np.asarray(values) == column.null, np.nan, numbers) if isinstance(column.null, int) else numbers


def _read_astropy(path: Path, wanted: Mapping[str, Wanted], kind: str) -> dict:
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of VOTables and units that are not to the letter; we look at what we read
        options = {"use_names_over_ids": True} if kind == "votable" else {}  # an ID cannot be i:ra
        return of_table(path, Table.read(path, format=kind, **options), wanted)


def of_table(path: Path | str, table, wanted: Mapping[str, Wanted]) -> dict:
    """The wanted columns of a `Table` of astropy, as `read`; `path` is named in errors."""
    chosen = resolve(path, wanted, [(name, str(table[name].unit or "")) for name in table.colnames])
    values = {
        ours: np.ma.asarray(table[name]) if factor is None else _filled(path, name, np.ma.asarray(table[name]))
        for ours, (name, factor) in chosen.items()
    }
    return _flat(path, values, chosen)


def _filled(path: Path | str, name: str, values: np.ma.MaskedArray) -> np.ndarray:
    if values.dtype.kind in "OSU":
        return _numbers_of_text(path, name, values.tolist())
    return np.ma.filled(values.astype(np.float64), np.nan)


def _flat(path: Path | str, values: dict[str, np.ndarray], chosen: dict[str, Column]) -> dict:
    """The values in our units; InputError where a column has more than one value a row."""
    for ours, column in values.items():
        if column.ndim != 1:
            raise InputError(f"{path}: column {chosen[ours].name} has shape {column.shape}, expected one number a row")
    return {
        ours: _texts(path, chosen[ours].name, column) if chosen[ours].factor is None else column * chosen[ours].factor
        for ours, column in values.items()
    }


def _texts(path: Path | str, name: str, values: np.ma.MaskedArray):
    import pyarrow as pa

    if values.dtype.kind not in "OSUiu":
        raise InputError(_not_a_text(path, name, str(values.dtype)))
    return pa.array([_text(value) for value in values.tolist()], pa.large_string())


def _text(value: object) -> str:
    return "" if value is None else (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).strip()


def _read_fixed(path: Path, wanted: Mapping[str, Wanted], layout: Layout) -> dict:
    """A file whose columns stand at fixed places, in degrees; lines that are empty or begin with # say nothing."""
    import pyarrow as pa

    cells: dict[str, list[str]] = {name: [] for name in wanted}
    with _opened(path) as file:
        for number, line in enumerate(file.read().decode(errors="replace").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            for name, cell in cells.items():
                begin, end = layout[name]
                cell.append(line[begin:end].strip())
                _check_cell(path, number, name, wanted[name].kind, layout[name], cell[-1])
    return {
        name: pa.array(cell, pa.large_string()) if wanted[name].kind == "text" else np.array(cell, np.float64)
        for name, cell in cells.items()
    }


def _check_cell(path: Path, line: int, name: str, kind: str, place: tuple[int, int], cell: str) -> None:
    try:
        fits = bool(cell) if kind == "text" else np.isfinite(float(cell))
    except ValueError:
        fits = False
    if not fits:
        columns = f"columns {place[0] + 1} to {place[1]}"
        raise InputError(
            f"{path}, line {line}: {cell!r} in {columns}, expected {name}; of another release take the FITS file"
        )


READERS: dict[str, Callable[[Path, Mapping[str, Wanted]], dict]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    **dict.fromkeys((".fits", ".fit"), _read_fits),
    ".ecsv": partial(_read_astropy, kind="ascii.ecsv"),
    ".tbl": partial(_read_astropy, kind="ascii.ipac"),
    **dict.fromkeys((".vot", ".votable", ".xml"), partial(_read_astropy, kind="votable")),
}


def renamed(texts: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """What a user calls our columns.

    Args:
        texts: of --columns, as objectId=ztf_id,label=class.
        known: our names.

    Raises:
        InputError: not of this form, a name that is none of ours, or one that is given twice.
    """
    names: dict[str, str] = {}
    for pair in (pair for text in texts for pair in text.split(",")):
        ours, _, theirs = (part.strip() for part in pair.partition("="))
        if ours not in known or not theirs:
            raise InputError(f"--columns {pair}: expected OURS=THEIRS, where OURS is one of {', '.join(known)}")
        if ours in names:
            raise InputError(f"--columns: {ours} is given twice, {names[ours]} and {theirs}")
        names[ours] = theirs
    return names


def by_name(wanted: Mapping[str, Wanted], names: Mapping[str, str]) -> dict[str, Wanted]:
    """`wanted`, where some columns have the names that a user gave (`renamed`): these must be there."""
    given = {ours: wanted[ours]._replace(names=((theirs,),), required=True) for ours, theirs in names.items()}
    return {**wanted, **given}
