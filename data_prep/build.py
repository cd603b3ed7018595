"""Build a data set: alert packets in, one HDF5 file or many by sky, and the ledger out.

The arrays of the file depend on the alerts, labels, catalogue and seed, not on the order in which alerts come.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from data_prep import labels, remote, same_source, sharding
from data_prep.infrared import crossmatch
from data_prep.ingest import ALLWISE_NOTES, Ingested, ingest, write_rejects
from data_prep.ledger import Ledger
from data_prep.workers import ONE_WORKER, Workers
from jtss import files
from jtss.dataset import Writer
from jtss.errors import InputError
from jtss.schema import CLASS_NAMES, MATCH_RADIUS_ARCSEC

N_EXAMPLES = 3  # that a warning names


@dataclass(frozen=True)
class Built:
    """What a build came to.

    Attributes:
        ledger, n_objects, content_hash: of the data set.
        remarks, warnings: for the user, a line each: what became of the catalogue and of the labels, and which
            splits were made.
    """

    ledger: Ledger
    n_objects: int
    content_hash: str
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def build(
    alerts: Sequence[str | Path],
    out: str | Path,
    *,
    command: str,
    labels_path: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    allwise_path: str | Path | None = None,
    allwise_radius_arcsec: float = MATCH_RADIUS_ARCSEC,
    rejects_path: str | Path | None = None,
    seed: int = 0,
    workers: Workers | None = None,
    shards: int | None = None,
    force: bool = False,
) -> Built:
    """Turn alert packets into the HDF5 file of sequences, or into a folder of such files by sky.

    Temporary data lie in the folder of `out` (24 KB an alert and 0.1 KB a row of its history, beside the file itself)
    and are gone afterwards.

    Args:
        alerts: directories, Avro files, tar archives, also as URLs.
        out, command: the file or folder to write, and what made it, stored in it.
        labels_path, columns: table of objectId, label and maybe subclass, and what it calls them, see `labels.load`;
            None = no labels.
        allwise_path, allwise_radius_arcsec: catalogue of AllWISE sources, see `crossmatch.load`; None = all missing.
        rejects_path: where to name each dropped alert, one JSON object a line.
        seed, workers: of the split; number of processes, or where else, None = one per core.
        shards: a file for each HEALPix pixel of this order, see `sharding.divide`; None = one file.
        force: replace `out` and `rejects_path` where they exist.

    Raises:
        InputError: labels, catalogue, alerts or names of files to write cannot be used, or not a single alert is kept.
        FileExistsError, FileNotFoundError, OSError: of the files; the message names them.
    """
    out, rejects = Path(out), Path(rejects_path) if rejects_path else None
    read = [*map(remote.path_of, (*alerts, labels_path)), crossmatch.path_of(allwise_path)]
    files.check_outputs({"out": out if shards is None else None, "rejects": rejects}, read, force=force)
    if shards is not None:
        sharding.check(out, shards, [*read, rejects], force=force)
    known, subclasses = _labels(labels_path, columns) if labels_path else (None, {})
    allwise = crossmatch.load(allwise_path, allwise_radius_arcsec) if allwise_path else None
    besides = (out, *out.glob("**/*.h5"), rejects, labels_path, allwise_path)
    with sharding.staged(out, force=force) if shards is not None else nullcontext((out, None)) as (path, folder):
        with (
            Writer(path, survey="ZTF", command=command, force=force, known_as=out) as writer,
            TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as workdir,
            ingest(alerts, workdir=workdir, workers=workers, passed_over=besides, remedy=ONE_WORKER) as ingested,
        ):
            if rejects:
                write_rejects(rejects, ingested)
            built = write(writer, ingested, known, subclasses, allwise, seed)
        if folder is None:
            return built
        divided = sharding.divide(path, folder, shards, known_as=out)
    remark = f"{divided.n_files} files by sky; the hash of the same objects in one file is {built.content_hash}"
    return replace(built, content_hash=divided.content_hash, remarks=(*built.remarks, remark))


def _labels(place: str | Path, columns: Mapping[str, str] | None) -> tuple[dict[str, str], dict[str, str]]:
    with remote.here(place) as path:
        return labels.load(path, columns), labels.load_subclasses(path, columns)


def write(
    writer: Writer,
    ingested: Ingested,
    known: dict[str, str] | None,
    subclasses: dict[str, str],
    allwise: crossmatch.AllWise | crossmatch.OnDemand | None,
    seed: int,
    drawn: dict[str, str] | None = None,
) -> Built:
    """Write the sequences of alerts that were read, and finish the file.

    Args:
        writer: of the file.
        ingested: the alerts.
        known, subclasses: label and subclass by objectId; None = no labels.
        allwise: None = all missing.
        seed: of the split.
        drawn: the split of objects where somebody has drawn it already, by name; None = drawn here.

    Raises:
        InputError: not a single alert was kept.
        OSError: the disk is full; names the file.
    """
    if not ingested.n_objects:
        raise InputError(f"{writer.known_as} is not written, for no alert was kept:\n{ingested.ledger}")
    names = ingested.object_ids
    source = same_source.groups(*ingested.positions.T)
    warnings, usable = _judge_labels(ingested, known, source) if known is not None else ([], {})
    label, n_alerts, remarks = [], [], []
    for batch in ingested.batches(allwise=allwise, labels=usable, subclasses=subclasses):
        writer.append(batch)
        label.append(batch.label)
        n_alerts.append(batch.n_alerts)
        del batch  # its 30 MB of stamps, before there are others
    label, n_alerts = np.concatenate(label), np.concatenate(n_alerts)
    if drawn is not None:
        split, of_splits = labels.as_drawn(names, label, drawn, source)
        made, doubts = labels.splits_drawn(label, split)
    else:
        split = labels.assign(np.asarray(names, object), label, n_alerts, seed, source=source)
        of_splits = labels.split_notes(label, n_alerts, split)
        made, doubts = labels.splits_made(label, n_alerts, split)
    if known is not None:
        notes = labels.notes(names, known) | of_splits
        ingested.ledger.notes.update(notes | labels.subclass_notes(names, known, subclasses))
        remarks.append(made)
        warnings.extend(doubts)
    content_hash = writer.finish(split=split, ledger=ingested.ledger.as_dict())
    if allwise is not None:
        n_matched, n_without, n_ambiguous = (ingested.ledger.notes[name] for name in ALLWISE_NOTES)
        (remarks if n_matched else warnings).append(
            crossmatch.report(allwise, n_matched, n_without, len(names), n_ambiguous)
        )
    return Built(ingested.ledger, len(names), content_hash, tuple(remarks), tuple(warnings))


def _judge_labels(ingested: Ingested, known: dict[str, str], source: np.ndarray) -> tuple[list[str], dict[str, str]]:
    """Warnings of labels that cannot be used, noted in the ledger as well, and the labels without those in conflict."""
    read = set(ingested.object_ids)
    lost = {r.object_id for r in ingested.rejections() if r.object_id in known} - read
    in_conflict = list(chain.from_iterable(labels.conflicts(ingested.object_ids, known, source)))
    judged = {
        "labelled objects not among the alerts": labels.absent(known, read | lost),
        "labelled objects that lost every alert": sorted(lost),
        "objects of one source with conflicting labels": in_conflict,
    }
    warnings, unusable = [], set(in_conflict)
    for text, names in judged.items():
        ingested.ledger.note(text, len(names))
        if names:
            warnings.append(f"{text}: {len(names)} ({_examples([f'{name} {known[name]}' for name in names])})")
    foreign = sorted({label for label in known.values() if label and label not in CLASS_NAMES})
    if foreign:
        warnings.append(
            f"labels that are no class, whose objects stay unlabelled: {_examples(foreign)}; the classes are"
            f" {', '.join(CLASS_NAMES)}"
        )
    return warnings, {name: label for name, label in known.items() if name not in unusable}


def _examples(cases: Sequence[str]) -> str:
    return ", ".join(cases[:N_EXAMPLES]) + (", …" if len(cases) > N_EXAMPLES else "")
