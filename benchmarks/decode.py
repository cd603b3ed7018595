"""How many alerts one core decodes in a second: from Avro files to three scaled stamps [63, 63].

    python -m benchmarks.decode            # packets that we write, each with 20 previous detections
    python -m benchmarks.decode FOLDER     # and the real packets in a folder

Beside it, on the same files in the same run, the plain road: fastavro.reader and astropy.io.fits. Rates are of CPU
time, the best of three passes; the files are in the page cache.
"""

import argparse
import gzip
import io
import itertools
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import fastavro
import numpy as np
from astropy.io import fits

from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.avro import CUTOUT_FIELDS
from data_prep.packets.containers import Block, read_blocks
from data_prep.packets.stamps import decode_stamps, is_full, scale
from data_prep.simulate.packets import CANDIDATE_TYPES, encode_file, packet

N_SIMULATED = 300
N_PREVIOUS = 20
N_REAL = 1000
PASSES = 3


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="a folder of real packets (*.avro)")
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")  # astropy remarks on each of ZTF's SIMPLE cards
    print(f"{'packets':<10} {'files':>6} {'ours [1/s]':>11} {'plain [1/s]':>11} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as scratch:
        report("simulated", write_simulated(Path(scratch)))
    if folder is not None:
        report("real", sorted(folder.rglob("*.avro"))[:N_REAL])


if __name__ == "__main__":
    main()
