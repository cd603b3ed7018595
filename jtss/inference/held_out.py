"""From the data set that a model of packets learnt from to its `KnownAlerts`: what these look like to it.

Of each object one alert is drawn, for those of one object are alike, and of each class equally many objects as far as
there are so many, as a model that is trained on equally many learns them; of several files, from the first that has the
class. Training objects say what is usual, those of the validation split, which it did not learn from, how usual. Alerts
are read as they came, with nothing hidden.
"""

from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset, schema
from jtss.config.settings import Config
from jtss.dataset import DataError, Outline
from jtss.inference import known_alerts, predict
from jtss.inference.known_alerts import Activations, KnownAlerts
from jtss.inference.model import Model
from jtss.network.inputs import labels_of, standardised
from jtss.network.packets import of_alerts
from jtss.schema import Sequences

MOST_OBJECTS = 2000  # of a class and split: they give its mean to a fortieth of the scatter
SEED = 0
TRAINING, HELD_OUT = "train", "validation"  # splits


class Drawn(NamedTuple):
    """K alerts of a data set, of as many objects, in the order of these.

    Attributes:
        objects: [K] int64. which: [K] int64; number of the alert among those of its object, from 0.
        label: [K] int32; index into the classes of the config.
        is_held_out: [K] bool.
    """

    objects: np.ndarray
    which: np.ndarray
    label: np.ndarray
    is_held_out: np.ndarray


def fit(model: Model, *paths: Path) -> KnownAlerts:
    """What a model of packets makes of alerts of the data files at `paths`, which must be those that it learnt from.

    Memory stays flat: a file is read once, some objects at a time.

    Raises:
        DataError: another data set, a damaged one, or one without an alert of a class in a split.
    """
    for path, learnt in zip(paths, model.provenance.get("mixture", [model.provenance]), strict=True):
        dataset.require_content(path, learnt["data_hash"], model.label)
    outlines = [dataset.outline(path) for path in paths]
    together = Outline(*map(np.concatenate, zip(*outlines, strict=True)))
    file = np.repeat(np.arange(len(paths)), [len(outline.label) for outline in outlines])
    drawn = draw(", ".join(map(str, paths)), together, model.config, file)
    parts, first = [], 0
    for sequences in chain.from_iterable(map(dataset.read, paths)):
        begin, end = np.searchsorted(drawn.objects, (first, first + sequences.n_objects))
        if begin < end:
            parts += _activations(model, sequences, drawn.objects[begin:end] - first, drawn.which[begin:end])
        first += sequences.n_objects
    hidden, confidence = map(np.concatenate, zip(*parts, strict=True))
    of_training, of_held_out = (
        Activations(hidden[mine], confidence[mine], drawn.label[mine])
        for mine in (~drawn.is_held_out, drawn.is_held_out)
    )
    return known_alerts.fit(of_training, of_held_out, len(model.config.classes))


def draw(path: Path | str, outline: Outline, config: Config, file: np.ndarray | None = None) -> Drawn:
    """Which alerts of a data set `KnownAlerts` are of; always the same of the same data.

    Args:
        path: of the data, for errors.
        outline: of its objects.
        config: what is classified.
        file: [N] in which of several files each object is; None: there is one.

    Raises:
        DataError: a class has no object in one of the two splits; names the file.
    """
    rng, label, chosen = np.random.default_rng(SEED), labels_of(outline.label, config), []
    for split in (TRAINING, HELD_OUT):
        of_split = outline.split == schema.SPLIT_NAMES.index(split)
        for which, name in enumerate(config.classes):
            mine = np.flatnonzero(of_split & (label == which))
            if not mine.size:
                raise DataError(f"{path}: no {split} object of class {name}, expected one or more")
            mine = mine if file is None else mine[file[mine] == file[mine].min()]
            chosen.append(rng.choice(mine, min(len(mine), MOST_OBJECTS), replace=False))
    objects = np.sort(np.concatenate(chosen))
    is_held_out = outline.split[objects] == schema.SPLIT_NAMES.index(HELD_OUT)
    return Drawn(objects, rng.integers(outline.n_alerts[objects]), label[objects], is_held_out)


def _activations(
    model: Model, sequences: Sequences, objects: np.ndarray, which: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Hidden layer [B, M, U] and largest class probability [B] of some alerts, a part at a time."""
    batch = standardised(of_alerts(sequences, model.config, objects, which), model.statistics)
    answered = (predict.with_hidden(model, part) for part in predict.in_parts(batch))
    return [(hidden, after.classes[:, -1].max(axis=1)) for after, hidden in answered]
