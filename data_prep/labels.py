"""Labels of objects from a CSV file."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from data_prep.errors import InputError
from jtss.schema import CLASS_NAMES, UNLABELLED

REQUIRED = ("objectId", "label")


def load(path: str | Path) -> dict[str, str]:
    """Read the label of each object, as written.

    Args:
        path: CSV with the columns objectId and label; others are ignored. An object may have many rows; empty labels
            say nothing.

    Returns:
        label by objectId, also those that are no class of ours.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: not CSV in UTF-8, a column is missing or there twice, a row is cut short, or an object has two
            labels; names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (labels)")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(path, csv.DictReader(file))
    except (UnicodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8: {error}") from error


def _read(path: Path, rows: csv.DictReader) -> dict[str, str]:
    labels: dict[str, str] = {}
    found = list(rows.fieldnames or ())
    for wrong, count in (("no", 0), ("more than one", 2)):
        names = [name for name in REQUIRED if min(found.count(name), 2) == count]
        if names:
            raise InputError(f"{path}: {wrong} column {', '.join(names)}; found {', '.join(found or ['nothing'])}")
    for row in rows:
        if row["objectId"] is None or row["label"] is None:
            raise InputError(f"{path}, line {rows.line_num}: too few columns, expected objectId and label")
        object_id, label = row["objectId"].strip(), row["label"].strip()
        if label and labels.setdefault(object_id, label) != label:
            raise InputError(f"{path}: object {object_id} has two labels, {labels[object_id]} and {label}")
    return labels


def encode(object_ids: Iterable[str], labels: Mapping[str, str]) -> np.ndarray:
    """[N] int8: index into CLASS_NAMES; -1 for objects without a label or with one that is no class of ours."""
    codes = {name: code for code, name in enumerate(CLASS_NAMES)}
    return np.array([codes.get(labels.get(name, ""), UNLABELLED) for name in object_ids], np.int8)


def notes(object_ids: Iterable[str], labels: Mapping[str, str]) -> Counter[str]:
    """How many of the objects stay unlabelled, by what their label says: nothing, or a name that is no class."""
    names = (labels.get(object_id, "") for object_id in object_ids)
    return Counter(
        f"objects with label {name}, not a class" if name else "objects without label"
        for name in names
        if name not in CLASS_NAMES
    )
