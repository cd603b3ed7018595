"""What is kept of an object to show it: its stamps and the probabilities that a model gave it."""

from typing import NamedTuple

import numpy as np

from jtss.schema import Sequences


class Portrait(NamedTuple):
    """One object to draw.

    Attributes:
        object_id: ZTF objectId.
        stamps: [N, S, S, 3]; science, template, difference; NaN where there is no pixel.
        jd: [N] [day].
        fid: [N]; filters.
        classes: L names.
        probabilities: [L].
        true_class: name, "" where unknown.
        note: "" or a remark.
    """

    object_id: str
    stamps: np.ndarray
    jd: np.ndarray
    fid: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray
    true_class: str = ""
    note: str = ""


def portrait(
    sequences: Sequences,
    index: int,
    classes: tuple[str, ...],
    probabilities: np.ndarray,
    n_detections: int,
    *,
    true_class: str = "",
    note: str = "",
) -> Portrait:
    """Take the first `n_detections` of object `index` and its probabilities [L] for drawing."""
    start = int(sequences.object_start[index])
    rows = slice(start, start + n_detections)
    return Portrait(
        str(sequences.object_id[index]),
        sequences.stamps[rows].astype(np.float32),
        sequences.jd[rows],
        sequences.fid[rows],
        classes,
        probabilities,
        true_class,
        note,
    )
