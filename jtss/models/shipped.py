"""The models that ship, by name: `files/NAME.h5`, its card `files/NAME.md`, and the sums of all."""

from pathlib import Path

from jtss import sums
from jtss.models import file
from jtss.models.file import ModelError, TrainedModel

FOLDER = Path(__file__).parent / "files"


def names(folder: Path = FOLDER) -> list[str]:
    """Names of the models, those that are there and those that the sums speak of."""
    here = {path.name for path in folder.glob("*.h5")} | {name for name in sums.listed(folder) if name.endswith(".h5")}
    return sorted(name.removesuffix(".h5") for name in here)


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Where a model lies."""
    return folder / f"{name}.h5"


def load(name: str, folder: Path = FOLDER) -> TrainedModel:
    """A model, after its sum is checked.

    Raises:
        ModelError: no model of that name (lists the names), not the file that shipped, or it does not fit.
    """
    if name not in names(folder):
        raise ModelError(f"no shipped model is named {name}; {listing(folder)}")
    path = path_of(name, folder)
    fault = sums.fault_of(path)
    if fault:
        raise ModelError(f"{path}: {fault}")
    return file.read(path)


def listing(folder: Path = FOLDER) -> str:
    """What ships, in half a sentence."""
    return f"shipped models: {', '.join(names(folder)) or 'none'}"


def faults(folder: Path = FOLDER) -> list[str]:
    """A line for everything that is wrong with the folder: files that are missing, changed, unknown or do not fit."""
    found = []
    here = {path.name for path in folder.iterdir() if path.name != sums.NAME} if folder.is_dir() else set()
    for name in sorted({*here, *sums.listed(folder)}):
        fault = sums.fault_of(folder / name)
        if fault:
            found.append(f"{folder / name}: {fault}")
        elif name.endswith(".h5"):
            try:
                file.read(folder / name)
            except ModelError as error:
                found.append(str(error))
    return found
