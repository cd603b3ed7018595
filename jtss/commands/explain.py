"""`jtss explain OBJECT -m MODEL`: what a model's prediction depends on, a page per object."""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jtss.commands import common

HELP = "show what a prediction depends on"
DESCRIPTION = (
    "Explain a model's predictions: which parts of the stamps and which metadata they depend on. A page and a JSON file"
    " per object; with several models, the probabilities after each number of detections. Of a model of packets, the"
    " light curve of the latest alert (in a data set, the first), the probabilities after each row, and what each is"
    " worth."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar=common.MODEL, nargs="?", help="as -m")
    parser.add_argument("objects", metavar="OBJECT", nargs="+", help="objectId")
    parser.add_argument("-m", "--model", metavar=common.MODEL, type=Path, help=common.MODEL_HELP)
    parser.add_argument(
        "--beside", metavar=common.MODEL, type=Path, nargs="+", default=[], help="more models, for the same objects"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", metavar="F.h5", type=Path, help="data set (default: the one of the run directory)")
    source.add_argument(
        "--alerts", metavar="PATH", type=common.place, nargs="+", action="extend", help="alert packets, also as URLs"
    )
    common.add_allwise(parser, "with --alerts: ")
    common.add_calibrated(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder of the pages (default: RUN/explained, or MODEL-explained here); what is there is replaced",
    )
    parser.set_defaults(usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    if options.model and options.first:  # it is an object then
        options.objects = [options.first, *options.objects]
    model = options.model or options.first
    if not model:
        options.usage_error(f"a model and an object are required: -m {common.MODEL} OBJECT")
    return _explain(Path(model), options)


def _explain(model: Path, options: argparse.Namespace) -> int:
    from jtss.commands import cache
    from jtss.pretrained import load
    from jtss.reports import assessment
    from jtss.reports.explanation import explanation

    cache.enable()
    models = [load.load_model(path) for path in (model, *options.beside)]
    for warning in (warning for model in models for warning in model.warnings):
        common.warn(warning)
    objects, source = _objects(options, models[0])
    folder = options.out or assessment.own_folder(models[0], "explained")
    calibrated = bool(options.calibrated)
    explanation.explain_all(models, objects, source, options.command_line, folder, print, calibrated=calibrated)
    return 0


def _objects(options: argparse.Namespace, model) -> tuple[list, str]:
    """The objects to explain, each alone, and where they are from."""
    from jtss import dataset
    from jtss.inference import versions
    from jtss.reports import assessment
    from jtss.reports.explanation import explanation

    if not options.alerts:
        path = options.data or assessment.training_data(model)
        objects = explanation.find(dataset.read(path), options.objects, str(path))
        if model.config.packet.rows:  # as `evaluate`, which answers the first alert of each object
            objects = [versions.first_packets(one) for one in objects]
        return objects, str(path)
    from data_prep import ingest, remote
    from data_prep.infrared import crossmatch

    where, of_packets = ", ".join(map(remote.masked, options.alerts)), bool(model.config.packet.rows)
    allwise = common.load_allwise(options)
    with (
        tempfile.TemporaryDirectory(prefix="jtss-explain.") as folder,
        ingest.ingest(
            options.alerts,
            workdir=folder,
            pad_edges=True,
            histories=of_packets,
            choice="every" if of_packets else "sequence",
            passed_over=[crossmatch.path_of(options.allwise)],
        ) as ingested,
    ):
        n_read: list[int] = []
        objects = explanation.find(_counted(ingested.batches(allwise=allwise), n_read), options.objects, where)
        common.say_matches(allwise, ingested.ledger.notes, sum(n_read))
        return objects, where


def _counted(batches, n_read: list[int]) -> Iterator:
    """Batches as they are; notes how many objects are in each."""
    for batch in batches:
        n_read.append(batch.n_objects)
        yield batch
