"""Build a data set: alert packets in, one HDF5 file and its ledger out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from data_prep import crossmatch, labels, split
from data_prep.errors import InputError
from data_prep.hdf5 import Writer
from data_prep.ingest import Ingested, ingest
from data_prep.ledger import Ledger


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
    progress: bool = True,
) -> Built:
    """Turn alert packets into the HDF5 file of sequences.

    The arrays of the file depend on the alerts, labels, catalogue and seed, not on the order in which alerts come.
    Temporary data lie in the folder of `out` (24 KB an alert, beside the file itself) and are gone afterwards.

    Args:
        alerts: directories, Avro files, tar archives.
        out: the file to write.
        command: what made it, stored in the file.
        labels_path: CSV of objectId, label; without it no object has a label.
        allwise_path: catalogue of AllWISE sources; without it no object has W1 to W4.
        rejects_path: where to name each dropped alert, one JSON object a line.
        seed: of the split.
        workers: processes; None = one per core.
        force: replace `out` and `rejects_path` where they exist.

    Raises:
        InputError: labels, catalogue or alerts cannot be used, or not a single alert is kept.
        FileExistsError, FileNotFoundError, OSError: of the files; the message names them.
    """
    known = labels.load(labels_path) if labels_path else None
    allwise = crossmatch.load(allwise_path) if allwise_path else None
    _refuse_to_overwrite(rejects_path, force)
    out = Path(out)
    with (
        Writer(out, survey="ZTF", command=command, force=force) as writer,
        TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as workdir,
        ingest(alerts, workdir=workdir, workers=workers, progress=progress) as ingested,
    ):
        if rejects_path:
            write_rejects(Path(rejects_path), ingested)
        if not ingested.n_objects:
            raise InputError(f"{out} is not written, for no alert was kept:\n{ingested.ledger}")
        label = []
        for batch in ingested.batches(allwise=allwise, labels=known):
            writer.append(batch)
            label.append(batch.label)
        label, names = np.concatenate(label), ingested.object_ids
        if known is not None:
            _take_notes(ingested.ledger, names, known, label)
        content_hash = writer.finish(split=split.assign(names, label, seed), ledger=ingested.ledger)
        return Built(ingested.ledger, len(names), content_hash)


def _take_notes(ledger: Ledger, names: list[str], known: dict[str, str], label: np.ndarray) -> None:
    for name, count in (labels.notes(names, known) | split.notes(label)).items():
        ledger.notes[name] = count


def write_rejects(path: Path, ingested: Ingested) -> None:
    with path.open("w", encoding="utf-8") as file:
        for rejection in ingested.rejections():
            line = {
                "file": rejection.source,
                "objectId": rejection.object_id or None,
                "candid": rejection.candid or None,
                "reason": rejection.reason,
                "detail": rejection.detail,
                "n_alerts": rejection.n_alerts,
            }
            file.write(json.dumps(line) + "\n")


def _refuse_to_overwrite(path: str | Path | None, force: bool) -> None:
    if path and Path(path).exists() and not force:
        raise FileExistsError(f"{path} exists; choose another name or add --force to replace it")
