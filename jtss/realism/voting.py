"""What trained models predict for the labelled objects of a data set."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset, schema, views
from jtss.inference import predict
from jtss.inference.model import Model
from jtss.realism.transfer import Votes
from jtss.schema import take


class Prediction(NamedTuple):
    """One object with enough detections, and what a model of several detections predicts."""

    object_id: str
    label: str
    candid: int  # of the last detection read
    predicted: str
    probabilities: dict[str, float]


def votes(runs: dict[str, Model], path: str | Path) -> dict[str, Votes]:
    """What each first-detection model predicts for every labelled object of a data set, in the order of the file."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in runs}
    for sequences in dataset.read(path):
        labelled = take(sequences, np.flatnonzero(sequences.label != schema.UNLABELLED))
        for name, model in runs.items():
            parts[name].append(predict.predict(model, labelled)[1])
    return {name: Votes(model.config.classes, np.concatenate(parts[name])) for name, model in runs.items()}


def listed(model: Model, path: str | Path) -> list[Prediction]:
    """The predictions of a model for each labelled object that has as many detections as it reads."""
    predictions = []
    for sequences in dataset.read(path):
        labelled = take(sequences, np.flatnonzero(sequences.label != schema.UNLABELLED))
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
