"""`jtss evaluate -m RUN`: accuracy and a report, on labelled sequences."""

import argparse
from pathlib import Path

from jtss.commands import common
from jtss.commands.classify import add_screening
from jtss.schema import SPLIT_NAMES

HELP = "measure a model on labelled sequences"
DESCRIPTION = (
    "Evaluate a trained model on labelled sequences: a summary here, everything in report.html and report.json. Of an"
    " ensemble, each seed is evaluated by itself as well. More models are compared with the first on the same objects."
)
MODELS = f"{common.MODEL_HELP}; more of them are compared with the first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", metavar=common.MODEL, type=Path, nargs="*", default=[], help="as -m")
    common.add_models(parser, MODELS)
    add_data_options(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder of the report (default: RUN/evaluation, or MODEL-evaluation here for a pretrained model;"
        " -DATA-SPLIT is added for other data or splits); what is there is replaced",
    )
    add_screening(parser)


def add_data_options(parser) -> None:
    """What goes with a data file."""
    add = parser.add_argument
    add("--data", metavar="F.h5", type=Path, help="data set (default: the one of the run directory)")
    add("--split", choices=(*SPLIT_NAMES, "all"), help="part of the data set (default: test)")
    add("--purity", metavar="P", type=float, help="purity for which thresholds are chosen (default: 0.95)")
    add(
        "--ablations",
        action="store_true",
        default=None,
        help="measure what the accuracy rests on, too: the same objects (at most 1,000) with stamps zeroed or"
        " exchanged, metadata exchanged, counters hidden, without AllWISE, and in five versions of what a packet says"
        " of the past; and of an exported model of packets what its outlier score finds",
    )


def run(options: argparse.Namespace) -> int:
    models = [*options.models, *options.model]
    if not models:
        options.usage_error(f"a model is required: -m {common.MODEL}")
    return _evaluate(models, options)


def _evaluate(models: list[Path], options: argparse.Namespace) -> int:
    from jtss.commands import cache
    from jtss.metrics import priors
    from jtss.pretrained import load
    from jtss.reports import assessment, report
    from jtss.reports.sections import seeds, selective
    from jtss.runs.ensemble import is_ensemble

    first, *others = models
    cache.enable()
    request = assessment.Request(
        options.data,
        options.split or "test",
        options.screen_bogus and load.load_screener(options.screen_bogus),
        options.command_line,
        priors=options.priors and priors.parse(options.priors),
        purity=selective.PURITY if options.purity is None else options.purity,
        others=tuple(others),
        ablations=bool(options.ablations),
    )
    if is_ensemble(first):
        summary, paths = assessment.assess_ensemble(first, request, options.out, common.warn, print)
        print(f"\n{seeds.text(summary)}\n\nnumbers: {paths[0]}\ntable: {paths[1]}")
    else:
        document, (json_path, html_path) = assessment.assess(first, request, options.out, common.warn)
        print(f"{report.text(document)}\n\nreport: {html_path}\nnumbers: {json_path}")
    return 0
