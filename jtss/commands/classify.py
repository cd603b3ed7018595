"""`jtss classify ALERTS -m MODEL`: a table of probabilities for alert packets."""

import argparse
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from jtss import files
from jtss.commands import common
from jtss.errors import InputError
from jtss.invocation import option

HELP = "say what alert packets are of"
DESCRIPTION = (
    "Classify alert packets: a table with a row per object and class, of a model of packets per packet and class. Every"
    " object or packet has a row; one that cannot be classified has a row that says why."
)
DEFAULT_OUT = Path("predictions.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "alerts", metavar="ALERTS", type=common.place, nargs="+", help="folders, Avro files, tar archives, also as URLs"
    )
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        type=Path,
        default=Path("n1_enhanced"),
        help="run directory, or name of a pretrained model (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        metavar="TABLE",
        type=common.place,
        help="table to write: .csv, .parquet or .jsonl (default: predictions.csv)",
    )
    add_alert_options(parser)
    add_packet_options(parser)
    add_screening(parser)
    common.add_dask(parser, "decode and answer")


def add_packet_options(parser) -> None:
    """What a model of packets answers."""
    parser.add_argument(
        "--per-object",
        action="store_true",
        default=None,
        help="a model of packets answers the latest packet of each object, not every one",
    )
    parser.add_argument(
        "--trajectory",
        metavar="TABLE",
        type=common.place,
        help="table to write of the probabilities after each row of a packet, by a model of packets",
    )
    parser.add_argument(
        "--coverage",
        metavar="SHARE",
        type=float,
        help="share of alerts that a model of packets answers, as 0.9: a note says of the least certain ones that it"
        " abstains; measured on the validation split of its training data",
    )


def add_alert_options(parser) -> None:
    """What goes with alert packets, whichever program asks."""
    add = parser.add_argument
    common.add_allwise(parser)
    common.add_calibrated(parser)
    add("--picture", metavar="F.png", type=common.place, help="draw the first objects of each predicted class")
    add("--rejects", metavar="F.jsonl", type=common.place, help="list the alerts that could not be used")
    common.add_force(parser)


def add_screening(parser) -> None:
    """Bogus screening, for classification and evaluation."""
    parser.add_argument(
        "--screen-bogus",
        metavar="MODEL1",
        type=Path,
        help="a stamp classifier that knows the class bogus: an object whose first and second detection it predicts to"
        " be bogus is rejected",
    )
    add_priors(parser)


def add_priors(parser) -> None:
    parser.add_argument(
        "--priors",
        metavar="CLASS=SHARE,…",
        help="class priors, one for each class of the model, as AGN=.318,SN=.017,VS=.665: the probabilities, or the"
        " purity in a report, are for these; of classify, fitted: those that the model was given by models calibrate",
    )


def run(options: argparse.Namespace) -> int:
    from data_prep import ingest, remote
    from data_prep.infrared import crossmatch
    from jtss.commands import cache
    from jtss.inference.classify import FITTED, abstaining, fitted_priors, summary
    from jtss.inference.table import check_name
    from jtss.metrics import priors
    from jtss.pretrained import load

    out = options.out or DEFAULT_OUT
    outputs = {"out": out} | {name: getattr(options, name) for name in ("trajectory", "picture", "rejects")}
    for name, path in outputs.items():
        remote.require_here(option(name), path)
    for path in filter(None, (out, options.trajectory)):
        check_name(path)
    read = [crossmatch.path_of(options.allwise), *map(remote.path_of, options.alerts)]
    files.check_outputs(outputs, read, force=bool(options.force))
    cache.enable()
    model = load.load_model(options.model)
    of_packets = bool(model.config.packet.rows)
    _check_for_model(options, model, of_packets)
    abstention = abstaining(model, options.coverage)
    for warning in model.warnings:
        common.warn(warning)
    wanted = None
    if options.priors is not None:
        wanted = fitted_priors(model) if options.priors == FITTED else priors.parse(options.priors)
    given = {"calibrated": bool(options.calibrated), "class_priors": wanted}
    if of_packets:
        classifier, write = _packets(options, out, model, given, abstention)
    else:
        classifier, write = _sequences(options, out, model, given)
    allwise = common.load_allwise(options)
    _warn_of_allwise(options, model)
    with (
        common.workers(options) as cluster,
        tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder,
        ingest.ingest(
            options.alerts,
            workdir=folder,
            workers=cluster,
            pad_edges=True,
            histories=of_packets,
            choice=("latest" if options.per_object else "every") if of_packets else "sequence",
            passed_over=(*outputs.values(), options.allwise),
        ) as ingested,
    ):
        _account_for(ingested, options)
        tally = write(ingested, ingested.batches(allwise=allwise), cluster)
    common.say_matches(allwise, ingested.ledger.notes, ingested.n_objects)
    print(f"\n{summary(tally, classifier.classes, 'packets' if of_packets else 'objects')}\n\ntable: {out}")
    if options.trajectory:
        print(f"trajectory: {options.trajectory}")
    if options.picture:
        from jtss.reports import stamps

        print(stamps.draw(options.picture, tally, classifier.name))
    return 0


