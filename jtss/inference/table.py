"""The table of predictions: one row per object and class, in the long form that ALeRCE's database uses."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import files, views
from jtss.config.settings import Config
from jtss.schema import Sequences

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
            # The shortest decimal that is this float32: 0.7, not 0.699999988079071.
            yield Row(*start, name, float(str(probability)), int(rank), remark)


def rejected_rows(classifier: Classifier, reasons: Mapping[str, str]) -> Iterator[Row]:
    """One row for each object (id → reason) of which no detection could be used."""
    for oid, reason in reasons.items():
        yield Row(oid, None, 0, classifier.name, classifier.version, None, None, None, reason)


Write = Callable[[Iterable[Row]], None]


@contextmanager
def _csv_writer(path: Path) -> Iterator[Write]:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        yield lambda rows: writer.writerows(rows)


@contextmanager
def _jsonl_writer(path: Path) -> Iterator[Write]:
    with open(path, "w", encoding="utf-8") as file:
        yield lambda rows: file.writelines(json.dumps(row._asdict()) + "\n" for row in rows)


@contextmanager
def _parquet_writer(path: Path) -> Iterator[Write]:
    import pyarrow as pa  # here, because it takes long to load, and other formats do without
    import pyarrow.parquet as pq

    types = pa.schema([pa.field(name, getattr(pa, kind)(), nullable) for name, (kind, nullable) in COLUMNS.items()])
    with pq.ParquetWriter(path, types) as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist([row._asdict() for row in rows], types))


WRITERS = {".csv": _csv_writer, ".parquet": _parquet_writer, ".jsonl": _jsonl_writer}


def check_name(path: Path) -> None:
    """Raise ValueError where the extension names no format of ours."""
    if Path(path).suffix not in WRITERS:
        raise ValueError(f"{path}: unknown extension {Path(path).suffix!r}, expected one of {', '.join(WRITERS)}")


@contextmanager
def open_table(path: Path) -> Iterator[Write]:
    """Open a table for writing, batch by batch; yields a function that takes rows.

    A table is whole or not there; see `jtss.files.replaced`.

    Args:
        path: name ending in .csv, .parquet or .jsonl.

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
        with files.replaced(path) as unfinished, files.naming(path), WRITERS[path.suffix](unfinished) as write_rows:
            try:
                yield write
            except BaseException as error:
                stopped = error
                raise
    except OSError:
        if stopped is not None:  # it is the reason why the file, which may be on a full disk, could not be closed
            raise stopped from stopped.__cause__
        raise
