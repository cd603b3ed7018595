"""`jtss classify ALERTS -m MODEL`: a table of probabilities for alert packets."""

import argparse
import tempfile
from pathlib import Path

from jtss import files
from jtss.commands import common
from jtss.errors import InputError

HELP = "say what alert packets are of"
DESCRIPTION = (
    "Classify alert packets: a table with a row per object and class. Every object has a row; one that cannot be"
    " classified has a row that says why."
)
DEFAULT_OUT = Path("predictions.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alerts", metavar="ALERTS", type=Path, nargs="+", help="folders, Avro files, tar archives")
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        type=Path,
        default=Path("n1_enhanced"),
        help="run directory, or name of a pretrained model (default: %(default)s)",
    )
    parser.add_argument(
        "--out", metavar="TABLE", type=Path, help="table to write: .csv, .parquet or .jsonl (default: predictions.csv)"
    )
    add_alert_options(parser)
    add_screening(parser)


def add_alert_options(parser) -> None:
    """What goes with alert packets, whichever program asks."""
    add = parser.add_argument
    add("--allwise", metavar="CAT", type=Path, help="catalogue of W1–W4: .csv, .parquet, .fits and others")
    add(
        "--calibrated",
        action="store_true",
        default=None,
        help="calibrated probabilities: scaled by the temperature of the model",
    )
    add("--picture", metavar="F.png", type=Path, help="draw the first objects of each predicted class")
    add("--rejects", metavar="F.jsonl", type=Path, help="list the alerts that could not be used")
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
        " purity in a report, are for these",
    )


def run(options: argparse.Namespace) -> int:
    from data_prep import crossmatch, ingest
    from jtss.commands import cache
    from jtss.inference import classify, predict, screening, table
    from jtss.metrics import priors
    from jtss.pretrained import load
    from jtss.schema import COLOUR_NAMES

    out = options.out or DEFAULT_OUT
    table.check_name(out)
    outputs = {"out": out, "picture": options.picture, "rejects": options.rejects}
    files.check_outputs(outputs, [options.allwise, *options.alerts], force=bool(options.force))
    cache.enable()
    model = load.load_model(options.model)
    of_packets = bool(model.config.packet.rows)
    if of_packets and options.screen_bogus:
        raise InputError(f"--screen-bogus: {model.label} reads one packet, expected a model of sequences to screen for")
    screener = options.screen_bogus and load.load_screener(options.screen_bogus)
    for warning in (*model.warnings, *(screener.warnings if screener else ())):
        common.warn(warning)
    wanted = None if options.priors is None else priors.parse(options.priors)
    probabilities, classifier = classify.answering(model, calibrated=bool(options.calibrated), class_priors=wanted)
    reads_colours = bool(set(model.config.metadata.static) & set(COLOUR_NAMES))
    allwise = options.allwise and crossmatch.load(options.allwise)
    if allwise is None and reads_colours:
        common.warn("no --allwise given: the AllWISE colours count as missing")
    if allwise is not None and not reads_colours:
        common.warn(f"--allwise: {model.label} reads no AllWISE colours, so the catalogue changes nothing")
    besides = (out, options.picture, options.rejects, options.allwise)
    with (
        tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder,
        ingest.ingest(
            options.alerts,
            workdir=folder,
            pad_edges=True,
            histories=of_packets,
            latest=of_packets,
            passed_over=besides,
        ) as ingested,
    ):
        _account_for(ingested, options)
        with table.open_table(out) as write:
            tally = classify.classify(
                probabilities,
                ingested.batches(allwise=allwise),
                classifier,
                write,
                notes=ingested.notes(),
                rejected={oid: ", ".join(sorted(lost)) for oid, lost in ingested.dropped_by_object().items()},
                screen=predict.screen_with(screener) if screener else screening.no_screening,
            )
    if allwise is not None:
        n_matched, n_without = (ingested.ledger.notes[n] for n in (ingest.ALLWISE_MATCHED, ingest.ALLWISE_WITHOUT))
        say = common.say if n_matched or not ingested.n_objects else common.warn
        say(crossmatch.report(allwise, n_matched, n_without, ingested.n_objects))
    print(f"\n{classify.summary(tally, classifier.classes)}\n\ntable: {out}")
    if options.picture:
        from jtss.reports import stamps

        print(stamps.draw(options.picture, tally, classifier.name))
    return 0


def _account_for(ingested, options: argparse.Namespace) -> None:
    """Print the ledger and write the rejects; raise InputError where there is nothing to say about any object."""
    from data_prep import ingest

    print(ingested.ledger)
    if options.rejects:
        ingest.write_rejects(options.rejects, ingested)
    given = ", ".join(map(str, options.alerts))
    if not ingested.ledger.read:
        raise InputError(f"{given}: no alert packet in it")
    if not ingested.ledger.kept and not ingested.dropped_by_object():
        raise InputError(f"{given}: nothing in it is an alert that can be used (a data set is for evaluation)")
