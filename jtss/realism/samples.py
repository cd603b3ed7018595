"""First detections of the labelled objects of a data set."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset, histories, schema, views
from jtss.scaling import centre_crop
from jtss.schema import Sequences

SIDE = 31  # pixels: what a network with a crop of 21 turns


class Sample(NamedTuple):
    """First detections of N objects.

    Attributes:
        crops: [N, 31, 31, 3] float16; the centre of each stamp, NaN kept.
        metadata: [N, 26] float32, NaN = missing.
        history: [N, F] float64; what their packets tell of the past, see `histories.summaries`.
        jd: [N] float64 [day].
        candid: [N] int64.
        object_id: [N] object array of str.
        label: [N] int8, never -1.
        draw: [N] float64 in [0, 1); decides which objects are kept where some are enough.
    """

    crops: np.ndarray
    metadata: np.ndarray
    history: np.ndarray
    jd: np.ndarray
    candid: np.ndarray
    object_id: np.ndarray
    label: np.ndarray
    draw: np.ndarray

    def take(self, rows: np.ndarray) -> "Sample":
        return Sample(*(array[rows] for array in self))

    def counts(self) -> dict[str, int]:
        """Objects of each class that there is."""
        counted = np.bincount(self.label, minlength=len(schema.CLASS_NAMES))
        return {name: int(n) for name, n in zip(schema.CLASS_NAMES, counted, strict=True) if n}


def read(path: str | Path, most: dict[str, int] | None = None, seed: int = 0) -> Sample:
    """The labelled objects of a data set.

    Args:
        path: HDF5 file.
        most: objects of each class to draw at random, none of a class that it leaves out; None: all.
        seed: of that draw.

    Raises:
        dataset.DataError: as `dataset.read`; or no object has a label.
    """
    rng, parts = np.random.default_rng(seed), []
    for sequences in dataset.read(path):
        parts.append(first_detections(sequences, rng))
        if most is not None:
            parts = [thinned(_join(parts), most)]  # so that memory stays flat
    sample = _join(parts)
    if not len(sample.label):
        raise dataset.DataError(f"{path}: no labelled object{_of(most)}")
    return sample


def _of(most: dict[str, int] | None) -> str:
    return "" if most is None else f" of class {', '.join(most)}"


def first_detections(sequences: Sequences, rng: np.random.Generator) -> Sample:
    """Of the objects with a label."""
    labelled = np.flatnonzero(sequences.label != schema.UNLABELLED)
    first = views.first(sequences, labelled, 0)
    return Sample(
        crops=centre_crop(first.stamps, SIDE),
        metadata=first.metadata,
        history=histories.summaries(views.packet(sequences, labelled, np.zeros(len(labelled), int))),
        jd=first.jd,
        candid=first.candid,
        object_id=first.object_id,
        label=first.label,
        draw=rng.random(first.n_objects),
    )


def thinned(sample: Sample, most: dict[str, int]) -> Sample:
    """At most so many objects of each class: those that drew the lowest numbers, in the order of the sample."""
    kept = []
    for name, n in most.items():
        members = np.flatnonzero(sample.label == schema.CLASS_NAMES.index(name))
        kept.append(members[np.argsort(sample.draw[members], kind="stable")[:n]])
    return sample.take(np.sort(np.concatenate(kept)))


def _join(parts: list[Sample]) -> Sample:
    return Sample(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
