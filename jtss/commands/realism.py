"""`jtss realism`: simulation against real alerts."""

import argparse
from pathlib import Path

from jtss.commands import common

HELP = "compare simulated with real alerts, and score models on real ones"
DESCRIPTION = (
    "Measure how well networks tell simulated alerts from real ones, and how well models classify real alerts. With"
    " --simulated, small networks are trained to separate real from simulated first detections, class by class. With"
    " -m or --beside, models are scored on the labelled real objects, one prediction per object by its first alert: as"
    " it came, and in four more versions of what its packet says of the past."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--real", type=Path, required=True, metavar="REAL.h5", help="data set of real alerts with labels")
    add("--simulated", type=Path, metavar="SIM.h5", help="simulated data set to compare with it")
    common.add_models(parser, f"model to score: {common.MODEL_HELP}", "--ckpt")
    add(
        "--beside",
        "--predictions",
        dest="beside",
        type=beside,
        nargs="+",
        action="extend",
        default=[],
        metavar="[NAME=]PATH",
        help="somebody else's classifier, for the same objects: probabilities by candid (CSV with a column candid and"
        " one per class, or what jtss classify wrote), or the folder of a published network (weights.npz, and"
        " norm_stats.json where it reads metadata)",
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for realism.json, realism.csv and pictures of misclassified objects; what is there is replaced",
    )


def named(text: str) -> tuple[str, Path]:
    """NAME=F.csv of a command line."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text}: expected NAME=F.csv")
    return name, Path(path)


def beside(text: str) -> tuple[str, Path]:
    """[NAME=]PATH of a command line; without a name, that of the file or folder."""
    return named(text) if "=" in text else (Path(text).stem, Path(text))


def run(options: argparse.Namespace) -> None:
    from jtss.commands import cache
    from jtss.realism import realism

    cache.enable()
    request = realism.Request(
        real=options.real,
        simulated=options.simulated,
        runs=tuple(options.model),
        beside=tuple(options.beside),
        command=options.command_line,
    )
    findings = realism.measure(request, say=print, warn=common.warn)
    paths = realism.write(options.out, findings)
    print("\n" + "\n".join(f"written: {path}" for path in paths))
