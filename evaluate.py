"""Evaluate a trained model, or classify alerts with it.

python evaluate.py --ckpt RUN [--data F.h5] [--split test] [--out DIR]                accuracy and a report
python evaluate.py --ckpt RUN --alerts PATH… [--allwise CAT] [--out predictions.csv]   probabilities for alert packets
python evaluate.py --ckpt RUN --explain OBJECT… [--data F.h5 | --alerts PATH…]         why, one page per object

RUN is a run directory or, where nothing is at that path, the name of a model that ships: python -m jtss.models list. It
may be a folder of repeats (train.py --seeds): these serve as one model that averages their probabilities; on labelled
data each is evaluated by itself, too. More models after the first are set beside it, on the same objects.
--screen-bogus RUN1 rejects what the first-detection model RUN1 takes for bogus.

JAX and the packet readers are imported where they are used: the processes that decode packets import this file again,
and a machine that evaluates data files may lack the packet readers.
"""

import argparse
import shlex
import signal
import sys
import tempfile
from pathlib import Path

from data_prep import ingest
from jtss.commands import common
from jtss.inference import classify
from jtss.reports import stamps
from jtss.schema import COLOUR_NAMES, SPLIT_NAMES

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143


def main() -> int:
    arguments = parse_arguments()
    from jtss.commands import common

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # an exception, so that temporary files go
    try:
        common.enable()
        if arguments.explain:
            return explain(arguments)
        return classify_alerts(arguments) if arguments.alerts else evaluate_data(arguments)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("evaluate.py: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Evaluate a trained model, or classify alerts with it.")
    parser.add_argument(
        "--ckpt",
        metavar="RUN",
        type=Path,
        nargs="+",
        required=True,
        help="run directory of the trained model, or name of one that ships; python -m jtss.models list shows these;"
        " more of them are set beside the first, on the same objects",
    )
    parser.add_argument(
        "--screen-bogus",
        metavar="RUN1",
        type=Path,
        help="the same of a first-detection model with the class bogus: an object whose first and second detection"
        " it takes for bogus is rejected",
    )
    data = parser.add_argument_group("evaluate on labelled sequences")
    data.add_argument("--data", metavar="F.h5", type=Path, help="data set (default: the one of the run directory)")
    data.add_argument("--split", choices=(*SPLIT_NAMES, "all"), help="part of the data set (default: test)")
    data.add_argument(
        "--priors",
        metavar="CLASS=FRACTION,…",
        help="class priors at which purity is computed (default for AGN, SN, VS: the proportions of the paper's"
        " labelled sample, AGN=.318,SN=.017,VS=.665)",
    )
    data.add_argument("--purity", metavar="P", type=float, help="choose thresholds for this purity (default: 0.95)")
    alerts = parser.add_argument_group("classify alert packets")
    alerts.add_argument(
        "--alerts", metavar="PATH", type=Path, nargs="+", action="extend", help="directories, Avro files, tar archives"
    )
    alerts.add_argument("--allwise", metavar="CAT", type=Path, help="catalogue of W1–W4: .csv, .parquet or .fits")
    alerts.add_argument(
        "--calibrated", action="store_true", default=None, help="scale probabilities by the temperature of the model"
    )
    alerts.add_argument("--picture", metavar="F.png", type=Path, help="draw the first objects of each predicted class")
    alerts.add_argument("--rejects", metavar="F.jsonl", type=Path, help="list the alerts that could not be used")
    parser.add_argument(
        "--explain",
        metavar="OBJECT",
        nargs="+",
        action="extend",
        help="explain what the model says of these objects of --data or --alerts: where it looks, which values it uses;"
        " with several models their answers after each number of detections",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        type=Path,
        help="folder of the report (default: RUN/evaluation, or RUN-evaluation here for a model that ships; with"
        " -DATA-SPLIT for other data or splits, -screened for screening), or with --alerts the table: .csv, .parquet or"
        " .jsonl (default: predictions.csv), or with --explain the folder of the pages (default: RUN/explained, or"
        " RUN-explained here); what is there is replaced",
    )
    arguments = parser.parse_args()
    check_together(parser, arguments)
    return arguments


