"""What the import of the BTSbot training set costs as its rows become many: CPU time, and memory.

    python -m benchmarks.btsbot --rows 5000 20000

Some alerts are simulated and written again and again in the form of the set, as other objects at another right
ascension: images of float64 divided by their norm, missing pixels zero, and a table that says what the set says. A row
takes 95 kB of disk, and 24 kB twice while it is imported. Every number of rows is a process of its own, whose peak is
that of its resident memory; the clock runs while the set is imported, not while it is written.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import fastavro
import numpy as np

from benchmarks.build import N_OBJECTS, again
from benchmarks.results import record
from data_prep.packets.stamps import decode_stamps
from data_prep.published.btsbot import import_set
from data_prep.published.candidates import IDENTITY, NUMBERED, NUMBERS, SAID
from data_prep.published.stamps import SHAPE
from data_prep.simulate.archive import stream_packets

CHANNELS = ("Science", "Template", "Difference")
SAYS = {"label": 1, "source_set": "trues", "is_SN": True, "split": "train", NUMBERED: 1}
COLUMNS = (*IDENTITY, *NUMBERS, *SAID, NUMBERED)


def write(folder: Path, n_rows: int) -> tuple[Path, Path]:
    """The files of a set with so many rows."""
    packets = stream_packets(N_OBJECTS, 0, workers=1, progress=False)
    records, images = [], []
    for packet in packets:
        (one,) = fastavro.reader(io.BytesIO(packet))
        if (stamps := _images(one)).shape == SHAPE:  # not at the edge of a detector
            records.append(one)
            images.append(stamps)
    triplets, table = folder / "triplets.npy", folder / "candidates.csv"
    stored = np.lib.format.open_memmap(triplets, "w+", np.float64, (n_rows, *SHAPE))
    with table.open("w", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        rows.writeheader()
        for place, (one, copy) in enumerate(islice(_copies(len(records)), n_rows)):
            stored[place] = images[one]
            made = again(records[one], copy)
            rows.writerow(made["candidate"] | SAYS | {"objectId": made["objectId"], "candid": made["candid"]})
    stored.flush()
    return triplets, table


def _images(packet: dict) -> np.ndarray:
    """[63, 63, 3] float64, as the set has them."""
    stamps = decode_stamps(tuple(packet[f"cutout{name}"]["stampData"] for name in CHANNELS))
    images = np.nan_to_num(np.stack(stamps, axis=-1).astype(np.float64))
    return images / np.sqrt((images**2).sum(axis=(0, 1)))


def _copies(n_records: int) -> Iterator[tuple[int, int]]:
    return ((one, copy) for copy in count() for one in range(n_records))


def measure(triplets: Path, table: Path, out: Path) -> dict[str, float]:
    began = time.process_time()
    built = import_set([triplets], [table], out, command="benchmarks.btsbot", progress=False)
    return {
        "rows": built.ledger.read,
        "alerts kept": built.ledger.kept,
        "objects": built.n_objects,
        "CPU [s]": time.process_time() - began,
        "peak of memory [MB]": _peak_bytes() / 1e6,
    }


def _peak_bytes() -> int:
    """Of resident memory. What getrusage says of a process that another started begins with the memory of that one."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--one", type=Path, nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one)))
        return
    values = {}
    for n_rows in arguments.rows:
        with tempfile.TemporaryDirectory(dir=".", prefix=".btsbot.") as folder:
            places = [*write(Path(folder), n_rows), Path(folder, "real.h5")]
            words = [sys.executable, "-m", "benchmarks.btsbot", "--one", *map(str, places)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
        values[f"{n_rows:,} rows"] = json.loads(done.stdout)
        print(n_rows, values[f"{n_rows:,} rows"], flush=True)
    record("btsbot", values)


if __name__ == "__main__":
    main()
