"""AllWISE as a HATS catalogue: a folder of Parquet files, one for each part of the sky, of which those near are read.

A file holds the sources of one HEALPix pixel, `Norder=3/Dir=0/Npix=27.parquet` or a folder of that name, ordered by the
column _healpix_29; so of each file the row groups near the positions are read, six columns of them.

The layout is that of the HATS specification of the LINCC Frameworks.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep import tables
from data_prep.infrared import allwise
from data_prep.packets.metadata import chord, unit_vectors
from jtss.errors import InputError

PARTITION = re.compile(r"Norder=(\d+)/Dir=\d+/Npix=(\d+)(\.parquet$|/)")
INDEX, INDEX_ORDER = "_healpix_29", 29
FINEST_ORDER = 12  # pixels of 51 arcsec
SIDE_ARCSEC = 58.6 * 3600  # of a pixel of order 0
MARGIN = 4  # radii in a pixel's side, so that a circle does not reach beyond the neighbours of its centre's pixel


def dataset_of(folder: Path) -> Path | None:
    """The folder of partitions of a HATS catalogue, or of the main one of a collection; None where it is none."""
    if (listing := folder / "collection.properties").is_file():
        main = _properties(listing).get("hats_primary_table_url", "")
        return dataset_of(folder / main) if main and (folder / main).is_dir() else None
    for name in ("hats.properties", "properties"):
        if (folder / name).is_file() and "hats_col_ra" in _properties(folder / name) and (folder / "dataset").is_dir():
            return folder / "dataset"
    return None


def _properties(path: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text(errors="replace").splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, mark, value in lines if mark}


def near(dataset: Path, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> tuple[dict[str, np.ndarray], str]:
    """The sources within a radius of positions.

    Args:
        dataset: as `dataset_of`.
        ra, dec: [N] [deg]; NaN where unknown.

    Returns:
        The columns of `allwise.read`, of K sources; and how much was read, in words.

    Raises:
        InputError: there are no partitions, one cannot be read, or astropy-healpix is not installed.
    """
    from scipy.spatial import cKDTree

    known = np.isfinite(ra) & np.isfinite(dec)
    order = max(0, min(FINEST_ORDER, int(np.log2(SIDE_ARCSEC / (MARGIN * radius_arcsec)))))
    cells = _cells(dataset, ra[known], dec[known], order)
    partitions = list(_partitions(dataset))
    if not partitions:
        raise InputError(f"{dataset}: no partition Norder=…/Dir=…/Npix=….parquet in it, expected a HATS catalogue")
    tree = cKDTree(unit_vectors(ra[known], dec[known]))
    parts, n_files, n_rows = [{name: np.empty(0) for name in allwise.WANTED}], 0, 0
    for path, level, pixel in partitions:
        if not _meet(cells, *_cells_of(level, pixel, pixel, order)):
            continue
        columns = _read(path, cells, order)
        n_files, n_rows = n_files + 1, n_rows + len(columns["ra"])
        at = unit_vectors(columns["ra"], columns["dec"])
        is_near = np.isfinite(tree.query(at, distance_upper_bound=chord(radius_arcsec))[0]) if len(at) else []
        parts.append({name: column[np.asarray(is_near, bool)] for name, column in columns.items()})
    found = {name: np.concatenate([part[name] for part in parts]) for name in allwise.WANTED}
    return found, f"{n_rows} sources of {n_files} of {len(partitions)} files of {dataset.parent} read"


def _cells(dataset: Path, ra: np.ndarray, dec: np.ndarray, order: int) -> np.ndarray:
    """Pixels of the order that circles around positions may reach into, in nested numbering, ascending."""
    try:
        from astropy import units
        from astropy_healpix import lonlat_to_healpix, neighbours  # of the extra "hats"
    except ImportError:
        raise InputError(
            f"{dataset.parent}: a HATS catalogue needs the package astropy-healpix, which is not installed:"
            " pip install 'jtss[hats]'"
        ) from None
    if not len(ra):
        return np.empty(0, np.int64)
    own = lonlat_to_healpix(ra * units.deg, dec * units.deg, 2**order, order="nested")
    around = np.concatenate([own, neighbours(own, 2**order, order="nested").ravel()])
    return np.unique(around[around >= 0])


def _partitions(dataset: Path) -> Iterator[tuple[Path, int, int]]:
    """File, order and pixel."""
    for path in sorted(dataset.rglob("*.parquet")):
        if path.is_file() and (match := PARTITION.search(path.relative_to(dataset).as_posix())):
            yield path, int(match[1]), int(match[2])


def _cells_of(level: int, first: int, last: int, order: int) -> tuple[int, int]:
    """The first and last pixel of an order that have a part of the pixels `first` to `last` of another."""
    if level > order:
        return first >> 2 * (level - order), last >> 2 * (level - order)
    return first << 2 * (order - level), ((last + 1) << 2 * (order - level)) - 1


def _meet(cells: np.ndarray, first: int, last: int) -> bool:
    """Whether any of the cells, ascending, is among `first` to `last`."""
    return bool(np.searchsorted(cells, last, side="right") > np.searchsorted(cells, first))


def _read(path: Path, cells: np.ndarray, order: int) -> dict[str, np.ndarray]:
    """The six columns of those row groups of a file that may have sources in the cells."""
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            chosen = tables.resolve(path, allwise.WANTED, tables.parquet_units(file.schema_arrow))
            groups = [i for i in range(file.num_row_groups) if _may_meet(file.metadata.row_group(i), cells, order)]
            table = file.read_row_groups(groups, columns=[column.name for column in chosen.values()])
    except InputError:
        raise
    except Exception as error:  # of pyarrow, on any bytes
        raise InputError(f"{path}: not a readable table of numbers: {error}") from error
    columns = tables.of_arrow(path, table, chosen)
    if lost := int(np.sum(~(np.isfinite(columns["ra"]) & np.isfinite(columns["dec"])))):
        raise InputError(
            f"{path}: {lost} of {table.num_rows} rows that were read lack a position; expected one of each"
        )
    return columns


def _may_meet(group, cells: np.ndarray, order: int) -> bool:
    """Whether a row group may have sources in the cells: where it does not say which pixels it has, it may."""
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == INDEX and column.statistics is not None and column.statistics.has_min_max:
            return _meet(cells, *_cells_of(INDEX_ORDER, column.statistics.min, column.statistics.max, order))
    return True
