"""`jtss data build | fetch | import | labels | simulate | inspect | compare`: data sets, and what is in them."""

import argparse
from pathlib import Path

from jtss import files
from jtss.commands import common, data_fetch, data_import
from jtss.errors import InputError
from jtss.invocation import option

HELP = "make data sets and look at them"
DESCRIPTION = "Make data sets of sequences, and look at them."
CLASSES = "AGN,SN,VS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, add, work, text, description in (
        ("build", _add_build, _build, "alert packets to a data set", BUILD),
        ("fetch", data_fetch.add_arguments, data_fetch.run, data_fetch.TEXT, data_fetch.DESCRIPTION),
        ("import", data_import.add_arguments, _import, data_import.HELP, data_import.DESCRIPTION),
        ("labels", _add_labels, _labels, "labels of objects from catalogues of classes", LABELS),
        ("simulate", _add_simulate, _simulate, "a simulated sky to a data set, to alert packets or to a stream", None),
        ("inspect", _add_inspect, _inspect, "counts, missing values, ledger and stamps of a data set", None),
        ("compare", _add_compare, _compare, "how far simulated alert packets are from real ones", None),
    ):
        sub = verbs.add_parser(name, help=text, description=description or text)
        add(sub)
        sub.set_defaults(action=work)


def run(options: argparse.Namespace) -> int | None:
    return options.action(options)


BUILD = (
    "Turn alert packets into one HDF5 file of sequences, or into many by sky: the first 5 detections of each object, 6"
    " hours apart. Broken packets are counted and left out; the ledger says why."
)


def _add_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--alerts",
        nargs="+",
        action="extend",
        required=True,
        metavar="PATH",
        help="directories, Avro files, tar archives, also compressed by gzip, bzip2 or xz; also as URLs, s3://, gs://,"
        " https:// and others",
    )
    add("--out", required=True, metavar="FILE.h5|FOLDER", help="the data set to write; a folder with --shards")
    add(
        "--shards",
        type=int,
        choices=range(3),
        metavar="ORDER",
        help="a file for each HEALPix pixel of order 0, 1 or 2 (12, 48, 192 on the sky) in a folder that is read as one"
        " data set",
    )
    common.add_labels(parser)
    common.add_allwise(parser)
    add("--rejects", metavar="FILE.jsonl", help="name each dropped alert and the reason here")
    add("--seed", type=int, default=0, help="of the split into train, validation and test (default: 0)")
    add("--workers", type=_positive, metavar="N", help="processes (default: one per core)")
    common.add_dask(parser, "decode")
    common.add_force(parser)


def _build(options: argparse.Namespace) -> None:
    from data_prep import remote
    from data_prep.build import build

    for name in ("out", "rejects"):
        remote.require_here(option(name), getattr(options, name))
    columns, radius_arcsec = common.label_columns(options), common.allwise_radius(options)
    with common.workers(options) as workers:
        built = build(
            options.alerts,
            options.out,
            command=options.command_line,
            labels_path=options.labels,
            columns=columns,
            allwise_path=options.allwise,
            allwise_radius_arcsec=radius_arcsec,
            rejects_path=options.rejects,
            seed=options.seed,
            workers=workers,
            shards=options.shards,
            force=bool(options.force),
        )
    _report(built, options.out)


def _import(options: argparse.Namespace) -> None:
    _report(data_import.run(options), options.out)


def _report(built, path: str) -> None:
    """Say what a build came to, and audit it."""
    common.say(str(built.ledger))
    kept, out = built.ledger.kept, common.printable(path)
    common.say(f"\n{out}: {built.n_objects} objects, {kept} alerts, hash {built.content_hash}\n")
    for remark in built.remarks:
        common.say(common.printable(remark))
    for warning in built.warnings:
        common.warn(common.printable(warning))
    _audit_built(path)


def _audit_built(path: str) -> None:
    """Audit a data set that was just written; whatever comes of it, it stays and its build has succeeded."""
    from data_prep.audit.audit import audit

    try:
        report = audit(path)
    except (InputError, OSError, KeyboardInterrupt, common.Interrupted) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt | common.Interrupted) else error
        common.warn(f"{common.printable(path)} is written but not audited: {reason}")
        return
    common.say(common.printable(str(report)))
    if report.leaks:
        common.warn(f"{common.printable(path)} leaks: accuracies measured with it may be too high")


LABELS = (
    "Label objects by what catalogues say of them, as they are downloaded: a row for each piece of evidence, and a"
    " label where all of it agrees."
)


def _add_labels(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--from",
        dest="catalogues",
        nargs="+",
        action="extend",
        required=True,
        metavar="SOURCE:FILE",
        help="bts, tns, alerce, milliquas, vsx, gaia, gcvs, simbad or fink, and the file",
    )
    add("--objects", metavar="TABLE", type=Path, help="objectId, ra, dec [deg]: label these, also by their position")
    add("--out", required=True, metavar="FILE.csv", type=Path, help="the labels to write")
    add("--radius", metavar="ARCSEC", type=common.positive, help="of a match by position (default: 1.5)")
    add(
        "--columns",
        metavar="[SOURCE:]OURS=THEIRS,…",
        action="append",
        default=[],
        help="other names of columns, as tns:label=class; ours are objectId, ra, dec, label and name; SOURCE may be"
        " objects",
    )
    common.add_force(parser)


