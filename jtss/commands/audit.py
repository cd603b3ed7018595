"""python -m jtss.audit RUN [--data F.h5]: whether a run's statistics are of its training objects alone."""

import argparse
import sys
from pathlib import Path

from jtss.commands import common

EXIT_LEAKS, EXIT_FAILED = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """0: no leak, 1: a leak, 2: an error, in one line on stderr."""
    options = _parser().parse_args(arguments)
    from jtss.training import audit

    try:
        verdicts = audit.check(options.run, options.data)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    for verdict in verdicts:
        print(f"{'LEAK' if verdict.leak else 'ok':<8} statistics   {verdict.text}")
    return EXIT_LEAKS if any(verdict.leak for verdict in verdicts) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jtss.audit",
        description="Fit the statistics of the metadata again on the training split of the data set that a run was "
        "trained on, and compare. Exit status: 0 no leak, 1 a leak, 2 an error.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="run directory, or a folder of repeats")
    parser.add_argument("--data", metavar="F.h5", type=Path, help="where the data set is now, if it moved")
    return parser


if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(main())
