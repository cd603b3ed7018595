"""Labels of objects from a CSV file, and their splits: by object, so that no object is in two of them."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from jtss.errors import InputError
from jtss.schema import CLASS_NAMES, NO_SPLIT, SPLIT_NAMES, UNLABELLED

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


PER_CLASS = 200  # objects of each class for test, and as many for validation; TSC §IV-A
TRAIN, VALIDATION, TEST = (SPLIT_NAMES.index(name) for name in ("train", "validation", "test"))


def draw(object_id: str, seed: int) -> int:
    """A number that stands for an object's place in the draw: a keyed hash, uniform in 64 bits."""
    digest = hashlib.blake2b(object_id.encode(), digest_size=8, key=str(seed).encode())
    return int.from_bytes(digest.digest(), "big")


def held_out(n_objects: int, per_class: int) -> int:
    """Objects of a class for test, and as many for validation: at most a quarter, so that half is left to train."""
    return min(per_class, n_objects // 4)


def assign(
    object_id: np.ndarray,
    label: np.ndarray,
    seed: int,
    per_class: int = PER_CLASS,
    source: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the split of each object, class by class.

    The first `held_out` objects of a class in the order of `draw` are for test, as many after them for validation, the
    rest for training. An object's place does not depend on the order of the input, and new objects push few others on.

    Args:
        object_id: [N] names.
        label: [N] int8, -1 = unknown.
        seed: another seed is another draw.
        per_class: objects of each class for test, and as many for validation.
        source: [N] the same number for objects that are one source, see `places.groups`: all go where the one with the
            lowest id goes, so that a split may have a few more or less. None: every object is one of its own.

    Returns:
        [N] int8, index into SPLIT_NAMES; -1 for unlabelled objects.

    TSC §IV-A.
    """
    split = np.full(len(object_id), NO_SPLIT, np.int8)
    for code in range(len(CLASS_NAMES)):
        members = sorted(np.flatnonzero(label == code), key=lambda i: (draw(object_id[i], seed), object_id[i]))
        n_test = held_out(len(members), per_class)
        split[members] = TRAIN
        split[members[n_test : 2 * n_test]] = VALIDATION
        split[members[:n_test]] = TEST
    if source is not None:
        _keep_together(split, object_id, source)
    return split


def _keep_together(split: np.ndarray, object_id: np.ndarray, source: np.ndarray) -> None:
    """Move, in place, the labelled objects of each source into the split of the first of them."""
    labelled = np.flatnonzero(split != NO_SPLIT)
    labelled = labelled[np.argsort(object_id[labelled].astype(str), kind="stable")]
    _, first, which = np.unique(source[labelled], return_index=True, return_inverse=True)
    split[labelled] = split[labelled[first]][which]


def split_notes(label: np.ndarray, per_class: int = PER_CLASS) -> dict[str, int]:
    """For classes too small for `per_class` objects each: how many test (and validation) has instead."""
    counts = {name: int((label == code).sum()) for code, name in enumerate(CLASS_NAMES)}
    return {
        f"test objects of {name}, fewer than {per_class}": held_out(n, per_class)
        for name, n in counts.items()
        if n and held_out(n, per_class) < per_class
    }
