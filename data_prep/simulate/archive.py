"""Simulated data sets as alert packets: Avro files by the ZTF schema, labels and an AllWISE catalogue."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

import numpy as np

from data_prep.packets.stamps import IMAGE_SIDES_PIX
from data_prep.simulate.dataset import SEQUENCE_CLASSES, Chunk, candids, chunks, object_ids, progress_bar
from data_prep.simulate.history import told
from data_prep.simulate.objects import SKIES
from data_prep.simulate.packets import encode_file, packet
from data_prep.simulate.survey import Observed, observe, take_stamps
from data_prep.workers import Workers, available_cores, ordered_map
from jtss.schema import ALLWISE_BANDS, CLASS_NAMES, NO_SUBCLASS, STAMP_SIDE, SUBCLASSES

ALERTS_FOLDER, LABELS_FILE, ALLWISE_FILE = "alerts", "labels.csv", "allwise.csv"
INTEGERS = ("fid", "ndethist", "ncovhist", "nframesref", "programid")


class PacketChunk(NamedTuple):
    """An Avro file, and the rows of the two tables that go with it."""

    avro: bytes
    labels: list[tuple[str, str, str]]
    infrared: list[tuple[float, ...]]


def packet_chunk(chunk: Chunk) -> PacketChunk:
    """A chunk's alerts as packets, those included that `build` will drop."""
    observed, records = _observe(chunk)
    names = object_ids(chunk)
    listed = np.flatnonzero(np.isfinite(observed.infrared[:, 0]))
    position = observed.infrared_ra[listed], observed.infrared_dec[listed]
    return PacketChunk(
        encode_file(records),
        list(zip(names, [CLASS_NAMES[chunk.label]] * len(names), map(_subclass, observed.subclass), strict=True)),
        [tuple(float(v) for v in row) for row in np.column_stack([*position, observed.infrared[listed]])],
    )


def single_packets(chunk: Chunk) -> list[tuple[float, bytes]]:
    """The times [jd] of a chunk's alerts, and each as an Avro file of its own."""
    return [(record["candidate"]["jd"], encode_file([record])) for record in _observe(chunk)[1]]


def _observe(chunk: Chunk) -> tuple[Observed, list[dict]]:
    """What is seen of a chunk's objects, and the records of its alerts."""
    observed = observe(chunk.seed, chunk.label, chunk.n_objects, chunk.sky_name)
    issued = np.flatnonzero(observed.alerts.issued)
    images = take_stamps(observed, issued)
    names, candid = object_ids(chunk), candids(chunk, observed)
    return observed, [
        packet(
            names[observed.alerts.owner[row]],
            int(candid[row]),
            candidate(observed, row),
            cut(image, observed, row),
            previous(observed, row, candid),
        )
        for row, image in zip(issued, images, strict=True)
    ]


def _subclass(code: int) -> str:
    return "" if code == NO_SUBCLASS else SUBCLASSES[code]


def candidate(observed: Observed, row: int) -> dict:
    """ZTF's candidate record of one alert."""
    values = {name: float(column[row]) for name, column in observed.columns.items()}
    values |= {name: int(values[name]) for name in INTEGERS}
    return values | {"isdiffpos": "t" if values["isdiffpos"] else "f"}


def previous(observed: Observed, row: int, candid: np.ndarray) -> list[dict] | None:
    """The `prv_candidates` of one alert, in time order; None where there is nothing to tell."""
    detections, limits = told(observed, row)
    rows = [candidate(observed, earlier) | {"candid": int(candid[earlier])} for earlier in detections]
    rows += [upper_limit(observed, earlier) for earlier in limits]
    return sorted(rows, key=lambda values: values["jd"]) or None


def upper_limit(observed: Observed, row: int) -> dict:
    """What ZTF writes of an exposure that did not show the object."""
    values = {name: float(column[row]) for name, column in observed.limits.items() if name != "owner"}
    return values | {name: int(values[name]) for name in ("fid", "programid")} | {"candid": None, "isdiffpos": None}


def cut(images: np.ndarray, observed: Observed, row: int) -> list[np.ndarray]:
    """The three stamps [H, W] without what lies beyond the edge of the image."""
    slices = []
    for name, side in zip(("ypos", "xpos"), IMAGE_SIDES_PIX[::-1], strict=True):
        first = int(np.rint(observed.columns[name][row])) - STAMP_SIDE // 2  # 1-based pixel of the stamp's first one
        slices.append(slice(max(1 - first, 0), min(side - first + 1, STAMP_SIDE)))
    return [images[(*slices, channel)] for channel in range(images.shape[-1])]


def simulate_packets(
    folder: str | Path,
    n_objects: int,
    seed: int,
    classes: Sequence[str] = SEQUENCE_CLASSES,
    sky: str = SKIES[0],
    workers: Workers | None = None,
    progress: bool = True,
) -> int:
    """Simulate a data set as alert packets: `build` makes of them what `simulate` writes for the same seed.

    Args:
        folder: must be new or empty; receives alerts/*.avro, labels.csv and allwise.csv, all or nothing.

    Returns:
        Number of alert files.

    Raises:
        FileExistsError: `folder` holds something.
        InputError: see `chunks`.
    """
    folder, work = Path(folder).resolve(), chunks(n_objects, seed, classes, sky)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder}: not empty; alert packets are written into a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
        partial = Path(beside, folder.name)
        _write(partial, work, n_objects, workers or available_cores(), progress)
        partial.replace(folder)
    return len(work)


def _write(folder: Path, work: Sequence[Chunk], n_objects: int, workers: Workers, progress: bool) -> None:
    (folder / ALERTS_FOLDER).mkdir(parents=True)
    with (
        open(folder / LABELS_FILE, "w", newline="", encoding="utf-8") as labels,
        open(folder / ALLWISE_FILE, "w", newline="", encoding="utf-8") as infrared,
        progress_bar(n_objects, progress) as bar,
    ):
        csv.writer(labels).writerow(("objectId", "label", "subclass"))
        csv.writer(infrared).writerow(("ra", "dec", *ALLWISE_BANDS))
        for chunk, made in zip(work, ordered_map(packet_chunk, work, workers), strict=True):
            (folder / ALERTS_FOLDER / f"{object_ids(chunk)[0]}.avro").write_bytes(made.avro)
            csv.writer(labels).writerows(made.labels)
            csv.writer(infrared).writerows(made.infrared)
            bar.update(chunk.n_objects)


def stream_packets(
    n_objects: int,
    seed: int,
    classes: Sequence[str] = SEQUENCE_CLASSES,
    sky: str = SKIES[0],
    workers: Workers | None = None,
    progress: bool = True,
) -> Iterator[bytes]:
    """The packets of `simulate_packets` in the order of their exposures, each as an Avro file of its own.

    All are simulated before the first; until they are asked for they are in a temporary file without a name.

    Raises:
        InputError: see `chunks`.
    """
    work = chunks(n_objects, seed, classes, sky)
    with TemporaryFile(prefix="jtss-packets.") as file:
        places = []
        with progress_bar(n_objects, progress) as bar:
            for chunk, made in zip(work, ordered_map(single_packets, work, workers or available_cores()), strict=True):
                for jd, avro in made:
                    places.append((jd, file.tell(), len(avro)))
                    file.write(avro)
                bar.update(chunk.n_objects)
        for _, start, size in sorted(places):
            file.seek(start)
            yield file.read(size)
