"""`python -m data_prep simulate`, and where the simulated data set that is used by default is kept."""

import argparse
import hashlib
import os
from pathlib import Path

from data_prep.simulate.dataset import SEQUENCE_CLASSES, simulate
from jtss import scaling, schema
from jtss.schema import CLASS_NAMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, metavar="F.h5", help="write a data set into this HDF5 file")
    target.add_argument(
        "--packets", type=Path, metavar="DIR", help="write alert packets, labels.csv and allwise.csv instead"
    )
    parser.add_argument(
        "--objects", type=positive, default=6000, help="objects in all, classes share equally (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed is another sky (%(default)s)")
    parser.add_argument(
        "--classes", default=",".join(SEQUENCE_CLASSES), help=f"of {','.join(CLASS_NAMES)} (default: %(default)s)"
    )
    parser.add_argument("--workers", type=positive, help="processes (default: one per core)")
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(arguments: argparse.Namespace) -> str:
    """Do what the arguments of `add_arguments` say; returns a line on what was made.

    Raises:
        InputError, FileExistsError: see `simulate` and `simulate_packets`.
    """
    classes = tuple(name.strip() for name in arguments.classes.split(","))
    settings = {
        "n_objects": arguments.objects,
        "seed": arguments.seed,
        "classes": classes,
        "workers": arguments.workers,
    }
    if arguments.packets:
        # Packets need fastavro, which a machine that only trains may lack.
        from data_prep.simulate.archive import simulate_packets

        n_files = simulate_packets(arguments.packets, **settings)
        return f"{arguments.packets}: {arguments.objects} objects in {n_files} Avro files, labels.csv, allwise.csv"
    content_hash = simulate(arguments.out, **settings, force=arguments.force, command=arguments.command_line)
    return f"{arguments.out}: {arguments.objects} objects, content {content_hash[:16]}"


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, expected at least 1")
    return number


DATA_PREP = Path(__file__).parents[1]
CONTRACT = (Path(schema.__file__), Path(scaling.__file__))


def cached_path(n_objects: int, seed: int) -> Path:
    """The file for this many objects of the default classes; another version of the program has another file.

    In $XDG_CACHE_HOME/jtss, or ~/.cache/jtss. Nothing is created.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    sources = (*sorted(DATA_PREP.rglob("*.py")), *CONTRACT)
    version = hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=4).hexdigest()
    return root / "jtss" / f"simulated_{n_objects}_seed{seed}_{version}.h5"
