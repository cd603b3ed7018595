"""How answers came about: what each packet tells, row by row, as measured, and the probabilities after it, for JSON."""

from collections.abc import Sequence

import numpy as np

from jtss.inference.packets import Trajectories
from jtss.inference.table import shortest
from jtss.reports.stamps import FILTERS
from jtss.schema import KIND_NAMES, LIMIT, METADATA_NAMES, Sequences

ERROR, SIGN = METADATA_NAMES.index("sigmapsf"), METADATA_NAMES.index("isdiffpos")


def steps(sequences: Sequences, along: Trajectories, classes: Sequence[str]) -> dict[str, list[dict]]:
    """The rows of the packets of some objects in time order, by object id.

    Args:
        sequences: objects of one alert each.
        along: the answers after each row of their packets.
        classes: L names.

    Returns:
        Of each row jd [day]; kind, "alert", "detection" or "limit"; filter, null where not given; magnitude [mag], of a
        limit its depth; magnitude_error [mag]; is_positive, whether the object was brighter than in the reference
        image; and probabilities by class, null before the first detection. null: not given.
    """
    owner = np.repeat(sequences.object_id, sequences.n_rows)
    # of two detections in one exposure the later is read, see `network.packets`
    at = {key: row for row, key in enumerate(zip(owner, *_key(sequences), strict=True))}
    found: dict[str, list[dict]] = {}
    for name, *key, magnitude, chances in zip(
        along.object_id, *_key(along), along.magnitude, along.probabilities, strict=True
    ):
        jd, fid, _ = key
        row = at[name, *key]
        is_limit, values = sequences.kind[row] == LIMIT, sequences.metadata[row]
        step = {
            "jd": float(jd),
            "kind": KIND_NAMES[sequences.kind[row]],
            "filter": FILTERS.get(int(fid)),
            "magnitude": _number(magnitude),
            "magnitude_error": None if is_limit else _number(values[ERROR]),
            "is_positive": None if is_limit or np.isnan(values[SIGN]) else bool(values[SIGN]),
            "probabilities": None
            if np.isnan(chances).any()
            else dict(zip(classes, map(_number, chances), strict=True)),
        }
        found.setdefault(str(name), []).append(step)
    return found


def _key(rows: Sequences | Trajectories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By which the same row is known in both."""
    return rows.jd, rows.fid, rows.kind == LIMIT


def _number(value: np.float32) -> float | None:
    """Null where it is none."""
    return shortest(value) if np.isfinite(value) else None
