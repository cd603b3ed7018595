"""Ensembles: the same training with several seeds, in one folder.

repeats.json        {"config", "seeds", "together"}: what is trained, and how many seeds train as one program
seed-0, seed-1, …   a run directory for each
"""

import json
from collections.abc import Sequence
from pathlib import Path

from jtss import devices, files
from jtss.config.settings import Config
from jtss.errors import InputError, shortly
from jtss.invocation import option, spelled

FILE = "repeats.json"


class EnsembleError(InputError):
    """A folder of an ensemble that is damaged or incomplete; the message names the file."""


def is_ensemble(path: Path) -> bool:
    """Whether `path` is the folder of an ensemble; a run directory is not."""
    return (path / FILE).is_file()


def seed_directories(path: Path) -> dict[int, Path]:
    """The run directory of each seed, in the order in which they were trained.

    Raises:
        EnsembleError: repeats.json is damaged, or the folder of a seed is missing.
    """
    file = path / FILE
    try:
        seeds = json.loads(file.read_text())["seeds"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise EnsembleError(f"{file}: damaged ({shortly(error)})") from None
    if not isinstance(seeds, list) or any(type(seed) is not int for seed in seeds) or len({*seeds}) < len(seeds):
        raise EnsembleError(f"{file}: damaged (seeds: expected a list of integers, each once)")
    directories = {seed: seed_directory(path, seed) for seed in seeds}
    missing = [directory.name for directory in directories.values() if not directory.is_dir()]
    if missing or not directories:
        raise EnsembleError(f"{file}: {', '.join(missing) or 'a seed'} is missing in {path}")
    return directories


def require_new(path: Path) -> None:
    """Raise FileExistsError where `path` is something else than an empty folder or an ensemble that was just begun.

    A start may be killed before it is written down. Of several processes the first looks, since the others may come
    when it has begun to write.
    """
    if not devices.is_first_process():
        return
    if is_ensemble(path):
        going_on = spelled("train", "--resume", path)
        raise FileExistsError(f"{path} exists and holds an ensemble; go on with it by: {going_on}")
    if path.exists() and not (path.is_dir() and all(map(_belongs_to_a_start, path.iterdir()))):
        elsewhere = f"choose another name with {option('out')}"
        raise FileExistsError(f"{path} exists and is no folder of an ensemble; {elsewhere}")


def _belongs_to_a_start(entry: Path) -> bool:
    return entry.name.startswith("seed-") or files.is_partial(entry, FILE)


def seed_directory(path: Path, seed: int) -> Path:
    """The run directory of one seed."""
    return path / f"seed-{seed}"


def write(path: Path, config: Config, seeds: Sequence[int], together: int) -> None:
    """Say in the folder what is trained; from then on it is the folder of an ensemble. The first process writes.

    Raises:
        OSError: it cannot be written, mostly because the disk is full; names the file.
    """
    if not devices.is_first_process():
        return
    values = {"config": config.name, "seeds": list(seeds), "together": together}
    files.write(path / FILE, json.dumps(values, indent=2) + "\n")


def seeds_at_once(path: Path) -> int:
    """How many seeds train as one program.

    Raises:
        EnsembleError: repeats.json is damaged.
    """
    try:
        together = json.loads((path / FILE).read_text())["together"]
        if not isinstance(together, int) or together < 1:
            raise ValueError(f"together: {together!r}, expected a number of seeds")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EnsembleError(f"{path / FILE}: damaged ({shortly(error)})") from None
    return together
