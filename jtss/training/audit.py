"""Whether the statistics of a run were fitted on the training split, and on nothing else.

They are part of the model, so that limits and means taken from all objects are a (small) look at the test set. The
check fits them again, which only the classifier can do, for it alone knows what a run reads and how: hence it is here,
not in `data_prep`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jtss import dataset
from jtss.config.settings import Config
from jtss.network import inputs, packets
from jtss.network.inputs import FITTED, Examples, Statistics
from jtss.runs import ensemble
from jtss.runs.directory import STATISTICS, RunDirectory, open_run
from jtss.runs.states import RunError
from jtss.schema import SPLIT_NAMES, TIME_GAP
from jtss.training import mixture, warm_start
from jtss.training.mixture import Origin

TOLERANCE = 1e-9  # in standard deviations: sums may be taken in another order, one object in a million shows
MOST_NAMED = 3
SUSPECTS = (("train",), ("train", "validation"), SPLIT_NAMES, ("validation",), ("test",))


class Verdict(NamedTuple):
    """What is true of a run: whether it leaks, and a line that says so."""

    leak: bool
    text: str


def check(path: Path, data_path: Path | None = None) -> list[Verdict]:
    """Check a run directory, or every seed of an ensemble.

    Args:
        path: the run.
        data_path: the data set it was trained on, where that has moved.

    Raises:
        RunError, RepeatsError: no run, or a damaged one.
        DataError: no data set, a damaged one, or not the one that the run was trained on.
    """
    directories = ensemble.seed_directories(path).values() if ensemble.is_ensemble(path) else [path]
    return [_check_run(open_run(directory), data_path) for directory in directories]


def _check_run(run: RunDirectory, data_path: Path | None) -> Verdict:
    began = run.provenance.get("began_with", {})
    if began.get("statistics") == warm_start.KEPT:
        return Verdict(False, f"{run.path / STATISTICS}: those of {began['model']}, with which the run began")
    mixed = mixture.recorded(run.provenance)
    if data_path is not None:
        if len(mixed.paths) > 1:
            raise RunError(f"{run.path}: trained on {len(mixed.paths)} files, expected them where they were then")
        mixed = mixture.single(data_path)
    hashes = [one["data_hash"] for one in run.provenance.get("mixture", [run.provenance])]
    for path, content_hash in zip(mixed.paths, hashes, strict=True):
        dataset.require_content(path, content_hash, str(run.path))
    parts = [labelled(path, run.config) for path in mixed.paths]
    examples = jax.tree.map(lambda *columns: np.concatenate(columns), *parts)
    origin = None
    if len(parts) > 1:
        file = np.repeat(np.arange(len(parts)), [len(part.label) for part in parts])
        origin = Origin(file, mixed.weights)
    return judge(run.path / STATISTICS, run.statistics, examples, run.config, origin)


def labelled(path: Path, config: Config) -> Examples:
    """What `config` reads of every labelled object of a data set, without images.

    Raises:
        DataError: as `data.read`.
    """
    # A model reads stamps or the values of each detection, so where it reads none of these, one stands in.
    dynamic = config.metadata.dynamic or (TIME_GAP.name,)
    metadata = replace(config.metadata, dynamic=dynamic)
    blind = replace(config, stamp=replace(config.stamp, channels=()), metadata=metadata)
    batches = (packets.to_train(sequences, blind) for sequences in dataset.read(path))
    parts = [batch.take(np.flatnonzero(batch.label >= 0)) for batch in batches]
    whole = jax.tree.map(lambda *columns: np.concatenate(columns), *parts)
    return whole._replace(dynamic=whole.dynamic[..., : len(config.metadata.dynamic)])


def judge(name: Path, stored: Statistics, examples: Examples, config: Config, origin: Origin | None = None) -> Verdict:
    """Compare stored statistics with those of the training objects and, where they differ, with those of other splits.

    Args:
        name: of the file, for the text.
        stored: what the run has.
        examples: labelled objects of all splits.
        config: what the run reads.
        origin: of which file of a mixture the objects are; None: there is one.

    Raises:
        RunError: the statistics are of other values than `config` reads.
    """
    try:
        stored.check(config.metadata)
    except ValueError as error:
        raise RunError(f"{name}: {error}") from None
    n_values = len(config.metadata.dynamic) + len(config.metadata.static)
    n_train = int(np.sum(examples.split == SPLIT_NAMES.index("train")))
    differences = list(_differences(stored, _fit(examples, ("train",), config, origin)))
    if not differences:
        return Verdict(False, f"{name}: {n_values} values as {n_train} training objects have them")
    twins = [
        splits for splits in SUSPECTS[1:] if not list(_differences(stored, _fit(examples, splits, config, origin)))
    ]
    source = f"those of {' and '.join(twins[0])}" if twins else "of no union of splits"
    named = "; ".join(differences[:MOST_NAMED]) + ("; …" if len(differences) > MOST_NAMED else "")
    return Verdict(True, f"{name}: not of the {n_train} training objects but {source}: {named}")


def _fit(examples: Examples, splits: tuple[str, ...], config: Config, origin: Origin | None) -> Statistics:
    rows = np.flatnonzero(np.isin(examples.split, [SPLIT_NAMES.index(name) for name in splits]))
    chosen = examples.take(rows)
    weights = None if origin is None else mixture.object_weights(origin._replace(file=origin.file[rows]))
    return inputs.fit(chosen.dynamic, chosen.static, config.metadata, weights)


def _differences(given: Statistics, expected: Statistics) -> Iterator[str]:
    """A text for each limit, mean or deviation that differs."""
    for group in ("dynamic", "static"):
        one, other = getattr(given, group), getattr(expected, group)
        for i, name in enumerate(one.names):
            for key in FITTED:
                value, wanted = getattr(one, key)[i], getattr(other, key)[i]
                if not abs(value - wanted) <= TOLERANCE * max(other.std[i], abs(wanted)):
                    yield f"{group}.{name}.{key} {value:.9g}, expected {wanted:.9g}"
