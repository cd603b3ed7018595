"""Building a data set of simulated packets with processes and with a Dask cluster of processes here, by turns."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_prep import cluster
from data_prep.build import build
from data_prep.simulate.archive import simulate_packets
from data_prep.workers import Workers, available_cores
from jtss.runs.provenance import hardware


@contextmanager
def places() -> Iterator[dict[str, Workers]]:
    """By name; the clusters have started."""
    with cluster.cluster(cluster.LOCAL, 1, print) as one, cluster.cluster(cluster.LOCAL, 2, print) as two:
        yield {"this process": 1, "2 processes": 2, "Dask, 1 worker": one, "Dask, 2 workers": two}


def seconds(packets: Path, workers: Workers) -> tuple[float, str]:
    """Of a build, and the hash of what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        built = build([packets / "alerts"], Path(folder, "built.h5"), command="benchmark", workers=workers)
        return time.perf_counter() - began, built.content_hash


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=700, help="about four packets each (default: 700)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{hardware()['processor']}, {available_cores()} cores")
    with tempfile.TemporaryDirectory() as folder, places() as where:
        simulate_packets(Path(folder, "packets"), arguments.objects, seed=0, progress=False)
        taken, hashes = {name: [] for name in where}, set()
        for _ in range(arguments.rounds):
            for name, workers in where.items():
                spent, content_hash = seconds(Path(folder, "packets"), workers)
                taken[name].append(spent)
                hashes.add(content_hash)
    if len(hashes) > 1:
        raise SystemExit(f"the builds differ: {hashes}")
    for name, times in taken.items():
        ratios = [each / alone for each, alone in zip(times, taken["this process"], strict=True)]
        listed = ", ".join(f"{each:.1f}" for each in times)
        print(f"{name}: {listed} s; {statistics.median(ratios):.2f} of this process (median over rounds)")


if __name__ == "__main__":
    main()
