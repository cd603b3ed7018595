"""Several models on the same objects: what another detection, and the days until it, are worth."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jtss.reports.comparisons import holm, mcnemar, paired_difference
from jtss.reports.evaluation import Evaluation
from jtss.reports.metrics import ratio
from jtss.reports.slices import Cut, by_edges
from jtss.reports.statistics import wilson_interval

DAYS = (1, 3, 7, 14, 30)


class Contender(NamedTuple):
    """A model and what it said.

    Attributes:
        run: its path or name.
        n_detections: that it reads.
        evaluation: of all objects that it can read.
    """

    run: str
    n_detections: int
    evaluation: Evaluation


def common(evaluations: Sequence[Evaluation]) -> list[np.ndarray]:
    """For each evaluation the rows of the objects that all of them have, in the same order of objects.

    Raises:
        ValueError: there is no such object, or an object is there twice.
    """
    ids = [np.asarray(one.object_id, str) for one in evaluations]
    for names in ids:
        twice, counts = np.unique(names, return_counts=True)
        if counts.max(initial=0) > 1:
            raise ValueError(f"object {twice[counts.argmax()]} is there twice, expected every object once")
    shared = set(ids[0].tolist()).intersection(*(names.tolist() for names in ids[1:]))
    if not shared:
        raise ValueError("no object can be read by all of the models: their classes or detections do not meet")
    order = sorted(shared)
    rows = []
    for names in ids:
        at = {name: row for row, name in enumerate(names.tolist())}
        rows.append(np.array([at[name] for name in order]))
    return rows


def scores(contenders: Sequence[Contender]) -> dict:
    """Accuracy of every model, on what it can read and on what all can, and paired differences, as plain values.

    Args:
        contenders: in the order of their detections; each is compared with the one before it.
    """
    rows = common([one.evaluation for one in contenders])
    return {
        "common_objects": len(rows[0]),
        "models": [_scores(*pair) for pair in zip(contenders, rows, strict=True)],
        "differences": _differences(contenders, rows),
    }


def _scores(one: Contender, rows: np.ndarray) -> dict:
    found = one.evaluation
    right, days = found.predicted == found.label, found.properties.days[rows]
    by_days = Cut("days", by_edges(days, DAYS, "days"))
    return {
        "run": one.run,
        "n_detections": one.n_detections,
        "classes": list(found.classes),
        "own": _accuracy(right),
        "common": _accuracy(right[rows]),
        "recall": {name: _accuracy(right[rows][found.label[rows] == i]) for i, name in enumerate(found.classes)},
        "median_days": float(np.median(days)),
        "days": {name: _accuracy(right[rows][inside]) for name, inside in by_days.slices if inside.any()},
    }


def _differences(contenders: Sequence[Contender], rows: Sequence[np.ndarray]) -> list[dict]:
    """Each model against the one before it, on the common objects; `p_holm` is corrected for how many these are."""
    hits = [
        (one.evaluation.predicted == one.evaluation.label)[chosen] for one, chosen in zip(contenders, rows, strict=True)
    ]
    tests = [mcnemar(later, earlier) for earlier, later in pairwise(hits)]
    corrected = holm(np.array([test.p_value for test in tests]))
    found = []
    for i, ((before, after), test) in enumerate(zip(pairwise(contenders), tests, strict=True)):
        difference, interval = paired_difference(hits[i + 1], hits[i])
        found.append(
            {
                "run": after.run,
                "than": before.run,
                "difference": float(difference),
                "interval": [float(limit) for limit in interval],
                "only_run": test.only_a,
                "only_than": test.only_b,
                "p_mcnemar": test.p_value,
                "p_holm": float(corrected[i]),
            }
        )
    return found


def _accuracy(right: np.ndarray) -> dict:
    hits, total = int(right.sum()), len(right)
    return {
        "objects": total,
        "correct": hits,
        "accuracy": float(ratio(hits, total)),
        "wilson_interval": [float(limit) for limit in wilson_interval(hits, total)],
    }
