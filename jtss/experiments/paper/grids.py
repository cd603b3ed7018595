"""The grids: every configuration that an experiment of the paper trains, those that the paper found best first."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from jtss import overrides, registry
from jtss.configs import Config, ConfigError, TemporalConfig
from jtss.experiments.paper import cells, numbers
from jtss.experiments.paper.cells import Setup
from jtss.experiments.paper.choice import Choice

RECURRENT = ("lstm", "gru", "rnn")


def rotations(choice: Choice) -> list[Setup]:
    """TSC Table 1: copies, range of rotation and crop of the first-alert network; or some rows of Table 2 alone."""
    rows = [numbers.TABLE_2[name][:3] for name in numbers.TABLE_2 if name in choice.models]
    if set(choice.models) == set(numbers.TABLE_2):
        rows += [row for row in product(numbers.CROPS, numbers.COPIES, numbers.ROTATION_RANGES_DEG) if row not in rows]
    return _checked([Setup(row, rotation_label(row), _rotation(row), choice.seeds) for row in rows], choice)


def rotation_label(row: tuple[int, int, float]) -> str:
    """As in TSC Table 2, with θ in degrees."""
    crop, copies, range_deg = row
    return f"a {crop}, k {copies}, θ {range_deg:g}°"


def _rotation(row: tuple[int, int, float]) -> Config:
    crop, copies, range_deg = row
    enhanced = registry.get("n1_enhanced")
    return replace(enhanced, stamp=replace(enhanced.stamp, crop=crop, copies=copies, rotation_range_deg=range_deg))


def temporal_models(choice: Choice) -> list[Setup]:
    """TSC Table 5 for each number of detections: six temporal models with their sizes, images and time gaps only."""
    found = [(n, kind, cell) for n in choice.n for kind in choice.models for cell in temporal_cells(kind, n)]
    best = {(n, kind, registry.TABLE_6[n][kind][0]) for n in choice.n for kind in choice.models}
    ordered = sorted(found, key=lambda row: row not in best)  # stable: the paper's best first, the others by n
    return _checked([_temporal(*row, choice.seeds) for row in ordered], choice)


def temporal_cells(kind: str, n: int) -> list[TemporalConfig]:
    """The sizes that are searched of one temporal model. TSC Table 5."""
    if kind in RECURRENT:
        sizes = product(numbers.LAYERS, numbers.UNITS)
        return [TemporalConfig(kind=kind, layers=layers, units=units) for layers, units in sizes]
    if kind == "gamma":
        return [TemporalConfig(kind=kind, taps=taps) for taps in numbers.TAPS]
    if kind == "tdnn":
        return [TemporalConfig(kind=kind, window=window) for window in numbers.WINDOWS]
    return [TemporalConfig(kind=kind, kernel=kernel) for kernel in range(2, n + 1)]


def _temporal(n: int, kind: str, cell: TemporalConfig, seeds: int) -> Setup:
    config = replace(registry.get(f"n{n}_{kind}_images"), temporal=cell)
    return Setup((n, kind), f"{n} alerts, {kind} {registry.architecture(cell)}", config, seeds)


def metadata_models(choice: Choice) -> list[Setup]:
    """TSC Table 7: metadata only, without and with AllWISE."""
    setups = []
    for n, allwise in product(choice.n, (False, True)):
        name = f"n{n}_metadata" if allwise else f"n{n}_metadata_noallwise"
        label = f"{n} alerts, {'with' if allwise else 'without'} AllWISE"
        setups.append(Setup((n, allwise), label, registry.get(name), choice.seeds))
    return _checked(setups, choice)


def complete_models(choice: Choice) -> list[Setup]:
    """TSC Table 8: the complete network of each number of detections."""
    found = [(n, registry.get(f"n{n}_best")) for n in choice.n]
    setups = [
        Setup(
            (n,), f"{n} alerts, {config.temporal.kind} {registry.architecture(config.temporal)}", config, choice.seeds
        )
        for n, config in found
    ]
    return _checked(setups, choice)


def screeners(choice: Choice) -> list[Setup]:
    """TSC §IV-B: the enhanced first-alert network."""
    return _checked([Setup((), "enhanced stamp classifier", registry.get("n1_enhanced"), choice.seeds)], choice)


def more_seeds(setups: Iterable[Setup], seeds: int) -> list[Setup]:
    """The same configurations with more repeats."""
    return [setup._replace(seeds=max(seeds, setup.seeds)) for setup in setups]


def _checked(setups: list[Setup], choice: Choice) -> list[Setup]:
    """The grid with the settings of `choice`.

    Raises:
        ConfigError: a setting that does not exist or fit, or that makes two configurations of the grid the same.
    """
    altered = [setup._replace(config=overrides.override(setup.config, list(choice.settings))) for setup in setups]
    seen: dict[str, Setup] = {}
    for setup in altered:
        other = seen.setdefault(cells.identity(setup.config, ""), setup)
        if other is not setup:
            raise ConfigError(
                f"--set {', '.join(choice.settings)} makes two networks of the grid the same: {other.label}, and"
                f" {setup.label}"
            )
    return altered
