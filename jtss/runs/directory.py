"""The run directory: what a training run leaves behind, and how it is read back.

config.json       the configuration
statistics.json   limits, mean and deviation of every metadata value, from the training split
provenance.json   command, versions, device, data file, its content hash, and what it holds to learn from
metrics.jsonl     one line per validation
checkpoints/      training states, each with the best model so far inside; see `jtss.runs.states`
lock              held by the process that trains

Of several processes that train together, the first writes. Reading writes and locks nothing.
"""

import json
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from jtss import devices, files
from jtss.config import settings
from jtss.config.settings import Config
from jtss.invocation import option, spelled
from jtss.network.inputs import Statistics
from jtss.runs import ensemble
from jtss.runs.states import RunError, States, reason

CONFIG, STATISTICS, METRICS, LOCK = "config.json", "statistics.json", "metrics.jsonl", "lock"
PROVENANCE_FILE, CHECKPOINTS = "provenance.json", "checkpoints"
PROVENANCE = ("command", "data", "data_hash", "started", "versions", "device")
_DOCUMENTS = (METRICS, STATISTICS, PROVENANCE_FILE)  # what comes before the configuration


@dataclass(frozen=True)
class RunDirectory:
    """Paths and contents of one run."""

    path: Path
    config: Config
    statistics: Statistics
    provenance: dict

    def metrics(self) -> list[dict]:
        """One dict per validation: step, train_loss, validation_loss, validation_accuracy, seconds.

        What was not finite is None. After a resume `seconds` begin anew; where it was between two validations, the
        first `train_loss` is the mean over fewer steps.

        Raises:
            RunError: the file is missing or damaged; names the line. A last line cut short, as a killed run leaves it,
                is not damage: its step will be taken again.
        """
        path, records = self.path / METRICS, []
        try:
            lines = path.read_text().split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{path}: cannot be read ({error})") from None
        for number, line in enumerate(lines[:-1], start=1):
            try:
                records.append(json.loads(line))
            except ValueError as error:
                raise RunError(f"{path}, line {number}: damaged ({error})") from None
        return records

    def append_metrics(self, values: dict) -> None:
        """Add a line.

        Raises:
            RunError: it cannot be written, mostly because the disk is full.
        """
        if not devices.is_first_process():
            return
        try:
            with open(self.path / METRICS, "a") as file:
                file.write(_line(values))
        except OSError as error:
            last_good = self.states().last_good()
            raise RunError(f"{self.path / METRICS} cannot be written: {reason(error)}; {last_good}") from error

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines of steps that a resumed run will take again."""
        if devices.is_first_process():
            kept = [_line(values) for values in self.metrics() if values["step"] <= step]
            files.write(self.path / METRICS, "".join(kept))

    def states(self) -> States:
        """The saved training states."""
        return States(
            self.path / CHECKPOINTS, _made_with(self.config, self.statistics, identity_of_data(self.provenance))
        )

    def write(self) -> None:
        """Make the files of a new run; only for who holds its lock.

        Raises:
            FileExistsError: see `require_new`.
            OSError: a file cannot be written.
        """
        require_new(self.path, self.config, self.provenance)
        files.write(self.path / METRICS, "")
        _write_json(self.path / STATISTICS, self.statistics.to_dict())
        _write_json(self.path / PROVENANCE_FILE, self.provenance)
        _write_json(self.path / CONFIG, settings.to_dict(self.config))  # the last: it makes the folder a run directory

    def locked(self) -> AbstractContextManager[None]:
        """Keep others from training in this directory.

        Raises:
            files.LockedError: another process trains in it; names the process.
        """
        return files.hold_lock(self.path / LOCK) if devices.is_first_process() else nullcontext()


def identity_of_data(provenance: dict) -> str:
    """What the content of the training data is known by: of several files the hashes with their weights."""
    files = provenance.get("mixture")
    if files is None:
        return provenance["data_hash"]
    return " + ".join(f"{one['weight']:.6g} {one['data_hash']}" for one in files)


def beginning(provenance: dict) -> dict[str, str]:
    """What a run learns from and begins with, as differences name it."""
    began = provenance.get("began_with")
    weights = "random ones" if began is None else f"{', '.join(began['parts'])} of {began['model']}"
    known_by = "" if began is None else f" ({began['content_hash']})"
    return {"data hash": identity_of_data(provenance), "weights to begin with": weights + known_by}


def require_new(path: Path, config: Config, provenance: dict) -> None:
    """Make sure that a new run can be made at `path`: nothing is there, an empty folder, or what a killed start left.

    A start may be killed while the run directory is made, or before the first state is saved. Of several processes the
    first looks, since the others may come when it has begun to write.

    Raises:
        FileExistsError: something else is there; says how a run there differs from the one asked for.
    """
    if not devices.is_first_process() or not path.exists():
        return
    if path.is_dir() and all(map(_belongs_to_a_start, path.iterdir())):
        return
    elsewhere = f"choose another name with {option('out')}"
    if ensemble.is_ensemble(path):
        raise FileExistsError(f"{path} exists and holds an ensemble; {elsewhere}")
    if not (path / CONFIG).is_file():
        raise FileExistsError(f"{path} exists and is not a run directory; {elsewhere}")
    there = open_run(path)
    present = settings.to_dict(there.config) | beginning(there.provenance)
    asked = settings.to_dict(config) | beginning(provenance)
    differences = settings.differences(asked, present, ("asked for", "there"))
    if differences:
        raise FileExistsError(f"{path} exists and is another run ({'; '.join(differences)}); {elsewhere}")
    if there.states().steps():
        going_on = spelled("train", "--resume", path)
        raise FileExistsError(f"{path} exists and is this run; go on with it by: {going_on}; or {elsewhere}")


def _belongs_to_a_start(entry: Path) -> bool:
    """Whether a start that was killed may have left it: its own files, but not yet the configuration."""
    unfinished = any(files.is_partial(entry, name) for name in (*_DOCUMENTS, CONFIG))
    return entry.name in {LOCK, *_DOCUMENTS} or unfinished


def create(path: Path, config: Config, statistics: Statistics, provenance: dict) -> RunDirectory:
    """Make a new run directory; `provenance` must have the keys of `PROVENANCE`.

    Raises:
        FileExistsError: see `require_new`.
        files.LockedError: another process is making it.
        OSError: a file cannot be written.
    """
    directory = RunDirectory(path, config, statistics, provenance)
    if devices.is_first_process():
        path.mkdir(parents=True, exist_ok=True)
        with directory.locked():
            directory.write()
    return directory


def saved_steps(path: Path) -> list[int]:
    """The steps of the states saved in a run directory, latest first; none where nothing is, whatever is at `path`."""
    return States(path / CHECKPOINTS, {}).steps()


def _line(values: dict) -> str:
    """A line of metrics; JSON has no NaN and no infinity."""
    known = {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
    return json.dumps(dict.fromkeys(values) | known) + "\n"


def _made_with(config: Config, statistics: Statistics, data_hash: str) -> dict[str, dict]:
    """What a state was trained with, by the file that says so."""
    return {
        CONFIG: settings.to_dict(config),
        STATISTICS: statistics.to_dict(),
        PROVENANCE_FILE: {"data_hash": data_hash},
    }


def open_run(path: str | Path) -> RunDirectory:
    """Open an existing run directory.

    Raises:
        RunError: not a run directory, or one of its files is missing or damaged; names the file.
    """
    path = Path(path)
    if not path.is_dir():
        raise RunError(f"{path}: no such run directory")
    config = _parse(path / CONFIG, settings.from_dict)
    statistics = _parse(path / STATISTICS, Statistics.from_dict)
    provenance = _parse(path / PROVENANCE_FILE, dict)
    missing = [name for name in PROVENANCE if name not in provenance]
    if missing:
        raise RunError(f"{path / PROVENANCE_FILE}: {', '.join(missing)} missing")
    return RunDirectory(path, config, statistics, provenance)


def _parse(path: Path, build):
    try:
        return build(json.loads(path.read_text()))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {path.parent} is not a run directory") from None
    except (ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: damaged ({error})") from None


def _write_json(path: Path, values: dict) -> None:
    files.write(path, json.dumps(values, indent=2) + "\n")
