"""A trained model by what a user calls it: the path of a run or of an ensemble, or the name of a pretrained one."""

from pathlib import Path

from jtss.inference import screening
from jtss.inference.model import Member, Model, Outcome
from jtss.pretrained import file
from jtss.pretrained.file import ModelError, TrainedModel


def load_model(path: str | Path) -> Model:
    """The best model of a run directory; of a folder of seeds, all of them as one model; or the pretrained model.

    Args:
        path: run directory, folder of seeds, or file of an exported model; where there is nothing of that path, the
            name of a pretrained model.

    Raises:
        InputError: neither, or damaged; or the seeds are not of one training.
    """
    if Path(path).is_dir():
        from jtss.training import trained  # Orbax and Optax take a second, and a pretrained model needs neither

        return trained.load(Path(path))
    if file.is_model(Path(path)):
        return pretrained(str(path), file.load(Path(path).stem, Path(path).parent))
    name = str(path)
    if Path(path).exists() or name not in file.names(file.FOLDER):
        absent = "no such run directory and no pretrained model"
        other = "not a directory; expected a run directory or the name of a pretrained model"
        raise ModelError(f"{name}: {other if Path(path).exists() else absent}; {file.listing(file.FOLDER)}")
    return pretrained(name, file.load(name, file.FOLDER))


def pretrained(name: str, stored: TrainedModel) -> Model:
    """The model that a file holds, under its name."""
    members = tuple(
        Member(training["seed"], variables, Outcome(**{field: training[field] for field in Outcome._fields}))
        for training, variables in zip(stored.provenance["training"], stored.members, strict=True)
    )
    fitted = {"temperature": stored.temperature, "known_alerts": stored.known_alerts}
    return Model(name, stored.config, stored.statistics, members, stored.provenance, **fitted)


def load_screener(path: str | Path) -> Model:
    """A trained model as `load_model` finds it, for bogus screening.

    Raises:
        InputError: as `load_model`.
        ValueError: it is no first-detection model that knows the class bogus.
    """
    model = load_model(path)
    screening.check_screener(model.config, path)
    return model
