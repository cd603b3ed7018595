"""What is kept of an object to show it: its stamps and the probabilities that a model gave it."""

from typing import NamedTuple

import numpy as np

from jtss import views
from jtss.schema import Sequences, take


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
    """Take the first `n_detections` alerts of object `index` and its probabilities [L] for drawing."""
    alerts = views.alerts(take(sequences, np.array([index])))
    return Portrait(
        str(alerts.object_id[0]),
        alerts.stamps[:n_detections].astype(np.float32),
        alerts.jd[:n_detections],
        alerts.fid[:n_detections],
        classes,
        probabilities,
        true_class,
        note,
    )
