"""How much of an experiment is asked for: the whole grid of the paper, or less, or with other settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from jtss.configs import ConfigError

COUNTED = {"training.seed": "--seeds", "n_detections": "--n"}  # settings that the grids vary, and how to narrow them


class ChoiceError(ValueError):
    """An experiment that is not there in the part asked for; the message names what there is."""


@dataclass(frozen=True)
class Extent:
    """What an experiment of the paper consists of.

    Attributes:
        seeds: repeats of each configuration.
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
