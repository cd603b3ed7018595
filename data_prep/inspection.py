"""What a data set holds, checked against its hash: counts, missing values and ledger as text, stamps as a picture."""

import json
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from data_prep.ledger import table
from jtss.dataset import (
    DataError,
    DataFile,
    alert_counts,
    content_hash,
    damaged_part,
    in_words,
    open_checked,
    rows,
    shards,
)
from jtss.schema import (
    CHANNEL_NAMES,
    CLASS_NAMES,
    KIND_NAMES,
    MAX_DETECTIONS,
    METADATA,
    NO_SUBCLASS,
    SPLIT_NAMES,
    SUBCLASSES,
    ZTF_MISSING,
)


def summary(path: str | Path) -> str:
    """Describe a data set.

    Raises:
        DataError: as `dataset.open_checked`; or the content does not fit the hash.
    """
    with open_checked(path) as file:
        stored, actual = file.attrs["content_hash"], content_hash(file)
        if stored != actual:
            raise DataError(f"{path}: damaged{damaged_part(file)}: its columns hash to {actual}, expected {stored}")
        sections = (
            f"{path}: {len(file['object_id'])} objects of {file.attrs['survey']}; {in_words(file['kind'][:])}",
            f"schema version {file.attrs['schema_version']}, content hash {stored} (verified)",
            *_files(file),
            "\n  ".join([f"created {file.attrs['created']}", f"by {file.attrs['command']}", *_origin(file)]),
            _counts(file),
            _subclasses(file),
            _missing(file),
            table(json.loads(file.attrs["ledger"])),
        )
    return "\n\n".join(sections)


def _files(file: DataFile) -> list[str]:
    """Of a data set of many files: how many, and how large they are."""
    sizes = [shard.n_objects for shard in shards(file)]
    if not sizes:
        return []
    merged_hash = file.attrs["merged_content_hash"]
    return [f"{len(sizes)} files of {min(sizes)} to {max(sizes)} objects; the hash of one with all is {merged_hash}"]


def _origin(file: DataFile) -> list[str]:
    return [f"from {line}" for line in file.attrs.get("origin", "").splitlines()]


def _counts(file: DataFile) -> str:
    """Objects with at least n alerts, by class and split: what a model for n has to work with."""
    label, split, n_alerts = file["label"][:], file["split"][:], alert_counts(file)
    lengths = range(1, MAX_DETECTIONS + 1)
    lines = ["objects with at least n alerts", f"{'class':<12}{'split':<12}" + "".join(f"{n:>9}" for n in lengths)]
    for code, name in [*enumerate(CLASS_NAMES), (-1, "unlabelled")]:
        for part, part_name in [*enumerate(SPLIT_NAMES), (-1, "none")]:
            lengths_here = n_alerts[(label == code) & (split == part)]
            if len(lengths_here):
                counts = "".join(f"{(lengths_here >= n).sum():>9}" for n in lengths)
                lines.append(f"{name:<12}{part_name:<12}{counts}")
    return "\n".join(lines)


def _subclasses(file: DataFile) -> str:
    """Objects of each subclass that there is, by split."""
    subclass, split = file["subclass"][:], file["split"][:]
    parts = [*SPLIT_NAMES, "none"]
    lines = [f"{'subclass':<14}" + "".join(f"{part:>12}" for part in parts)]
    for code, name in [*enumerate(SUBCLASSES), (NO_SUBCLASS, "unknown")]:
        of_split = np.bincount(split[subclass == code] % len(parts), minlength=len(parts))  # -1, none, is the last
        if of_split.any():
            lines.append(f"{name:<14}" + "".join(f"{count:>12}" for count in of_split))
    return "\n".join(lines)


def _missing(file: DataFile) -> str:
    """Share of the rows of each kind without each metadata value, and of objects without any AllWISE band."""
    kinds = np.arange(len(KIND_NAMES))[:, None]
    counts, absent = np.zeros(len(kinds), int), np.zeros((len(kinds), len(METADATA)), int)
    for values, kind in zip(rows(file["metadata"]), rows(file["kind"]), strict=True):
        of_kind = (kind == kinds).astype(int)
        counts += of_kind.sum(axis=1)
        absent += of_kind @ (np.isnan(values) | (values == ZTF_MISSING)).astype(int)
    there = np.flatnonzero(counts)
    lines = ["missing (NaN or -999)", f"{'of':<16}" + "".join(f"{KIND_NAMES[code]}s".rjust(12) for code in there)]
    for feature, shares in zip(METADATA, (absent[there] / counts[there, None]).T, strict=True):
        lines.append(f"{feature.name:<16}" + "".join(f"{share:>12.1%}" for share in shares))
    without_bands = np.isnan(file["allwise"][:]).all(axis=1).mean()
    return "\n".join([*lines, f"{'AllWISE':<16}{without_bands:>12.1%} of objects"])


OBJECTS_PER_CLASS = 8
PANEL_INCHES = 1.1


def draw(path: str | Path, picture: str | Path, seed: int = 0) -> None:
    """Draw the science, template and difference stamps of the first alerts of a few objects of each class.

    Args:
        path: the data set.
        picture: the PNG to write.
        seed: which objects.

    Raises:
        DataError: as `dataset.open_checked`.
    """
    with open_checked(path) as file:
        chosen, n_alerts = _choose(file["label"][:], seed), alert_counts(file)
        first_stamp = np.cumsum(n_alerts) - n_alerts
        n_rows = len(chosen) * len(CHANNEL_NAMES)
        figure = Figure(
            figsize=((OBJECTS_PER_CLASS + 1) * PANEL_INCHES, (n_rows + 1) * PANEL_INCHES), layout="compressed"
        )
        panels = figure.subplots(n_rows, OBJECTS_PER_CLASS, squeeze=False)
        for block, (name, objects) in enumerate(chosen.items()):
            top = block * len(CHANNEL_NAMES)
            _draw_class(panels[top : top + len(CHANNEL_NAMES)], file, name, objects, first_stamp[objects])
    figure.suptitle("First alerts; rows: science, template, difference, each scaled to [0, 1]; NaN in blue", fontsize=9)
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


def _draw_class(panels: np.ndarray, file: DataFile, name: str, objects: np.ndarray, stamp_rows: np.ndarray) -> None:
    colours = colormaps["gray"].with_extremes(bad="tab:blue")
    for panel in panels.flat:
        panel.set_axis_off()
    for column, (index, row) in enumerate(zip(objects, stamp_rows, strict=True)):
        stamps = file["stamps"][row].astype(np.float32)
        panels[0, column].set_title(f"{name}\n{file['object_id'].asstr()[index]}", fontsize=6)
        for channel, panel in enumerate(panels[:, column]):
            panel.imshow(stamps[..., channel], cmap=colours, vmin=0, vmax=1, origin="lower", interpolation="nearest")
