"""The HDF5 file of sequences: written batch by batch, complete or not at all; read back, counted and described.

Its layout is `schema.COLUMNS`.
"""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from jtss import __version__, schema
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.schema import (
    CHANNEL_NAMES,
    CLASS_NAMES,
    COLUMNS,
    METADATA_NAMES,
    SCHEMA_VERSION,
    SPLIT_NAMES,
    Column,
    ContentHash,
    Sequences,
    check,
)

STAMP_ROWS_PER_CHUNK = 32  # 0.76 MB: fits HDF5's chunk cache, and readers go through the rows in order
ROWS_PER_CHUNK = 4096
SPACE_MARGIN = 2**26  # bytes; HDF5 does not survive a full disk, so it must never see one
WRITTEN_AT_THE_END = ("object_start", "split")


class Writer:
    """Writer of one data set; use as a context manager.

    The file grows under a temporary name in the same folder. `finish` syncs it to disk and gives it its name; leaving
    the context without it, by an error or Ctrl-C, deletes it. Stamps are stored uncompressed: noise does not compress.

    Attributes written: schema_version, survey, class_names, split_names, channel_names, feature_names, command, created
    (time and version), ledger (JSON), content_hash (`jtss.schema.ContentHash`).
    """

    def __init__(self, path: str | Path, *, survey: str, command: str, force: bool = False) -> None:
        """Open for writing.

        Raises:
            FileExistsError: `path` exists and `force` is not set.
            FileNotFoundError: the folder of `path` does not exist.
        """
        self.path, self.force = Path(path), force
        self._attributes = {"survey": survey, "command": command}
        self._refuse_to_overwrite()
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path}: the folder {self.path.parent} does not exist")
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._hash = ContentHash()
        self._object_start = [np.zeros(1, np.int64)]
        self._file = h5py.File(self._partial, "w")
        for name, column in COLUMNS.items():
            _create(self._file, name, column)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_exception) -> None:
        self._discard()

    @property
    def n_objects(self) -> int:
        return sum(len(edges) for edges in self._object_start) - 1

    def append(self, sequences: Sequences) -> None:
        """Add objects after those already written; their `split` is ignored in favour of `finish`'s.

        Raises:
            ValueError: shapes or dtypes break the contract.
            OSError: the disk is full or gone; names the file.
        """
        check(sequences)
        first_row = int(self._object_start[-1][-1])
        self._object_start.append(sequences.object_start[1:] + first_row)
        for name in COLUMNS:
            if name not in WRITTEN_AT_THE_END:
                self._extend(name, getattr(sequences, name))

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
            _sync(self._partial)
            self._refuse_to_overwrite()
            os.replace(self._partial, self.path)
            _sync(self.path.parent)
        except FileExistsError:
            raise
        except (OSError, RuntimeError) as error:
            raise self._failure(str(error)) from error

    def _refuse_to_overwrite(self) -> None:
        if self.path.exists() and not self.force:
            raise FileExistsError(f"{self.path} exists; choose another name or add --force to replace it")

    def _failure(self, reason: str) -> OSError:
        return OSError(f"{self.path}: writing failed ({reason}); the incomplete file is removed")

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


def _create(file: h5py.File, name: str, column: Column) -> None:
    dtype = h5py.string_dtype() if column.dtype == "str" else column.dtype
    rows = STAMP_ROWS_PER_CHUNK if name == "stamps" else ROWS_PER_CHUNK
    shape = (0, *column.shape)
    file.create_dataset(name, shape, dtype, maxshape=(None, *column.shape), chunks=(rows, *column.shape))


