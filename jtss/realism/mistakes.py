"""Which real objects a model misclassifies: by pair of true and predicted class, with their stamps."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from jtss import dataset, schema
from jtss.inference import predict
from jtss.inference.model import Model
from jtss.inference.portraits import Portrait, portrait
from jtss.reports.stamps import sheet_picture
from jtss.schema import take

MOST_SHOWN = 12  # of a pair

Pairs = dict[tuple[str, str], list[Portrait]]  # (true class, predicted) → objects, the most confident first


def find(model: Model, path: str | Path) -> Pairs:
    """The labelled objects of a data set that a model misclassifies, the most frequent pair first.

    An object of a class that the model does not know is no mistake of the model's, and left out.
    """
    pairs: Pairs = defaultdict(list)
    for sequences in dataset.read(path):
        labelled = take(sequences, np.flatnonzero(sequences.label != schema.UNLABELLED))
        for i, probabilities in zip(*predict.predict(model, labelled), strict=True):
            true, predicted = schema.CLASS_NAMES[labelled.label[i]], model.config.classes[int(probabilities.argmax())]
            if predicted != true and true in model.config.classes:
                shown = portrait(
                    labelled, i, model.config.classes, probabilities, model.config.n_detections, true_class=true
                )
                pairs[true, predicted].append(shown)
    ordered = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))
    return {pair: sorted(portraits, key=lambda shown: -shown.probabilities.max()) for pair, portraits in ordered}


def listed(pairs: Pairs) -> list[dict]:
    """The same without pictures: true and predicted class, and the objects with the probability of the latter."""
    return [
        {
            "true": true,
            "called": predicted,
            "objects": {shown.object_id: float(shown.probabilities.max()) for shown in portraits},
        }
        for (true, predicted), portraits in pairs.items()
    ]


def pictures(name: str, pairs: Pairs) -> dict[str, bytes]:
    """{file name: PNG} for each pair: the stamps of its most confident objects."""
    return {
        f"{name}_{true}_called_{predicted}.png": sheet_picture(
            portraits[:MOST_SHOWN],
            f"{name}: {true} predicted as {predicted}, {min(len(portraits), MOST_SHOWN)} of {len(portraits)}",
        )
        for (true, predicted), portraits in pairs.items()
    }
