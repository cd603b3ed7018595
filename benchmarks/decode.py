"""How many alerts one core decodes in a second: from Avro files to three scaled stamps [63, 63].

    python -m benchmarks.decode            # packets that we write, each with 20 previous detections
    python -m benchmarks.decode FOLDER     # and the real packets in a folder

    python -m benchmarks.decode FOLDER --build [--workers 2]    # instead, a whole data set of the packets in a folder

Beside it, on the same files in the same run, the plain road: fastavro.reader and astropy.io.fits. Rates are of CPU
time, the best of three passes; the files are in the page cache.

With `--build`: `jtss data build` with so many processes as a user types it, start and audit included, and the plain
road on one core, by turns, three times each. Both have the packets of the folder six times over; the build decodes all
of them before it finds the duplicates. The ratio is that of the least wall clock of each, and means something where
nothing else is on the machine; that of the CPU times, of all processes, says how much less work there is.
"""

import argparse
import gzip
import io
import itertools
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import fastavro
import numpy as np
from astropy.io import fits

from benchmarks.results import ROOT, record
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.avro import CUTOUT_FIELDS
from data_prep.packets.containers import Block, read_blocks
from data_prep.packets.fits import zlib
from data_prep.packets.stamps import decode_stamps, is_full, scale
from data_prep.simulate.packets import CANDIDATE_TYPES, encode_file, packet

N_SIMULATED = 300
N_PREVIOUS = 20
N_REAL = 1000
PASSES = 3
TIMES_OVER = 6  # 1,421 packets are too few to outweigh the start of a program


def our_road(paths: list[Path]) -> int:
    n_alerts = 0
    for path in paths:
        blocks = (item for item in read_blocks(path) if isinstance(item, Block))
        for alert in itertools.chain.from_iterable(map(decode_block, blocks)):
            stamps = decode_stamps(alert.cutouts) if isinstance(alert, Alert) else []
            if stamps and is_full(stamps[0]):
                scale(np.stack(stamps, axis=-1))
                n_alerts += 1
    return n_alerts


def plain_road(paths: list[Path]) -> int:
    n_alerts = 0
    for path in paths:
        with path.open("rb") as file:
            for record in fastavro.reader(file):
                stamps = []
                for field in CUTOUT_FIELDS:
                    with fits.open(io.BytesIO(gzip.decompress(record[field]["stampData"]))) as image:
                        stamps.append(image[0].data.astype(np.float32))
                if stamps[0].shape == (63, 63):
                    scale(np.stack(stamps, axis=-1))
                    n_alerts += 1
    return n_alerts


def rate(road: Callable[[list[Path]], int], paths: list[Path]) -> float:
    """Alerts a second of CPU time, the best of a few passes."""
    best = 0.0
    for _ in range(PASSES):
        start = time.process_time()
        n_alerts = road(paths)
        best = max(best, n_alerts / (time.process_time() - start))
    return best


def report(name: str, paths: list[Path]) -> None:
    ours, plain = rate(our_road, paths), rate(plain_road, paths)
    print(f"{name:<10} {len(paths):>6} {ours:>11.0f} {plain:>11.0f} {ours / plain:>7.1f}", flush=True)


def write_simulated(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    kinds = {name: kind for name, (kind, _) in CANDIDATE_TYPES.items() if kind != "string"}
    numbers = {name: 1 if kind in ("int", "long") else 1.5 for name, kind in kinds.items()}
    paths = [folder / f"{candid}.avro" for candid in range(1, N_SIMULATED + 1)]
    for candid, path in enumerate(paths, start=1):
        stamps = list(rng.normal(200, 10, (3, 63, 63)).astype(np.float32))
        candidate = numbers | {"jd": 2459000.5 + candid, "isdiffpos": "t"}
        previous = [candidate | {"jd": candidate["jd"] - day} for day in range(1, N_PREVIOUS + 1)]
        path.write_bytes(encode_file([packet(f"ZTF{candid}", candid, candidate, stamps, previous)]))
    return paths


def timed(work: Callable[[], int], who: int) -> dict[str, float]:
    """How many alerts, and seconds of the wall clock and of the CPU, of this process or of those that it starts."""
    load, wall, before = os.getloadavg()[0], time.perf_counter(), resource.getrusage(who)
    n_alerts = work()
    wall, after = time.perf_counter() - wall, resource.getrusage(who)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"alerts": n_alerts, "wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "load_before": round(load, 1)}


def build(folder: Path, out: Path, workers: int) -> int:
    """A data set as a user makes it; how many alerts it read."""
    given = [str(folder.resolve())] * TIMES_OVER
    options = ["--out", str(out), "--workers", str(workers), "--force"]
    command = [sys.executable, "-m", "jtss", "data", "build", "--alerts", *given, *options]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return int(re.search(r"alerts read +(\d+)", done.stdout)[1])


def beside_plain(folder: Path, workers: int) -> dict:
    """Rounds of the plain road on one core and of a build by turns, and how many times as fast the build is."""
    paths = sorted(folder.rglob("*.avro")) * TIMES_OVER
    plain, ours = [], []
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "built.h5")
        for _ in range(PASSES):
            plain.append(timed(lambda: plain_road(paths), resource.RUSAGE_SELF))
            ours.append(timed(lambda: build(folder, out, workers), resource.RUSAGE_CHILDREN))
            print(f"plain road {plain[-1]}\nbuild      {ours[-1]}", flush=True)
    least = {of: min(one[of] for one in plain) / min(one[of] for one in ours) for of in ("wall_s", "cpu_s")}
    times = {"times_as_fast": round(least["wall_s"], 2), "times_less_cpu": round(least["cpu_s"], 2)}
    print(times)
    about = {"workers": workers, "files": len(paths), "gunzip": zlib.__name__, "fastavro": fastavro.__version__}
    return {**about, "plain_road_on_one_core": plain, "build": ours, **times}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="a folder of real packets (*.avro)")
    parser.add_argument("--build", action="store_true", help="a whole data set of the folder, beside the plain road")
    parser.add_argument("--workers", type=int, default=2, help="of the build")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # astropy remarks on each of ZTF's SIMPLE cards
    if arguments.build:
        if arguments.folder is None:
            parser.error("--build wants a folder of packets")
        record("decode", beside_plain(arguments.folder, arguments.workers))
        return
    print(f"{'packets':<10} {'files':>6} {'ours [1/s]':>11} {'plain [1/s]':>11} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as scratch:
        report("simulated", write_simulated(Path(scratch)))
    if arguments.folder is not None:
        report("real", sorted(arguments.folder.rglob("*.avro"))[:N_REAL])


if __name__ == "__main__":
    main()
