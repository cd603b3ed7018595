"""Whether a data set has what an experiment reads: looked at before hours go into trainings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jtss import dataset, schema
from jtss.config.settings import Config
from jtss.dataset import DataError
from jtss.inference.screening import BOGUS, N_SCREENED
from jtss.paper.grids import Setup


def check(path: Path, setups: Sequence[Setup], *, screens: bool = False) -> None:
    """Look for the classes, the numbers of detections and the colours that all configurations read.

    Args:
        path: data file.
        setups: what will be trained.
        screens: whether bogus with two detections is needed in the test split.

    Raises:
        DataError: something is missing; names the file, what was there and what was expected.
    """
    read = {(setup.config.n_detections, setup.config.classes): setup.config for setup in setups}
    for config in read.values():
        for split in schema.SPLIT_NAMES:
            counts = dataset.count(path, config, split)
            if not all(counts.values()):
                raise DataError(_too_few(path, config, split, counts))
    colours = [setup for setup in setups if set(setup.config.metadata.static) & set(schema.COLOUR_NAMES)]
    if colours and not _has_allwise(path):
        raise DataError(
            f"{path}: no object has AllWISE magnitudes, expected some: {colours[0].label} reads"
            f" {', '.join(schema.COLOUR_NAMES)}; build the data set with --allwise"
        )
    if screens:
        _check_bogus(path)


def _too_few(path: Path, config: Config, split: str, counts: dict[str, int]) -> str:
    counted = ", ".join(f"{name} {n}" for name, n in counts.items())
    with dataset.open_checked(path) as file:
        longest = int(dataset.alert_counts(file).max())
    return (
        f"{path}: {split} objects with {config.n_detections} or more detections: {counted}; expected some of each class"
        f" (the longest sequence has {longest})"
    )


def _has_allwise(path: Path) -> bool:
    with dataset.open_checked(path) as file:
        return bool(np.isfinite(file["allwise"][:]).any())


def _check_bogus(path: Path) -> None:
    with dataset.open_checked(path) as file:
        of_test = file["split"][:] == schema.SPLIT_NAMES.index("test")
        n = dataset.alert_counts(file)[of_test & (file["label"][:] == schema.CLASS_NAMES.index(BOGUS))]
    if not (n >= N_SCREENED).any():
        raise DataError(
            f"{path}: {BOGUS} cannot be screened here: none of the {len(n)} test objects of class {BOGUS} has"
            f" {N_SCREENED} detections, and each is judged by its first two. 1.3 % of simulated {BOGUS} are detected"
            f" again: this needs another seed, or a data set of real alerts with {BOGUS} among its labels"
        )
