"""`jtss serve kafka | produce | http`: alert packets in, answers out; and a stream to try it with."""

import argparse
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

from jtss import exits
from jtss.commands import common
from jtss.errors import InputError
from jtss.invocation import option

HELP = "answer the packets of a stream, or requests by HTTP"
DESCRIPTION = "Answer alert packets as they come: of a Kafka stream, or by HTTP."
KAFKA = (
    "Answer every alert packet of a Kafka topic by a model of packets, to another topic, to files or to a database."
    " What cannot be read or classified goes to NAME-dead, FOLDER/dead or the table jtss_dead_letter with the reason."
    " Offsets are committed only of what is delivered. Several processes of one group share the work; SIGTERM ends one."
)
PRODUCE = "Send the packets of files to a Kafka topic, one a message: to try `serve kafka` with alerts that are there."
HTTP = (
    "Answer requests by HTTP: POST alert packets to /classify, and an object of JSON with the answers by a model of"
    " packets comes back; or open / in a browser and drop packets on the page. SIGTERM ends the server after the"
    " requests that it is working on."
)
TOPIC, FOLDER, DATABASE = "topic:", "dir:", "postgresql://"
ROTATE_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, add, work, text, description in (
        ("kafka", _add_kafka, _kafka, "answer the packets of a Kafka topic", KAFKA),
        ("produce", _add_produce, _produce, "send files of packets to a Kafka topic", PRODUCE),
        ("http", _add_http, _http, "answer requests by HTTP, and show a page to drop packets on", HTTP),
    ):
        sub = verbs.add_parser(name, help=text, description=description)
        add(sub)
        sub.set_defaults(action=work)