def _labels(options: argparse.Namespace) -> None:
    from data_prep.catalogues import labelling, sources

    given = [sources.split(text) for text in options.catalogues]
    read = [*(path for _, path in given), options.objects]
    files.check_outputs({"out": options.out}, read, force=bool(options.force))
    if options.radius and not options.objects:
        raise InputError(f"{option('radius')}: only with {option('objects')}, which are matched by position")
    columns = sources.columns_of(options.columns, [source for source, _ in given])
    labels = labelling.collect(given, columns, options.objects, options.radius or labelling.RADIUS_ARCSEC)
    labelling.write(options.out, labels)
    lines, warnings = labelling.report(labels)
    for line in lines:
        common.say(common.printable(line))
    for warning in warnings:
        common.warn(common.printable(warning))
    common.say(f"labels: {common.printable(options.out)}")


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, metavar="F.h5", help="write a data set into this HDF5 file")
    target.add_argument(
        "--packets", type=Path, metavar="DIR", help="write alert packets, labels.csv and allwise.csv instead"
    )
    target.add_argument("--stream", metavar="TOPIC", help="send alert packets to a Kafka topic, in the order of time")
    common.add_cluster(parser, required=False)
    add("--rate", metavar="N", type=common.positive, help="with --stream: packets per second (default: all at once)")
    add("--objects", type=_positive, default=6000, help="objects in all, classes share equally (%(default)s)")
    add("--seed", type=int, default=0, help="another seed is another sky (%(default)s)")
    add("--classes", default=CLASSES, help="of AGN,SN,VS,asteroid,bogus (default: %(default)s)")
    add(
        "--sky",
        default="paper",
        metavar="SKY",
        help="paper: objects from their first alert ever (default); any: from when a broker joins; mixed",
    )
    add("--workers", type=_positive, help="processes (default: one per core)")
    common.add_dask(parser, "simulate")
    common.add_force(parser)


def _simulate(options: argparse.Namespace) -> None:
    settings = {
        "n_objects": options.objects,
        "seed": options.seed,
        "classes": tuple(name.strip() for name in options.classes.split(",")),
        "sky": options.sky,
    }
    from data_prep.workers import ONE_WORKER, WorkerError

    try:
        with common.workers(options) as workers:
            _make(options, settings | {"workers": workers})
    except WorkerError as error:
        raise WorkerError(f"{error}; {ONE_WORKER}") from error


def _make(options: argparse.Namespace, settings: dict) -> None:
    if options.stream:
        _stream(options, settings)
        return
    for name in ("bootstrap", "rate", "set_kafka"):
        if getattr(options, name):
            raise InputError(f"{option(name.replace('_', '-'))}: only with {option('stream')}")
    if options.packets:
        # Packets need fastavro, which a machine that only trains may lack.
        from data_prep.simulate.archive import simulate_packets

        n_files = simulate_packets(options.packets, **settings)
        made = f"{options.objects} objects in {n_files} Avro files, labels.csv, allwise.csv"
        common.say(f"{common.printable(options.packets)}: {made}")
        return
    from data_prep.labels import splits_made
    from data_prep.simulate.dataset import simulate
    from jtss import dataset

    content_hash = simulate(options.out, **settings, force=bool(options.force), command=options.command_line)
    common.say(f"{common.printable(options.out)}: {options.objects} objects, content {content_hash[:16]}")
    with dataset.open_checked(options.out) as file:
        splits, _ = splits_made(file["label"][:], dataset.alert_counts(file), file["split"][:])
    common.say(splits)


def _stream(options: argparse.Namespace, settings: dict) -> None:
    if not options.bootstrap:
        raise InputError(f"{option('stream', options.stream)}: expected {option('bootstrap')} HOST:PORT with it")
    common.require(option("stream"), "serve", "confluent-kafka")
    from data_prep.simulate.archive import stream_packets
    from jtss.serving import clients, producing
    from jtss.serving.log import Log

    producer = clients.producer(options.bootstrap, clients.settings(options.set_kafka), Log().logger)
    clients.require_topic(producer, options.stream)
    n_sent = producing.produce(producer, options.stream, stream_packets(**settings), options.rate)
    common.say(f"{n_sent} packets of {options.objects} objects to the topic {common.printable(options.stream)}")


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.h5|FOLDER", type=Path, help="a data set")
    parser.add_argument("--gallery", metavar="FILE.png", type=Path, help="draw stamps of a few objects of each class")
    common.add_force(parser)


def _inspect(options: argparse.Namespace) -> None:
    from data_prep import inspection

    files.check_outputs({"gallery": options.gallery}, [options.file], force=bool(options.force))
    common.say(inspection.summary(options.file))
    if options.gallery:
        inspection.draw(options.file, options.gallery)
        common.say(f"\n{common.printable(options.gallery)}: gallery of stamps")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    for name in ("simulated", "real"):
        parser.add_argument(f"--{name}", required=True, metavar="FOLDER", help="alert packets and their labels.csv")
    parser.add_argument("--out", required=True, metavar="DIR", help="for tables and galleries; replaces earlier ones")
    parser.add_argument("--seed", type=int, default=0, help="which objects the galleries show (default: 0)")


def _compare(options: argparse.Namespace) -> None:
    from data_prep.compare.comparison import compare

    common.say(compare(options.simulated, options.real, options.out, options.seed))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, expected at least 1")
    return number
