"""The HDF5 file of sequences: written batch by batch, complete or not at all; opened, checked, read back and counted.

Its layout is `schema.COLUMNS`. Nobody else opens such a file, so that a file is a data file for all of us or for none.
A data set may also be a folder of such files, its shards, with an index that is read as one file.
"""

import errno
import json
import os
import resource
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from jtss import files, schema
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.schema import (
    CHANNEL_NAMES,
    CLASS_NAMES,
    COLUMNS,
    KIND_NAMES,
    METADATA_NAMES,
    NO_STAMP,
    SCHEMA_VERSION,
    SPLIT_NAMES,
    SUBCLASSES,
    Column,
    ContentHash,
    Sequences,
    check,
    stamp_rows,
)
from jtss.version import __version__

STAMP_ROWS_PER_CHUNK = 32  # 0.76 MB: fits HDF5's chunk cache, and readers go through the rows in order
ROWS_PER_CHUNK = 4096
SPACE_MARGIN = 2**26  # bytes; HDF5 does not survive a full disk, so it must never see one
WRITTEN_AT_THE_END = ("object_start", "split")
LOCKS = "set the environment variable HDF5_USE_FILE_LOCKING=FALSE"

# A data set of many files is a folder: its index has all objects, and how rows and stamps are numbered; of the other
# columns it has views (HDF5's virtual datasets) of those of its shards, one after the other. HDF5 gives no error for a
# shard that it cannot open, but a value that we choose: one that no row has.
INDEX = "index.h5"
IN_SHARDS = {"stamps": -1, "metadata": -np.inf, "jd": -1, "candid": -1, "fid": -1}
ELSEWHERE = "HDF5_VDS_PREFIX"  # where HDF5 looks for shards first, if it is set

DataFile = h5py.File  # what `open_checked` gives
StoredColumn = h5py.Dataset  # one column of it


class DataError(InputError):
    """A data file that does not fit the contract or the configuration; the message names both sides."""


class Shard(NamedTuple):
    """One file of a data set of many, as its index lists it.

    Attributes:
        name: path from the folder of the index.
        content_hash: of the file.
        n_objects, n_rows, n_stamps: how many it holds.
    """

    name: str
    content_hash: str
    n_objects: int
    n_rows: int
    n_stamps: int


