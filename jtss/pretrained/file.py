"""A trained model as one HDF5 file, `files/NAME.h5`: data only, so that reading it runs nothing.

/0/params/…, /0/batch_stats/…   variables, float32, by their path in the tree of `jtss.network.network.init`
/1/…                            of a second training, whose probabilities are averaged with the first one's, and so on
/known_alerts/…                 of a model of packets, the arrays of `jtss.inference.known_alerts.KnownAlerts`
attributes                      format_version, jtss_version, schema_version; and as JSON class_names, config,
                                statistics, provenance, results; where one was fitted, temperature

Two writings of the same model give the same bytes. Beside it lie its model card `NAME.md` and the sums of all files.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import jax
import numpy as np

from jtss import dataset, schema
from jtss.config import settings
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.files import SUMS, file_fault, listed_sums
from jtss.inference import known_alerts
from jtss.inference.known_alerts import KnownAlerts
from jtss.network import network
from jtss.network.inputs import Statistics
from jtss.network.parts import Variables
from jtss.version import __version__

FORMAT_VERSION = 4
READABLE_FORMATS = (2, FORMAT_VERSION)  # 2 has no known alerts, 3 had them under another name
KNOWN = "known_alerts"  # the group
SCHEMA_VERSIONS = (2, 3, schema.SCHEMA_VERSION)  # in which what a model reads of an alert means the same
PROVENANCE = {
    "command": str,
    "data": str,
    "data_hash": str,
    "started": str,
    "versions": dict,
    "device": str,
    "training_data": dict,
    "training": list,
}
TRAINING = ("seed", "steps", "planned_steps", "best_step", "validation_loss", "validation_accuracy", "seconds")


class ModelError(InputError):
    """A file of a trained model that is missing, damaged or does not fit; names it, what is there, what is expected."""


@dataclass(frozen=True)
class TrainedModel:
    """What a file holds.

    Attributes:
        config: the configuration.
        statistics: of the metadata of its training split.
        members: the variables of each training, float32; see `jtss.network.parts.Variables`.
        provenance: as in a run directory (of the first training), but paths are file names; `training_data` as
            `jtss.dataset.describe` gives it; and `training`, for each member a dict with the keys of `TRAINING`.
        results: scores on labelled objects, see `jtss.reports.export`.
        jtss_version: of the program that wrote the file.
        temperature: by which its logits are to be divided where calibrated probabilities are asked for; None: unknown.
        known_alerts: of a model of packets, what alerts that it knows look like to it; None: unknown.
    """

    config: Config
    statistics: Statistics
    members: tuple[Variables, ...]
    provenance: dict
    results: list[dict]
    jtss_version: str = __version__
    temperature: float | None = None
    known_alerts: KnownAlerts | None = None


def to_bytes(trained: TrainedModel) -> bytes:
    """The content of the file.

    Raises:
        ValueError: a number in the provenance or the results is not finite.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["jtss_version"] = trained.jtss_version
        file.attrs["schema_version"] = schema.SCHEMA_VERSION
        for name, values in (
            ("class_names", trained.config.classes),
            ("config", settings.to_dict(trained.config)),
            ("statistics", trained.statistics.to_dict()),
            ("provenance", trained.provenance),
            ("results", trained.results),
        ):
            file.attrs[name] = json.dumps(values, allow_nan=False, ensure_ascii=False)
        if trained.temperature is not None:
            file.attrs["temperature"] = json.dumps(trained.temperature, allow_nan=False)
        members = {name: np.asarray(leaf, np.float32) for name, leaf in _named(trained.members).items()}
        for name, values in (members | _named_known(trained.known_alerts)).items():
            file.create_dataset(name, data=values, track_times=False)
    return buffer.getvalue()


