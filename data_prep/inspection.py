"""What a data set holds, checked against its hash: counts, missing values and ledger as text, stamps as a picture."""

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from data_prep.ledger import table
from jtss.errors import InputError
from jtss.schema import (
    CHANNEL_NAMES,
    CLASS_NAMES,
    COLUMNS,
    MAX_DETECTIONS,
    METADATA,
    SCHEMA_VERSION,
    SPLIT_NAMES,
    ZTF_MISSING,
    ContentHash,
)

ROWS_PER_READ = 1024


def open_checked(path: str | Path) -> h5py.File:
    """Open a data set for reading.

    Raises:
        InputError: no such file, not one of ours, or of another version.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file (expected a data set)")
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path}: not an HDF5 file: {error}") from error
    version = file.attrs.get("schema_version")
    missing = [name for name in COLUMNS if name not in file]
    if version != SCHEMA_VERSION or missing:
        file.close()
        lacks = f", lacks {', '.join(missing)}" if missing else ""
        raise InputError(f"{path}: schema version {version}, expected {SCHEMA_VERSION}{lacks}")
    return file


def summary(path: str | Path) -> str:
    """Describe a data set.

    Raises:
        InputError: as `open_checked`; or the content does not fit the hash.
    """
    with open_checked(path) as file:
        stored, found = file.attrs["content_hash"], _content_hash(file)
        if stored != found:
            raise InputError(f"{path}: damaged: its columns hash to {found}, expected {stored}")
        sections = (
            f"{path}: {len(file['object_id'])} objects, {len(file['jd'])} detections of {file.attrs['survey']}",
            f"schema version {file.attrs['schema_version']}, content hash {stored} (verified)",
            f"created {file.attrs['created']}\n  by {file.attrs['command']}",
            _counts(file),
            _missing(file),
            table(json.loads(file.attrs["ledger"])),
        )
    return "\n\n".join(sections)


def _rows(dataset: h5py.Dataset) -> Iterator[np.ndarray]:
    reader = dataset.asstr() if h5py.check_string_dtype(dataset.dtype) else dataset
    for first in range(0, len(dataset), ROWS_PER_READ):
        yield reader[first : first + ROWS_PER_READ]


def _content_hash(file: h5py.File) -> str:
    content = ContentHash()
    for name in COLUMNS:
        for rows in _rows(file[name]):
            content.update(name, rows)
    return content.hexdigest()


def _counts(file: h5py.File) -> str:
    """Objects with at least n detections, by class and split: what a model for n has to work with."""
    label, split, n_detections = file["label"][:], file["split"][:], np.diff(file["object_start"][:])
    lengths = range(1, MAX_DETECTIONS + 1)
    lines = ["objects with at least n detections", f"{'class':<12}{'split':<12}" + "".join(f"{n:>9}" for n in lengths)]
    for code, name in [*enumerate(CLASS_NAMES), (-1, "unlabelled")]:
        for part, part_name in [*enumerate(SPLIT_NAMES), (-1, "none")]:
            lengths_here = n_detections[(label == code) & (split == part)]
            if len(lengths_here):
                counts = "".join(f"{(lengths_here >= n).sum():>9}" for n in lengths)
                lines.append(f"{name:<12}{part_name:<12}{counts}")
    return "\n".join(lines)


def _missing(file: h5py.File) -> str:
    """Share of detections without each metadata value, and of objects without each AllWISE band."""
    absent = np.zeros(len(METADATA), int)
    for rows in _rows(file["metadata"]):
        absent += (np.isnan(rows) | (rows == ZTF_MISSING)).sum(axis=0)
    shares = dict(zip((feature.name for feature in METADATA), absent / len(file["metadata"]), strict=True))
    shares["AllWISE"] = np.isnan(file["allwise"][:]).all(axis=1).mean()
    return "missing (NaN or -999)\n" + "\n".join(f"{name:<16}{share:8.1%}" for name, share in shares.items())


OBJECTS_PER_CLASS = 8
PANEL_INCHES = 1.1


def draw(path: str | Path, picture: str | Path, seed: int = 0) -> None:
    """Draw the science, template and difference stamps of the first detections of a few objects of each class.

    Args:
        path: the data set.
        picture: the PNG to write.
        seed: which objects.

    Raises:
        InputError: as `inspection.open_checked`.
    """
    with open_checked(path) as file:
        chosen = _choose(file["label"][:], seed)
        n_rows = len(chosen) * len(CHANNEL_NAMES)
        figure = Figure(
            figsize=((OBJECTS_PER_CLASS + 1) * PANEL_INCHES, (n_rows + 1) * PANEL_INCHES), layout="compressed"
        )
        panels = figure.subplots(n_rows, OBJECTS_PER_CLASS, squeeze=False)
        for block, (name, objects) in enumerate(chosen.items()):
            top = block * len(CHANNEL_NAMES)
            _draw_class(panels[top : top + len(CHANNEL_NAMES)], file, name, objects)
    figure.suptitle(
        "First detections; rows: science, template, difference, each scaled to [0, 1]; NaN in blue", fontsize=9
    )
    figure.savefig(picture, format="png", dpi=110)


def _choose(label: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Indices of a few objects of each class that there is."""
    rng = np.random.default_rng(seed)
    chosen = {}
    for code, name in [*enumerate(CLASS_NAMES), (-1, "unlabelled")]:
        members = np.flatnonzero(label == code)
        if len(members):
            chosen[name] = np.sort(rng.choice(members, min(OBJECTS_PER_CLASS, len(members)), replace=False))
    return chosen


def _draw_class(panels: np.ndarray, file: h5py.File, name: str, objects: np.ndarray) -> None:
    colours = colormaps["gray"].with_extremes(bad="tab:blue")
    for panel in panels.flat:
        panel.set_axis_off()
    for column, index in enumerate(objects):
        row = file["object_start"][index]
        stamps = file["stamps"][row].astype(np.float32)
        panels[0, column].set_title(f"{name}\n{file['object_id'].asstr()[index]}", fontsize=6)
        for channel, panel in enumerate(panels[:, column]):
            panel.imshow(stamps[..., channel], cmap=colours, vmin=0, vmax=1, origin="lower", interpolation="nearest")