def _add_kafka(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--topic", metavar="NAME", required=True, help="topic to read; one that begins with ^ is a regular expression")
    add("--group", metavar="GROUP", required=True, help="consumer group: its processes share the partitions")
    add(
        "-m",
        "--model",
        metavar=common.MODEL,
        type=Path,
        default=Path("any"),
        help="model of packets: a name, a model file or a run directory (default: %(default)s)",
    )
    common.add_calibrated(parser)
    add(
        "--remember",
        metavar="N",
        type=int,
        help="keep N alerts in memory (about 50 kB each), of the objects that were answered last, so that the"
        " stamps of an object's earlier alerts count, too; n_stamps says how many did. Answers then depend on what this"
        " process has seen (default: each packet is answered by itself)",
    )
    add(
        "--out",
        metavar="topic:NAME|dir:FOLDER|postgresql://USER@HOST/DB",
        required=True,
        help="where the answers go; for a database, the password is taken from PGPASSWORD or ~/.pgpass",
    )
    add(
        "--form",
        metavar="json|alerce|lasair:ANNOTATOR|kowalski|parquet",
        help="form of answers in a topic, or in files (default: json); alerce is for topics, parquet for files",
    )
    add(
        "--schema",
        metavar="PATH|URL",
        help="schema of packets that do not bring theirs (an .avsc file); for messages with Confluent's framing the"
        " registry, http(s)://HOST:PORT, or a folder of its schemas named by their number (701.avsc)",
    )
    add(
        "--rotate",
        metavar="SECONDS",
        type=common.positive,
        default=ROTATE_SECONDS,
        help="with dir: begin new files after so long (default: %(default)g)",
    )
    add(
        "--metrics",
        metavar="[HOST:]PORT",
        help="serve here a page with the numbers, /metrics for Prometheus, /healthz and /readyz; without HOST to this"
        " machine alone",
    )
    common.add_cluster(parser, required=True)


def _add_produce(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("packets", metavar="PATH", type=Path, nargs="+", help="folders, Avro files, tar archives")
    add("--topic", metavar="NAME", required=True, help="topic to write to")
    add("--rate", metavar="N", type=common.positive, help="packets per second (default: as fast as it goes)")
    common.add_cluster(parser, required=True)


def _add_http(parser: argparse.ArgumentParser) -> None:
    common.add_models(parser, "models of packets, any number; the first answers where none is asked for (default: any)")
    common.add_calibrated(parser)
    parser.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="to listen on (default: %(default)s)")
    parser.add_argument("--port", metavar="N", type=int, default=8000, help="0: any free one (default: %(default)s)")


def run(options: argparse.Namespace) -> int | None:
    return options.action(options)


def _kafka(options: argparse.Namespace) -> int:
    common.require("serve", "serve", "confluent-kafka")
    from jtss.commands import cache
    from jtss.pretrained import load
    from jtss.serving import answering, clients, framing, messages, remembering
    from jtss.serving.endpoint import address, endpoint
    from jtss.serving.log import Log
    from jtss.serving.metrics import Metrics
    from jtss.serving.stream import Stream
    from jtss.training.signals import StopSignals

    kind, place = _sink_of(options)
    written = _topics_of(kind, place)
    if options.topic in written:
        raise InputError(f"{option('out', options.out)}: {options.topic} is the topic that is read; choose another")
    monitored = None if options.metrics is None else address(options.metrics)
    given, schemas = clients.settings(options.set_kafka), framing.Schemas(options.schema)
    cache.enable()
    model = load.load_model(options.model)
    by = answering.answerer(model, calibrated=bool(options.calibrated))
    alone = partial(answering.answers, by)
    answers = alone if options.remember is None else remembering.Memory(by, options.remember).answers
    log, metrics = Log(), Metrics()
    for warning in model.warnings:
        log.warn("model", warning=warning)
    for warning in schemas.warnings:
        log.warn("schema", warning=warning)
    connect = partial(clients.consumer, options.bootstrap, options.group, given, log.logger)
    # Before a folder is made, which would be that of this group from then on.
    with closing(connect(lambda *_: None)) as asking:
        clients.require_readable(asking, options.topic)
    sink = _sink(options, kind, place, given, by.classifier, log)
    stream = Stream(connect, partial(messages.outcomes, answers, schemas), sink, metrics, log, written)
    signals = StopSignals()
    with nullcontext() if monitored is None else endpoint(metrics, *monitored) as port:
        log.say(
            "started", topic=options.topic, group=options.group, out=options.out, model=model.label,
            classifier_version=by.classifier.version, metrics_port=port,
        )  # fmt: skip
        stream.run(options.topic, lambda: signals.number)
    log.say("stopped", signal=signals.number, **metrics.totals())
    return exits.status_of(signals.number)


def _sink_of(options: argparse.Namespace) -> tuple[str, str]:
    """TOPIC, FOLDER or DATABASE, and its name; of a database its address."""
    from jtss.serving.sinks import forms

    out = options.out
    for kind, among in ((TOPIC, forms.OF_MESSAGES), (FOLDER, forms.OF_FILES)):
        if out.startswith(kind) and out != kind:
            forms.check(forms.JSON if options.form is None else options.form, among)
            return kind, out.removeprefix(kind)
    if not out.startswith(DATABASE):
        raise InputError(f"{option('out', out)}: expected {TOPIC}NAME, {FOLDER}FOLDER or {DATABASE}USER@HOST/DB")
    if options.form is not None:
        raise InputError(f"{option('form', options.form)}: the rows of a database have one form; leave it out")
    common.require("a database", "postgresql", "psycopg")
    return DATABASE, out


def _topics_of(kind: str, place: str) -> tuple[str, ...]:
    """Topics that are written to."""
    from jtss.serving.sinks.sink import DEAD

    return (place, f"{place}-{DEAD}") if kind == TOPIC else ()


def _sink(options: argparse.Namespace, kind: str, place: str, given: dict[str, str], classifier, log):
    from jtss.serving import clients
    from jtss.serving.sinks import forms

    if kind == DATABASE:
        from jtss.serving.sinks.database import DatabaseSink

        return DatabaseSink(place)
    form = forms.form_of(forms.JSON if options.form is None else options.form, classifier)
    make = partial(clients.producer, options.bootstrap, given, log.logger)
    if kind == FOLDER:
        from jtss.serving.sinks import folders, owners

        owner = owners.Owner(_cluster(make()), options.group, form.name)
        owners.claim(Path(place), owner)
        return folders.FolderSink(Path(place), options.rotate, form)
    from jtss.serving.sinks.topics import TopicSink

    probe = make()
    for name in _topics_of(kind, place):
        clients.require_topic(probe, name)
    return TopicSink(make, place, form.message)


def _cluster(probe) -> str | None:
    """Identity of the cluster; None: it is too old to have one."""
    from jtss.serving import clients

    return clients.about(probe).cluster_id


def _produce(options: argparse.Namespace) -> None:
    common.require("serve", "serve", "confluent-kafka")
    from jtss.serving import clients, producing
    from jtss.serving.log import Log

    given = clients.settings(options.set_kafka)
    producer = clients.producer(options.bootstrap, given, Log().logger)
    clients.require_topic(producer, options.topic)
    refused = []

    def warn(text: str) -> None:
        refused.append(text)
        common.warn(f"not sent: {text}")

    n_sent = producing.produce(producer, options.topic, producing.packets(options.packets, warn), options.rate)
    without = f"; without {len(refused)} of what could not be read" if refused else ""
    print(f"{n_sent} packets to the topic {options.topic}{without}")


def _http(options: argparse.Namespace) -> None:
    common.require("serve", "serve", "fastapi", "uvicorn")
    from jtss.commands import cache
    from jtss.serving.http import models, server
    from jtss.serving.http.service import Service
    from jtss.serving.log import Log

    with server.listening(options.host, options.port) as at:  # before what takes long: a port that is taken says so
        cache.enable()
        found, log = models.served(options.model or [Path("any")], calibrated=bool(options.calibrated)), Log()
        for one in found.values():
            for warning in one.model.warnings:
                log.warn("model", model=one.name, warning=warning)
        server.serve(Service(found, log), at)
