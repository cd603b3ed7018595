"""Training, validation and test sets: by object, so that no object is on two sides."""

import hashlib

import numpy as np

from jtss.schema import CLASS_NAMES, NO_SPLIT, SPLIT_NAMES

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


def notes(label: np.ndarray, per_class: int = PER_CLASS) -> dict[str, int]:
    """For classes too small for `per_class` objects each: how many test (and validation) has instead."""
    counts = {name: int((label == code).sum()) for code, name in enumerate(CLASS_NAMES)}
    return {
        f"test objects of {name}, fewer than {per_class}": held_out(n, per_class)
        for name, n in counts.items()
        if n and held_out(n, per_class) < per_class
    }
