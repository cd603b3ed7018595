"""Whether a data file has what an experiment reads; asked before anything is trained."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np

from jtss import data, schema
from jtss.configs import Config
from jtss.data import DataError
from jtss.experiments.paper.cells import Setup
from jtss.screening import BOGUS, N_SCREENED


def check(path: Path, setups: Sequence[Setup], *, screened: bool = False) -> None:
    """Look for the classes, the numbers of detections and the colours that all configurations read.

    Args:
        path: data file.
        setups: what will be trained.
        screened: whether bogus with two detections is needed in the test split.

    Raises:
        DataError: something is missing; names the file, what was found and what was expected.
    """
    for config in _distinct(setup.config for setup in setups):
        for split in schema.SPLIT_NAMES:
            found = data.count(path, config, split)
            if not all(found.values()):
                raise DataError(_too_few(path, config, split, found))
    colours = [setup for setup in setups if set(setup.config.metadata.static) & set(schema.COLOUR_NAMES)]
    if colours and not _has_allwise(path):
        raise DataError(
            f"{path}: no object has AllWISE magnitudes, expected some: {colours[0].label} reads"
            f" {', '.join(schema.COLOUR_NAMES)}; build the data set with --allwise"
        )
    if screened:
        _check_bogus(path)


def _distinct(configs: Iterable[Config]) -> Iterable[Config]:
    """One configuration for each number of detections and set of classes."""
    return {(config.n_detections, config.classes): config for config in configs}.values()


def _too_few(path: Path, config: Config, split: str, found: dict[str, int]) -> str:
    counted = ", ".join(f"{name} {n}" for name, n in found.items())
    with h5py.File(path, "r") as file:
        longest = int(np.diff(file["object_start"][:]).max())
    return (
        f"{path}: {split} objects with {config.n_detections} or more detections: {counted}; expected some of each class"
        f" (the longest sequence has {longest})"
    )


def _has_allwise(path: Path) -> bool:
    with h5py.File(path, "r") as file:
        return bool(np.isfinite(file["allwise"][:]).any())


def _check_bogus(path: Path) -> None:
    bogus = schema.CLASS_NAMES.index(BOGUS)
    with h5py.File(path, "r") as file:
        there = (file["label"][:] == bogus) & (file["split"][:] == schema.SPLIT_NAMES.index("test"))
        n = np.diff(file["object_start"][:])[there]
    if not (n >= N_SCREENED).any():
        raise DataError(
            f"{path}: {len(n)} test objects of class {BOGUS}, none with {N_SCREENED} detections; expected some"
            f" (simulated {BOGUS} has a single detection: this needs real alerts)"
        )
