"""Whether a data set has what an experiment reads: looked at before hours go into trainings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jtss import dataset, schema
from jtss.config.settings import Config
from jtss.dataset import DataError
from jtss.inference.screening import BOGUS, N_SCREENED
from jtss.invocation import spelled
from jtss.paper.grids import Setup


def check(path: Path, setups: Sequence[Setup], *, screens: bool = False) -> None:
    """Look for the classes, the numbers of detections and the colours that all configurations read.

    Args:
        path: data file.
        setups: what will be trained.
        screens: whether bogus with two detections is needed that no training sees.

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
        label, split = file["label"][:], file["split"][:]
        n = dataset.alert_counts(file)[(label == schema.CLASS_NAMES.index(BOGUS)) & unseen(label, split)]
    if not (n >= N_SCREENED).any():
        raise DataError(
            f"{path}: {BOGUS} cannot be screened here: of {len(n)} objects of class {BOGUS} that are in the test split"
            f" or in none, none has {N_SCREENED} detections, and each is judged by its first two; expected a data set"
            f" of first alerts, as {spelled('data', 'simulate', '--classes', ','.join(schema.CLASS_NAMES))} makes them"
        )


def unseen(label: np.ndarray, split: np.ndarray) -> np.ndarray:
    """[N] bool: labelled objects of the test split, or of none, as bogus that is kept for screening."""
    return (label >= 0) & np.isin(split, (schema.SPLIT_NAMES.index("test"), schema.NO_SPLIT))
