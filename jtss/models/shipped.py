"""The models that ship, by name: `files/NAME.h5`, its card `files/NAME.md`, and the sums of all."""

from pathlib import Path

from jtss import sums
from jtss.models import file
from jtss.models.file import ModelError, TrainedModel

FOLDER = Path(__file__).parent / "files"


def names(folder: Path) -> list[str]:
    """Names of the models, those that are there and those that the sums speak of."""
    return [path.stem for path in files(folder) if path.suffix == ".h5"]


def path_of(name: str, folder: Path) -> Path:
    """Where a model lies."""
    return folder / f"{name}.h5"


def load(name: str, folder: Path) -> TrainedModel:
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


def listing(folder: Path) -> str:
    """What ships, in half a sentence."""
    return f"shipped models: {', '.join(names(folder)) or 'none'}"


def files(folder: Path) -> list[Path]:
    """All files that are there or that the sums speak of, but for the sums themselves."""
    here = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return [folder / name for name in sorted({*here, *sums.listed(folder)} - {sums.NAME})]


def faults(folder: Path) -> list[str]:
    """A line for everything that is wrong with the folder: files that are missing, changed, unknown or do not fit."""
    found = []
    for path in files(folder):
        fault = sums.fault_of(path)
        if fault:
            found.append(f"{path}: {fault}")
        elif path.suffix == ".h5":
            try:
                file.read(path)
            except ModelError as error:
                found.append(str(error))
    return found