def read(path: Path) -> TrainedModel:
    """The model of a file, whatever its sum.

    Raises:
        ModelError: not such a file, of another format or schema version, or its arrays do not fit its configuration.
    """
    try:
        file = _open(path)
    except OSError as error:
        raise ModelError(f"{path}: {dataset.reason(error)}; expected a trained model") from None
    try:
        with file:
            return _checked(path, file)
    except ModelError:
        raise
    except Exception as error:  # HDF5 on damaged bytes: OSError, RuntimeError, KeyError, and more
        raise ModelError(f"{path}: damaged ({error})") from error


def _open(path: Path) -> h5py.File:
    """Without a lock, which some file systems do not have: a file of a model is never changed, but replaced whole."""
    return h5py.File(path, "r", locking=False)


def _checked(path: Path, file: h5py.File) -> TrainedModel:
    for name, readable in (("format_version", READABLE_FORMATS), ("schema_version", SCHEMA_VERSIONS)):
        there = file.attrs.get(name)
        if np.ndim(there) or there not in readable:
            raise ModelError(f"{path}: {name} {there}, this program reads {' or '.join(map(str, readable))}")
    config = _attribute(path, file, "config", settings.from_dict)
    statistics = _attribute(path, file, "statistics", partial(_statistics, config))
    _attribute(path, file, "class_names", partial(_check_classes, config))
    provenance = _attribute(path, file, "provenance", partial(check_provenance, config.classes))
    members, known_alerts = _arrays(path, file, config, len(provenance["training"]))
    return TrainedModel(
        config,
        statistics,
        members,
        provenance,
        _attribute(path, file, "results", _results),
        str(file.attrs.get("jtss_version")),
        _attribute(path, file, "temperature", _temperature) if "temperature" in file.attrs else None,
        known_alerts,
    )


def _attribute(path: Path, file: h5py.File, name: str, build: Callable):
    try:
        return build(json.loads(file.attrs[name]))
    except (ValueError, TypeError, KeyError, AttributeError, OSError, OverflowError, RecursionError) as error:
        raise ModelError(f"{path}: attribute {name}: {error}") from None


