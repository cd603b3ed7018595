"""python -m jtss.models {list, verify, card, export}: the trained models that ship."""

import argparse
import sys
from pathlib import Path

from jtss.commands import common
from jtss.pretrained import file
from jtss.reports import card, export
from jtss.reports.page import spread
from jtss.runs import files


def main() -> int:
    arguments = parse_arguments()
    try:
        return arguments.command(arguments)
    except (ValueError, OSError) as error:
        print(f"jtss.models: {error}", file=sys.stderr)
        return 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jtss.models", description="Trained models that ship with jtss.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command, text in (
        ("list", list_models, "name, detections, classes, size and accuracy of each"),
        ("verify", verify, "check the sum and the content of every file"),
        ("card", show_card, "print the card of a model"),
        ("export", export_run, "make a model that ships of a run directory"),
    ):
        subparser = commands.add_parser(name, help=text, description=text)
        subparser.set_defaults(command=command)
        subparser.add_argument(
            "--folder", metavar="DIR", type=Path, default=file.FOLDER, help="of the models (default: in the package)"
        )
        if name == "card":
            subparser.add_argument("name", metavar="NAME", help="see list")
    subparser.add_argument(
        "run", metavar="RUN", type=Path, help="run directory, or folder of repeats: one model of all"
    )
    subparser.add_argument("--name", required=True, help="of the model; what ships under it is replaced")
    subparser.add_argument(
        "--report",
        metavar="REPORT.json",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="results: report.json of evaluate.py",
    )
    return parser.parse_args()


def list_models(arguments: argparse.Namespace) -> int:
    for name in file.names(arguments.folder):
        trained = file.load(name, arguments.folder)
        megabytes = file.path_of(name, arguments.folder).stat().st_size / 1e6
        reached = [training["validation_accuracy"] for training in trained.provenance["training"]]
        accuracies = ", ".join([f"validation {spread(reached)}", *map(card.headline, trained.results)])
        classes = ", ".join(trained.config.classes)
        print(f"{name:<12} n = {trained.config.n_detections}  {classes:<30} {megabytes:4.1f} MB  {accuracies}")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    found = file.faults(arguments.folder)
    for line in found:
        print(f"jtss.models: {line}", file=sys.stderr)
    if not found:
        print(file.listing(arguments.folder) + ", all as they were made")
    return 2 if found else 0


def show_card(arguments: argparse.Namespace) -> int:
    trained = file.load(arguments.name, arguments.folder)
    path = file.path_of(arguments.name, arguments.folder)
    print(card.text(arguments.name, trained, files.sum_of(path)), end="")
    return 0


def export_run(arguments: argparse.Namespace) -> int:
    path = export.export(arguments.run, arguments.name, arguments.folder, reports=arguments.report)
    print(f"model: {path}\ncard: {path.with_suffix('.md')}\nsums: {path.with_name(files.SUMS)}")
    return 0


if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(main())
