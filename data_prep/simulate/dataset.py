"""Simulated data sets: chunks of objects on all cores, into one HDF5 file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from tqdm import tqdm

from data_prep.crossmatch import AllWise, match
from data_prep.labels import assign, split_notes
from data_prep.ledger import Ledger
from data_prep.packets.metadata import catalogue, unit_vectors
from data_prep.packets.stamps import scale
from data_prep.sequences import KEPT, VERDICTS, select
from data_prep.simulate.objects import SKIES
from data_prep.simulate.survey import Observed, observe, take_stamps
from data_prep.workers import available_cores, ordered_map
from jtss.dataset import Writer
from jtss.errors import InputError
from jtss.schema import CLASS_NAMES, NO_SPLIT, Sequences

SURVEY = "ZTF (simulated)"
SEQUENCE_CLASSES = ("AGN", "SN", "VS")
OBJECTS_PER_CHUNK = 64
CANDIDS_PER_OBJECT = 1000


class Chunk(NamedTuple):
    """Objects of one class that are drawn together: the unit of work, and of randomness."""

    seed: np.random.SeedSequence
    label: int
    n_objects: int
    first_object: int
    sky_name: str


def chunks(n_objects: int, seed: int, classes: Sequence[str], sky_name: str) -> list[Chunk]:
    """Divide the objects: equal numbers of each class, chunks of the classes in turn.

    Raises:
        InputError: an unknown or repeated class, an unknown sky, or too few objects; says what was expected.
    """
    unknown = [name for name in classes if name not in CLASS_NAMES]
    if unknown or not classes or len(set(classes)) < len(classes):
        raise InputError(
            f"classes {', '.join(classes) or '(none)'}: expected different ones of {', '.join(CLASS_NAMES)}"
        )
    if sky_name not in SKIES:
        raise InputError(f"sky {sky_name}: expected one of {', '.join(SKIES)}")
    if n_objects < len(classes):
        raise InputError(f"{n_objects} objects for {len(classes)} classes: expected at least one of each")
    left = {
        CLASS_NAMES.index(name): share for name, share in zip(classes, _shares(n_objects, len(classes)), strict=True)
    }
    sizes = []
    while any(left.values()):
        for label in left:
            size = min(left[label], OBJECTS_PER_CHUNK)
            left[label] -= size
            sizes += [(label, size)] if size else []
    seeds = np.random.SeedSequence(seed).spawn(len(sizes))
    first = np.cumsum([0] + [size for _, size in sizes])
    return [
        Chunk(s, label, size, int(f), sky_name) for s, (label, size), f in zip(seeds, sizes, first[:-1], strict=True)
    ]


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (i < total % parts) for i in range(parts)]


def object_ids(chunk: Chunk) -> np.ndarray:
    """Names that no real object has; their order is the order of generation."""
    return np.array([f"SIM{chunk.first_object + i:08d}" for i in range(chunk.n_objects)], object)


def candids(chunk: Chunk, observed: Observed) -> np.ndarray:
    """[A] int64: unique over the whole data set, in time order within an object."""
    owner = observed.alerts.owner
    number = np.arange(len(owner)) - np.searchsorted(owner, owner)
    return (chunk.first_object + owner + 1) * CANDIDS_PER_OBJECT + number


def simulate_chunk(chunk: Chunk) -> tuple[Sequences, dict[str, int]]:
    """The sequences of a chunk, and how many alerts were dropped by reason; depends on the chunk alone.

    Alerts are observed, chosen, cross-matched and scaled by the functions that also serve real packets.
    """
    observed = observe(chunk.seed, chunk.label, chunk.n_objects, chunk.sky_name)
    owner, candid = observed.alerts.owner, candids(chunk, observed)
    full = np.flatnonzero(observed.alerts.issued & ~observed.alerts.edge)
    _, verdict = select(owner[full], observed.columns["jd"][full], candid[full], candid[full])
    kept = full[verdict == KEPT]
    start = np.searchsorted(owner[kept], np.arange(chunk.n_objects + 1))
    first = kept[start[:-1]]
    sequences = Sequences(
        stamps=scale(take_stamps(observed, kept)).astype(np.float16),
        metadata=catalogue({name: column[kept] for name, column in observed.columns.items()}),
        jd=observed.columns["jd"][kept],
        candid=candid[kept],
        fid=observed.columns["fid"][kept].astype(np.int8),
        object_id=object_ids(chunk),
        object_start=start.astype(np.int64),
        allwise=match(infrared_catalogue(observed), observed.columns["ra"][first], observed.columns["dec"][first]),
        label=np.full(chunk.n_objects, chunk.label, np.int8),
        split=np.full(chunk.n_objects, NO_SPLIT, np.int8),
    )
    dropped = {VERDICTS[v]: int((verdict == v).sum()) for v in np.unique(verdict[verdict != KEPT])}
    edges = {"stamp_shape": int((observed.alerts.edge & observed.alerts.issued).sum())}
    return sequences, {reason: n for reason, n in (edges | dropped).items() if n}


def infrared_catalogue(observed: Observed) -> AllWise:
    """The chunk's AllWISE sources, ready for matching."""
    listed = np.isfinite(observed.infrared[:, 0])
    positions = unit_vectors(observed.infrared_ra[listed], observed.infrared_dec[listed])
    return AllWise(cKDTree(positions.reshape(-1, 3)), observed.infrared[listed])


