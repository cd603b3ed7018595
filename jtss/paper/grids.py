"""The grids: every configuration that an experiment trains, and how much of a grid is asked for.

Those that the paper found best come first.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import NamedTuple

from jtss.config import named, settings, tsc
from jtss.config.settings import Config, ConfigError, TemporalConfig
from jtss.errors import InputError
from jtss.training.seeds import with_seed


class Setup(NamedTuple):
    """One configuration of a grid.

    Attributes:
        row: where it belongs in the table; hashable.
        label: the same in words.
        config: what is trained; its seed does not count.
        seeds: how many trainings are wanted; their seeds are 0, 1, …
    """

    row: tuple
    label: str
    config: Config
    seeds: int


class Trial(NamedTuple):
    """One training of an experiment: a configuration of its grid with one seed, on one data set."""

    setup: Setup
    config: Config  # with the seed
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

    Settings that came later do not count where they have their default, so that trainings of before stay known.

    Returns:
        16 hexadecimal digits, the same on every machine.
    """
    nameless = replace(config, name="trial", origin="", paper_accuracy="")
    values = json.loads(json.dumps(settings.without_later(nameless)), parse_int=float)  # 0 and 0.0 are the same setting
    text = json.dumps([values, data_hash], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@cache
def trials(setup: Setup, data_hash: str) -> tuple[Trial, ...]:
    """The trainings of a configuration, one for each seed."""
    return tuple(Trial(setup, with_seed(setup.config, seed), data_hash) for seed in range(setup.seeds))


COUNTED = {"training.seed": "--seeds", "n_detections": "--n"}  # settings that the grids vary, and how to narrow them


class ChoiceError(InputError):
    """An experiment that is not there in the part asked for; the message names what there is."""


@dataclass(frozen=True)
class Extent:
    """What an experiment of the paper consists of.

    Attributes:
        seeds: trainings of each configuration.
        n: numbers of detections; empty where the experiment has no choice of them.
        models: models, by name; empty likewise.
    """

    seeds: int
    n: tuple[int, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice(Extent):
    """A part of an extent.

    Attributes:
        settings: "a.b=v" assignments for every configuration.
        remarks: in which ways this is not the paper's experiment, in words.
    """

    settings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def choose(
    name: str,
    whole: Extent,
    *,
    settings: Sequence[str] = (),
    seeds: int | None = None,
    n: Sequence[int] = (),
    models: Sequence[str] = (),
) -> Choice:
    """The part of experiment `name` that is asked for; what is not narrowed is whole.

    Raises:
        ChoiceError: something that the experiment does not have, or fewer than one seed.
        ConfigError: a setting that the grid counts itself.
    """
    for setting in settings:
        field = setting.partition("=")[0].strip()
        if field in COUNTED:
            raise ConfigError(f"--set {field}: {name} varies it; narrow it by {COUNTED[field]}")
    if seeds is not None and seeds < 1:
        raise ChoiceError(f"--seeds {seeds}: expected at least 1")
    chosen = Extent(
        whole.seeds if seeds is None else seeds,
        _part(name, "--n", n, whole.n),
        _part(name, "--models", models, whole.models),
    )
    remarks = []
    if chosen.n != whole.n:
        remarks.append(f"Narrowed: n = {_listed(chosen.n)} only, of {_listed(whole.n)}.")
    if chosen.models != whole.models:
        remarks.append(f"Narrowed: {_listed(chosen.models)} only, of {_listed(whole.models)}.")
    if chosen.seeds != whole.seeds:
        remarks.append(f"Altered: {chosen.seeds} seed{'s' * (chosen.seeds > 1)}, the paper has {whole.seeds}.")
    if settings:
        remarks.append(f"Altered for every network: {_listed(settings)}.")
    return Choice(chosen.seeds, chosen.n, chosen.models, tuple(settings), tuple(remarks))


def _part(name: str, option: str, asked: Sequence, there: tuple) -> tuple:
    """What is asked for, in the order of what is there; everything where nothing is."""
    if not asked:
        return there
    if not there:
        raise ChoiceError(f"{option}: {name} has no choice of these")
    absent = [value for value in asked if value not in there]
    if absent:
        raise ChoiceError(f"{option}: {name} has no {_listed(absent)}; it has {_listed(there)}")
    return tuple(value for value in there if value in asked)


def _listed(values: Sequence) -> str:
    return ", ".join(map(str, values))


RECURRENT = ("lstm", "gru", "rnn")


def rotations(choice: Choice) -> list[Setup]:
    """TSC Table 1: copies, range of rotation and crop of the first-alert network; or some rows of Table 2 alone."""
    rows = [tsc.TABLE_2[name][:3] for name in tsc.TABLE_2 if name in choice.models]
    if set(choice.models) == set(tsc.TABLE_2):
        rows += [row for row in product(tsc.CROPS, tsc.COPIES, tsc.ROTATION_RANGES_DEG) if row not in rows]
    return _checked([Setup(row, rotation_label(row), _rotation(row), choice.seeds) for row in rows], choice)


def rotation_label(row: tuple[int, int, float]) -> str:
    """As in TSC Table 2, with θ in degrees."""
    crop, copies, range_deg = row
    return f"a {crop}, k {copies}, θ {range_deg:g}°"


def _rotation(row: tuple[int, int, float]) -> Config:
    crop, copies, range_deg = row
    enhanced = named.get("n1_enhanced")
    return replace(enhanced, stamp=replace(enhanced.stamp, crop=crop, copies=copies, rotation_range_deg=range_deg))


def temporal_models(choice: Choice) -> list[Setup]:
    """TSC Table 5 for each number of detections: six temporal models with their sizes, images and time gaps only."""
    searched = [(n, kind, size) for n in choice.n for kind in choice.models for size in temporal_sizes(kind, n)]
    best = {(n, kind, tsc.TABLE_6[n][kind][0]) for n in choice.n for kind in choice.models}
    ordered = sorted(searched, key=lambda row: row not in best)  # stable: the paper's best first, the others by n
    return _checked([_temporal(*row, choice.seeds) for row in ordered], choice)


def temporal_sizes(kind: str, n: int) -> list[TemporalConfig]:
    """The sizes that are searched of one temporal model. TSC Table 5."""
    if kind in RECURRENT:
        sizes = product(tsc.LAYERS, tsc.UNITS)
        return [TemporalConfig(kind=kind, layers=layers, units=units) for layers, units in sizes]
    if kind == "gamma":
        return [TemporalConfig(kind=kind, taps=taps) for taps in tsc.TAPS]
    if kind == "tdnn":
        return [TemporalConfig(kind=kind, window=window) for window in tsc.WINDOWS]
    return [TemporalConfig(kind=kind, kernel=kernel) for kernel in range(2, n + 1)]


def _temporal(n: int, kind: str, size: TemporalConfig, seeds: int) -> Setup:
    config = replace(named.get(f"n{n}_{kind}_images"), temporal=size)
    return Setup((n, kind), f"{n} alerts, {kind} {named.architecture(size)}", config, seeds)


def metadata_models(choice: Choice) -> list[Setup]:
    """TSC Table 7: metadata only, without and with AllWISE."""
    setups = []
    for n, allwise in product(choice.n, (False, True)):
        name = f"n{n}_metadata" if allwise else f"n{n}_metadata_noallwise"
        label = f"{n} alerts, {'with' if allwise else 'without'} AllWISE"
        setups.append(Setup((n, allwise), label, named.get(name), choice.seeds))
    return _checked(setups, choice)


def complete_models(choice: Choice) -> list[Setup]:
    """TSC Table 8: the complete network of each number of detections."""
    setups = []
    for n in choice.n:
        config = named.get(f"n{n}_best")
        label = f"{n} alerts, {config.temporal.kind} {named.architecture(config.temporal)}"
        setups.append(Setup((n,), label, config, choice.seeds))
    return _checked(setups, choice)


def screeners(choice: Choice) -> list[Setup]:
    """TSC §IV-B: the enhanced first-alert network."""
    return _checked([Setup((), "enhanced stamp classifier", named.get("n1_enhanced"), choice.seeds)], choice)


def more_seeds(setups: Iterable[Setup], seeds: int) -> list[Setup]:
    """The same configurations with more seeds."""
    return [setup._replace(seeds=max(seeds, setup.seeds)) for setup in setups]


def _checked(setups: list[Setup], choice: Choice) -> list[Setup]:
    """The grid with the settings of `choice`.

    Raises:
        ConfigError: a setting that does not exist or fit, or that makes two configurations of the grid the same.
    """
    altered = [setup._replace(config=settings.override(setup.config, list(choice.settings))) for setup in setups]
    seen: dict[str, Setup] = {}
    for setup in altered:
        other = seen.setdefault(identity(setup.config, ""), setup)
        if other is not setup:
            raise ConfigError(
                f"--set {', '.join(choice.settings)} makes two networks of the grid the same: {other.label}, and"
                f" {setup.label}"
            )
    return altered