class Writer:
    """Writer of one data set; use as a context manager.

    The file grows under a temporary name in the same folder. `finish` syncs it to disk and gives it its name; leaving
    the context without it, by an error or Ctrl-C, deletes it. Stamps are stored uncompressed: noise does not compress.

    Attributes written: schema_version, survey, class_names, subclass_names, split_names, channel_names, feature_names,
    command, created (time and version), ledger (JSON), content_hash (`jtss.schema.ContentHash`), and origin (text)
    where there is something to say.
    """

    STORED = tuple(COLUMNS)

    def __init__(
        self,
        path: str | Path,
        *,
        survey: str,
        command: str,
        force: bool = False,
        origin: str | None = None,
        known_as: Path | None = None,
    ) -> None:
        """Open for writing.

        Args:
            path: the file.
            survey, command: where its alerts are from, and what made it.
            force: replace a file that exists.
            origin: whose data they are and from which files, a line each; None: those that `command` names.
            known_as: what messages name, where the file is but a step towards it; None: the file.

        Raises:
            FileExistsError: `path` exists and `force` is not set.
            FileNotFoundError: the folder of `path` does not exist.
            OSError: the file cannot be made, for one where the file system knows no locks; names it.
        """
        self.path, self.force, self.known_as = Path(path), force, known_as or Path(path)
        self._attributes = {"survey": survey, "command": command} | ({"origin": origin} if origin else {})
        files.refuse_to_replace(self.path, self.force)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path}: the folder {self.path.parent} does not exist")
        self._partial = files.partial(self.path)
        self._hash = ContentHash()
        self._object_start = [np.zeros(1, np.int64)]
        self.n_stamps = 0
        try:
            self._file = h5py.File(self._partial, "w")
            for name in self.STORED:
                _create(self._file, name, COLUMNS[name])
        except BaseException as error:
            self._partial.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise self._failure(reason(error)) from error
            raise

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_exception) -> None:
        self._discard()

    @property
    def n_objects(self) -> int:
        return sum(len(edges) for edges in self._object_start) - 1

    @property
    def n_rows(self) -> int:
        return int(self._object_start[-1][-1])

    def append(self, sequences: Sequences) -> None:
        """Add objects after those already written; their `split` is ignored in favour of `finish`'s.

        Raises:
            ValueError: shapes or dtypes break the contract.
            OSError: the disk is full or gone; names the file.
        """
        check(sequences)
        self._object_start.append(sequences.object_start[1:] + self.n_rows)
        columns = {name: getattr(sequences, name) for name in COLUMNS if name not in WRITTEN_AT_THE_END}
        columns["stamp_row"] = stamp_rows(sequences.kind, self.n_stamps)
        self.n_stamps += len(sequences.stamps)
        for name, values in columns.items():
            self._extend(name, values)

    def finish(self, *, split: np.ndarray, ledger: dict) -> str:
        """Write the split [N] int8 and the ledger (`Ledger.as_dict`), sync, and give the file its name.

        Returns:
            The content hash.

        Raises:
            ValueError: nothing was appended, or `split` is not one per object.
            FileExistsError: somebody else has written `path` meanwhile and `force` is not set.
            OSError: the disk is full or gone; names the file.
        """
        if not self.n_objects:
            raise ValueError(f"{self.path}: no objects to write; an empty data set is never written")
        if len(split) != self.n_objects:
            raise ValueError(f"{self.path}: split has {len(split)} entries for {self.n_objects} objects")
        self._extend("split", np.asarray(split, np.int8))
        self._extend("object_start", np.concatenate(self._object_start))
        content_hash = self._hash.hexdigest()
        self._write_attributes(ledger, content_hash)
        self._publish()
        return content_hash

    def _extend(self, name: str, rows: np.ndarray) -> None:
        self._hash.update(name, rows)
        if name not in self.STORED:
            return
        self._require_space(rows.nbytes)
        try:
            dataset = self._file[name]
            n_before = len(dataset)
            dataset.resize(n_before + len(rows), axis=0)
            dataset[n_before:] = rows
            self._file.flush()  # an error must show here: a `close` that fails cannot be repeated
        except (OSError, RuntimeError) as error:
            raise self._failure(str(error)) from error

    def _require_space(self, n_bytes: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < n_bytes + SPACE_MARGIN:
            raise self._failure(f"disk full: {free / 1e6:.0f} MB left, {(n_bytes + SPACE_MARGIN) / 1e6:.0f} MB needed")

    def _write_attributes(self, ledger: dict, content_hash: str) -> None:
        attributes = self._file.attrs
        attributes["schema_version"] = SCHEMA_VERSION
        attributes["class_names"] = list(CLASS_NAMES)
        attributes["subclass_names"] = list(SUBCLASSES)
        attributes["split_names"] = list(SPLIT_NAMES)
        attributes["channel_names"] = list(CHANNEL_NAMES)
        attributes["feature_names"] = list(METADATA_NAMES)
        attributes["created"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} by jtss {__version__}"
        attributes["ledger"] = json.dumps(ledger)
        attributes["content_hash"] = content_hash
        attributes.update(self._attributes)

    def _publish(self) -> None:
        try:
            self._file.close()
            files.flush(self._partial)
            files.refuse_to_replace(self.path, self.force)
            os.replace(self._partial, self.path)
            files.flush(self.path.parent)
        except FileExistsError:
            raise
        except (OSError, RuntimeError) as error:
            raise self._failure(str(error)) from error

    def _failure(self, reason: str) -> OSError:
        return OSError(f"{self.known_as}: writing failed ({reason}); the incomplete file is removed")

    def _discard(self) -> None:
        if not self._partial.exists():
            return  # it has its name
        os.truncate(self._partial, 0)  # make room for the last flush: HDF5 crashes the interpreter where it fails
        try:
            self._file.close()
        except (OSError, RuntimeError):
            pass  # the error that led here is the one to report
        finally:
            self._partial.unlink()


class IndexWriter(Writer):
    """Writer of the index of a data set of many files, which is given all that its shards are given, in their order.

    Attributes written besides those of `Writer`: shards (JSON, a `Shard` each) and merged_content_hash, of the same
    objects in one file. The content hash is of all columns in the order of the shards.
    """

    STORED = tuple(name for name in COLUMNS if name not in IN_SHARDS)

    def finish(self, *, split: np.ndarray, ledger: dict, shards: Sequence[Shard], merged_hash: str) -> str:
        """As `Writer.finish`.

        Args:
            split, ledger: of all objects.
            shards: the files, below the folder of the index.
            merged_hash: the content hash of the same objects in one file.
        """
        listed = json.dumps([shard._asdict() for shard in shards])
        self._attributes |= {"shards": listed, "merged_content_hash": merged_hash}
        try:
            for name, absent in IN_SHARDS.items():
                self._file.create_virtual_dataset(name, _view(name, shards), fillvalue=absent)
        except (OSError, RuntimeError) as error:
            raise self._failure(str(error)) from error
        return super().finish(split=split, ledger=ledger)


def _view(name: str, shards: Sequence[Shard]) -> h5py.VirtualLayout:
    """A column of shards, one after the other."""
    column, edges = COLUMNS[name], _edges(name, shards)
    layout = h5py.VirtualLayout((int(edges[-1]), *column.shape), column.dtype)
    for shard, begin, end in zip(shards, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        layout[begin:end] = h5py.VirtualSource(shard.name, name, (end - begin, *column.shape))
    return layout


def _edges(name: str, shards: Sequence[Shard]) -> np.ndarray:
    """[S + 1] where each of S shards begins among the rows of a column."""
    lengths = [shard.n_stamps if COLUMNS[name].axis == "stamp" else shard.n_rows for shard in shards]
    return np.cumsum([0, *lengths])


def _create(file: h5py.File, name: str, column: Column) -> None:
    dtype = h5py.string_dtype() if column.dtype == "str" else column.dtype
    rows = STAMP_ROWS_PER_CHUNK if name == "stamps" else ROWS_PER_CHUNK
    shape = (0, *column.shape)
    file.create_dataset(name, shape, dtype, maxshape=(None, *column.shape), chunks=(rows, *column.shape))


OBJECTS_PER_READ = 256
ROWS_PER_READ = 1024
NUMBERS_PER_READ = 2**18


def read(path: str | Path) -> Iterator[Sequences]:
    """The objects of a data file, a few hundred at a time; memory stays flat.

    Raises:
        DataError: not a data file, another schema version, shapes that break the contract, or (after the last batch)
            content that does not fit its hash.
    """
    with open_checked(path) as file:
        with _refusing_damage(path):
            expected, start = str(file.attrs["content_hash"]), file["object_start"][:]
            columns = {name: file[name] for name in COLUMNS}
        content = ContentHash()
        content.update("object_start", start)
        for first in range(0, len(start) - 1, OBJECTS_PER_READ):
            edges = start[first : first + OBJECTS_PER_READ + 1]
            with _refusing_damage(path):
                stored = _read_columns(columns, first, edges)
            for name, values in stored.items():
                content.update(name, values)
            yield Sequences(object_start=edges - edges[0], **stored | {"stamp_row": stamp_rows(stored["kind"])})
        if content.hexdigest() != expected:
            raise DataError(
                f"{path}: damaged{damaged_part(file)}: content hash {content.hexdigest()}, the file says {expected}"
            )


def take(path: str | Path, groups: Iterable[np.ndarray]) -> Iterator[Sequences]:
    """Some objects of a data file by their indices, a `Sequences` for each group of them, in its order.

    Raises:
        DataError: as `read`, but for the hash.
    """
    with open_checked(path, chunk_cache_bytes=0) as file, _refusing_damage(path):
        start, columns = file["object_start"][:], {name: file[name] for name in COLUMNS}
        for objects in groups:
            parts = []
            for first in objects.tolist():
                edges = start[first : first + 2]
                stored = _read_columns(columns, first, edges)
                stored |= {"stamp_row": stamp_rows(stored["kind"])}
                parts.append(Sequences(object_start=edges - edges[0], **stored))
            yield schema.join(parts)


def _read_columns(columns: dict[str, StoredColumn], first: int, edges: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of some objects as they are stored: their `stamp_row` counts from the beginning of the file."""
    stamp_row = columns["stamp_row"][edges[0] : edges[-1]]
    with_stamps = stamp_row[stamp_row != NO_STAMP]
    part = {
        "row": slice(edges[0], edges[-1]),
        "stamp": slice(with_stamps[0], with_stamps[-1] + 1),
        "object": slice(first, first + len(edges) - 1),
    }
    return {
        name: columns[name].asstr()[part[column.axis]] if column.dtype == "str" else columns[name][part[column.axis]]
        for name, column in COLUMNS.items()
        if column.axis != "edge"
    }


def attributes(path: str | Path) -> dict:
    """The attributes of a data file (survey, command, content_hash, …); checks its layout, not its hash.

    Raises:
        DataError: as `read`.
    """
    with open_checked(path) as file, _refusing_damage(path):
        return dict(file.attrs)


def index_of(path: str | Path) -> Path | None:
    """The index of the data set of many files in a folder; None where there is none."""
    index = Path(path) / INDEX
    return index if index.is_file() else None


def open_checked(path: str | Path, *, chunk_cache_bytes: int | None = None) -> DataFile:
    """Open a data set for reading; close it, or use it as a context manager.

    Args:
        path: the data file; or the folder of many, or its index.
        chunk_cache_bytes: of each column; None = HDF5's own. With 0, rows are read alone, not the chunks around them.
            Of many files 0, since each has a cache of its own.

    Returns:
        The file: its columns are those of `schema.COLUMNS`, of the right dtypes and shapes, and fit each other.

    Raises:
        DataError: no such file, not HDF5, a file system without locks, another schema version, a column that is
            missing or of another dtype or shape, objects that do not divide the rows, a kind, label, subclass or split
            that there is not, a subclass of another class, stamps that do not belong to the alerts, an object without
            alert; a shard that is missing or another one; names the file, what it has and what was expected.
    """
    place = index_of(path) or Path(path)
    if not place.is_file():
        expected = f"a folder without {INDEX}, expected a data file, or the folder of a data set of many files"
        raise DataError(f"{path}: {expected if place.is_dir() else 'no such file'}")
    try:
        place = place.resolve()  # whose folder is that of its shards
        file = h5py.File(place, "r", rdcc_nbytes=0 if place.name == INDEX else chunk_cache_bytes)
    except OSError as error:
        raise DataError(f"{path}: {reason(error)}") from None
    try:
        with _refusing_damage(path):
            _check_layout(path, file)
            _open_shards(path, file)
            _check_content(path, file)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def _refusing_damage(path: str | Path) -> Iterator[None]:
    """DataError for whatever HDF5 raises on damaged bytes: OSError, RuntimeError, KeyError, ValueError, and more."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: damaged: {error}") from error


def reason(error: OSError) -> str:
    """Why HDF5 could not open or make a file, in words; its own reason is the last thing that it says."""
    text = str(error)
    if "lock file" in text and error.errno in (errno.EAGAIN, errno.EACCES):
        return "another program has it open for writing"
    if "lock file" in text or error.errno == errno.ENOLCK:
        return f"its file system knows no locks ({os.strerror(error.errno or errno.ENOLCK)}); {LOCKS}"
    return os.strerror(error.errno) if error.errno else f"not a readable HDF5 file ({text})"


def _check_layout(path: str | Path, file: DataFile) -> None:
    """Version, names, and for each column that it is there, with its dtype and shape."""
    version = file.attrs.get("schema_version")
    if not np.array_equal(version, SCHEMA_VERSION):
        made_by = file.attrs.get("command")
        advice = f"; rebuild it with: {made_by}" if made_by else ""
        raise DataError(f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}{advice}")
    expected_names = {"class_names": CLASS_NAMES, "subclass_names": SUBCLASSES, "feature_names": METADATA_NAMES}
    for key, expected in expected_names.items():
        stored = tuple(np.atleast_1d(file.attrs.get(key, ())).tolist())
        if stored != expected:
            raise DataError(f"{path}: {key} {stored}, expected {expected}")
    missing = [name for name in COLUMNS if not isinstance(file.get(name), StoredColumn)]
    missing += [name for name in ("content_hash",) if name not in file.attrs]
    if missing:
        raise DataError(f"{path}: {', '.join(missing)} missing")
    n_edges, n_rows = file["object_start"].size, file["jd"].size
    n_stamps = sum(file["stamps"].shape[:1])
    lengths = {"row": n_rows, "stamp": n_stamps, "object": n_edges - 1, "edge": n_edges}
    for name, column in COLUMNS.items():
        expected = (lengths[column.axis], *column.shape)
        if file[name].shape != expected:
            raise DataError(f"{path}: {name} has shape {file[name].shape}, expected {expected}")
        dtype = "str" if h5py.check_string_dtype(file[name].dtype) else str(file[name].dtype)
        if dtype != column.dtype:
            raise DataError(f"{path}: {name} has dtype {dtype}, expected {column.dtype}")


def shards(file: DataFile) -> list[Shard]:
    """The files of a data set of many; none of a data set that is one file."""
    return [Shard(**listed) for listed in json.loads(file.attrs.get("shards", "[]"))]


def _open_shards(path: str | Path, file: DataFile) -> None:
    """Check the shards of an index and open them all: HDF5 does so only when it needs one, which may be gone then."""
    listed = shards(file)
    views = [file[name] for name in COLUMNS if file[name].is_virtual]
    if {source.file_name for view in views for source in view.virtual_sources()} != {shard.name for shard in listed}:
        raise DataError(f"{path}: damaged: its columns lie in other files than those that it lists")
    if listed and os.environ.get(ELSEWHERE):
        raise DataError(
            f"{path}: the environment variable {ELSEWHERE} is set, so that HDF5 looks for the files of this data set"
            f" elsewhere; expected it unset"
        )
    for shard in listed:
        _check_shard(path, Path(file.filename).parent / shard.name, shard)
    for view in views:
        for begin in _edges(view.name[1:], listed)[:-1].tolist():
            if view[(begin, *[0] * (view.ndim - 1))] == IN_SHARDS[view.name[1:]]:
                limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
                raise DataError(
                    f"{path}: its {len(listed)} files cannot all be opened; this program may open {limit} (ulimit -n)"
                )
    file.shards_held = views  # they keep their shards open until the file is closed


def _check_shard(path: str | Path, place: Path, shard: Shard) -> None:
    if not place.is_file():
        raise DataError(
            f"{place}: missing, expected the file that {path} lists; a data set of many files moves as a whole folder"
        )
    try:
        file = h5py.File(place, "r")
    except OSError as error:
        raise DataError(f"{place}: {reason(error)}; {path} needs it") from None
    with file, _refusing_damage(place):
        found = file.attrs.get("content_hash")
        if found != shard.content_hash:
            raise DataError(f"{place}: content hash {found}, {path} expects {shard.content_hash}: another file")
        for name in IN_SHARDS:
            shape = (shard.n_stamps if COLUMNS[name].axis == "stamp" else shard.n_rows, *COLUMNS[name].shape)
            if file[name].shape != shape or file[name].dtype != COLUMNS[name].dtype:
                raise DataError(f"{place}: {name} is {file[name]}, expected {shape} {COLUMNS[name].dtype}")


def damaged_part(file: DataFile) -> str:
    """Where the damage of a data set is, in words: in which of its files; "" where it is one file or its index."""
    for shard in shards(file):
        place = Path(file.filename).parent / shard.name
        with _refusing_damage(place), h5py.File(place, "r") as part:
            if content_hash(part) != shard.content_hash:
                return f" in {shard.name}"
    return ""


def _check_content(path: str | Path, file: DataFile) -> None:
    """What would be read past the end of something: where objects and stamps begin, and codes that stand for names."""
    start, n_rows = file["object_start"][:], len(file["jd"])
    if len(start) < 2:
        raise DataError(f"{path}: no objects, expected at least one")
    if start[0] != 0 or start[-1] != n_rows or np.any(np.diff(start) < 1):
        raise DataError(f"{path}: object_start does not divide the {n_rows} rows among the {len(start) - 1} objects")
    for name, names, lowest in (("kind", KIND_NAMES, 0), ("label", CLASS_NAMES, -1), ("split", SPLIT_NAMES, -1)):
        codes = file[name][:]
        bad = codes[(codes < lowest) | (codes >= len(names))]
        if bad.size:
            raise DataError(f"{path}: {name} {bad[0]}, expected {lowest} to {len(names) - 1}")
    fault = schema.subclass_fault(file["label"][:], file["subclass"][:])
    if fault:
        raise DataError(f"{path}: {fault}")
    _check_stamps(path, file, start)


def _check_stamps(path: str | Path, file: DataFile, start: np.ndarray) -> None:
    """That stamps stand in the order of the alerts among the rows, and every object has one."""
    n_stamps, kinds = 0, rows(file["kind"], NUMBERS_PER_READ)
    for kind, stamp_row in zip(kinds, rows(file["stamp_row"], NUMBERS_PER_READ), strict=True):
        if not np.array_equal(stamp_row, stamp_rows(kind, n_stamps)):
            raise DataError(f"{path}: stamp_row does not number the alerts among the rows, as kind has them")
        n_stamps += int(np.sum(kind == schema.ALERT))
    if n_stamps != len(file["stamps"]):
        raise DataError(f"{path}: {len(file['stamps'])} stamps for {n_stamps} alerts")
    without = np.flatnonzero(schema.alert_counts(file["kind"][:], start) == 0)
    if without.size:
        raise DataError(f"{path}: object {file['object_id'].asstr()[without[0]]} has no alert, expected one or more")


def rows(column: StoredColumn, n_rows: int = ROWS_PER_READ) -> Iterator[np.ndarray]:
    """The rows of a column, so many at a time; names as str."""
    reader = column.asstr() if h5py.check_string_dtype(column.dtype) else column
    for first in range(0, len(column), n_rows):
        yield reader[first : first + n_rows]


def alert_counts(file: DataFile) -> np.ndarray:
    """[N] int64: alerts with stamps of each object, as `Sequences.n_alerts` has them."""
    return schema.alert_counts(file["kind"][:], file["object_start"][:])


def in_words(kind: np.ndarray) -> str:
    """How many rows of each kind there are, of kinds [M]."""
    alerts, detections, limits = np.bincount(kind, minlength=len(KIND_NAMES)).tolist()
    return f"{alerts} alerts with stamps, {detections} detections without, {limits} limits"


def content_hash(file: DataFile) -> str:
    """The hash of what the columns hold now, to set beside the attribute of this name."""
    content = ContentHash()
    for name in COLUMNS:
        for part in rows(file[name]):
            content.update(name, part)
    return content.hexdigest()


class Outline(NamedTuple):
    """What is known of N objects without reading them; label and split as `Sequences` has them.

    Attributes:
        label: [N] int8.
        split: [N] int8.
        n_alerts: [N] int64; with stamps.
    """

    label: np.ndarray
    split: np.ndarray
    n_alerts: np.ndarray


def outline(path: str | Path) -> Outline:
    """Class, split and number of alerts of the objects of a data file.

    Raises:
        DataError: as `read`, but for the hash.
    """
    with open_checked(path) as file, _refusing_damage(path):
        return Outline(file["label"][:], file["split"][:], alert_counts(file))


def require_content(path: str | Path, content_hash: str, label: str) -> None:
    """Make sure that a data file is the one that a model was trained on.

    Args:
        path: the data file.
        content_hash: of what the model was trained on.
        label: of the model.

    Raises:
        DataError: as `attributes`, or it is another one.
    """
    there = str(attributes(path)["content_hash"])
    if there != content_hash:
        raise DataError(
            f"{path}: content hash {there}, expected {content_hash}, of the data that {label} was trained on"
        )


def object_ids(path: str | Path, splits: Sequence[str]) -> set[str]:
    """Names of the objects of some splits.

    Raises:
        DataError: as `read`, but for the hash.
    """
    with open_checked(path) as file, _refusing_damage(path):
        chosen = np.isin(file["split"][:], [SPLIT_NAMES.index(name) for name in splits])
        return set(file["object_id"].asstr()[:][chosen].tolist())


def count(path: str | Path, config: Config, split: str) -> dict[str, int]:
    """Objects of a split that `config` can read, by its classes: those with n alerts.

    Raises:
        DataError: as `read`, but for the hash.
    """
    with open_checked(path) as file, _refusing_damage(path):
        of_split = file["split"][:] == SPLIT_NAMES.index(split)
        long_enough = alert_counts(file) >= config.n_detections
        label = file["label"][:][of_split & long_enough]
    return {name: int(np.sum(label == CLASS_NAMES.index(name))) for name in config.classes}


def count_alerts(path: str | Path, config: Config, split: str) -> int:
    """Alerts of the objects of a split that are of the classes of `config`.

    Raises:
        DataError: as `count`.
    """
    with open_checked(path) as file, _refusing_damage(path):
        of_class = np.isin(file["label"][:], [CLASS_NAMES.index(name) for name in config.classes])
        of_split = file["split"][:] == SPLIT_NAMES.index(split)
        return int(alert_counts(file)[of_split & of_class].sum())


def describe(path: str | Path, config: Config) -> dict:
    """What `config` can learn from a data file, for the record: survey, command, objects by split and class.

    Raises:
        DataError: as `count`; or the file does not say where it is from.
    """
    origin = attributes(path)
    missing = [name for name in ("survey", "command") if name not in origin]
    if missing:
        raise DataError(f"{path}: the attribute {' and '.join(missing)} is missing, which says where the data are from")
    return {
        "survey": str(origin["survey"]),
        "command": str(origin["command"]),
        "objects": {split: count(path, config, split) for split in ("train", "validation")},
    }


def n_objects(path: str | Path) -> int:
    """How many objects a data file has.

    Raises:
        DataError: as `attributes`.
    """
    with open_checked(path) as file:
        return len(file["object_id"])
