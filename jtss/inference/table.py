"""The table of predictions: one row per object and class, in the long form that ALeRCE's database uses."""

import csv
import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import files, views
from jtss.config.settings import Config
from jtss.inference.packets import Answers, Trajectories
from jtss.schema import KIND_NAMES, Sequences

TOO_FEW = "too_few_detections"


class Row(NamedTuple):
    """One class of one object; an object that could not be classified has one row, without class.

    Attributes:
        oid: ZTF objectId.
        candid: last detection that the classifier read; for an object not classified, the last it had (None: none).
        n_detections: usable detections, at most as many as the classifier reads.
        classifier_name, classifier_version: what made the row.
        class_name: name of the class, None where not classified.
        probability: probability of the class, None where not classified.
        ranking: 1 for the most probable class of the object, None where not classified.
        note: "" or what to know: a remark, or why the object was not classified.

    ALeRCE database, table `probability`.
    """

    oid: str
    candid: int | None
    n_detections: int
    classifier_name: str
    classifier_version: str
    class_name: str | None
    probability: float | None
    ranking: int | None
    note: str


class PacketRow(NamedTuple):
    """One class of one packet; one that could not be classified has one row, without class.

    Attributes:
        oid, candid: of the alert; candid None: none, or of alerts that cannot be read.
        n_detections: that its packet tells, the alert among them.
        note, and the others between: as `Row` has them.
        n_limits: upper limits that its packet tells.
        n_stamps: that were seen: its own, and those of alerts before that it tells, where these were given and the
            model reads several; without those whose crop has no pixel.
        missing: groups of what the model reads that are not there, as "counters, history"; None where not classified.
        subclass: the most probable subclass of the class, None where it has none or nothing is classified.
        subclass_probability: of that subclass; at most that of the class.
        outlier: share of held-out alerts that are less unusual, of the packet; None where not classified or not known.
    """

    oid: str
    candid: int | None
    n_detections: int
    classifier_name: str
    classifier_version: str
    class_name: str | None
    probability: float | None
    ranking: int | None
    note: str
    n_limits: int
    n_stamps: int
    missing: str | None
    subclass: str | None
    subclass_probability: float | None
    outlier: float | None


COLUMNS = {  # type by name, and whether it may be missing
    "oid": ("string", False),
    "candid": ("int64", True),
    "n_detections": ("int32", False),
    "classifier_name": ("string", False),
    "classifier_version": ("string", False),
    "class_name": ("string", True),
    "probability": ("float32", True),
    "ranking": ("int32", True),
    "note": ("string", False),
}
PACKET_COLUMNS = COLUMNS | {
    "n_limits": ("int32", False),
    "n_stamps": ("int32", False),
    "missing": ("string", True),
    "subclass": ("string", True),
    "subclass_probability": ("float32", True),
    "outlier": ("float32", True),
}
Columns = Mapping[str, tuple[str, bool]]


class Classifier(NamedTuple):
    """What the table needs to know of a classifier; `reads` says what it looks for in an object, None: not known."""

    name: str
    version: str
    classes: tuple[str, ...]
    n_detections: int
    reads: Config | None = None


