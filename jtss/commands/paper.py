"""`python -m jtss.experiments {realism, table2, …}`: command lines, and nothing else."""

import argparse
import re
import shlex
import sys
from pathlib import Path

from jtss.commands import common

EXIT_FAILED, EXIT_INTERRUPTED = 2, 130
SECONDS = {"s": 1, "m": 60, "h": 3600}
PAPER = {
    "table2": "Table 2, Figures 2 and 4: rotations of the first alert (the grid of Table 1)",
    "table6": "Table 6: temporal models (the grid of Table 5)",
    "table7": "Table 7: metadata with and without AllWISE",
    "table8": "Table 8 and Figure 7: the complete network",
    "figure6": "Figure 6: accuracy against inference time; shares the results of table6",
    "bogus": "§IV-B: bogus with more than one detection",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; an error is one line on stderr and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.command_line = shlex.join(["python", "-m", "jtss.experiments", *arguments])
    from jtss.commands import common

    try:
        common.enable()
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("interrupted; nothing is written", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jtss.experiments", description="Measure more than one run.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_realism(commands.add_parser("realism", help="simulated against real alerts", description=_realism_help()))
    for name, what in PAPER.items():
        _add_paper(
            commands.add_parser(name, help=f"the paper's {what}", description=f"The paper's {what}. {_paper_help()}")
        )
    _add_figure8(commands.add_parser("figure8", help="the paper's Figures 8 and 9", description=_figure8_help()))
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


def _realism(options: argparse.Namespace) -> int:
    from jtss.realism import realism

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
    return 0


def _paper_help() -> str:
    return (
        "Trains what is missing and writes the table as text, CSV, LaTeX and HTML. Results are kept in DIR: the same "
        "command goes on where it was stopped, and processes with the same DIR share the work."
    )


def _add_paper(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="F.h5", help="data set")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of results and tables")
    add("--set", metavar="A.B=V", action="append", default=[], help="override a field of every configuration")
    add("--seeds", type=int, metavar="N", help="repeats of each configuration (default: the paper's)")
    add("--n", type=_numbers, default=(), metavar="2,3", help="these numbers of detections only")
    add("--models", type=_names, default=(), metavar="A,B", help="these models only; of table2, these rows")
    add("--budget", type=_duration, metavar="20m", help="stop after this time (s, m, h); the same command goes on")
    add("--dry-run", action="store_true", help="show what is missing and how long it will take, and train nothing")
    parser.set_defaults(run=_paper, name=parser.prog.split()[-1])


def _figure8_help() -> str:
    return (
        "The paper's Figures 8 and 9: other classifiers on the test objects, from tables of oid, class_name and "
        "probability as ALeRCE's client gives them, beside the results of table8 in DIR."
    )


def _add_figure8(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="F.h5", help="data set")
    add("--predictions", type=_named, nargs="+", action="extend", required=True, metavar="NAME=F.csv", help="tables")
    add("--set", metavar="A.B=V", action="append", default=[], help="as table8 was run with")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of results and tables")
    parser.set_defaults(run=_figure8)


def _figure8(options: argparse.Namespace) -> int:
    from jtss.paper import figure8, layout

    document = figure8.compare(options.data, options.predictions, options.out, options.set, _warn)
    document = document._replace(notes=[*document.notes, f"Made by: {options.command_line}"])
    _say(layout.text(document))
    _say("\n" + "\n".join(f"written: {path}" for path in layout.write(options.out, document)))
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: expected numbers as 2,3") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _duration(text: str) -> float:
    parts = re.findall(r"(\d+)([smh])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text}: expected a time as 90s, 20m or 1h30m")
    return float(sum(int(number) * SECONDS[unit] for number, unit in parts))


def _paper(options: argparse.Namespace) -> int:
    from jtss.paper import experiments
    from jtss.training.signals import EXIT_CODES, StopSignals, leave

    request = experiments.Request(
        name=options.name,
        data=options.data,
        out=options.out,
        settings=tuple(options.set),
        seeds=options.seeds,
        n=options.n,
        models=options.models,
        budget=options.budget,
        command=options.command_line,
    )
    if options.dry_run:
        experiments.dry_run(request, _say, _warn)
        return 0
    stop = StopSignals()
    paths = experiments.perform(request, stop, _say, _warn)
    _say("\n" + "\n".join(f"written: {path}" for path in paths))
    return leave(EXIT_CODES[stop.agreed]) if stop.agreed else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    print(f"WARNING: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(main())
