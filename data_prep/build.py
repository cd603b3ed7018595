"""Build a data set: alert packets in, one HDF5 file and its ledger out.

The arrays of the file depend on the alerts, labels, catalogue and seed, not on the order in which alerts come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from data_prep import crossmatch, labels
from data_prep.ingest import Ingested, ingest, write_rejects
from data_prep.ledger import Ledger
from jtss.dataset import Writer
from jtss.errors import InputError
from jtss.schema import METADATA_NAMES

RA_DEC = [METADATA_NAMES.index(name) for name in ("ra", "dec")]


@dataclass(frozen=True)
class Built:
    """What a build came to."""

    ledger: Ledger
    n_objects: int
    content_hash: str


def build(
    alerts: Sequence[str | Path],
    out: str | Path,
    *,
    command: str,
    labels_path: str | Path | None = None,
    allwise_path: str | Path | None = None,
    rejects_path: str | Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    force: bool = False,
) -> Built:
    """Turn alert packets into the HDF5 file of sequences.

    Temporary data lie in the folder of `out` (24 KB an alert, beside the file itself) and are gone afterwards.

    Args:
        alerts: directories, Avro files, tar archives.
        out, command: the file to write, and what made it, stored in the file.
        labels_path, allwise_path: CSV of objectId, label; catalogue of AllWISE sources; None = all missing.
        rejects_path: where to name each dropped alert, one JSON object a line.
        seed, workers: of the split; number of processes, None = one per core.
        force: replace `out` and `rejects_path` where they exist.

    Raises:
        InputError: labels, catalogue, alerts or names of files to write cannot be used, or not a single alert is kept.
        FileExistsError, FileNotFoundError, OSError: of the files; the message names them.
    """
    out, rejects = Path(out), Path(rejects_path) if rejects_path else None
    _check_targets(out, rejects, force)
    known = labels.load(labels_path) if labels_path else None
    allwise = crossmatch.load(allwise_path) if allwise_path else None
    with (
        Writer(out, survey="ZTF", command=command, force=force) as writer,
        TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as workdir,
        ingest(alerts, workdir=workdir, workers=workers) as ingested,
    ):
        if rejects:
            write_rejects(rejects, ingested)
        return _write(writer, ingested, known, allwise, seed)


def _write(
    writer: Writer, ingested: Ingested, known: dict[str, str] | None, allwise: crossmatch.AllWise | None, seed: int
) -> Built:
    if not ingested.n_objects:
        raise InputError(f"{writer.path} is not written, for no alert was kept:\n{ingested.ledger}")
    label, position = [], []
    for batch in ingested.batches(allwise=allwise, labels=known):
        writer.append(batch)
        label.append(batch.label)
        position.append(batch.metadata[batch.object_start[:-1]][:, RA_DEC])
    label, names = np.concatenate(label), ingested.object_ids
    source = crossmatch.groups(*np.concatenate(position).astype(np.float64).T)
    if known is not None:
        _take_notes(ingested.ledger, names, known, label)
    content_hash = writer.finish(
        split=labels.assign(np.asarray(names, object), label, seed, source=source), ledger=ingested.ledger.as_dict()
    )
    return Built(ingested.ledger, len(names), content_hash)


def _take_notes(ledger: Ledger, names: list[str], known: dict[str, str], label: np.ndarray) -> None:
    for name, count in (labels.notes(names, known) | labels.split_notes(label)).items():
        ledger.notes[name] = count


def _check_targets(out: Path, rejects: Path | None, force: bool) -> None:
    """Find out before hours of reading whether the files can be written."""
    for path in filter(None, (out, rejects)):
        if path.is_dir():
            raise InputError(f"{path} is a folder, expected the name of a file to write")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist")
        if path.exists() and not force:
            raise FileExistsError(f"{path} exists; choose another name or add --force to replace it")
    if rejects and rejects.resolve() == out.resolve():
        raise InputError(f"{rejects} would hold both the data set and the rejects; choose two names")
