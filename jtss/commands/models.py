"""`jtss models list | verify | card | export`: the pretrained models."""

import argparse
import sys
from pathlib import Path

from jtss import files
from jtss.errors import InputError

HELP = "list, verify, describe and make pretrained models"
DESCRIPTION = "List, verify, describe and make pretrained models."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, action, text in (
        ("list", list_models, "list name, detections, classes, size and accuracies"),
        ("verify", verify, "check the checksum and the content of every file"),
        ("card", show_card, "print the card of a model"),
        ("calibrate", calibrate_model, "give a model the temperature that its report on other data fitted"),
        ("export", export_run, "make a pretrained model from a run directory"),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(action=action)
        sub.add_argument(
            "--folder",
            metavar="DIR",
            type=Path,
            help=f"folder of the models (default: {'models' if name == 'export' else 'in the package'})",
        )
        if name == "card":
            sub.add_argument("name", metavar="NAME", help="see list")
        if name == "calibrate":
            _add_calibration(sub)
    sub.add_argument("run", metavar="RUN", type=Path, help="run directory, or folder of several seeds: their ensemble")
    sub.add_argument("--name", required=True, help="name of the model; an existing one is replaced")
    sub.add_argument(
        "--report",
        metavar="REPORT.json",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="report.json of an evaluation, whose scores the model file keeps",
    )
    sub.add_argument(
        "--data",
        metavar="F.h5",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="of a model of packets: where the data that it was trained on are now, if they moved; by these the model"
        " learns which alerts are outliers",
    )
    sub.add_argument(
        "--beside",
        metavar="REPORT.json",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="report.json of another model that learnt from the same data, as one of metadata or of images alone, on"
        " the data of a --report: its scores stand on the card beside those of this one",
    )


def _add_calibration(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help="name of an included model, or a model file")
    sub.add_argument("report", metavar="REPORT.json", type=Path, help="report.json of its evaluation")
    sub.add_argument(
        "--name", help="name of the model to write, into models/ or --folder (default: the model itself is replaced)"
    )
    sub.add_argument(
        "--priors",
        action="store_true",
        help="also note the proportions of the classes among the objects of the report, for classify --priors fitted",
    )


def run(options: argparse.Namespace) -> int | None:
    from jtss.pretrained import file

    calibrates = options.action is calibrate_model
    makes = options.action is export_run or (calibrates and options.name)
    of_file = calibrates and file.is_model(Path(options.model))
    options.folder = options.folder or (
        Path("models") if makes else Path(options.model).parent if of_file else file.FOLDER
    )
    if not options.folder.is_dir() and not makes:
        raise InputError(f"--folder {options.folder}: no such folder, expected one with models")
    return options.action(options)


def list_models(options: argparse.Namespace) -> None:
    from jtss.pretrained import file
    from jtss.reports import card
    from jtss.reports.page import spread

    for name in file.names(options.folder):
        trained = file.load(name, options.folder)
        megabytes = file.path_of(name, options.folder).stat().st_size / 1e6
        reached = [training["validation_accuracy"] for training in trained.provenance["training"]]
        classes = ", ".join(trained.config.classes)
        reach = f"n {'≥' if trained.config.packet.rows else '='} {trained.config.n_detections}"
        print(f"{name:<12} {reach}  {classes:<30} {megabytes:4.1f} MB")
        for accuracy in (f"validation {spread(reached)}", *(card.headline(one, trained) for one in trained.results)):
            print(f"{'':<12} {accuracy}")


def verify(options: argparse.Namespace) -> None:
    from jtss.pretrained import file

    faults = file.faults(options.folder)
    if faults:
        *others, last = faults
        for fault in others:
            print(f"{options.prog}: error: {fault}", file=sys.stderr)
        raise file.ModelError(last)
    print(file.listing(options.folder) + ", all intact")


def show_card(options: argparse.Namespace) -> None:
    from jtss.pretrained import file
    from jtss.reports import card

    trained = file.load(options.name, options.folder)
    print(card.text(options.name, trained, files.sum_of(file.path_of(options.name, options.folder))), end="")


def export_run(options: argparse.Namespace) -> None:
    from jtss.reports import export

    given = {"reports": options.report, "beside": options.beside, "data": options.data}
    path = export.export(options.run, options.name, options.folder, **given)
    print(f"model: {path}\ncard: {path.with_suffix('.md')}\nsums: {path.with_name(files.SUMS)}")


def calibrate_model(options: argparse.Namespace) -> None:
    from jtss.reports import export

    given = {"name": options.name, "priors": options.priors}
    path = export.calibrate(options.model, options.folder, options.report, **given)
    print(f"model: {path}\ncard: {path.with_suffix('.md')}")
