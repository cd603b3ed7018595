"""Saved training states: a folder per step, whole or absent, and never used unless every file is as it was written.

12/state            the arrays (Orbax)
12/made_with.json   configuration, statistics and data hash of the training
12/SHA256SUMS       of all files above, because Orbax restores flipped bits without complaint
20.damaged          a state that could not be used, set aside

A state is written under a hidden name and renamed when it is complete, so a kill leaves nothing that looks like one.
"""

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from jtss import devices, files
from jtss.config import settings
from jtss.errors import InputError

State = Any  # a tree of arrays with a leaf `step`, as `jtss.training.step.TrainState`
KEPT = 2  # the latest, and the one before it in case the latest is damaged
MADE_WITH = "made_with.json"
MARGIN = 2**20  # [byte] that a state may need beyond its arrays


class RunError(InputError):
    """A run directory that is missing, incomplete, damaged or full; the message names the file."""


class Saved(NamedTuple):
    """The latest usable state, None where none was ever saved; and a line for each later one that is damaged."""

    state: State | None
    warnings: list[str]


@dataclass(frozen=True)
class States:
    """The saved states of a run.

    Attributes:
        path: their folder; made by the first save.
        made_with: {file of the run directory: what it says}; a state made with anything else is refused.
    """

    path: Path
    made_with: dict[str, dict]

    def steps(self) -> list[int]:
        """The steps of the saved states, latest first; whether they are damaged is not looked at."""
        try:
            names = [path.name for path in self.path.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            names = []
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def save(self, state: State) -> None:
        """Save under the state's step; a state already saved is left as it is. All processes call it.

        Raises:
            RunError: it could not be saved, mostly because the disk is full; what was saved before is untouched.
        """
        step = int(state.step)
        folder, partial = self.path / str(step), self.path / f".{step}.partial"
        if _from_first_process(int(folder.exists())):
            return
        try:
            if devices.is_first_process():
                _make_room(partial, sum(leaf.nbytes for leaf in jax.tree.leaves(state)))
            with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as orbax:
                orbax.save((partial / "state").resolve(), args=ocp.args.StandardSave(_as_dict(state)))
            if devices.is_first_process():
                self._commit(partial, folder)
        except Exception as error:  # Orbax raises many kinds
            shutil.rmtree(partial, ignore_errors=True)
            raise RunError(f"{folder} cannot be saved: {reason(error)}; {self.last_good()}") from error
        if devices.is_first_process():
            self._prune()

    def _commit(self, partial: Path, folder: Path) -> None:
        (partial / MADE_WITH).write_text(json.dumps(self.made_with, indent=2) + "\n")
        files.write_sums(partial)
        partial.rename(folder)

    def _prune(self) -> None:
        latest = self.steps()[0]
        try:
            files.flush(self.path)  # before the new state is sure to be there, no old one goes
            for step in self.steps()[KEPT:]:
                _remove(self.path / str(step))
        except OSError as error:
            raise RunError(f"{self.path}: step {latest} is saved, but old states cannot go: {reason(error)}") from error

    def last_good(self) -> str:
        """What to say of the saved states where a run has to break off."""
        for step in self.steps():
            if files.folder_fault(self.path / str(step)) is None:
                return f"the last good state is step {step}"
        return "there is no good state before it"

    def restore(self, like: State, *, at: int | None = None) -> Saved:
        """The latest usable state; nothing is changed on the disk. All processes call it.

        Args:
            like: a state of the same shapes, whose shardings the result gets: arrays, or ShapeDtypeStructs.
            at: pass over states of later steps.

        Raises:
            RunError: every state is damaged (with `at` the result is None then), or the latest good one was made with
                something else or does not fit.
        """
        step, faults = self._examine(at) if devices.is_first_process() else (None, {})
        step = _from_first_process(step)
        state = None if step is None else self._load(self.path / str(step), like)
        return Saved(state, [f"{self.path / str(n)}: {faults[n]}; step {step} is used instead" for n in faults])

    def _examine(self, at: int | None) -> tuple[int | None, dict[int, str]]:
        """The latest good step, up to `at`, and what is wrong with each later one."""
        faults = {}
        for step in self.steps():
            if at is not None and step > at:
                continue
            fault = files.folder_fault(self.path / str(step))
            if fault is None:
                self._require_same_making(self.path / str(step))
                return step, faults
            faults[step] = fault
        if faults and at is None:
            named = "; ".join(f"{step}: {fault}" for step, fault in faults.items())
            raise RunError(f"{self.path}: no state can be used ({named})")
        return None, faults

    def _require_same_making(self, folder: Path) -> None:
        saved = json.loads((folder / MADE_WITH).read_text())
        differences = [
            difference
            for name, values in self.made_with.items()
            for difference in settings.differences(saved[name], values, ("checkpoint", name))
        ]
        if differences:
            raise RunError(f"{folder} was made with other settings: {'; '.join(differences)}")

    def clear_after(self, step: int) -> None:
        """Make way for a training that goes on from `step`; only for who holds the lock of the run directory.

        Later states are removed, since they are going to be made again; damaged ones are set aside. What a killed
        process left of a save is removed. All processes call it, the first works.
        """
        if not devices.is_first_process():
            return
        for leftover in self.path.glob(".*.partial"):
            shutil.rmtree(leftover)
        for later in (each for each in self.steps() if each > step):
            folder = self.path / str(later)
            if files.folder_fault(folder) is None:
                _remove(folder)
            else:
                aside = self.path / f"{later}.damaged"
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)

    def _load(self, folder: Path, like: State) -> State:
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        template = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding or here), like)
        try:
            with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as orbax:
                args = ocp.args.StandardRestore(_as_dict(template))
                saved = orbax.restore((folder / "state").resolve(), args=args)
        except Exception as error:  # Orbax raises many kinds; each means that this state cannot be used
            perhaps = "another version of jtss may have saved it"  # its sums are right
            raise RunError(f"{folder} cannot be restored ({perhaps}): {reason(error)}") from error
        return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(saved))


def _as_dict(state: State) -> dict:
    """The state as a dict of numbered leaves, so that the file does not depend on the optimizer's classes."""
    return {f"{i:04d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}


def _make_room(partial: Path, size: int) -> None:
    """An empty folder for a state; fails where the disk is full, since Orbax then prints pages of tracebacks."""
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if shutil.disk_usage(partial).free < size + MARGIN:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _remove(folder: Path) -> None:
    """Remove a state in such a way that half of it is never taken for one."""
    hidden = folder.with_name(f".{folder.name}.partial")
    folder.rename(hidden)
    shutil.rmtree(hidden)


def _from_first_process(value: int | None) -> int | None:
    """What the first process has learnt (0 or more, or None), in every process."""
    if jax.process_count() == 1:
        return value
    shared = int(multihost_utils.broadcast_one_to_all(np.int32(-1 if value is None else value)))
    return None if shared < 0 else shared


def reason(error: Exception) -> str:
    """Why something could not be read or written, in one line."""
    return files.full_disk(error) or " ".join(str(error).split())[:300]