def _sync(path: Path) -> None:
    """Flush a file or a folder to disk, so that the rename cannot outlive the content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


OBJECTS_PER_READ = 256


class DataError(InputError):
    """A data file that does not fit the contract or the configuration; the message names both sides."""


def read(path: str | Path) -> Iterator[Sequences]:
    """The objects of a data file, a few hundred at a time; memory stays flat.

    Raises:
        DataError: not a data file, another schema version, shapes that break the contract, or (after the last batch)
            content that does not fit its hash.
    """
    with _open(path) as file:
        expected = str(file.attrs["content_hash"])
        start, found = file["object_start"][:], schema.ContentHash()
        found.update("object_start", start)
        for first in range(0, len(start) - 1, OBJECTS_PER_READ):
            edges = start[first : first + OBJECTS_PER_READ + 1]
            batch = _read_batch(file, first, edges)
            for name in schema.COLUMNS:
                if name != "object_start":
                    found.update(name, getattr(batch, name))
            yield batch
        if found.hexdigest() != expected:
            raise DataError(f"{path}: damaged: content hash {found.hexdigest()}, the file says {expected}")


def _read_batch(file: h5py.File, first: int, edges: np.ndarray) -> Sequences:
    rows = {"detection": slice(edges[0], edges[-1]), "object": slice(first, first + len(edges) - 1)}
    columns = {
        name: file[name].asstr()[rows[column.axis]] if column.dtype == "str" else file[name][rows[column.axis]]
        for name, column in schema.COLUMNS.items()
        if column.axis != "edge"
    }
    return Sequences(object_start=edges - edges[0], **columns)


def attributes(path: str | Path) -> dict:
    """The attributes of a data file (survey, command, content_hash, …); checks its layout, not its hash.

    Raises:
        DataError: as `read`.
    """
    with _open(path) as file:
        return dict(file.attrs)


def _open(path: str | Path) -> h5py.File:
    """The open file, its version and shapes checked."""
    if not Path(path).is_file():
        raise DataError(f"{path}: {'a folder, expected a data file' if Path(path).is_dir() else 'no such file'}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: not a readable HDF5 file ({error})") from None
    try:
        _check_layout(path, file)
    except BaseException:
        file.close()
        raise
    return file


def _check_layout(path: str | Path, file: h5py.File) -> None:
    version = file.attrs.get("schema_version")
    if version != schema.SCHEMA_VERSION:
        made_by = file.attrs.get("command")
        advice = f"; rebuild it with: {made_by}" if made_by else ""
        raise DataError(f"{path}: schema version {version}, this program reads {schema.SCHEMA_VERSION}{advice}")
    for key, expected in (("class_names", schema.CLASS_NAMES), ("feature_names", schema.METADATA_NAMES)):
        found = tuple(file.attrs.get(key, ()))
        if found != expected:
            raise DataError(f"{path}: {key} {found}, expected {expected}")
    missing = [name for name in (*schema.COLUMNS, "content_hash") if name not in file and name not in file.attrs]
    if missing:
        raise DataError(f"{path}: {', '.join(missing)} missing")
    n_edges, n_rows = len(file["object_start"]), len(file["jd"])
    lengths = {"detection": n_rows, "object": n_edges - 1, "edge": n_edges}
    for name, column in schema.COLUMNS.items():
        expected = (lengths[column.axis], *column.shape)
        if file[name].shape != expected:
            raise DataError(f"{path}: {name} has shape {file[name].shape}, expected {expected}")
    start = file["object_start"][:]
    if n_edges < 2 or start[0] != 0 or start[-1] != n_rows or np.any(np.diff(start) < 1):
        raise DataError(f"{path}: object_start does not divide the {n_rows} detections among the {n_edges - 1} objects")


def count(path: str | Path, config: Config, split: str) -> dict[str, int]:
    """Objects of a split that `config` can read, by its classes: those with n detections.

    Raises:
        DataError: as `read`, but for the hash.
    """
    with _open(path) as file:
        of_split = file["split"][:] == schema.SPLIT_NAMES.index(split)
        long_enough = np.diff(file["object_start"][:]) >= config.n_detections
        label = file["label"][:][of_split & long_enough]
    return {name: int(np.sum(label == schema.CLASS_NAMES.index(name))) for name in config.classes}


def describe(path: str | Path, config: Config) -> dict:
    """What `config` can learn from a data file, for the record: survey, command, objects by split and class.

    Raises:
        DataError: as `count`; or the file does not say where it is from.
    """
    found = attributes(path)
    missing = [name for name in ("survey", "command") if name not in found]
    if missing:
        raise DataError(f"{path}: the attribute {' and '.join(missing)} is missing, which says where the data are from")
    return {
        "survey": str(found["survey"]),
        "command": str(found["command"]),
        "objects": {split: count(path, config, split) for split in ("train", "validation")},
    }


def n_objects(path: str | Path) -> int:
    """How many objects a data file has.

    Raises:
        DataError: as `attributes`.
    """
    with _open(path) as file:
        return len(file["object_id"])
