"""The models that a service answers by, and what it tells of them."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from jtss.errors import InputError
from jtss.inference.model import Model, reads
from jtss.invocation import option
from jtss.pretrained import file, load
from jtss.reports import card
from jtss.serving.answering import Answerer, answerer
from jtss.serving.http.explaining import explanation


class Served(NamedTuple):
    """A model of packets under its name, what answers and what explains by it, and what is told of it."""

    name: str
    model: Model
    by: Answerer
    explain: Callable[[Alert], dict | Rejection]
    about: dict


def served(paths: Sequence[Path], *, calibrated: bool = False) -> dict[str, Served]:
    """The models, by what they are called; the first is the one that answers where none is asked for.

    Args:
        calibrated: scale the probabilities of each by its temperature.

    Raises:
        InputError: one is no model, or one of sequences; two are called the same; or one is to be calibrated
            and knows no temperature.
    """
    found: dict[str, Served] = {}
    for path in paths:
        model = load.load_model(path)
        if model.label in found:
            raise InputError(f"{option('model', path)}: given twice, expected different models")
        by, explain = answerer(model, calibrated=calibrated), partial(explanation, model, calibrated=calibrated)
        about = _about(model, by.classifier.version, is_default=not found)
        found[model.label] = Served(model.label, model, by, explain, about)
    return found


def _about(model: Model, version: str, *, is_default: bool) -> dict:
    config = model.config
    return {
        "name": model.label,
        "is_default": is_default,
        "configuration": config.name,
        "version": version,
        "classes": [*config.classes],
        "subclasses": [*config.subclasses],
        "reads": reads(config),
        "metadata": sorted({*config.metadata.dynamic, *config.metadata.static}),
        "knows_outliers": model.known_alerts is not None,
        "trained_on": model.provenance["data"],
        "results": _results(model),
    }


def _results(model: Model) -> list[str]:
    """What the card of an included model says first."""
    if model.label not in file.names(file.FOLDER):
        return []
    trained = file.load(model.label, file.FOLDER)
    return [card.headline(result, trained) for result in trained.results]
