"""Data sets by their paths, and simulated ones."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from jtss import dataset, invocation
from jtss.api.calls import one_family
from jtss.schema import CLASS_NAMES, Sequences

DATA_SUFFIX = ".h5"


class Dataset:
    """A data set by its path. What is in it is read when it is asked for.

    Attributes:
        path: the HDF5 file.
        attrs: its attributes: survey, command, content_hash, …
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.attrs = dataset.attributes(self.path)
        self._n_objects = dataset.n_objects(self.path)

    def __len__(self) -> int:
        return self._n_objects

    def __repr__(self) -> str:
        return f"<Dataset {self.path}: {len(self)} objects, {self.attrs.get('survey')}>"

    def batches(self) -> Iterator[Sequences]:
        """The objects in their order, 256 at a time; see `jtss.schema.Sequences`."""
        return dataset.read(self.path)


def open_dataset(path: str | os.PathLike) -> Dataset:
    """A data set, as `jtss data build` and `jtss.simulate` make it; InputError where it is none."""
    return Dataset(path)


def simulate(
    n_objects: int,
    seed: int = 0,
    *,
    out: str | os.PathLike,
    classes: Sequence[str] = CLASS_NAMES[:3],
    sky: str = "paper",
    force: bool = False,
) -> Dataset | Path:
    """Simulate a survey: a data set where `out` ends in .h5, else a new folder of alert packets.

    Args:
        n_objects: in all; the classes share them equally.
        seed: another seed is another sky.
        out: FILE.h5, or a folder, which receives alerts/*.avro, labels.csv and allwise.csv.
        classes: of `jtss.schema.CLASS_NAMES`.
        sky: "paper", objects from their first alert ever; "any", from the time when a broker joins; "mixed", about half
            of each.
        force: replace a data set that exists; alert packets always need a new folder.

    Returns:
        The data set, or the path of the folder.

    Raises:
        InputError: an unknown class or sky, too few objects, or something is at `out`.
    """
    from data_prep import simulate as simulation
    from data_prep.simulate.archive import simulate_packets

    out, classes = Path(out), tuple(classes.split(",") if isinstance(classes, str) else classes)
    with one_family():
        if out.suffix == DATA_SUFFIX:
            words = ["--objects", n_objects, "--seed", seed, "--classes", ",".join(classes), "--sky", sky, "--out", out]
            command = invocation.spelled("data simulate", *words)
            simulation.simulate(out, n_objects, seed, classes, sky, progress=False, command=command, force=force)
            return Dataset(out)
        simulate_packets(out, n_objects, seed, classes, sky, progress=False)
        return out
