"""A trained model: configuration, statistics of the metadata, and weights. What a run directory adds is not needed."""

import hashlib
import json
import re
import shlex
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import schema
from jtss.config import settings
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.inference.known_alerts import KnownAlerts
from jtss.invocation import option
from jtss.network.inputs import Statistics
from jtss.network.parts import Variables


class Outcome(NamedTuple):
    """What came of a training: its steps, those planned, and the step kept with its loss and accuracy."""

    steps: int
    planned_steps: int
    best_step: int
    validation_loss: float
    validation_accuracy: float


class Member(NamedTuple):
    """One training of a model: its seed, what it learnt, and what came of it."""

    seed: int
    variables: Variables
    outcome: Outcome


@dataclass(frozen=True)
class Model:
    """A trained model with everything that it needs to read alerts.

    Attributes:
        label: the path of its run directory, or of the folder of an ensemble, or its name where it is pretrained.
        config: with the seed of the first member.
        statistics: of the metadata of its training split.
        members: trainings that differ in the seed; their probabilities are averaged. Mostly one.
        provenance: of the first member.
        warnings: what was wrong with later states.
        folder: what `label` names; None for a pretrained model.
        temperature: that calibrates its probabilities, which `predict` leaves as they are; None where not known.
        known_alerts: what alerts that it knows look like to it, of an exported model of packets; None where not known.
    """

    label: str
    config: Config
    statistics: Statistics
    members: tuple[Member, ...]
    provenance: dict
    warnings: list[str] = field(default_factory=list)
    folder: Path | None = None
    temperature: float | None = None
    known_alerts: KnownAlerts | None = None


def version(model: Model) -> str:
    """Version of the program that trained, when it began, and the step kept, e.g. 0.1.0+20260102T030405.s300.

    Of an ensemble all steps, in the order of the seeds: 0.1.0+20260102T030405.s300.s280.
    """
    provenance = model.provenance
    year, month, day, hour, minute, second = re.findall(r"\d+", provenance["started"])[:6]
    steps = "".join(f".s{member.outcome.best_step}" for member in model.members)
    return f"{provenance['versions']['jtss']}+{year}{month}{day}T{hour}{minute}{second}{steps}"


def content_hash(model: Model) -> str:
    """SHA-256 of what a model answers by: its configuration, its statistics, and the weights of all members."""
    digest = hashlib.sha256()
    settled = [settings.without_later(model.config), model.statistics.to_dict()]
    digest.update(json.dumps(settled, sort_keys=True).encode())
    for keys, leaf in jax.tree_util.tree_leaves_with_path([member.variables for member in model.members]):
        values = np.asarray(leaf, "<f4")
        digest.update(f"{jax.tree_util.keystr(keys)} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def training_files(provenance: dict) -> list[dict]:
    """All data files that weights were learnt from: those of the training, and of the model that it began with.

    Returns:
        For each a dict with `data`, `data_hash`, `training_data` and, of a mixture, its `weight`.
    """
    own = {name: provenance[name] for name in ("data", "data_hash")}
    own["training_data"] = provenance.get("training_data", {})
    return [*provenance.get("mixture", [own]), *provenance.get("began_with", {}).get("learnt_from", [])]


def reads(config: Config) -> str:
    """What a model of a configuration reads: "images", "metadata", or "images and metadata"; a time is neither."""
    metadata = {*config.metadata.dynamic, *config.metadata.static} - {schema.TIME_GAP.name}
    return " and ".join(["images"] * bool(config.stamp.channels) + ["metadata"] * bool(metadata))


# Of `simulate`, and their defaults.
SKY_OPTIONS = {"--objects": "6000", "--seed": "0", "--classes": "AGN,SN,VS", "--sky": "paper"}


def simulated_sky(command: str) -> dict[str, str] | None:
    """Which objects a command simulates, as {--objects, --seed, --classes, --sky}; None where it is no simulation."""
    words = shlex.split(command.replace("=", " "))
    if "simulate" not in words:
        return None
    given = dict(pairwise(words))
    return {option: given.get(option, default) for option, default in SKY_OPTIONS.items()}


def refuse_own_sky(model: Model, path: Path, data_command: str) -> None:
    """Make sure that a simulated data set holds no objects that a model was trained on under another split.

    A seed makes the same objects whatever their number, but which of them are for training depends on it.

    Raises:
        InputError: the data set is simulated with the seed of the model's training data, but differs in the number of
            objects, in the classes or in the kind of sky; names both commands.
    """
    given = simulated_sky(data_command)
    for file in training_files(model.provenance):
        learnt = str(file["training_data"].get("command", ""))
        own = simulated_sky(learnt)
        if own and given and own["--seed"] == given["--seed"] and own != given:
            raise InputError(
                f"{path}: simulated with the seed {given['--seed']}, as the training data of {model.label}, so many of"
                f" its objects are training objects (its command: {data_command}; theirs: {learnt}); simulate a test"
                f" sky with another {option('seed')}"
            )