def rankings(probabilities: np.ndarray) -> np.ndarray:
    """[B, L] int64: 1 for the most probable class; equal probabilities keep the order of the classes."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, order.shape[1] + 1)[None, :], axis=1)
    return ranks


def classified_rows(
    classifier: Classifier,
    sequences: Sequences,
    indices: np.ndarray,
    probabilities: np.ndarray,
    notes: Mapping[str, str],
    reasons: Mapping[int, str],
) -> Iterator[Row]:
    """Rows of the objects of one batch: L rows for each object classified, one for each that was not.

    Args:
        classifier: what made the probabilities.
        sequences: N objects.
        indices: [B] objects that were classified.
        probabilities: [B, L].
        notes: remark by object id, for those that have one.
        reasons: why not, by index of an object that was not classified although it has enough detections.
    """
    n, at = classifier.n_detections, {int(i): row for row, i in enumerate(indices)}
    ranks, sequences = rankings(probabilities), views.alerts(sequences)
    for i, (oid, available) in enumerate(zip(sequences.object_id, sequences.n_rows, strict=True)):
        oid, used = str(oid), min(int(available), n)
        candid = int(sequences.candid[sequences.object_start[i] + used - 1])
        start = (oid, candid, used, classifier.name, classifier.version)
        remark = notes.get(oid, "")
        if i not in at:
            reason = reasons.get(i, f"{TOO_FEW}: {used}, needs {n}")
            yield Row(*start, None, None, None, "; ".join(filter(None, (reason, remark))))
            continue
        chances = zip(classifier.classes, probabilities[at[i]], ranks[at[i]], strict=True)
        for name, probability, rank in chances:
            yield Row(*start, name, shortest(probability), int(rank), remark)


def packet_rows(classifier: Classifier, answers: Answers, notes: Mapping[tuple[str, int], str]) -> Iterator[PacketRow]:
    """L rows for each of K packets.

    Args:
        classifier: what made the probabilities.
        answers: to the packets.
        notes: remark by object id and candid, for packets that have one.
    """
    ranks = rankings(answers.probabilities)
    of_subclass = (answers.probabilities * answers.subclass_share).astype(np.float32)
    for i, (oid, candid) in enumerate(zip(map(str, answers.object_id), answers.candid.tolist(), strict=True)):
        start = (oid, candid, int(answers.n_detections[i]), classifier.name, classifier.version)
        end = (notes.get((oid, candid), ""), int(answers.n_limits[i]), int(answers.n_stamps[i]), answers.missing[i])
        of_classes = (answers.probabilities[i], ranks[i], answers.subclass[i], of_subclass[i])
        outlier = _number(answers.outlier[i])
        for name, probability, rank, subclass, chance in zip(classifier.classes, *of_classes, strict=True):
            among = (subclass, shortest(chance)) if subclass else (None, None)
            yield PacketRow(*start, name, shortest(probability), int(rank), *end, *among, outlier)


def shortest(value: np.float32) -> float:
    """The shortest decimal that is this float32: 0.7, not 0.699999988079071."""
    return float(str(value))


def _number(value: np.float32) -> float | None:
    """As a table has it, None for NaN."""
    return None if np.isnan(value) else shortest(value)


def unread_rows(classifier: Classifier, unread: Iterable[tuple[str, int | None, str]]) -> Iterator[PacketRow]:
    """One row for each packet, by object id and candid, that could not be read, with the reason."""
    for oid, candid, reason in unread:
        yield PacketRow(
            oid, candid, 0, classifier.name, classifier.version, None, None, None, reason, 0, 0, None, None, None, None
        )


def trajectory_columns(classes: Sequence[str]) -> Columns:
    """Columns of a table of answers after each row of packets."""
    start = {"oid": ("string", False), "candid": ("int64", False), "jd": ("float64", False), "kind": ("string", False)}
    chances = {f"P_{name}": ("float32", True) for name in classes}
    return start | {"fid": ("int32", True), "magnitude": ("float32", True)} | chances


def trajectory_rows(classes: Sequence[str], trajectories: Trajectories) -> Iterator[NamedTuple]:
    """A row for each row of packets: the alert whose packet tells it, when and what it is, and the probabilities."""
    row_of = namedtuple("TrajectoryRow", trajectory_columns(classes))
    for oid, candid, jd, kind, fid, magnitude, chances in zip(*trajectories, strict=True):
        numbers = map(_number, (magnitude, *chances))
        yield row_of(str(oid), int(candid), float(jd), KIND_NAMES[kind], int(fid) or None, *numbers)


def rejected_rows(classifier: Classifier, reasons: Mapping[str, str]) -> Iterator[Row]:
    """One row for each object (id → reason) of which no detection could be used."""
    for oid, reason in reasons.items():
        yield Row(oid, None, 0, classifier.name, classifier.version, None, None, None, reason)


Write = Callable[[Iterable[NamedTuple]], None]


@contextmanager
def _csv_writer(path: Path, columns: Columns) -> Iterator[Write]:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield lambda rows: writer.writerows(rows)


@contextmanager
def _jsonl_writer(path: Path, columns: Columns) -> Iterator[Write]:
    with open(path, "w", encoding="utf-8") as file:
        yield lambda rows: file.writelines(json.dumps(row._asdict()) + "\n" for row in rows)


@contextmanager
def _parquet_writer(path: Path, columns: Columns) -> Iterator[Write]:
    import pyarrow as pa  # here, because it takes long to load, and other formats do without
    import pyarrow.parquet as pq

    types = pa.schema([pa.field(name, getattr(pa, kind)(), nullable) for name, (kind, nullable) in columns.items()])
    with pq.ParquetWriter(path, types) as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist([row._asdict() for row in rows], types))


WRITERS = {".csv": _csv_writer, ".parquet": _parquet_writer, ".jsonl": _jsonl_writer}


def check_name(path: Path) -> None:
    """Raise ValueError where the extension names no format of ours."""
    if Path(path).suffix not in WRITERS:
        raise ValueError(f"{path}: unknown extension {Path(path).suffix!r}, expected one of {', '.join(WRITERS)}")


@contextmanager
def open_table(path: Path, columns: Columns = COLUMNS) -> Iterator[Write]:
    """Open a table for writing, batch by batch; yields a function that takes rows.

    A table is whole or not there; see `jtss.files.replaced`.

    Args:
        path: name ending in .csv, .parquet or .jsonl.
        columns: type of each by name, and whether it may be missing; the rows are named tuples of these.

    Raises:
        ValueError: unknown extension.
        OSError: the folder cannot be written, or the disk is full; names the file.
    """
    path, stopped = Path(path), None
    check_name(path)

    def write(rows: Iterable[Row]) -> None:
        with files.naming(path):
            write_rows(rows)

    try:
        with (
            files.replaced(path) as unfinished,
            files.naming(path),
            WRITERS[path.suffix](unfinished, columns) as write_rows,
        ):
            try:
                yield write
            except BaseException as error:
                stopped = error
                raise
    except OSError:
        if stopped is not None:  # it is the reason why the file, which may be on a full disk, could not be closed
            raise stopped from stopped.__cause__
        raise
