"""From a data file to what training needs of it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jtss import data, features, sources, training
from jtss.configs import Config
from jtss.features import Statistics


class Prepared(NamedTuple):
    """What training needs of a data file."""

    path: Path
    source: sources.Source
    chunks: training.ValidationChunks
    statistics: Statistics
    n_train: int
    n_validation: int


def prepare(
    path: Path, config: Config, *, stream: bool, say: Callable[[str], None], statistics: Statistics | None = None
) -> Prepared:
    """Load a data file; the training set stays in it where it does not fit in memory.

    Args:
        path: the data file.
        config: what will be trained.
        stream: leave the training set in the file even where it fits.
        say: is told where it does.
        statistics: of the metadata, where they were fitted before.

    Raises:
        data.DataError: as `data.load`.
    """
    stream = stream or not sources.fits(sum(data.count(path, config, "train").values()), config)
    splits = data.load(path, config, train_stamps=not stream)
    train, validation = splits["train"], splits["validation"]
    statistics = statistics or features.fit(train.dynamic, train.static, config.metadata)
    if stream:
        say("the training set stays in its file; batches are read as they are needed")
        source = sources.Streamed(path, train, statistics, config)
    else:
        source = sources.Resident(train, statistics, len(config.classes))
    chunks = training.validation_chunks(validation, statistics, config.training.batch_size)
    return Prepared(path, source, chunks, statistics, len(train.label), len(validation.label))
