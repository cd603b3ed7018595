"""A data set of many files by sky: one for each HEALPix pixel that has objects, named in the way of HATS, and an index.

A data file is written first, and then divided: every step before is that of one file, and only one file is open for
writing beside the index, so that memory does not grow with their number.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from data_prep.ledger import Ledger
from jtss import dataset, files
from jtss.dataset import INDEX, DataFile, IndexWriter, Shard, Writer
from jtss.errors import InputError
from jtss.schema import ALERT, METADATA_NAMES

FINEST_ORDER = 2  # 192 pixels; their files are open together where the data set is read, and 1,024 is a usual limit
NO_POSITION = "no_position.h5"
OURS = re.compile(rf"{re.escape(INDEX)}|{re.escape(NO_POSITION)}|Norder=\d+/Npix=\d+\.h5")
MERGED, DIVIDED, REPLACED = "merged.h5", "divided", "replaced"
OBJECTS_AT_ONCE = 256  # 30 MB of stamps


class Divided(NamedTuple):
    """What a division came to: the content hash of the data set, and how many files have its objects."""

    content_hash: str
    n_files: int


def check(out: Path, order: int, besides: Iterable[Path | None], *, force: bool) -> None:
    """Make sure, before hours go into it, that a data set of many files can be written.

    Args:
        out: its folder.
        order: of the pixels.
        besides: what is read or written besides.
        force: replace a data set of many files; never a folder that holds anything else.

    Raises:
        InputError: an order that there is not, `out` is a file, or a folder of something else, or holds one of
            `besides`; or astropy-healpix is not installed.
        FileExistsError, FileNotFoundError, OSError: as `files.check_outputs`.
    """
    if not 0 <= order <= FINEST_ORDER:
        raise InputError(f"{out}: HEALPix order {order}, expected 0 to {FINEST_ORDER}")
    _healpix(out)
    files.check_folder("out", out, force=force)
    _require_ours(out)
    for path in filter(None, besides):
        if out.resolve() in (path.resolve(), *path.resolve().parents):
            raise InputError(f"{path}: is or lies in the folder {out}, which is to be written; choose another place")


def _require_ours(out: Path) -> None:
    inside = (path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir())
    foreign = sorted(name for name in inside if not OURS.fullmatch(name))
    if foreign:
        raise InputError(f"{out}: has files that are of no data set, such as {foreign[0]}; choose another folder")


@contextmanager
def staged(out: Path, *, force: bool) -> Iterator[tuple[Path, Path]]:
    """Where to write the data file, and the folder in which to divide it: this gets the name `out` at the end.

    Both lie in a hidden folder beside `out`, which is gone afterwards; after an error, an old `out` is untouched.

    Raises:
        InputError, FileExistsError: somebody else has written `out` meanwhile.
        OSError: a folder cannot be renamed.
    """
    out = out.absolute()  # which has a name, where "." has none
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as staging:
        made, old = Path(staging, DIVIDED), Path(staging, REPLACED)
        made.mkdir()
        yield Path(staging, MERGED), made
        for folder in (made, *(path for path in made.iterdir() if path.is_dir())):
            files.flush(folder)
        files.check_folder("out", out, force=force)
        _require_ours(out)
        _exchange(made, out, old)
        files.flush(out.parent)


def _exchange(made: Path, out: Path, old: Path) -> None:
    """Give a folder the name `out`, and the one that has it, if any, the name `old`; both or neither."""
    if not out.exists():
        os.rename(made, out)
        return
    os.rename(out, old)
    try:
        os.rename(made, out)
    except BaseException:
        if not out.exists():
            os.rename(old, out)
        raise


def divide(merged: Path, folder: Path, order: int, *, known_as: Path) -> Divided:
    """Divide a data file among files by sky, with an index that is read as one.

    The objects stand by pixel (HEALPix, nested), those without a position last, and within a pixel in the order in
    which the file has them. Every shard is a data file by itself; its ledger counts the alerts in it alone.

    Args:
        merged: the data file.
        folder: an empty one.
        order: of the pixels.
        known_as: what messages name.

    Raises:
        InputError: it cannot be read, or astropy-healpix is not installed.
        OSError: the disk is full; names `known_as`.
    """
    with dataset.open_checked(merged, chunk_cache_bytes=0) as file:
        about, pixel = dict(file.attrs), pixels(file, order, known_as)
    made = {"survey": about["survey"], "command": about["command"], "known_as": known_as}
    origin = str(about.get("origin", "")).splitlines()
    whole = f"of {len(pixel)} objects, in one file of content hash {about['content_hash']}; {INDEX} has their ledger"
    groups = list(_groups(pixel))
    with (
        IndexWriter(folder / INDEX, origin="\n".join(origin), **made) as index,
        tqdm(total=len(pixel), unit="object", desc="shards") as bar,
    ):
        shards, splits = [], []
        parts = zip((pixel[group[0]] for group in groups), dataset.take(merged, groups), strict=True)
        for number, of_pixel in groupby(parts, itemgetter(0)):
            name = _name(order, number)
            (folder / name).parent.mkdir(exist_ok=True)
            with Writer(folder / name, origin="\n".join([*origin, f"part {name} {whole}"]), **made) as shard:
                for _, sequences in of_pixel:
                    shard.append(sequences)
                    index.append(sequences)
                    splits.append(sequences.split)
                    bar.update(sequences.n_objects)
                shards.append(_finished(shard, name, np.concatenate(splits)[-shard.n_objects :]))
        ledger, split = json.loads(about["ledger"]), np.concatenate(splits)
        content_hash = index.finish(split=split, ledger=ledger, shards=shards, merged_hash=str(about["content_hash"]))
    return Divided(content_hash, len(shards))


def _groups(pixel: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of objects of one pixel, a few hundred at a time, pixel by pixel."""
    order = np.argsort(pixel, kind="stable")
    for objects in np.split(order, np.flatnonzero(np.diff(pixel[order])) + 1):
        yield from np.array_split(objects, -(-len(objects) // OBJECTS_AT_ONCE))


def _name(order: int, pixel: int) -> str:
    """Of the file of a pixel; the one after the last stands for objects without position."""
    return f"Norder={order}/Npix={pixel}.h5" if pixel < _n_pixels(order) else NO_POSITION


def _n_pixels(order: int) -> int:
    return 12 * 4**order


def _finished(writer: Writer, name: str, split: np.ndarray) -> Shard:
    ledger = Ledger()
    ledger.keep(writer.n_stamps)
    content_hash = writer.finish(split=split, ledger=ledger.as_dict())
    return Shard(name, content_hash, writer.n_objects, writer.n_rows, writer.n_stamps)


def pixels(file: DataFile, order: int, known_as: Path) -> np.ndarray:
    """The pixel of the first alert of each object, as the file has its position.

    Args:
        file: an open data file.
        order: of the pixels.
        known_as: what messages name.

    Returns:
        [N] int64, HEALPix in nested numbering; the number of pixels where there is no position.

    Raises:
        InputError: astropy-healpix is not installed.
    """
    lonlat_to_healpix = _healpix(known_as)
    from astropy import units

    ra, dec = _first_positions(file)
    known = (ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90)
    pixel = np.full(len(ra), _n_pixels(order), np.int64)
    pixel[known] = lonlat_to_healpix(ra[known] * units.deg, dec[known] * units.deg, 2**order, order="nested")
    return pixel


def _healpix(out: Path) -> Callable:
    try:
        from astropy_healpix import lonlat_to_healpix  # of the extra "hats"
    except ImportError:
        raise InputError(
            f"{out}: files by sky need the package astropy-healpix, which is not installed: pip install 'jtss[hats]'"
        ) from None
    return lonlat_to_healpix


def _first_positions(file: DataFile) -> np.ndarray:
    """[2, N] float64: ra, dec [deg] of the first alert of each object; NaN where it has none."""
    alerts = np.flatnonzero(file["kind"][:] == ALERT)
    first = alerts[np.searchsorted(alerts, file["object_start"][:-1])]
    places = [METADATA_NAMES.index(name) for name in ("ra", "dec")]
    found, begin = [], 0
    for part in dataset.rows(file["metadata"]):
        here = first[slice(*np.searchsorted(first, (begin, begin + len(part))))]
        found.append(part[here - begin][:, places])
        begin += len(part)
    return np.concatenate(found).T.astype(np.float64)