def check_together(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Leave with a message where options do not go together; the first model becomes `ckpt`, the rest `others`."""
    of_data, of_alerts = ("data", "split", "priors", "purity"), ("allwise", "calibrated", "picture", "rejects")
    foreign = of_data if arguments.alerts else of_alerts
    given = [f"--{name}" for name in foreign if getattr(arguments, name) is not None]
    arguments.ckpt, *arguments.others = arguments.ckpt
    if arguments.alerts and arguments.others and not arguments.explain:
        parser.error(f"--ckpt: found {1 + len(arguments.others)} models, expected one with --alerts")
    if given:
        parser.error(f"{', '.join(given)}: only {'without' if arguments.alerts else 'with'} --alerts")
    useless = ("split", "priors", "purity", "calibrated", "picture", "rejects", "screen_bogus")
    given = [f"--{name.replace('_', '-')}" for name in useless if getattr(arguments, name) is not None]
    if arguments.explain and given:
        parser.error(f"{', '.join(given)}: only without --explain")


def evaluate_data(arguments: argparse.Namespace) -> int:
    """Accuracy, confusion and the rest: a table, report.json and report.html; of repeats, of each seed and of all."""
    from jtss.metrics import priors
    from jtss.pretrained import load
    from jtss.reports import assessment, report
    from jtss.reports.sections import seeds as sections_seeds
    from jtss.reports.sections import selective
    from jtss.runs import seeds

    screener = arguments.screen_bogus and load.load_screener(arguments.screen_bogus)
    command = shlex.join(["python", *sys.argv])
    request = assessment.Request(
        arguments.data,
        arguments.split or "test",
        screener,
        command,
        priors=arguments.priors and priors.parse(arguments.priors),
        purity=selective.PURITY if arguments.purity is None else arguments.purity,
        others=tuple(arguments.others),
    )
    if seeds.is_repeats(arguments.ckpt):
        summary, paths = assessment.assess_ensemble(arguments.ckpt, request, arguments.out, warn, print)
        print(f"\n{sections_seeds.text(summary)}\n\nnumbers: {paths[0]}\ntable: {paths[1]}")
    else:
        found, (json_path, html_path) = assessment.assess(arguments.ckpt, request, arguments.out, warn)
        print(f"{report.text(found)}\n\nreport: {html_path}\nnumbers: {json_path}")
    return 0


def warn(message: str) -> None:
    print(f"WARNING: {message}", file=sys.stderr)


def classify_alerts(arguments: argparse.Namespace) -> int:
    """A table with a row per object and class; packets become arrays by the functions that make data sets."""
    from functools import partial

    from data_prep import crossmatch, ingest
    from jtss.inference import calibration, predict, screening, table
    from jtss.pretrained import load

    out = arguments.out or Path("predictions.csv")
    table.check_name(out)
    require_folders(out, arguments.picture, arguments.rejects)
    run = load.load_model(arguments.ckpt)
    screener = arguments.screen_bogus and load.load_screener(arguments.screen_bogus)
    for warning in (*run.warnings, *(screener.warnings if screener else ())):
        warn(warning)
    classifier = classify.classifier(run, bool(arguments.calibrated))
    probabilities = partial(predict.predict, run)
    if arguments.calibrated:
        probabilities = calibration.calibrated(probabilities, run.temperature)
    if arguments.allwise is None and set(run.config.metadata.static) & set(COLOUR_NAMES):
        print("no --allwise given: the AllWISE colours count as missing", file=sys.stderr)
    allwise = arguments.allwise and crossmatch.load(arguments.allwise)
    with (
        tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder,
        ingest.ingest(arguments.alerts, workdir=folder, pad_edges=True) as ingested,
    ):
        account_for(ingested, arguments)
        with table.open_table(out) as write:
            tally = classify.classify(
                probabilities,
                ingested.batches(allwise=allwise),
                classifier,
                write,
                notes=dict.fromkeys(ingested.objects_with("padded_edge"), "padded_edge"),
                rejected={oid: ", ".join(sorted(lost)) for oid, lost in ingested.dropped_by_object().items()},
                screen=predict.screen_with(screener) if screener else screening.no_screening,
            )
    print(f"\n{classify.summary(tally, classifier.classes)}\n\ntable: {out}")
    if arguments.picture:
        print(stamps.draw(arguments.picture, tally, classifier.name))
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """A page and a JSON file per object: what the models say of it, and what the first of them goes by."""
    from jtss.pretrained import load
    from jtss.reports import assessment
    from jtss.reports.explanation import explanation

    runs = [load.load_model(path) for path in (arguments.ckpt, *arguments.others)]
    for warning in (warning for run in runs for warning in run.warnings):
        warn(warning)
    objects, source = objects_to_explain(arguments, runs[0])
    folder = arguments.out or assessment.own_folder(runs[0], "explained")
    explanation.explain_all(runs, objects, source, shlex.join(["python", *sys.argv]), folder, print)
    return 0


def objects_to_explain(arguments: argparse.Namespace, run) -> tuple[list, str]:
    """The objects of --explain, each alone, and where they are from."""
    from jtss import dataset
    from jtss.reports import assessment
    from jtss.reports.explanation import explanation

    if not arguments.alerts:
        path = arguments.data or assessment.training_data(run)
        return explanation.find(dataset.read(path), arguments.explain, str(path)), str(path)
    from data_prep import crossmatch, ingest

    where = ", ".join(map(str, arguments.alerts))
    allwise = arguments.allwise and crossmatch.load(arguments.allwise)
    with (
        tempfile.TemporaryDirectory(prefix="jtss-explain.") as folder,
        ingest.ingest(arguments.alerts, workdir=folder, pad_edges=True) as ingested,
    ):
        return explanation.find(ingested.batches(allwise=allwise), arguments.explain, where), where


def require_folders(*paths: Path | None) -> None:
    """Raise FileNotFoundError where a file to write has no folder, before hours go into what it shall hold."""
    for path in filter(None, paths):
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist")


def account_for(ingested, arguments: argparse.Namespace) -> None:
    """Print the ledger and write the rejects; raise ValueError where there is nothing to say about any object."""

    print(ingested.ledger)
    if arguments.rejects:
        ingest.write_rejects(arguments.rejects, ingested)
    given = ", ".join(map(str, arguments.alerts))
    if not ingested.ledger.read:
        raise ValueError(f"{given}: no alert packet found")
    if not ingested.ledger.kept and not ingested.dropped_by_object():
        raise ValueError(f"{given}: nothing in it is an alert that can be used (a data set goes to --data)")


if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(main())
