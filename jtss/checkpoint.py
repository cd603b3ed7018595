"""The run directory: what a training run leaves behind, and how it is read back.

config.json       the configuration
statistics.json   limits, mean and deviation of every metadata value, from the training split
provenance.json   command, versions, device, data file and its content hash
metrics.jsonl     one line per validation
checkpoints/      training states, each with the best model so far inside (Orbax)
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from jtss import overrides
from jtss.configs import Config
from jtss.features import Statistics
from jtss.training import TrainState, init_state

METRICS = "metrics.jsonl"
PROVENANCE = ("command", "data", "data_hash", "started", "versions", "device")
STATES_KEPT = 2  # the latest, and the one before it in case the latest is damaged


class RunError(ValueError):
    """A run directory that is missing, incomplete or damaged; the message names the file."""


@dataclass(frozen=True)
class RunDirectory:
    """Paths and contents of one run."""

    path: Path
    config: Config
    statistics: Statistics
    provenance: dict

    def metrics(self) -> list[dict]:
        """One dict per validation: step, train_loss, validation_loss, validation_accuracy, seconds.

        After a resume, `seconds` begin anew and the first `train_loss` is the mean over fewer steps.

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
        with open(self.path / METRICS, "a") as file:
            file.write(json.dumps(values) + "\n")

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines of steps that a resumed run will take again."""
        kept = [json.dumps(values) + "\n" for values in self.metrics() if values["step"] <= step]
        _write_whole(self.path / METRICS, "".join(kept))

    def states(self, *, create: bool = True) -> "States":
        return States(self.path / "checkpoints", create=create)


class States:
    """The saved training states of a run; use as a context manager."""

    def __init__(self, path: Path, *, create: bool):
        if not create and not path.is_dir():
            raise RunError(f"{path} is missing: nothing was saved")
        options = ocp.CheckpointManagerOptions(max_to_keep=STATES_KEPT, enable_async_checkpointing=False, create=create)
        self._manager = ocp.CheckpointManager(path.resolve(), options=options)

    def __enter__(self) -> "States":
        return self

    def __exit__(self, *_) -> None:
        self._manager.close()

    def save(self, state: TrainState) -> None:
        """Save under the state's step; a state already saved is left as it is."""
        step = int(state.step)
        if self._manager.latest_step() != step:
            self._manager.save(step, args=ocp.args.StandardSave(_as_dict(state)))

    def latest(self, config: Config) -> TrainState:
        """The latest state.

        Raises:
            RunError: none is saved, or it does not fit `config` or cannot be read.
        """
        step = self._manager.latest_step()
        if step is None:
            raise RunError(f"{self._manager.directory}: no checkpoint in it")
        like = init_state(config)
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, _as_dict(like))
        try:
            saved = self._manager.restore(step, args=ocp.args.StandardRestore(template))
        except Exception as error:  # Orbax raises many kinds; each means that this checkpoint cannot be used
            reason = " ".join(str(error).split())[:300]
            others = [other for other in self._manager.all_steps() if other != step]
            advice = f"; remove that folder to go on from step {max(others)}" if others else ""
            raise RunError(f"{self._manager.directory}/{step}: cannot be restored ({reason}){advice}") from error
        return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(saved))


def _as_dict(state: TrainState) -> dict:
    """The state as nested dicts with numbered leaves, so that the file does not depend on the optimizer's classes."""
    return {f"{i:04d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}


def require_new(path: Path) -> None:
    """Raise FileExistsError where `path` exists and is not an empty folder."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} exists; choose another name with --out, or go on with it by --resume {path}")


def create(path: Path, config: Config, statistics: Statistics, provenance: dict) -> RunDirectory:
    """Make a new run directory; `provenance` must have the keys of `PROVENANCE`.

    Raises:
        FileExistsError: see `require_new`.
    """
    require_new(path)
    path.mkdir(parents=True, exist_ok=True)
    _write_whole(path / METRICS, "")
    for name, values in _documents(config, statistics, provenance):
        _write_whole(path / name, json.dumps(values, indent=2) + "\n")
    return RunDirectory(path, config, statistics, provenance)


def _documents(config: Config, statistics: Statistics, provenance: dict) -> Iterator[tuple[str, dict]]:
    yield "config.json", overrides.to_dict(config)
    yield "statistics.json", statistics.to_dict()
    yield "provenance.json", provenance


def open_run(path: str | Path) -> RunDirectory:
    """Open an existing run directory.

    Raises:
        RunError: not a run directory, or one of its files is missing or damaged; names the file.
    """
    path = Path(path)
    if not path.is_dir():
        raise RunError(f"{path}: no such run directory")
    config = _parse(path / "config.json", overrides.from_dict)
    statistics = _parse(path / "statistics.json", Statistics.from_dict)
    provenance = _parse(path / "provenance.json", dict)
    missing = [name for name in PROVENANCE if name not in provenance]
    if missing:
        raise RunError(f"{path / 'provenance.json'}: {', '.join(missing)} missing")
    return RunDirectory(path, config, statistics, provenance)


def _parse(path: Path, build):
    try:
        return build(json.loads(path.read_text()))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {path.parent} is not a run directory") from None
    except (ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: damaged ({error})") from None


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is either the old or the new one, never half of it."""
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
