"""`jtss paper TABLE`: the paper's tables and figures, trained anew."""

import argparse
import re
from functools import partial
from pathlib import Path

from jtss import exits
from jtss.commands import common
from jtss.commands.realism import named

HELP = "run the paper's experiments"
DESCRIPTION = "Train what a table or a figure of the paper needs, and write it, the paper's numbers beside ours."
SECONDS = {"s": 1, "m": 60, "h": 3600}
PAPER = {
    "table2": "Table 2, Figures 2 and 4: rotations of the first alert (the grid of Table 1)",
    "table6": "Table 6: temporal models (the grid of Table 5)",
    "table7": "Table 7: metadata with and without AllWISE",
    "table8": "Table 8 and Figure 7: the complete network",
    "figure6": "Figure 6: accuracy against inference time; shares the results of table6",
    "bogus": "§IV-B: bogus with more than one detection",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tables = parser.add_subparsers(required=True, metavar="TABLE", dest="table")
    for name, what in PAPER.items():
        description = f"The paper's {what}. {WHAT}"
        _add_table(tables.add_parser(name, help=f"the paper's {what}", description=description))
    _add_figure8(tables.add_parser("figure8", help="the paper's Figures 8 and 9", description=FIGURE_8))


def run(options: argparse.Namespace) -> int | None:
    from jtss.commands import cache

    cache.enable()
    return options.action(options)


WHAT = (
    "Trains what is missing and writes the table as text, CSV, LaTeX and HTML. Each training is a run directory in DIR:"
    " the same command goes on where it was stopped, and processes with the same DIR share the work."
)
FIGURE_8 = (
    "The paper's Figures 8 and 9: other classifiers on the test objects, from tables of oid, class_name and"
    " probability as ALeRCE's client gives them, beside the results of table8 in DIR."
)


def _add_table(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="F.h5", help="data set")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of results and tables")
    add("--set", metavar="A.B=V", action="append", default=[], help="override a field of every configuration")
    add("--seeds", type=int, metavar="N", help="repeats of each configuration (default: the paper's)")
    add("--n", type=_numbers, default=(), metavar="2,3", help="these numbers of detections only")
    add("--models", type=_names, default=(), metavar="A,B", help="these models only; of table2, these rows")
    add("--budget", type=_duration, metavar="20m", help="stop after this time (s, m, h); the same command goes on")
    add("--dry-run", action="store_true", help="show what is missing and how long it will take, and train nothing")
    common.add_dask(parser, "train")
    parser.set_defaults(action=_table)


def _add_figure8(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="F.h5", help="data set")
    add("--predictions", type=named, nargs="+", action="extend", required=True, metavar="NAME=F.csv", help="tables")
    add("--set", metavar="A.B=V", action="append", default=[], help="as table8 was run with")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of results and tables")
    parser.set_defaults(action=_figure8)


def _figure8(options: argparse.Namespace) -> int:
    from jtss.paper import figure8, layout

    document = figure8.compare(options.data, options.predictions, options.out, options.set, common.warn)
    document = document._replace(notes=[*document.notes, f"Made by: {options.command_line}"])
    common.say(layout.text(document))
    common.say("\n" + "\n".join(f"written: {path}" for path in layout.write(options.out, document)))
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


def _table(options: argparse.Namespace) -> int:
    from jtss.paper import experiments
    from jtss.training.signals import StopSignals

    request = experiments.Request(
        name=options.table,
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
        experiments.dry_run(request, common.say, common.warn)
        return 0
    with common.workers(options) as cluster:
        stop = StopSignals()
        train = experiments.train_here
        if cluster:
            from jtss.commands import paper_cluster

            train = partial(paper_cluster.train, cluster=cluster)
        paths, n_failed = experiments.perform(request, stop, common.say, common.warn, train)
    common.say("\n" + "\n".join(f"written: {path}" for path in paths))
    if stop.agreed:
        exits.leave(exits.status_of(stop.agreed))
    return exits.FAILED if n_failed else 0
