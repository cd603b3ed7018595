"""Simulated data sets: chunks of objects on all cores, into one HDF5 file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from tqdm import tqdm

from data_prep import history
from data_prep.infrared.crossmatch import AllWise, match
from data_prep.labels import assign, split_notes
from data_prep.ledger import Ledger
from data_prep.packets.history import TOLD
from data_prep.packets.metadata import HISTORY_FIELDS, catalogue, unit_vectors
from data_prep.packets.stamps import scale
from data_prep.sequences import KEPT, VERDICTS, select
from data_prep.simulate.history import told
from data_prep.simulate.objects import SKIES
from data_prep.simulate.survey import Observed, observe, take_stamps
from data_prep.workers import Workers, available_cores, ordered_map
from jtss.dataset import Writer
from jtss.errors import InputError
from jtss.schema import ALERT, CLASS_NAMES, DETECTION, LIMIT, NO_CANDID, NO_SPLIT, Sequences, stamp_rows

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
    first = kept[np.searchsorted(owner[kept], np.arange(chunk.n_objects))]
    rows, start = _rows(chunk, observed, candid, full, np.where(verdict == KEPT, ALERT, DETECTION))
    sequences = Sequences(
        stamps=scale(take_stamps(observed, kept)).astype(np.float16),
        stamp_row=stamp_rows(rows["kind"]),
        **{name: np.ascontiguousarray(rows[name]) for name in ("kind", "metadata", "jd", "candid", "fid")},
        object_id=object_ids(chunk),
        object_start=start,
        allwise=match(infrared_catalogue(observed), observed.columns["ra"][first], observed.columns["dec"][first]),
        label=np.full(chunk.n_objects, chunk.label, np.int8),
        subclass=observed.subclass,
        split=np.full(chunk.n_objects, NO_SPLIT, np.int8),
    )
    dropped = {VERDICTS[v]: int((verdict == v).sum()) for v in np.unique(verdict[verdict != KEPT])}
    edges = {"stamp_shape": int((observed.alerts.edge & observed.alerts.issued).sum())}
    return sequences, {reason: n for reason, n in (edges | dropped).items() if n}


def _rows(
    chunk: Chunk, observed: Observed, candid: np.ndarray, read: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The rows (TOLD) of a chunk's objects, and where those of each begin.

    Args:
        read: detections whose packets are read with full stamps. kind: [len(read)] of their rows.
    """
    past = [told(observed, row) for row in read]
    detections, limits = (np.unique(np.concatenate([np.zeros(0, np.int64), *part])) for part in zip(*past, strict=True))
    detections = np.setdiff1d(detections, read)
    of_history = {name: observed.columns[name] for name in HISTORY_FIELDS}
    parts = (
        _table(observed.columns, read, kind, candid),
        _table(of_history, detections, DETECTION, candid),
        _table({name: observed.limits[name] for name in ("jd", "fid", "diffmaglim")}, limits, LIMIT),
    )
    owners = (observed.alerts.owner[read], observed.alerts.owner[detections], observed.limits["owner"][limits])
    owner, rows = np.concatenate(owners), np.concatenate(parts)
    rank = np.where(np.arange(len(rows)) < len(read), history.OWN, 0)
    chosen, _ = history.once(owner, rank, rows)
    return rows[chosen], np.searchsorted(owner[chosen], np.arange(chunk.n_objects + 1))


def _table(columns: dict[str, np.ndarray], at: np.ndarray, kind, candid: np.ndarray | None = None) -> np.ndarray:
    """TOLD: rows `at` of ZTF's fields."""
    rows = np.zeros(len(at), TOLD)
    rows["metadata"] = catalogue({name: column[at] for name, column in columns.items()})
    rows["jd"], rows["fid"], rows["kind"] = columns["jd"][at], columns["fid"][at], kind
    rows["candid"] = NO_CANDID if candid is None else candid[at]
    return rows


def infrared_catalogue(observed: Observed) -> AllWise:
    """The chunk's AllWISE sources, ready for matching."""
    listed = np.isfinite(observed.infrared[:, 0])
    positions = unit_vectors(observed.infrared_ra[listed], observed.infrared_dec[listed])
    return AllWise(cKDTree(positions.reshape(-1, 3)), observed.infrared[listed])


def progress_bar(n_objects: int, show: bool) -> tqdm:
    return tqdm(total=n_objects, unit="object", desc="simulate", disable=not show)


def generate(n_objects: int, seed: int, classes: Sequence[str], sky: str, workers: Workers | None) -> Iterator:
    """What `simulate_chunk` gives for each chunk, in order, whatever the number of workers."""
    return ordered_map(simulate_chunk, chunks(n_objects, seed, classes, sky), workers or available_cores())


def _finish(
    writer: Writer, ledger: Ledger, names: np.ndarray, labels: np.ndarray, n_alerts: np.ndarray, seed: int
) -> str:
    """Draw the split and publish the file."""
    split = assign(names, labels, n_alerts, seed)
    for note, count in split_notes(labels, n_alerts, split).items():
        ledger.note(note, count)
    return writer.finish(split=split, ledger=ledger.as_dict())


def simulate(
    path: str | Path,
    n_objects: int,
    seed: int,
    classes: Sequence[str] = SEQUENCE_CLASSES,
    sky: str = SKIES[0],
    workers: Workers | None = None,
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
        sky: "paper", objects from their first alert ever; "any", from the time when a broker joins; "mixed", about half
            of each.
        workers: processes, or where else; None = one per core.
        force: replace an existing file.
        progress: show a bar on stderr.
        command: what to write down as the origin of the file.

    Returns:
        The content hash.

    Raises:
        InputError: see `chunks`; FileExistsError: `path` exists and `force` is not set.
    """
    ledger, names, labels, n_alerts = Ledger(), [], [], []
    with Writer(path, survey=SURVEY, command=command, force=force) as writer, progress_bar(n_objects, progress) as bar:
        for sequences, dropped in generate(n_objects, seed, classes, sky, workers):
            writer.append(sequences)
            ledger.keep(len(sequences.stamps))
            for name, count in history.counts(sequences.kind).items():
                ledger.note(name, count)
            for reason, count in dropped.items():
                ledger.drop(reason, count)
            names.append(sequences.object_id)
            labels.append(sequences.label)
            n_alerts.append(sequences.n_alerts)
            bar.update(sequences.n_objects)
            bar.set_postfix_str(f"{ledger.kept / (bar.format_dict['elapsed'] or 1):.0f} detections/s", refresh=False)
        columns = (np.concatenate(parts) for parts in (names, labels, n_alerts))
        return _finish(writer, ledger, *columns, seed)