def _check_for_model(options: argparse.Namespace, model, of_packets: bool) -> None:
    """Raise InputError for options that the model does not know."""
    if of_packets and options.screen_bogus:
        raise InputError(f"--screen-bogus: {model.label} reads one packet, expected a model of sequences to screen for")
    for name in ("per_object", "trajectory"):
        if getattr(options, name) and not of_packets:
            raise InputError(
                f"--{name.replace('_', '-')}: {model.label} answers each object once, by its first"
                f" {model.config.n_detections} alerts; expected a model of packets"
            )


def _warn_of_allwise(options: argparse.Namespace, model) -> None:
    from jtss.schema import COLOUR_NAMES

    reads_colours = bool(set(model.config.metadata.static) & set(COLOUR_NAMES))
    if options.allwise is None and reads_colours:
        common.warn("no --allwise given: the AllWISE colours count as missing")
    if options.allwise is not None and not reads_colours:
        common.warn(f"--allwise: {model.label} reads no AllWISE colours, so the catalogue changes nothing")


def _sequences(options: argparse.Namespace, out: Path, model, given: dict) -> tuple:
    """What answers for a model of sequences, and a function that writes its table and returns the tally."""
    from jtss.inference import classify, predict, screening, table
    from jtss.pretrained import load

    answer, classifier = classify.answering(model, **given)
    screener = options.screen_bogus and load.load_screener(options.screen_bogus)
    for warning in screener.warnings if screener else ():
        common.warn(warning)

    screen = predict.screen_with(screener) if screener else screening.no_screening

    def write(ingested, batches, cluster):
        if cluster:
            from jtss.commands import classify_cluster as elsewhere

            there = partial(elsewhere.answer, elsewhere.recipe(options.model, model, **given))
            if screener:
                screen_there = partial(elsewhere.screen, elsewhere.recipe(options.screen_bogus, screener))
        with table.open_table(out) as write_rows:
            return classify.classify(
                there if cluster else answer,
                batches,
                classifier,
                write_rows,
                notes=ingested.notes(),
                rejected={oid: ", ".join(sorted(lost)) for oid, lost in ingested.dropped_by_object().items()},
                screen=screen_there if cluster and screener else screen,
                each=cluster.ordered_map if cluster else map,
            )

    return classifier, write


def _packets(options: argparse.Namespace, out: Path, model, given: dict, abstention) -> tuple:
    """As `_sequences`, for a model of packets; the function writes their trajectories, too, if they are asked for."""
    from jtss.inference import classify, packets, table

    adjust, classifier = classify.adjustment(model, **given)
    columns = table.trajectory_columns(classifier.classes)

    def answer(sequences):
        answered = packets.followed if options.trajectory else packets.answers
        return answered(model, sequences, adjust)

    def write(ingested, batches, cluster):
        function, ordered_map = answer, map
        if cluster:
            from jtss.commands import classify_cluster as elsewhere

            recipe = elsewhere.recipe(options.model, model, **given, trajectory=bool(options.trajectory))
            function, ordered_map = partial(elsewhere.answer, recipe), cluster.ordered_map
        with ExitStack() as tables:
            write_rows = tables.enter_context(table.open_table(out, table.PACKET_COLUMNS))
            write_beside = options.trajectory and tables.enter_context(table.open_table(options.trajectory, columns))

            def each(function, batches):
                for answered in ordered_map(function, batches):
                    if options.trajectory:
                        answered, followed = answered
                        write_beside(table.trajectory_rows(classifier.classes, followed))
                    yield answered

            return classify.classify_packets(
                function,
                batches,
                classifier,
                write_rows,
                notes=ingested.notes_of_alerts(),
                unread=ingested.unread_objects() if options.per_object else ingested.unread_alerts(),
                abstention=abstention,
                each=each,
            )

    return classifier, write


def _account_for(ingested, options: argparse.Namespace) -> None:
    """Print the ledger and write the rejects; raise InputError where there is nothing to say about any object."""
    from data_prep import ingest, remote

    print(ingested.ledger)
    if options.rejects:
        ingest.write_rejects(options.rejects, ingested)
    given, hint = ", ".join(map(remote.masked, options.alerts)), "a data set is for evaluation"
    if not ingested.ledger.read:
        raise InputError(f"{given}: no alert packet in it ({hint})")
    if not ingested.ledger.kept and not ingested.dropped_by_object():
        raise InputError(f"{given}: nothing in it is an alert that can be used ({hint})")
