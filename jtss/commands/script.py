"""`python evaluate.py --ckpt MODEL`: evaluate, classify (--alerts) or explain (--explain), by one name.

The script's name and options came first, and go on working; `jtss evaluate`, `jtss classify` and `jtss explain` do the
same work.
"""

import argparse
from pathlib import Path

from data_prep.remote import require_here
from jtss.commands import classify, common, evaluate, explain
from jtss.invocation import option

OF_PACKETS = ("per_object", "trajectory", "coverage")
HELP = DESCRIPTION = "Evaluate a trained model, classify alert packets with it, or explain its answers."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ckpt", metavar=common.MODEL, type=Path, nargs="+", required=True, help=evaluate.MODELS)
    classify.add_screening(parser)
    evaluate.add_data_options(parser.add_argument_group("evaluate on labelled sequences"))
    alerts = parser.add_argument_group("classify alert packets")
    alerts.add_argument(
        "--alerts",
        metavar="PATH",
        type=common.place,
        nargs="+",
        action="extend",
        help="folders, Avro files, tar archives, also as URLs",
    )
    classify.add_alert_options(alerts)
    classify.add_packet_options(alerts)
    parser.add_argument(
        "--explain",
        metavar="OBJECT",
        nargs="+",
        action="extend",
        help="explain what the model says of these objects of --data or --alerts",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        type=common.place,
        help="folder of the report or of the explanations, or with --alerts the table: .csv, .parquet or .jsonl"
        " (defaults: as jtss evaluate, explain and classify have them)",
    )
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    check(options)
    require_here(option("out"), options.out)
    if options.explain:
        options.model, *options.beside = options.ckpt
        options.first, options.objects = None, options.explain
        return explain.run(options)
    if options.alerts:
        options.model = options.ckpt[0]
        return classify.run(options)
    options.models, options.model = options.ckpt, []
    return evaluate.run(options)


def check(options: argparse.Namespace) -> None:
    """Leave with a message where options do not go together."""
    of_data, of_alerts = (
        ("data", "split", "purity", "ablations"),
        ("allwise", "allwise_radius", "calibrated", "picture", "rejects", "force", *OF_PACKETS),
    )
    foreign = _given(options, of_data if options.alerts else of_alerts)
    if options.alerts and len(options.ckpt) > 1 and not options.explain:
        options.usage_error(f"--ckpt: {len(options.ckpt)} models, expected one with --alerts")
    if foreign:
        options.usage_error(f"{foreign}: only {'without' if options.alerts else 'with'} --alerts")
    of_others = ("split", "priors", "purity", "ablations", "calibrated", "picture", "rejects", "force", "screen_bogus")
    useless = _given(options, (*of_others, *OF_PACKETS))
    if options.explain and useless:
        options.usage_error(f"{useless}: only without --explain")


def _given(options: argparse.Namespace, names: tuple[str, ...]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names if getattr(options, name) is not None)