def _temperature(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{value}, expected a positive number")
    return float(value)


def check_provenance(classes: Sequence[str], values: dict) -> dict:
    """The provenance as it is.

    Raises:
        ValueError: a part is missing or is not what `TrainedModel` says; names it.
    """
    wrong = [name for name, kind in PROVENANCE.items() if not isinstance(values.get(name), kind)]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: missing, or of another type than expected")
    trainings = values["training"]
    if not trainings or not all(isinstance(each, dict) for each in trainings):
        raise ValueError("training: expected a list with a dict for each training")
    for training in trainings:
        absent = [name for name in TRAINING if not _is_number(training.get(name))]
        if absent:
            raise ValueError(f"training: {', '.join(absent)}: no number, expected one for each training")
    _check_learnt(classes, values["training_data"])
    return values


def _check_learnt(classes: Sequence[str], learnt: dict) -> None:
    objects = learnt.get("objects")
    if not all(isinstance(learnt.get(name), str) for name in ("survey", "command")) or not isinstance(objects, dict):
        raise ValueError("training_data: expected survey, command and objects")
    for split, counts in objects.items():
        if not isinstance(counts, dict) or not all(_is_number(counts.get(name)) for name in classes):
            raise ValueError(f"training_data: objects: {split}: expected a number for each of {', '.join(classes)}")


def _results(values: list) -> list[dict]:
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise ValueError("expected a list of dicts")
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _statistics(config: Config, values: dict) -> Statistics:
    statistics = Statistics.from_dict(values)
    statistics.check(config.metadata)
    return statistics


def _check_classes(config: Config, names: list[str]) -> None:
    if tuple(names) != config.classes:
        raise ValueError(f"{', '.join(names)}, its config has {', '.join(config.classes)}")


def _arrays(
    path: Path, file: h5py.File, config: Config, n_members: int
) -> tuple[tuple[Variables, ...], KnownAlerts | None]:
    """The members and, where there are such, the known alerts, once their arrays fit the configuration."""
    if str(n_members - 1) not in file:  # looked at first: what is expected of many that are not there takes memory
        raise ModelError(f"{path}: {n_members - 1}: no such group, expected the arrays of {n_members} trainings")
    expected = (jax.eval_shape(lambda: network.init(config, jax.random.key(0))),) * n_members
    n_units = len(expected[0]["params"]["head"]["logits"]["kernel"])
    has_known = KNOWN in file and config.packet.rows > 0
    like = known_alerts.like(n_members, len(config.classes), n_units) if has_known else None
    _check_arrays(path, file, _named(expected) | _named_known(like))
    arrays = jax.device_put([file[name][()] for name in _named(expected)])  # at once: nothing is compiled for it
    members = jax.tree.unflatten(jax.tree.structure(expected), arrays)
    return members, _known_alerts(path, file) if has_known else None


def _known_alerts(path: Path, file: h5py.File) -> KnownAlerts:
    found = KnownAlerts(*(file[KNOWN][name][()] for name in KnownAlerts._fields))
    try:
        known_alerts.check(found)
    except ValueError as error:
        raise ModelError(f"{path}: {KNOWN}/{error}") from None
    return found


def _check_arrays(path: Path, file: h5py.File, shapes: dict) -> None:
    """Make sure that the file has these arrays, by their place, and no others."""
    stored: dict[str, h5py.Dataset] = {}
    file.visititems(lambda name, item: stored.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    for name in sorted({*shapes, *stored}):
        ours, theirs = (f"{a[name].dtype} {a[name].shape}" if name in a else "no such array" for a in (shapes, stored))
        if ours != theirs:
            raise ModelError(f"{path}: {name}: {theirs}, expected {ours}")
        if stored[name].external or stored[name].is_virtual:  # the sum of this file would not vouch for it
            raise ModelError(f"{path}: {name}: its values are in another file, expected them in this one")


def _named(members: tuple) -> dict:
    """The arrays of all members, by their place in the file; in the order of the tree's leaves."""
    leaves = jax.tree_util.tree_leaves_with_path(members)
    return {jax.tree_util.keystr(keys, simple=True, separator="/"): leaf for keys, leaf in leaves}


def _named_known(alerts: KnownAlerts | None) -> dict:
    return {} if alerts is None else {f"{KNOWN}/{name}": array for name, array in alerts._asdict().items()}


FOLDER = Path(__file__).parent / "files"


def is_model(path: Path) -> bool:
    """Whether a file says that it is a model, whatever its content; a data set does not."""
    if path.suffix != ".h5" or not path.is_file():
        return False
    try:
        with _open(path) as opened:
            return "format_version" in opened.attrs
    except OSError:
        return False


def names(folder: Path) -> list[str]:
    """Names of the models, those that are there and those that the sums speak of."""
    return [path.stem for path in files(folder) if path.suffix == ".h5"]


def path_of(name: str, folder: Path) -> Path:
    """Where a model lies."""
    return folder / f"{name}.h5"


def load(name: str, folder: Path) -> TrainedModel:
    """A model, after its sum is checked.

    Raises:
        ModelError: no model of that name (lists the names), not the file that was distributed, or it does not fit.
    """
    if name not in names(folder):
        raise ModelError(f"no pretrained model is named {name}; {listing(folder)}")
    path = path_of(name, folder)
    fault = file_fault(path)
    if fault:
        raise ModelError(f"{path}: {fault}")
    return read(path)


def listing(folder: Path) -> str:
    """The names, in half a sentence."""
    return f"pretrained models: {', '.join(names(folder)) or 'none'}"


def files(folder: Path) -> list[Path]:
    """All files that are there or that the sums speak of, but for the sums themselves."""
    here = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return [folder / name for name in sorted({*here, *listed_sums(folder)} - {SUMS})]


def faults(folder: Path) -> list[str]:
    """A line for everything that is wrong with the folder: files that are missing, changed, unknown or do not fit."""
    lines = []
    for path in files(folder):
        fault = file_fault(path)
        if fault:
            lines.append(f"{path}: {fault}")
        elif path.suffix == ".h5":
            try:
                read(path)
            except ModelError as error:
                lines.append(str(error))
    return lines
