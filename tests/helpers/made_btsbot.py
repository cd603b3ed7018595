"""Alert packets in the form of the BTSbot training set: a table of candidates, and triplets of stamps in an array.

Its code says how: missing pixels become zero, each image is divided by its norm in float32, an image that is cut at the
edge is filled up with 1e-9 in its last rows and columns, and an alert with an image of zeros is left out.
"""

import csv
import gzip
import io
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from fastavro import reader

FILLING = 1e-9
OF_PACKETS = (
    *("jd", "fid", "pid", "diffmaglim", "programid", "candid", "isdiffpos", "ra", "dec", "magpsf", "sigmapsf"),
    *("chipsf", "distnr", "magnr", "chinr", "sharpnr", "sky", "fwhm", "classtar", "nneg", "nbad", "ndethist"),
    *("sgscore1", "distpsnr1", "sgscore2", "distpsnr2", "sgscore3", "distpsnr3", "jdstarthist", "scorr", "nmtchps"),
    *("ncovhist", "drb"),
)
FUTURE = ("peakmag", "maxmag", "is_rise", "near_threshold")
SAID = ("label", "source_set", "N", "split", "is_SN")


class Files(NamedTuple):
    """What was written, and the records of it in their order."""

    triplets: Path
    candidates: Path
    records: list[dict]

    def options(self, out: Path, *more: object) -> list[str]:
        """Of `jtss data`."""
        files = ("--triplets", self.triplets, "--candidates", self.candidates)
        return [str(word) for word in ("import", "btsbot", *files, "--out", out, *more)]


def read_records(folder: Path) -> list[dict]:
    """The records of all Avro files in a folder, without what they tell of the past."""
    records = []
    for path in sorted(folder.glob("*.avro")):
        with path.open("rb") as file:
            records += [record | {"prv_candidates": None} for record in reader(file)]
    return records


def write(
    folder: Path,
    records: Iterable[dict],
    said: dict[str, dict] | None = None,
    *,
    name: str = "train",
    dtype: str = "<f8",
    seed: int = 0,
) -> Files:
    """Write records, shuffled, as one part of the set.

    Args:
        folder: where to.
        records: alert packets.
        said: by objectId what the set says of the object, of the columns SAID; None: these columns are missing.
        name, dtype, seed: of the part, of its array, and of the order of its rows.
    """
    usable = [(record, images) for record in records if (images := triplet(record)) is not None]
    random.Random(seed).shuffle(usable)
    folder.mkdir(parents=True, exist_ok=True)
    triplets, candidates = folder / f"{name}_triplets.npy", folder / f"{name}_cand.csv"
    stored = np.lib.format.open_memmap(triplets, "w+", np.dtype(dtype), (len(usable), 63, 63, 3))
    for place, (_, images) in enumerate(usable):
        stored[place] = images
    stored.flush()
    kept = [record for record, _ in usable]
    write_table(candidates, rows(kept, said))
    return Files(triplets, candidates, kept)


def triplet(record: dict) -> np.ndarray | None:
    """[63, 63, 3] float64, or None for what the set leaves out."""
    images = np.zeros((63, 63, 3))
    for channel, name in enumerate(("Science", "Template", "Difference")):
        with fits.open(io.BytesIO(gzip.decompress(record[f"cutout{name}"]["stampData"]))) as file:
            image = np.nan_to_num(file[0].data.astype(np.float32))
        with np.errstate(over="ignore", invalid="ignore"):
            image = image / np.sqrt(np.sum(image**2))
        if not image.any():
            return None
        beyond = [(0, 63 - size) for size in image.shape]
        images[:, :, channel] = np.pad(image, beyond, constant_values=FILLING)
    return images


def rows(records: Sequence[dict], said: dict[str, dict] | None) -> list[dict]:
    """Rows of the table, those columns included that know the future of an object."""
    magnitudes: dict[str, list[float]] = {}
    for record in records:
        magnitudes.setdefault(record["objectId"], []).append(record["candidate"]["magpsf"])
    result = []
    for record in records:
        candidate, name = record["candidate"], record["objectId"]
        row = {"objectId": name} | {column: candidate.get(column) for column in OF_PACKETS}
        row |= {"isdiffpos": candidate["isdiffpos"] in ("t", "1"), "new_drb": 0.5}
        peak, least = min(magnitudes[name]), max(magnitudes[name])
        row |= {"peakmag": peak, "maxmag": least, "is_rise": True, "near_threshold": 18.4 < peak < 18.6}
        if said is not None:
            row |= {column: said[name].get(column, "") for column in SAID}
        result.append(row)
    return result


def write_table(path: Path, table: Sequence[dict]) -> None:
    """CSV as pandas writes it: numbers with all their digits, nothing where there is none."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in table)


def read_table(path: Path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
