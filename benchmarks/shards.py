"""What it costs to read a data set of many files by sky instead of one file, and to divide it.

    python -m benchmarks.shards            # 3,000 simulated objects

Of one file in the same order as many, in the same run: opening with its checks, reading all of it, and random batches
of 64 objects as a training reads them whose set does not fit in memory. Dividing is set beside reading the file and
writing it again. CPU times, the best of three passes; the files are in the page cache.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from data_prep import sharding
from data_prep.simulate import simulate
from jtss import dataset
from jtss.config import named
from jtss.network import inputs
from jtss.runs.provenance import hardware
from jtss.training.batches import Streamed, load

CONFIG = named.get("n3_best")
BATCHES, OBJECTS = 40, 64
PASSES = 3


def seconds(work: Callable[[], object], passes: int = PASSES) -> float:
    """CPU time of the quickest pass."""
    taken = []
    for _ in range(passes):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def copy(source: Path, path: Path) -> None:
    """The same objects in the same order in one file."""
    with dataset.Writer(path, survey="ZTF (simulated)", command="a benchmark", force=True) as writer:
        split = []
        for sequences in dataset.read(source):
            writer.append(sequences)
            split.append(sequences.split)
        writer.finish(split=np.concatenate(split), ledger={})


def random_batches(path: Path) -> Callable[[], None]:
    """Reads the same random batches each time."""
    train = load(path, config=CONFIG, train_stamps=False)["train"]
    source = Streamed([path], train, inputs.fit(train.dynamic, train.static, CONFIG.metadata), CONFIG)
    rows = np.random.default_rng(0).integers(0, len(train.label), (BATCHES, 1, 1, OBJECTS))

    def work() -> None:
        for chosen in rows:
            jax.block_until_ready(source.take(chosen))

    return work


def works(path: Path) -> tuple[Callable[[], object], ...]:
    """Opening, reading, random batches."""
    return (
        lambda: dataset.open_checked(path).close(),
        lambda: sum(sequences.n_objects for sequences in dataset.read(path)),
        random_batches(path),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=3000, help="that are simulated (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sky, one = Path(folder, "sky.h5"), Path(folder, "one.h5")
        simulate(sky, options.objects, 0)
        print(f"{options.objects} objects, {sky.stat().st_size / 1e6:.0f} MB; {hardware()}")
        for order in range(sharding.FINEST_ORDER + 1):
            many = Path(folder, f"many{order}")
            many.mkdir()
            start = time.process_time()
            divided = sharding.divide(sky, many, order, known_as=many)
            dividing = time.process_time() - start
            of_copy = seconds(lambda many=many: copy(many, one), passes=1)
            of_many, of_one = ([seconds(work) for work in works(path)] for path in (many, one))
            ratios = [a / b for a, b in zip(of_many, of_one, strict=True)]
            print(
                f"order {order}, {divided.n_files} files: opening {of_many[0]:.3f} s, one file {of_one[0]:.3f} s; times"
                f" the one file's: reading {ratios[1]:.2f}, random batches {ratios[2]:.2f}; dividing takes"
                f" {dividing / of_copy:.2f} times reading and writing it",
                flush=True,
            )


if __name__ == "__main__":
    main()
