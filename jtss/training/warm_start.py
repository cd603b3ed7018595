"""A warm start: a training that begins with the weights of a trained model, all of them or those of some parts.

Weights mean something beside what they were learnt with, so what shapes the parts that are taken must be the same in
both configurations. The statistics of the metadata are the model's wherever a part that has seen metadata is taken;
with the stamp encoder alone they are fitted to the data, as those of a training that begins at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import dataset
from jtss.config import settings
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.inference import model as models
from jtss.inference.model import Model
from jtss.invocation import option
from jtss.network.inputs import Statistics
from jtss.network.parts import Variables
from jtss.training import step
from jtss.training.step import TrainState

OF_IMAGES = ("encoder", "no_stamp")  # parts that see no metadata
HELD_OUT = ("validation", "test")
# What may be another in training without another meaning of the weights
RECIPE = {"stamp": ("rotation_range_deg",), "encoder": ("dropout",), "head": ("dropout",)}
KEPT = "the model's"  # as provenance.json says it of statistics
MOST_NAMED = 3


class WarmStart(NamedTuple):
    """The model whose weights a training begins with, and the parts that are taken of it."""

    model: Model
    parts: tuple[str, ...]

    @property
    def keeps_statistics(self) -> bool:
        return not set(self.parts) <= set(OF_IMAGES)


def of(model: Model, config: Config, parts: Sequence[str] = ()) -> WarmStart:
    """A warm start of `config`.

    Args:
        model: where the weights are from.
        config: what will be trained.
        parts: names of those to take; none: all that the network of `config` has.

    Raises:
        InputError: a part that the network does not have, or settings on which the parts depend differ; names them.
    """
    there = settings.parts(config)
    unknown = [name or "''" for name in parts if name not in there]
    if unknown:
        raise InputError(
            f"{option('parts', ','.join(parts))}: no {', '.join(unknown)} in config {config.name}, which has"
            f" {', '.join(there)}"
        )
    taken = tuple(name for name in there if name in (parts or there))
    if parts and (absent := [name for name in taken if name not in settings.parts(model.config)]):
        raise InputError(
            f"{option('parts', ','.join(parts))}: no {', '.join(absent)} in {model.label}, which has"
            f" {', '.join(settings.parts(model.config))}"
        )
    theirs, ours = ({"config": _shape(each, taken)} for each in (model.config, config))
    different = settings.differences(theirs, ours, (model.label, "here"))
    different = [each.removeprefix("config.") for each in different if each.startswith("config.")]
    if different:
        named = "; ".join(different[:MOST_NAMED]) + f"; and {len(different) - MOST_NAMED} more" * (
            len(different) > MOST_NAMED
        )
        raise InputError(
            f"{option('from', model.label)}: {named}; leave CONFIG out to take the model's configuration, or name by"
            f" {option('parts')} fewer parts"
        )
    if "head" in taken:
        _check_classes(model, config)
    return WarmStart(model, taken)


def _shape(config: Config, parts: Sequence[str]) -> dict:
    """The settings on which the weights of some parts depend, but for the classes."""
    groups = {name: asdict(getattr(config, name)) for name in ("stamp", "encoder", "metadata", "temporal", "head")}
    groups = {
        name: {key: value for key, value in group.items() if key not in RECIPE.get(name, ())}
        for name, group in groups.items()
    }
    chosen = [] if not config.stamp.channels else ["stamp", "encoder"]
    if not set(parts) <= set(OF_IMAGES):
        chosen += ["metadata", "temporal"]
    if "head" in parts:
        chosen += ["head"]
    shape = {name: groups[name] for name in chosen}
    if "metadata" in chosen:
        shape |= {"n_detections": config.n_detections, "packet.rows above 0": config.packet.rows > 0}
    return shape


def _check_classes(model: Model, config: Config) -> None:
    for name in ("classes", "subclasses"):
        theirs, ours = getattr(model.config, name), getattr(config, name)
        new = [each for each in ours if each not in theirs]
        if new:
            raise InputError(
                f"{option('from', model.label)}: {name}: it knows no {', '.join(new)}, only {', '.join(theirs)};"
                f" expected {name} that it knows, or a head that begins at random: {option('parts')} without head"
            )


def check_unseen(warm: WarmStart, paths: Sequence[Path], say: Callable[[str], None]) -> None:
    """Make sure that the model has not learnt from objects that data files keep for validation and test.

    Args:
        warm: the start.
        paths: of the data files.
        say: is told where that is not known.

    Raises:
        InputError: it has, or the file is a simulation of the same sky with another split.
    """
    ours = {str(dataset.attributes(path)["content_hash"]): path for path in paths}
    for path in paths:
        models.refuse_own_sky(warm.model, path, str(dataset.attributes(path)["command"]))
    for learnt in models.training_files(warm.model.provenance):
        if learnt["data_hash"] in ours or models.simulated_sky(learnt["training_data"].get("command", "")):
            continue  # the same split; or objects that are on no other sky
        theirs = Path(learnt["data"])
        if not theirs.exists() or str(dataset.attributes(theirs)["content_hash"]) != learnt["data_hash"]:
            say(
                f"{warm.model.label} learnt from {theirs.name}, which is not at hand: it is not known whether from"
                f" objects that {', '.join(map(str, paths))} keep for validation and test"
            )
            continue
        seen = dataset.object_ids(theirs, ("train",))
        for path in paths:
            if known := dataset.object_ids(path, HELD_OUT) & seen:
                raise InputError(
                    f"{path}: {len(known)} objects that it keeps for validation and test, such as {min(known)}, were"
                    f" training objects of {warm.model.label} (in {theirs}); expected a file without them, or with"
                    " them in the training split"
                )


def statistics(warm: WarmStart | None) -> Statistics | None:
    """Those of the metadata with which a training goes on; None: to be fitted to its data."""
    return warm.model.statistics if warm is not None and warm.keeps_statistics else None


def state(warm: WarmStart, config: Config, which: int) -> TrainState:
    """The state before the first step of one training, the `which`-th of several: each begins with another member.

    Where there are more trainings than members, members are used again.
    """
    fresh = step.init_state(config)
    member = warm.model.members[which % len(warm.model.members)]
    variables = _taken(jax.tree.map(np.asarray, member.variables), fresh.variables, warm, config)
    return fresh._replace(variables=variables, best=fresh.best._replace(variables=variables))


def _taken(theirs: Variables, fresh: Variables, warm: WarmStart, config: Config) -> Variables:
    params = {name: theirs["params"][name] for name in warm.parts}
    if "head" in params:
        columns = _columns(warm.model.config, config)
        logits = {name: values[..., columns] for name, values in params["head"]["logits"].items()}
        params["head"] = params["head"] | {"logits": logits}
    means = {name: values for name, values in theirs["batch_stats"].items() if name in warm.parts}
    return {"params": fresh["params"] | params, "batch_stats": fresh["batch_stats"] | means}


def _columns(theirs: Config, ours: Config) -> list[int]:
    """Which of the model's logits stand for the classes and subclasses here: a network that knows fewer leaves some."""
    of_classes = [theirs.classes.index(name) for name in ours.classes]
    return of_classes + [len(theirs.classes) + theirs.subclasses.index(name) for name in ours.subclasses]


def record(warm: WarmStart) -> dict:
    """What provenance.json says of where a training began."""
    return {
        "model": warm.model.label,
        "version": models.version(warm.model),
        "content_hash": models.content_hash(warm.model),
        "parts": list(warm.parts),
        "statistics": KEPT if warm.keeps_statistics else "fitted to the training split",
        "learnt_from": models.training_files(warm.model.provenance),
    }