def progress_bar(n_objects: int, show: bool) -> tqdm:
    return tqdm(total=n_objects, unit="object", desc="simulate", disable=not show)


def generate(n_objects: int, seed: int, classes: Sequence[str], sky: str, workers: int | None) -> Iterator:
    """What `simulate_chunk` gives for each chunk, in order, whatever the number of workers."""
    return ordered_map(simulate_chunk, chunks(n_objects, seed, classes, sky), workers or available_cores())


def _finish(writer: Writer, ledger: Ledger, names: np.ndarray, labels: np.ndarray, seed: int) -> str:
    """Draw the split and publish the file."""
    for note, count in split_notes(labels).items():
        ledger.note(note, count)
    return writer.finish(split=assign(names, labels, seed), ledger=ledger.as_dict())


def simulate(
    path: str | Path,
    n_objects: int,
    seed: int,
    classes: Sequence[str] = SEQUENCE_CLASSES,
    sky: str = SKIES[0],
    workers: int | None = None,
    force: bool = False,
    progress: bool = True,
    command: str = "data_prep.simulate.simulate",
) -> str:
    """Simulate a data set into an HDF5 file, the same for any number of workers.

    Args:
        path: the file; its folder must exist.
        n_objects: in all; the classes share them equally.
        seed: of the whole data set, its split included.
        classes: names of `CLASS_NAMES`; asteroids and most bogus objects have a single alert.
        sky: "paper", objects from their first alert ever; "any", from the time when a broker joins; "mixed", half each.
        workers: processes; None = one per core.
        force: replace an existing file.
        progress: show a bar on stderr.
        command: what to write down as the origin of the file.

    Returns:
        The content hash.

    Raises:
        InputError: see `chunks`; FileExistsError: `path` exists and `force` is not set.
    """
    ledger, names, labels = Ledger(), [], []
    with Writer(path, survey=SURVEY, command=command, force=force) as writer, progress_bar(n_objects, progress) as bar:
        for sequences, dropped in generate(n_objects, seed, classes, sky, workers):
            writer.append(sequences)
            ledger.keep(len(sequences.jd))
            for reason, count in dropped.items():
                ledger.drop(reason, count)
            names.append(sequences.object_id)
            labels.append(sequences.label)
            bar.update(sequences.n_objects)
            bar.set_postfix_str(f"{ledger.kept / (bar.format_dict['elapsed'] or 1):.0f} detections/s", refresh=False)
        return _finish(writer, ledger, np.concatenate(names), np.concatenate(labels), seed)
