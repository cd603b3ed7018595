"""`python -m jtss.experiments realism`: command lines, and nothing else."""

import argparse
import shlex
import sys
from pathlib import Path

from jtss import output

EXIT_FAILED, EXIT_INTERRUPTED = 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; an error is one line on stderr and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.command_line = shlex.join(["python", "-m", "jtss.experiments", *arguments])
    from jtss import compilation

    try:
        compilation.enable()
        options.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("interrupted; nothing is written", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jtss.experiments", description="Measure more than one run.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_realism(commands.add_parser("realism", help="simulated against real alerts", description=_realism_help()))
    return parser


def _realism_help() -> str:
    return (
        "How far simulation is from reality for a network, and how well models trained on simulation classify real "
        "alerts. With --simulated, small networks are told to separate real from simulated first detections, class by "
        "class. With --ckpt or --predictions, models are scored on the labelled real objects, one vote per object."
    )


def _add_realism(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--real", type=Path, required=True, metavar="REAL.h5", help="data set of real alerts with labels")
    add("--simulated", type=Path, metavar="SIM.h5", help="simulated data set to compare with it")
    add(
        "--ckpt",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="RUN",
        help="run directories of trained models, or names of those that ship",
    )
    add(
        "--predictions",
        type=_named,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=F.csv",
        help="somebody else's probabilities of the same alerts: a column candid, then one per class",
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for realism.json, realism.csv and pictures of what models get wrong",
    )
    parser.set_defaults(run=_realism)


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text}: expected NAME=F.csv")
    return name, Path(path)


def _realism(options: argparse.Namespace) -> None:
    from jtss.experiments import realism

    request = realism.Request(
        real=options.real,
        simulated=options.simulated,
        runs=tuple(options.ckpt),
        predictions=tuple(options.predictions),
        command=options.command_line,
    )
    found = realism.measure(request, say=print, warn=lambda text: print(f"WARNING: {text}", file=sys.stderr))
    paths = realism.write(options.out, found)
    print("\n" + "\n".join(f"written: {path}" for path in paths))


if __name__ == "__main__":
    output.outlive_readers()
    sys.exit(main())
