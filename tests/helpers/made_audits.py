"""Small data sets for the audit: clean ones, in which the tests plant leaks."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from data_prep.audit.audit import Audit, audit
from data_prep.audit.finding import LEAK, WARNING, Finding
from data_prep.ledger import Ledger
from helpers.made_sequences import sequences
from jtss.dataset import Writer
from jtss.schema import METADATA_NAMES, Sequences

TRAIN, VALIDATION, TEST = 0, 1, 2
N_CLASSES = 3


def clean(n_objects: int = 24, n_detections: int = 2, seed: int = 0) -> Sequences:
    """Objects all over the sky, a third of each class; of four objects of a class two are for training."""
    index = np.arange(n_objects)
    split = np.choose(index // N_CLASSES % 4, [TRAIN, TEST, TRAIN, VALIDATION])
    made = sequences([n_detections] * n_objects, label=index % N_CLASSES, split=split, seed=seed)
    rng = np.random.default_rng(seed)
    for name, values in {
        "ra": rng.uniform(0, 360, n_objects),
        "dec": np.degrees(np.arcsin(rng.uniform(-0.5, 1, n_objects))),
        "ncovhist": rng.uniform(0, 1000, n_objects),
    }.items():
        made.metadata[:, METADATA_NAMES.index(name)] = np.repeat(values, n_detections)
    # dates tell nothing: those of objects come in any order
    made.jd[:] = 2459000.5 + np.repeat(rng.permutation(n_objects) * 10.0, n_detections)
    made.jd[:] += np.tile(np.arange(n_detections), n_objects)
    return made


def set_place(made: Sequences, index: int, ra: float, dec: float) -> None:
    """Move an object, all its detections."""
    rows = slice(*made.object_start[index : index + 2])
    made.metadata[rows, METADATA_NAMES.index("ra")] = ra
    made.metadata[rows, METADATA_NAMES.index("dec")] = dec


def of_split(made: Sequences, split: int) -> list[int]:
    """The objects of a split; their detections, if they have two each, are rows twice as high."""
    return np.flatnonzero(made.split == split).tolist()


def shuffled(made: Sequences, seed: int) -> Sequences:
    """The same objects in another order."""
    order = np.random.default_rng(seed).permutation(made.n_objects)
    rows = np.concatenate([np.arange(*made.object_start[i : i + 2]) for i in order])
    counts = made.n_detections[order]
    per_object = {name: getattr(made, name)[order] for name in ("object_id", "allwise", "label", "split")}
    per_row = {name: getattr(made, name)[rows] for name in ("stamps", "metadata", "jd", "candid", "fid")}
    return replace(made, object_start=np.concatenate([[0], np.cumsum(counts)]), **per_object, **per_row)


def write(path: Path, made: Sequences) -> Path:
    with Writer(path, survey="ZTF", command="made by a test", force=True) as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path


def audited(folder: Path, made: Sequences) -> Audit:
    return audit(write(folder / "made.h5", made))


def alarms(found: Audit) -> list[Finding]:
    return [finding for finding in found.findings if finding.level in (LEAK, WARNING)]
