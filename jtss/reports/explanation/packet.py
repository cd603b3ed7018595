"""From a trained model of packets and one alert to an explanation: row by row, what it says and what that rests on.

A row, the stamps or a group of values counts for as much as the log-odds of the class fall when the model is asked
again without it. Two that tell the same may each seem to count for nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from jtss import schema
from jtss.inference import classify, packets, predict
from jtss.inference.model import Model
from jtss.inference.packets import HISTORY, STAMPS, Chosen
from jtss.inference.table import shortest
from jtss.network.inputs import standardised
from jtss.network.packets import of_alerts
from jtss.network.parts import NO_ROW, Batch
from jtss.reports.explanation import occlusion
from jtss.reports.explanation.occlusion import Occlusion
from jtss.reports.stamps import FILTERS
from jtss.runs import provenance
from jtss.schema import KIND_NAMES, NO_STAMP, Sequences
from jtss.training import hiding

EXPLAIN_VERSION = 1


class ExplainedPacket(NamedTuple):
    """What the pictures need beside the numbers.

    Attributes:
        alert: the alert that is explained, as an object of one row.
        stamps: [P, S, S, C]; as the model reads them, the latest first.
        stamp_rows: [P]; of which entry of the document's rows each is.
        occlusion: of these; None for a model without images, or an alert without a stamp.
    """

    alert: Sequences
    stamps: np.ndarray
    stamp_rows: np.ndarray
    occlusion: Occlusion | None


def explain(
    run: Model, one: Sequences, source: str, command: str, *, calibrated: bool = False
) -> tuple[dict, ExplainedPacket]:
    """Everything that an explanation says of the latest alert of an object, as plain values, and what to draw.

    Args:
        run: a trained model of packets.
        one: a single object.
        source: where it is from.
        command: the command line.
        calibrated: scale all probabilities by the temperature of the model.

    Raises:
        InputError: it is to be calibrated and knows no temperature.
    """
    adjust, classifier = classify.adjustment(run, calibrated=calibrated)
    read = of_alerts(one, run.config, np.zeros(1, np.int64), one.n_alerts - 1)
    batch = _with_its_stamps(standardised(read, run.statistics))
    answered, seen = packets.followed(run, one, adjust, Chosen(np.zeros(1, np.int64), one.n_alerts - 1))
    said, best = answered.probabilities, int(answered.probabilities[0].argmax())
    places = np.flatnonzero(read.rows.kind[0] != NO_ROW)
    label = int(one.label[0])
    ask = partial(adjusted, run, adjust)
    has_stamp = bool(answered.n_stamps[0])
    occluded = occlusion.occlusion(ask, batch, best) if has_stamp else None
    classes = classifier.classes
    document = {
        "explain_version": EXPLAIN_VERSION,
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": command,
        "source": source,
        "object_id": str(one.object_id[0]),
        "candid": int(answered.candid[0]),
        "true_class": schema.CLASS_NAMES[label] if label >= 0 else None,
        "rows": _rows(seen, classes, _without_rows(ask, batch, places[:-1], best)),
        "explained": {
            "run": run.label,
            "version": classifier.version,
            "class": classes[best],
            "probability": shortest(said[0, best]),
            "probabilities": dict(zip(classes, map(shortest, said[0]), strict=True)),
            "log_odds": float(occlusion.log_odds(said, best)[0]),
            "n_detections": int(answered.n_detections[0]),
            "n_limits": int(answered.n_limits[0]),
            "n_stamps": int(answered.n_stamps[0]),
            "missing": str(answered.missing[0]),
            "outlier": None if run.known_alerts is None else shortest(answered.outlier[0]),
            "groups": _groups(run, ask, batch, best, answered.missing[0].split(", ")),
            "occlusion": occluded and occlusion.as_dict(occluded, run.config.stamp.channels),
        },
        "versions": provenance.versions(),
    }
    stamps, stamp_rows = batch.stamps[0].astype(np.float32), np.searchsorted(places, batch.rows.stamp_at[0])
    return document, ExplainedPacket(_alone(one), stamps, stamp_rows, occluded)


def _with_its_stamps(batch: Batch) -> Batch:
    """A packet without the stamps that fill up a batch; one that has none keeps the first."""
    there = np.flatnonzero(np.asarray(batch.rows.stamp_at[0]) != NO_STAMP)
    kept = there if there.size else np.zeros(1, np.int64)
    rows = batch.rows._replace(stamp_at=batch.rows.stamp_at[:, kept])
    return batch._replace(stamps=batch.stamps[:, kept], rows=rows)


def _alone(one: Sequences) -> Sequences:
    """The latest alert of an object as an object of one row."""
    return schema.select_rows(one, np.zeros(1, np.int64), np.flatnonzero(one.kind == schema.ALERT)[-1:], np.arange(2))


def adjusted(run: Model, adjust: packets.Adjust, batch: Batch) -> np.ndarray:
    """[B, L] float32, as tables have them."""
    return adjust(predict.probabilities(run, batch))


def _rows(seen: packets.Trajectories, classes: Sequence[str], changes: np.ndarray) -> list[dict]:
    """One entry per row of the packet, with how much the log-odds fall without it; the alert itself stays.

    Before the first detection there is no class, and probabilities are NaN.
    """
    changes = [*map(float, changes), None]
    best = [None if np.isnan(p).any() else classes[int(p.argmax())] for p in seen.probabilities]
    return [
        {
            "days": float(seen.jd[i] - seen.jd[-1]),
            "kind": KIND_NAMES[seen.kind[i]],
            "filter": FILTERS.get(int(seen.fid[i]), "unknown"),
            "magnitude": float(seen.magnitude[i]),
            "class": best[i],
            "changes_the_class": bool(i and best[i - 1] and best[i] != best[i - 1]),
            "probabilities": dict(zip(classes, map(shortest, seen.probabilities[i]), strict=True)),
            "log_odds_change": change,
        }
        for i, change in enumerate(changes)
    ]


def _without_rows(ask: occlusion.Probabilities, batch: Batch, places: np.ndarray, which: int) -> np.ndarray:
    """[T] how much the log-odds of a class fall where the row at each of these places is not there."""
    kinds = np.repeat(batch.rows.kind, len(places), axis=0)
    kinds[np.arange(len(places)), places] = NO_ROW
    return _falls(ask, batch, which, [batch._replace(rows=batch.rows._replace(kind=kind[None])) for kind in kinds])


def _groups(run: Model, ask: occlusion.Probabilities, batch: Batch, which: int, missing: Sequence[str]) -> list[dict]:
    """One entry per group that is there: what the log-odds lose without it, those that count most first."""
    read = {*run.config.metadata.dynamic, *run.config.metadata.static}
    members = {group: names for group, names in schema.METADATA_GROUPS.items() if not read.isdisjoint(names)}
    parts = {HISTORY: (), **({STAMPS: ()} if run.config.stamp.channels else {})}
    names = [name for name in (*members, *parts) if name not in missing]
    everything = hiding.groups(run.config)
    without = [hiding.hide(run.config, batch, np.array([group == name for group in everything])) for name in names]
    falls = _falls(ask, batch, which, without)
    entries = [{"name": name, "log_odds_change": float(fall)} for name, fall in zip(names, falls, strict=True)]
    return sorted(entries, key=lambda entry: -abs(entry["log_odds_change"]))


def _falls(ask: occlusion.Probabilities, batch: Batch, which: int, others: Sequence[Batch]) -> np.ndarray:
    """[V] by how much the log-odds of a class fall from a packet to each of its versions."""
    before = occlusion.log_odds(ask(batch), which)[0]
    after = [np.zeros(0)]
    for first in range(0, len(others), occlusion.AT_ONCE):
        some = others[first : first + occlusion.AT_ONCE]
        joined = jax.tree.map(lambda *leaves: np.concatenate([*map(np.asarray, leaves)]), *some)
        after.append(occlusion.log_odds(ask(joined), which))
    return before - np.concatenate(after)
