"""A data set of many files, and the same objects in one."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from data_prep import sharding
from helpers.made_files import write
from helpers.made_sequences import COLUMN, sequences, with_histories
from jtss import dataset
from jtss.schema import Sequences

LABELS = (0, 1, 2, 0, 1, 2, 1, 2, 4, 0, 1, 2)
SPLITS = (0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, -1)
COUNTS = (3, 4, 5, 4, 3, 3, 3, 3, 1, 3, 3, 3)
# centres of base pixels 7, 2, 4, 7, …: not in the order of names; the last has none
PLACES = ((270, 0), (225, 42), (0, 0), (271, 1), (2, 1), (225, 43), (90, -2), (91, 0), (0, 1), (0, 2), (45, 42), None)


def objects() -> Sequences:
    """With histories, at PLACES."""
    made = with_histories(sequences(COUNTS, label=LABELS, split=SPLITS))
    place = np.array([(np.nan, np.nan) if place is None else place for place in PLACES], np.float32)
    metadata = made.metadata.copy()
    metadata[:, [COLUMN["ra"], COLUMN["dec"]]] = np.repeat(place, made.n_rows, axis=0)
    return replace(made, metadata=metadata)


def divided(folder: Path, order: int = 0, made: Sequences | None = None) -> tuple[Path, Path]:
    """A data file of objects, and the folder that it is divided into."""
    made, one, many = objects() if made is None else made, folder / "one.h5", folder / "many"
    write(one, [made], made.split)
    many.mkdir()
    sharding.divide(one, many, order, known_as=many)
    return one, many


def copy(source: Path, path: Path) -> Path:
    """The same objects in the same order in one file."""
    batches = list(dataset.read(source))
    write(path, batches, np.concatenate([batch.split for batch in batches]))
    return path
