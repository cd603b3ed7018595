"""A cell: one configuration trained with one seed on one data set, and the name that tells it from all others."""

import hashlib
import json
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from jtss import overrides, seeds
from jtss.configs import Config


class Setup(NamedTuple):
    """One configuration of a grid.

    Attributes:
        row: where it belongs in the table; hashable.
        label: the same in words.
        config: what is trained; its seed does not count.
        seeds: how many repeats are wanted; their seeds are 0, 1, …
    """

    row: tuple
    label: str
    config: Config
    seeds: int


class Cell(NamedTuple):
    """One training: `config` has its seed."""

    setup: Setup
    config: Config
    data_hash: str

    @property
    def seed(self) -> int:
        return self.config.training.seed

    @property
    def id(self) -> str:
        """See `identity`."""
        return identity(self.config, self.data_hash)


@cache
def identity(config: Config, data_hash: str) -> str:
    """Hash of everything that a training comes from: settings, seed and data, but not what the configuration is called.

    Returns:
        16 hexadecimal digits, the same on every machine.
    """
    nameless = replace(config, name="cell", origin="", paper_accuracy="")
    values = json.loads(json.dumps(overrides.to_dict(nameless)), parse_int=float)  # 0 and 0.0 are the same setting
    text = json.dumps([values, data_hash], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@cache
def of(setup: Setup, data_hash: str) -> tuple[Cell, ...]:
    """The cells of a configuration, one for each seed."""
    return tuple(Cell(setup, seeds.with_seed(setup.config, seed), data_hash) for seed in range(setup.seeds))
