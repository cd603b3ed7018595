"""Which real objects a model gets wrong: by pair of classes, with their stamps."""

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

Pairs = dict[tuple[str, str], list[Portrait]]  # (true class, called) → objects, the most confident first


def find(model: Model, path: str | Path) -> Pairs:
    """The labelled objects of a data set that a model calls something else, the most frequent pair first.

    An object of a class that the model does not know is no mistake of the model's, and left out.
    """
    pairs: Pairs = defaultdict(list)
    for sequences in dataset.read(path):
        labelled = take(sequences, np.flatnonzero(sequences.label != schema.UNLABELLED))
        for i, chances in zip(*predict.predict(model, labelled), strict=True):
            true, called = schema.CLASS_NAMES[labelled.label[i]], model.config.classes[int(chances.argmax())]
            if called != true and true in model.config.classes:
                shown = portrait(labelled, i, model.config.classes, chances, model.config.n_detections, true_class=true)
                pairs[true, called].append(shown)
    ordered = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))
    return {pair: sorted(cards, key=lambda shown: -shown.probabilities.max()) for pair, cards in ordered}


def listed(pairs: Pairs) -> list[dict]:
    """The same without pictures: true class, what it is called, and the objects with the probability of that."""
    return [
        {
            "true": true,
            "called": called,
            "objects": {shown.object_id: float(shown.probabilities.max()) for shown in cards},
        }
        for (true, called), cards in pairs.items()
    ]


def pictures(name: str, pairs: Pairs) -> dict[str, bytes]:
    """{file name: PNG} for each pair: the stamps of its most confident objects."""
    return {
        f"{name}_{true}_called_{called}.png": sheet_picture(
            cards[:MOST_SHOWN], f"{name}: {true} called {called}, {min(len(cards), MOST_SHOWN)} of {len(cards)}"
        )
        for (true, called), cards in pairs.items()
    }
