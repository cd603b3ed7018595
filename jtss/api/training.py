"""Configurations, and trainings of them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from jtss.api.calls import one_family, warn
from jtss.api.data import Dataset
from jtss.api.models import Model, as_model, load_model
from jtss.config import named, settings
from jtss.config.settings import Config
from jtss.errors import InputError


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
    config: Config | str | None,
    data: str | os.PathLike | Dataset | Sequence[str | os.PathLike | Dataset],
    out: str | os.PathLike,
    *,
    seeds: int = 1,
    start: Model | str | os.PathLike | None = None,
    parts: Sequence[str] = (),
    weights: Sequence[float] | None = None,
) -> Model:
    """Train a model; Ctrl-C leaves a run directory that `jtss train --resume` goes on with.

    Args:
        config: see `get_config`, or its name; None: that of `start`.
        data: data set, with its split; or several, a mixture, of which the first is the one that the model is for.
        out: run directory to make; of several seeds, the folder of theirs.
        seeds: how many trainings that differ in the seed; together they are an ensemble.
        start: a model with whose weights the trainings begin; of several members each with another.
        weights: of several data sets, in which proportions batches are drawn from them, as [1, 1].
        parts: names of the parts of the network to take of it, as ["encoder"]; none: all.

    Raises:
        InputError: data or a model that do not fit the configuration, or something is at `out`.
        FloatingPointError: a loss is no number.
    """
    from jtss.training import mixture, trainer, warm_start

    sets = [data] if isinstance(data, str | os.PathLike | Dataset) else [*data]
    paths, out = [one.path if isinstance(one, Dataset) else Path(one) for one in sets], Path(out)

    with one_family():
        begun = None if start is None else as_model(start).trained
        if begun is None and (parts or config is None):
            raise InputError("expected config=, or a model by start=; parts= are those of start=")
        config = named.get(config) if isinstance(config, str) else config or begun.config
        changes = settings.differences(
            settings.to_dict(config), settings.to_dict(_named(config.name)), ("here", "named")
        )
        changed = f"  # {'; '.join(changes)}" if changes else ""
        beginning = (f", start={begun.label!r}" if begun else "") + (f", parts={[*parts]}" if parts else "")
        beginning += f", weights={[*weights]}" if weights is not None else ""
        named_data = repr(str(paths[0]) if len(paths) == 1 else [str(path) for path in paths])
        command = f"jtss.train({config.name!r}, {named_data}, {str(out)!r}, seeds={seeds}{beginning}){changed}"
        warm = begun and warm_start.of(begun, config, parts)
        mixed = mixture.of(paths, weights)
        training = trainer.start(config, mixed, out, command=command, say=warn, n_seeds=seeds, warm=warm)
    trainer.train(training, trainer.NeverStop(), warn=warn)
    return load_model(out)
