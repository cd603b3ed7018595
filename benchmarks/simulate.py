"""Detections simulated per second, HDF5 file included, with one process and with one per core."""

import argparse
import tempfile
import time
from pathlib import Path

from data_prep.simulate import simulate
from data_prep.workers import available_cores
from jtss.dataset import read
from jtss.runs.provenance import hardware


def detections_per_second(n_objects: int, workers: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sky.h5")
        began = time.perf_counter()
        simulate(path, n_objects, seed=0, workers=workers, progress=False)
        seconds = time.perf_counter() - began
        return sum(len(batch.stamps) for batch in read(path)) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=3000)
    arguments = parser.parse_args()
    print(f"{hardware()['processor']}, {available_cores()} cores")
    for workers in sorted({1, available_cores()}):
        rate = detections_per_second(arguments.objects, workers)
        print(f"{workers} process(es): {rate:,.0f} detections/s")


if __name__ == "__main__":
    main()
