"""Configurations, and trainings of them."""

import os
from collections.abc import Mapping
from pathlib import Path

from jtss.api.calls import one_family, warn
from jtss.api.data import Dataset
from jtss.api.models import Model, as_model, load_model
from jtss.config import named, settings
from jtss.config.settings import Config


def get_config(name: str, **changes: object) -> Config:
    """The named configuration, with changes: `get_config("demo", training={"iterations": 300, "seed": 1})`.

    Raises:
        ConfigError: an unknown name or field, or settings that contradict each other.
    """
    try:
        return settings.from_dict(_merged(settings.to_dict(named.get(name)), changes))
    except TypeError as error:
        raise settings.ConfigError(
            f"{name}: a value of {changes} is of another type than the setting has ({error})"
        ) from None


def _named(name: str) -> Config:
    """The configuration of that name; where there is none, as of one's own, the default one."""
    return named.CONFIGS.get(name) or named.get("n3_conv1d")


def _merged(values: dict, changes: Mapping) -> dict:
    both = {key: (values.get(key), new) for key, new in changes.items()}
    return values | {
        key: _merged(old, new) if isinstance(old, dict) and isinstance(new, Mapping) else new
        for key, (old, new) in both.items()
    }


def train(
    config: Config | str,
    data: str | os.PathLike | Dataset,
    out: str | os.PathLike,
    *,
    seeds: int = 1,
    encoder: Model | str | os.PathLike | None = None,
) -> Model:
    """Train a model; Ctrl-C leaves a run directory that `jtss train --resume` goes on with.

    Args:
        config: see `get_config`, or its name.
        data: data set, with its split.
        out: run directory to make; of several seeds, the folder of theirs.
        seeds: how many trainings that differ in the seed; together they are an ensemble.
        encoder: a model of the same data set, with whose stamp encoder the trainings begin.

    Raises:
        InputError: data or an encoder that do not fit the configuration, or something is at `out`.
        FloatingPointError: a loss is no number.
    """
    from jtss.training import trainer

    config = named.get(config) if isinstance(config, str) else config
    path, out = data.path if isinstance(data, Dataset) else Path(data), Path(out)

    with one_family():
        changes = settings.differences(
            settings.to_dict(config), settings.to_dict(_named(config.name)), ("here", "named")
        )
        changed = f"  # {'; '.join(changes)}" if changes else ""
        begun = None if encoder is None else as_model(encoder).trained
        beginning = f", encoder={begun.label!r}" if begun else ""
        command = f"jtss.train({config.name!r}, {str(path)!r}, {str(out)!r}, seeds={seeds}{beginning}){changed}"
        training = trainer.start(config, path, out, command=command, say=warn, n_seeds=seeds, encoder=begun)
    trainer.train(training, trainer.NeverStop(), warn=warn)
    return load_model(out)
