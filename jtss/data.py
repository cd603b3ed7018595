"""From the HDF5 file, or from `Sequences` in memory, to the arrays that a model reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from jtss import features, schema
from jtss.configs import Config, StampConfig
from jtss.model import Batch
from jtss.scaling import centre_crop, min_max
from jtss.schema import Sequences

OBJECTS_PER_READ = 256


class DataError(ValueError):
    """A data file that does not fit the contract or the configuration; the message names both sides."""


class Examples(NamedTuple):
    """The first n detections of B objects, cropped and assembled but not yet standardised.

    Attributes:
        stamps: [B, N, S, S, C] float16; the source crop of the config's channels, rescaled to [0, 1], NaN as 0.
        dynamic: [B, N, D] float32, NaN = missing.
        static: [B, F] float32, NaN = missing.
        label: [B] int32; index into the config's classes, -1 where it is none of them.
        split: [B] int8; index into `schema.SPLIT_NAMES`, -1 = none.
        index: [B] int64; which object of the source each row is.
    """

    stamps: np.ndarray
    dynamic: np.ndarray
    static: np.ndarray
    label: np.ndarray
    split: np.ndarray
    index: np.ndarray

    def take(self, rows: np.ndarray) -> "Examples":
        return Examples(*(array[rows] for array in self))


def examples(sequences: Sequences, config: Config) -> Examples:
    """The first n detections of the objects that have as many, as `config` reads them."""
    n = config.n_detections
    index = np.flatnonzero(sequences.n_detections >= n)
    rows = sequences.object_start[index, None] + np.arange(n)
    dynamic, static = features.assemble(
        sequences.metadata[rows], sequences.jd[rows], sequences.allwise[index], config.metadata
    )
    class_of_label = np.full(len(schema.CLASS_NAMES) + 1, -1, np.int32)  # its last row serves the label -1
    class_of_label[[schema.CLASS_NAMES.index(name) for name in config.classes]] = np.arange(len(config.classes))
    seen = centre_crop(sequences.stamps, config.stamp.source_side)  # a view: no pixel is copied in vain below
    seen = seen if config.stamp.channels else seen[..., :0]
    return Examples(
        stamps=source_crops(seen[rows], config.stamp).astype(np.float16),
        dynamic=dynamic,
        static=static,
        label=class_of_label[sequences.label[index]],
        split=sequences.split[index],
        index=index,
    )


def source_crops(stamps: np.ndarray, config: StampConfig) -> np.ndarray:
    """What the encoder turns, float32: [..., 63, 63, 3] stamps → [..., S, S, C] in [0, 1], NaN replaced by 0.

    The crop is scaled by its own extremes; scaling does not mind that the whole stamp was scaled before.

    FIDELITY, Stamps.
    """
    channels = [schema.CHANNEL_NAMES.index(name) for name in config.channels]
    crops = min_max(centre_crop(stamps, config.source_side)[..., channels])
    return np.nan_to_num(crops, nan=0.0)


def standardised(values: Examples, statistics: features.Statistics) -> Batch:
    """The examples as the model reads them, in host memory."""
    return Batch(
        values.stamps,
        features.standardise(values.dynamic, statistics.dynamic),
        features.standardise(values.static, statistics.static),
    )


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


def load(path: str | Path, config: Config, *, train_stamps: bool = True) -> dict[str, Examples]:
    """Training and validation examples of a data file, by name of the split.

    Without `train_stamps` the training examples have no pixels, [B, N, 0, 0, C], for a set too large for the memory.

    Raises:
        DataError: as `read`; or a class of the config has no object with n detections in one of the two splits.
    """
    parts: dict[str, list[Examples]] = {"train": [], "validation": []}
    n_objects = 0
    for sequences in read(path):
        batch = examples(sequences, config)
        batch = batch._replace(index=batch.index + n_objects)
        n_objects += sequences.n_objects
        for name, found in parts.items():
            chosen = batch.take(np.flatnonzero((batch.label >= 0) & (batch.split == schema.SPLIT_NAMES.index(name))))
            lean = name == "train" and not train_stamps
            found.append(chosen._replace(stamps=chosen.stamps[:, :, :0, :0]) if lean else chosen)
    splits = {
        name: Examples(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
        for name, found in parts.items()
    }
    for name, split in splits.items():
        counts = np.bincount(split.label, minlength=len(config.classes))
        absent = [label for label, count in zip(config.classes, counts, strict=True) if not count]
        if absent:
            raise DataError(
                f"{path}: no {name} object of class {', '.join(absent)} with {config.n_detections} detections or more"
                f" (config {config.name} needs every one of {', '.join(config.classes)})"
            )
    return splits
