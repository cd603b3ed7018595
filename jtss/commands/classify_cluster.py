"""What a worker of `jtss classify --dask` does: it loads the model once, and answers for batches of sequences."""

import socket
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from jtss.commands import cache
from jtss.errors import InputError
from jtss.inference import classify, packets, predict
from jtss.inference.model import Model, content_hash
from jtss.inference.screening import Verdict
from jtss.pretrained import load
from jtss.schema import Sequences

PROCESSES_KEEP = 2  # models: one that answers and one that screens


class Recipe(NamedTuple):
    """How to answer.

    Attributes:
        model: path or name. sum: of its content.
        calibrated, class_priors: as `classify.adjustment` takes them, the latter as pairs.
        trajectory: answer after each row of a packet, too.
    """

    model: str
    sum: str
    calibrated: bool = False
    class_priors: tuple[tuple[str, float], ...] | None = None
    trajectory: bool = False


def recipe(
    path: Path,
    model: Model,
    calibrated: bool = False,
    class_priors: Mapping[str, float] | None = None,
    trajectory: bool = False,
) -> Recipe:
    """That of a model that was loaded here."""
    place = str(path.resolve() if path.exists() else path)
    pairs = None if class_priors is None else tuple(class_priors.items())
    return Recipe(place, content_hash(model), calibrated, pairs, trajectory)


def answer(recipe: Recipe, sequences: Sequences) -> object:
    """What `classify.answering` or `packets.answers` gives for a batch, on whichever machine.

    Raises:
        InputError: the model is not there, or another one; names the machine.
    """
    return _answering(recipe)(sequences)


def screen(recipe: Recipe, sequences: Sequences) -> Verdict:
    """What a model that screens says of a batch; raises as `answer`."""
    return predict.screen_with(_load(recipe.model, recipe.sum))(sequences)


@lru_cache(PROCESSES_KEEP)
def _answering(recipe: Recipe) -> Callable[[Sequences], object]:
    model = _load(recipe.model, recipe.sum)
    given = {
        "calibrated": recipe.calibrated,
        "class_priors": None if recipe.class_priors is None else dict(recipe.class_priors),
    }
    if not model.config.packet.rows:
        return classify.answering(model, **given)[0]
    adjust, _ = classify.adjustment(model, **given)
    answered = packets.followed if recipe.trajectory else packets.answers
    return lambda sequences: answered(model, sequences, adjust)


@lru_cache(PROCESSES_KEEP)
def _load(path: str, expected: str) -> Model:
    cache.enable()
    try:
        model = load.load_model(path)
    except (InputError, OSError) as error:
        raise InputError(
            f"on {socket.gethostname()}: {error}; with --dask a model lies on a file system that all machines share"
        ) from error
    if content_hash(model) != expected:
        raise InputError(f"on {socket.gethostname()}: {path} is another model than here; expected the same on all")
    return model
