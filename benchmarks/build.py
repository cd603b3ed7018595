"""What a build costs as alerts become many: time, and memory of the process that chooses and writes.

    python -m benchmarks.build --alerts 10000 100000 1000000 --workers 2

Some packets are simulated and given again and again, each time as other objects at another right ascension, encoded
anew as they are asked for: nothing of them is stored before. So each alert is decoded, chosen and written as any, but
the clock also counts the encoding, in the main process; `encoding` says how much of its time that is. Every number of
alerts is a process of its own, whose peak is that of its resident memory. A million alerts take 50 GB of disk.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import fastavro
import numpy as np

from benchmarks.results import record
from data_prep import build
from data_prep.ingest import ingest_items
from data_prep.packets.avro import Block
from data_prep.simulate.archive import stream_packets
from data_prep.simulate.packets import PARSED_SCHEMA
from jtss.dataset import Writer

N_OBJECTS = 300
RECORDS_PER_BLOCK = 16
CANDIDS_APART = 10**10  # more than a sky of so few objects has
TURN_DEG = 360 / ((1 + 5**0.5) / 2)  # no two of any number of turns fall together


class Copies:
    """Blocks of packets, and the time [s] that it took to encode them."""

    def __init__(self, n_alerts: int) -> None:
        packets = stream_packets(N_OBJECTS, 0, sky="mixed", workers=1, progress=False)
        self._records = [next(fastavro.reader(io.BytesIO(packet))) for packet in packets]
        self._n_alerts, self.seconds = n_alerts, 0.0

    def blocks(self) -> Iterator[Block]:
        schema = json.dumps(PARSED_SCHEMA).encode()
        records = islice((again(one, copy) for copy in count() for one in self._records), self._n_alerts)
        for first in range(0, self._n_alerts, RECORDS_PER_BLOCK):
            began = time.process_time()
            payload, some = io.BytesIO(), list(islice(records, RECORDS_PER_BLOCK))
            for one in some:
                fastavro.schemaless_writer(payload, PARSED_SCHEMA, one)
            self.seconds += time.process_time() - began
            yield Block("copies", first, schema, "null", len(some), payload.getvalue())


def again(packet: dict, copy: int) -> dict:
    """A packet as that of another object, in another place."""
    here = {**packet, "objectId": f"{packet['objectId']}c{copy}", "candid": _other(packet["candid"], copy)}
    here["candidate"] = _elsewhere(packet["candidate"], copy)
    here["prv_candidates"] = [_elsewhere(one, copy) for one in packet["prv_candidates"] or ()]
    return here


def _elsewhere(row: dict, copy: int) -> dict:
    ra = row["ra"] if row["ra"] is None else (row["ra"] + copy * TURN_DEG) % 360
    return {**row, "ra": ra, "candid": _other(row["candid"], copy)}


def _other(candid: int | None, copy: int) -> int | None:
    return candid and candid + copy * CANDIDS_APART


def measure(n_alerts: int, workers: int) -> dict[str, float]:
    copies, began = Copies(n_alerts), time.perf_counter()
    with tempfile.TemporaryDirectory(dir=".", prefix=".build.") as folder:
        out = Path(folder, "built.h5")
        with (
            Writer(out, survey="ZTF (simulated)", command="benchmarks.build") as writer,
            ingest_items(copies.blocks(), workdir=folder, workers=workers) as ingested,
        ):
            built = build.write(writer, ingested, None, {}, None, 0)
        n_bytes = out.stat().st_size
    seconds, here = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "alerts": built.ledger.read,
        "alerts kept": built.ledger.kept,
        "objects": built.n_objects,
        "seconds": seconds,
        "alerts/s": n_alerts / seconds,
        "CPU [ms per alert], all processes": 1e3 * sum(u.ru_utime + u.ru_stime for u in (here, others)) / n_alerts,
        "of it encoding": 1e3 * copies.seconds / n_alerts,
        "peak of the main process [MB]": here.ru_maxrss / 1e3,
        "data set [GB]": n_bytes / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.workers)))
        return
    values: dict[str, dict] = {}
    for n_alerts in arguments.alerts:
        words = [sys.executable, "-m", "benchmarks.build", "--one", str(n_alerts), "--workers", str(arguments.workers)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        values[f"{n_alerts:,} alerts"] = json.loads(done.stdout)
        print(n_alerts, values[f"{n_alerts:,} alerts"], flush=True)
    n, peaks = arguments.alerts, [one["peak of the main process [MB]"] for one in values.values()]
    if len(n) > 1:
        slopes = np.diff(peaks) / np.diff(n) * 1e6
        values["bytes of memory per further alert"] = dict(
            zip([f"to {m:,}" for m in n[1:]], slopes.tolist(), strict=True)
        )
        print(values["bytes of memory per further alert"])
    record("build", {"workers": arguments.workers, **values})


if __name__ == "__main__":
    main()
