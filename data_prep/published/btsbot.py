"""The BTSbot training set: real alerts of the Zwicky Transient Facility, each a row of a table and a triplet of stamps.

Rehemtulla et al. 2024, ApJ 972, 7; Zenodo 10839691. Its rows become alerts here, and go the way of those of packets.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from data_prep import labels, remote
from data_prep.build import Built, write
from data_prep.infrared import crossmatch
from data_prep.ingest import ingest_decoded, write_rejects
from data_prep.ledger import Rejection
from data_prep.packets.alerts import from_record
from data_prep.packets.decode import ALERTS_PER_SLICE, Decoded, Detection, as_rows
from data_prep.published import candidates as table
from data_prep.published import stamps
from data_prep.published.candidates import LEFT_OF_EACH, Candidate
from jtss import files
from jtss.dataset import Writer
from jtss.errors import InputError
from jtss.schema import MATCH_RADIUS_ARCSEC, NO_CANDID

SET = "BTSbot training set (Rehemtulla et al. 2024, ApJ 972, 7; doi:10.5281/zenodo.10839691; CC BY 4.0)"
CUT = f"cut_to_{LEFT_OF_EACH}_alerts"
CUT_DETAIL = f"the set has no more than {LEFT_OF_EACH} alerts of an object, and this one may not begin with its first"
ANY_CANDID = 1  # stands for the one that a table has rounded, while the rest of the record is checked


def import_set(
    triplets: Sequence[str | Path],
    candidates: Sequence[str | Path],
    out: str | Path,
    *,
    command: str,
    labels_path: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    allwise_path: str | Path | None = None,
    allwise_radius_arcsec: float = MATCH_RADIUS_ARCSEC,
    rejects_path: str | Path | None = None,
    seed: int = 0,
    force: bool = False,
    progress: bool = True,
) -> Built:
    """Turn files of the set into the HDF5 file of sequences.

    Temporary data lie in the folder of `out`, 24 KB an alert, and are gone afterwards.

    Args:
        triplets, candidates: .npy files of stamps, and the .csv files that go with them, in the same order.
        out, command: the file to write, and what made it, stored in the file.
        labels_path, columns: as in `data_prep.build.build`; they go before what the set says of these objects.
        allwise_path, allwise_radius_arcsec, rejects_path, force: as in `data_prep.build.build`.
        seed: of the split, where the tables have none.
        progress: show a bar on stderr.

    Raises:
        InputError: files that do not belong together or cannot be used, or not a single alert is kept.
        FileExistsError, FileNotFoundError, OSError: of the files; the message names them.
    """
    out, rejects = Path(out), Path(rejects_path) if rejects_path else None
    pairs = _pairs([Path(path) for path in triplets], [Path(path) for path in candidates])
    catalogue_path = crossmatch.path_of(allwise_path)
    read = [Path(path) for path in (*triplets, *candidates, remote.path_of(labels_path), catalogue_path) if path]
    files.check_outputs({"out": out, "rejects": rejects}, read, force=force)
    objects, counts = table.objects([path for _, path in pairs])
    _check_counts(pairs, counts)
    known, subclasses = _labels(objects, labels_path, columns)
    allwise = crossmatch.load(allwise_path, allwise_radius_arcsec) if allwise_path else None
    drawn = {name: each.split for name, each in objects.items() if each.split} or None
    with (
        Writer(out, survey="ZTF", command=command, force=force, origin=_origin(pairs)) as writer,
        TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as workdir,
        tqdm(total=sum(counts), unit="alert", disable=not progress) as bar,
        ingest_decoded(_decoded(pairs, objects, bar), workdir=workdir) as ingested,
    ):
        missing = sorted({name for _, path in pairs for name in table.lacking(path)})
        for name in missing:
            ingested.ledger.note(f"without {name}, which the set lacks", ingested.ledger.kept)
        if rejects:
            write_rejects(rejects, ingested)
        return write(writer, ingested, known, subclasses, allwise, seed, drawn)


def _pairs(triplets: Sequence[Path], candidates: Sequence[Path]) -> list[tuple[Path, Path]]:
    if len(triplets) != len(candidates):
        raise InputError(
            f"{len(triplets)} files of triplets and {len(candidates)} of candidates; expected the stamps and the table"
            " of each part of the set, in the same order"
        )
    for paths in (triplets, candidates):
        places = [path.resolve() for path in paths]
        twice = [path for path, place in zip(paths, places, strict=True) if places.count(place) > 1]
        if twice:
            raise InputError(f"{twice[0]}: given twice; expected each file once")
    return list(zip(triplets, candidates, strict=True))


def _check_counts(pairs: Sequence[tuple[Path, Path]], counts: Sequence[int]) -> None:
    for (of_stamps, of_rows), n_rows in zip(pairs, counts, strict=True):
        n_triplets = stamps.count(of_stamps)
        if n_triplets != n_rows:
            raise InputError(
                f"{of_stamps} has {n_triplets} triplets and {of_rows} {n_rows} rows; expected as many, row by row"
            )


def _labels(
    objects: Mapping[str, Candidate], path: str | Path | None, columns: Mapping[str, str] | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Label and subclass by objectId: of the file where it has one, otherwise of the set."""
    own, own_subclasses = {}, {}
    if path:
        with remote.here(path) as here:
            own, own_subclasses = labels.load(here, columns), labels.load_subclasses(here, columns)
    known = {name: each.label for name, each in objects.items() if name} | own
    subclasses = {name: each.subclass for name, each in objects.items() if each.subclass and name not in own}
    return known, subclasses | own_subclasses


def _origin(pairs: Sequence[tuple[Path, Path]]) -> str:
    lines = [
        f"{of_stamps.name}, {of_stamps.stat().st_size} bytes, and {of_rows.name}, SHA-256 {files.sum_of(of_rows)}"
        for of_stamps, of_rows in pairs
    ]
    return "\n".join([SET, *lines])


def _decoded(pairs: Sequence[tuple[Path, Path]], objects: Mapping[str, Candidate], bar: tqdm) -> Iterator[Decoded]:
    """A few alerts at a time, in the order of the files, in which the stamps lie on the disk."""
    for of_stamps, of_rows in pairs:
        rows, first = table.rows(of_rows), 0
        while records := list(islice(rows, ALERTS_PER_SLICE)):
            images, faults = stamps.restore(stamps.read(of_stamps, first, first + len(records)))
            sources = [f"{of_rows}, row {first + i}" for i in range(1, len(records) + 1)]
            outcomes = zip(records, images, faults, sources, strict=True)
            yield as_rows([_outcome(objects, *outcome) for outcome in outcomes])
            first += len(records)
            bar.update(len(records))


def _outcome(
    objects: Mapping[str, Candidate],
    record: dict,
    images: np.ndarray,
    fault: stamps.StampError | None,
    source: str,
) -> Detection | Rejection:
    """An alert with its stamps, checked as one of a packet is; a candid that the table has rounded counts as none."""
    candid = record["candid"]
    alert = from_record(record | {"candid": candid or ANY_CANDID}, source)
    if isinstance(alert, Rejection):
        return alert._replace(candid=candid)
    if objects[alert.object_id].is_cut:
        return Rejection(CUT, CUT_DETAIL, source, alert.object_id, candid)
    if fault:
        return Rejection(fault.reason, fault.detail, source, alert.object_id, candid)
    remarks = {"nan_pixels"} if np.isnan(images).any() else set()
    return Detection(alert._replace(candid=candid or NO_CANDID), images, remarks)
