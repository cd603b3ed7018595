"""What trained models predict for the labelled objects of a data set."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset, schema, views
from jtss.inference import predict, versions
from jtss.inference.model import Model
from jtss.realism.transfer import SEEN_AGAIN, Votes
from jtss.schema import ALERT, LIMIT, Sequences, take


class Prediction(NamedTuple):
    """One object with enough detections, and what a model of several detections predicts."""

    object_id: str
    label: str
    candid: int  # of the last detection read
    predicted: str
    probabilities: dict[str, float]


def _labelled(path: str | Path) -> Iterator[Sequences]:
    """The labelled objects of a data set, batch by batch."""
    for sequences in dataset.read(path):
        yield take(sequences, np.flatnonzero(sequences.label != schema.UNLABELLED))


def votes(runs: dict[str, Model], path: str | Path) -> dict[str, dict[str, Votes]]:
    """What each first-detection model predicts for every labelled object of a data set, by its first alert.

    Returns:
        {version of `versions.VERSIONS`: {model: votes}}; objects in the order of the file.
    """
    parts: dict[tuple[str, str], list[np.ndarray]] = {(v, name): [] for v in versions.VERSIONS for name in runs}
    for labelled in _labelled(path):
        packets = versions.first_packets(labelled)
        for version, change in versions.VERSIONS.items():
            changed = change(packets)
            for name, model in runs.items():
                parts[version, name].append(predict.predict(model, changed)[1])
    return {
        version: {
            name: Votes(model.config.classes, np.concatenate(parts[version, name])) for name, model in runs.items()
        }
        for version in versions.VERSIONS
    }


def told(path: str | Path) -> np.ndarray:
    """[N] int64: detections in the packet of the first alert of each labelled object, the alert among them."""
    parts = [np.zeros(0, np.int64)]
    for labelled in _labelled(path):
        objects = np.arange(labelled.n_objects)
        begin, end = views.packet_rows(labelled, objects, 0 * objects)
        n_before = np.concatenate([[0], np.cumsum(labelled.kind != LIMIT)])
        parts.append(n_before[end] - n_before[begin])
    return np.concatenate(parts)


def by_detections_read(
    model: Model, path: str | Path, n: int, change: Callable[[Sequences], Sequences]
) -> tuple[np.ndarray, Votes]:
    """What a model of packets predicts for the first alert of each labelled object, by its latest n detections alone.

    Args:
        change: of the shortened packets.

    Returns:
        label [B] of the objects whose packets tell so many, in the order of the file; and the votes. Of AGN, SN and
        VS: hardly another is detected again.
    """
    label, parts = [np.zeros(0, np.int8)], [np.zeros((0, len(model.config.classes)), np.float32)]
    for labelled in _labelled(path):
        asked = take(labelled, np.flatnonzero(np.isin(labelled.label, *SEEN_AGAIN.values())))
        if not asked.n_objects:
            continue
        chosen, packets = versions.latest(versions.first_packets(asked), n)
        label.append(asked.label[chosen])
        parts.append(predict.predict(model, change(packets))[1])
    return np.concatenate(label), Votes(model.config.classes, np.concatenate(parts))


def from_histories(model: Model, path: str | Path) -> tuple[np.ndarray, Votes]:
    """What a model of several detections that reads no stamps predicts from the first alert of each labelled object.

    The sequence is the alert with the latest detections that its packet tells, see `views.recent`.

    Returns:
        label [B] of the objects whose packets tell enough, in the order of the file; and the votes.

    Raises:
        ValueError: the model reads stamps, which a packet tells of its own alert alone.
    """
    if model.config.stamp.channels:
        raise ValueError(f"{model.label} reads stamps, expected a model of metadata alone")
    label, parts = [], []
    for labelled in _labelled(path):
        objects = np.arange(labelled.n_objects)
        chosen, sequences = views.recent(labelled, objects, 0 * objects, model.config.n_detections)
        label.append(labelled.label[chosen])
        parts.append(predict.predict(model, _as_alerts(sequences))[1])
    return np.concatenate(label), Votes(model.config.classes, np.concatenate(parts))


def _as_alerts(sequences: Sequences) -> Sequences:
    """All rows as alerts, with stamps that hold no pixel and take no memory."""
    kind = np.full(len(sequences.kind), ALERT, np.int8)
    stamps = np.broadcast_to(np.float16(np.nan), (len(kind), *schema.COLUMNS["stamps"].shape))
    return replace(sequences, kind=kind, stamp_row=schema.stamp_rows(kind), stamps=stamps)


def listed(model: Model, path: str | Path) -> list[Prediction]:
    """The predictions of a model for each labelled object that has as many detections as it reads."""
    predictions = []
    for labelled in _labelled(path):
        alerts = views.alerts(labelled)
        last = alerts.object_start[:-1] + model.config.n_detections - 1
        for i, probabilities in zip(*predict.predict(model, labelled), strict=True):
            predictions.append(
                Prediction(
                    object_id=str(labelled.object_id[i]),
                    label=schema.CLASS_NAMES[labelled.label[i]],
                    candid=int(alerts.candid[last[i]]),
                    predicted=model.config.classes[int(probabilities.argmax())],
                    probabilities={name: float(p) for name, p in zip(model.config.classes, probabilities, strict=True)},
                )
            )
    return predictions
