"""A mixture: several data files, and in which proportions a training draws its batches from them.

The first file is the one that the model is for: what a run is evaluated on where no other is named.
"""

from collections.abc import Sequence
from itertools import combinations
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.inference.model import simulated_sky
from jtss.invocation import option

HASHES = ("content_hash", "merged_content_hash")  # of a data set of many files, which may also be there as one


class Mixture(NamedTuple):
    """Data files with their weights, which add up to 1."""

    paths: tuple[Path, ...]
    weights: tuple[float, ...]


class Origin(NamedTuple):
    """Of which file of a mixture each of B objects is, and the weights of the files."""

    file: np.ndarray
    weights: tuple[float, ...]


def single(path: Path) -> Mixture:
    return Mixture((path,), (1.0,))


def as_mixture(data: Path | Mixture) -> Mixture:
    return data if isinstance(data, Mixture) else single(data)


def of(paths: Sequence[Path], weights: Sequence[float] | None = None) -> Mixture:
    """A mixture of files.

    Args:
        paths: one or more.
        weights: one for each, in any proportion; None: of a single file.

    Raises:
        InputError: not as many positive weights as files.
    """
    if weights is None and len(paths) == 1:
        return single(paths[0])
    given = option("weights", None if weights is None else ",".join(f"{weight:g}" for weight in weights))
    if weights is None or len(weights) != len(paths):
        raise InputError(
            f"{given}: {len(weights or ())} weights of {len(paths)} data files"
            f" ({', '.join(map(str, paths))}), expected one for each, as 1,1"
        )
    if not all(isfinite(weight) and weight > 0 for weight in weights):
        raise InputError(f"{given}: expected positive numbers; leave out a file that nothing is to be drawn from")
    return Mixture(tuple(paths), tuple(weight / sum(weights) for weight in weights))


def check(mixture: Mixture) -> None:
    """Make sure that no object is for training in one file and held out in another, and that no file comes twice.

    Raises:
        DataError: a file is none, or of another schema.
        InputError: there are such objects; or two simulations of one sky, whose splits differ.
    """
    about = {path: dataset.attributes(path) for path in mixture.paths}
    hashes = [{about[path].get(name, about[path]["content_hash"]) for name in HASHES} for path in mixture.paths]
    for i, j in combinations(range(len(hashes)), 2):
        one, other = mixture.paths[i], mixture.paths[j]
        if hashes[i] & hashes[j]:
            raise InputError(f"{other}: the same content as {one}, expected every file once")
        skies = [simulated_sky(str(about[path]["command"])) for path in (one, other)]
        if all(skies):
            if skies[0]["--seed"] == skies[1]["--seed"]:
                raise InputError(
                    f"{other}: simulated with the seed {skies[1]['--seed']}, as {one}: they share objects; expected"
                    f" skies of different seeds"
                )
        elif not any(skies):
            _check_splits(one, other)


def _check_splits(one: Path, other: Path) -> None:
    for train, held_out in ((one, other), (other, one)):
        both = dataset.object_ids(train, ("train",)) & dataset.object_ids(held_out, ("validation", "test"))
        if both:
            raise InputError(
                f"{held_out}: {len(both)} objects that it keeps for validation and test, such as {min(both)}, are for"
                f" training in {train}; expected the same split of an object in every file"
            )


def object_weights(origin: Origin) -> np.ndarray:
    """[B] float64, 1 on average: so that objects of each file weigh together what the file does.

    What a file without objects would weigh is shared by the others.
    """
    counts = np.bincount(origin.file, minlength=len(origin.weights))
    weights = np.where(counts > 0, origin.weights, 0)
    return (weights / (weights.sum() or 1) * len(origin.file) / np.maximum(counts, 1))[origin.file]


def class_weights(count: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """[F, L]: how often an object of each class is drawn from each file; of a class, from those that have it.

    Args:
        count: [F, L] objects of each class in each file; each class is in one or more.
        weights: [F].
    """
    there = np.where(count > 0, np.asarray(weights)[:, None], 0)
    return there / there.sum(axis=0)


def describe(mixture: Mixture, config: Config) -> dict:
    """What provenance.json says of the data: of the first file, and of all where there are several.

    Raises:
        DataError: a file cannot be read, or does not say where it is from.
    """
    files = [
        {
            "data": str(path.resolve()),
            "data_hash": str(dataset.attributes(path)["content_hash"]),
            "training_data": dataset.describe(path, config),
            "weight": weight,
        }
        for path, weight in zip(mixture.paths, mixture.weights, strict=True)
    ]
    first = {name: files[0][name] for name in ("data", "data_hash", "training_data")}
    return first | ({"mixture": files} if len(files) > 1 else {})


def recorded(provenance: dict) -> Mixture:
    """The mixture that provenance.json tells of, where its files were then."""
    files = provenance.get("mixture", [{"data": provenance["data"], "weight": 1.0}])
    return Mixture(tuple(Path(one["data"]) for one in files), tuple(one["weight"] for one in files))


def n_objects(mixture: Mixture) -> np.ndarray:
    """[F] objects of each file, of any split."""
    return np.array([dataset.n_objects(path) for path in mixture.paths])


def origin(index: np.ndarray, mixture: Mixture, n_objects: np.ndarray) -> Origin:
    """The file of each object by its number [B] among those of all files, in their order."""
    return Origin(np.searchsorted(np.cumsum(n_objects), index, side="right"), mixture.weights)


def absent(label: np.ndarray, config: Config) -> list[str]:
    """The classes that none of the labels [B] is of."""
    counts = np.bincount(label, minlength=len(config.classes))
    return [name for name, count in zip(config.classes, counts, strict=True) if not count]
