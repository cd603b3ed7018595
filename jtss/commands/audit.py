"""`jtss audit DATA|RUN`: leaks between the splits of a data set, or from them into a run."""

import argparse
from pathlib import Path

from jtss.commands import common

HELP = "look for leaks in a data set or in a run"
DESCRIPTION = (
    "Of a data set: an object, alert or near-duplicate stamp in two splits, sequences that break the rules, classes"
    " that place, date or number of visits alone give away. Of a run: whether the statistics of its metadata are of its"
    " training objects alone. Exit status: 0 no leak, 1 a leak, 2 an error."
)
LEAKS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="DATA|RUN", type=Path, help="data set, run directory, or folder of several seeds"
    )
    parser.add_argument("--data", metavar="F.h5", type=Path, help="of a run: where its data set is now, if it moved")


def run(options: argparse.Namespace) -> int:
    from jtss import dataset

    is_run = options.path.is_dir() and not dataset.index_of(options.path)
    return _audit_run(options) if is_run else _audit_data(options.path)


def _audit_run(options: argparse.Namespace) -> int:
    from jtss.training import audit

    verdicts = audit.check(options.path, options.data)
    for verdict in verdicts:
        common.say(f"{'LEAK' if verdict.leak else 'ok':<8} statistics   {verdict.text}")
    return LEAKS if any(verdict.leak for verdict in verdicts) else 0


def _audit_data(path: Path) -> int:
    from data_prep.audit.audit import audit

    report = audit(path)
    common.say(common.printable(str(report)))
    return LEAKS if report.leaks else 0
