"""Write the HDF5 file of sequences: batch by batch, complete or not at all."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from data_prep.ledger import Ledger
from jtss import __version__
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

    def finish(self, *, split: np.ndarray, ledger: Ledger) -> str:
        """Write the split [N] int8 and the ledger, sync, and give the file its name.

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

    def _write_attributes(self, ledger: Ledger, content_hash: str) -> None:
        attributes = self._file.attrs
        attributes["schema_version"] = SCHEMA_VERSION
        attributes["class_names"] = list(CLASS_NAMES)
        attributes["split_names"] = list(SPLIT_NAMES)
        attributes["channel_names"] = list(CHANNEL_NAMES)
        attributes["feature_names"] = list(METADATA_NAMES)
        attributes["created"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} by jtss {__version__}"
        attributes["ledger"] = json.dumps(ledger.as_dict())
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
