"""`jtss serve kafka | produce`: a stream of alert packets in, answers out; and a stream to try it with."""

import argparse
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from jtss import exits
from jtss.commands import common
from jtss.errors import InputError
from jtss.invocation import option

HELP = "answer the packets of a stream"
DESCRIPTION = "Answer the alert packets of a Kafka stream as they come."
KAFKA = (
    "Answer every alert packet of a Kafka topic by a model of packets: one object of JSON for each, to another topic or"
    " to files. What cannot be read or classified goes to NAME-dead or FOLDER/dead with the reason. Offsets are"
    " committed only of what is delivered. Several processes of one group share the work; SIGTERM ends one."
)
PRODUCE = "Send the packets of files to a Kafka topic, one a message: to try `serve kafka` with alerts that are there."
TOPIC, FOLDER = "topic:", "dir:"
ROTATE_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, add, work, text, description in (
        ("kafka", _add_kafka, _kafka, "answer the packets of a Kafka topic", KAFKA),
        ("produce", _add_produce, _produce, "send files of packets to a Kafka topic", PRODUCE),
    ):
        sub = verbs.add_parser(name, help=text, description=description)
        add(sub)
        common.add_cluster(sub, required=True)
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
    add("--out", metavar="topic:NAME|dir:FOLDER", required=True, help="where the answers go")
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


def _add_produce(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("packets", metavar="PATH", type=Path, nargs="+", help="folders, Avro files, tar archives")
    add("--topic", metavar="NAME", required=True, help="topic to write to")
    add("--rate", metavar="N", type=common.positive, help="packets per second (default: as fast as it goes)")


def run(options: argparse.Namespace) -> int | None:
    common.require_kafka("serve")
    return options.action(options)


def _kafka(options: argparse.Namespace) -> int:
    from jtss.commands import cache
    from jtss.inference.model import version
    from jtss.pretrained import load
    from jtss.serving import answering, clients, framing, messages
    from jtss.serving.endpoint import address, endpoint
    from jtss.serving.log import Log
    from jtss.serving.metrics import Metrics
    from jtss.serving.stream import Stream
    from jtss.training.signals import StopSignals

    kind, place = _sink_of(options.out)
    written = _topics_of(kind, place)
    if options.topic in written:
        raise InputError(f"{option('out', options.out)}: {options.topic} is the topic that is read; choose another")
    monitored = None if options.metrics is None else address(options.metrics)
    given, schemas = clients.settings(options.set_kafka), framing.Schemas(options.schema)
    cache.enable()
    model = load.load_model(options.model)
    by = answering.answerer(model)
    log, metrics = Log(), Metrics()
    for warning in model.warnings:
        log.warn("model", warning=warning)
    connect = partial(clients.consumer, options.bootstrap, options.group, given, log.logger)
    sink = _sink(options, kind, place, given, log)
    stream = Stream(connect, partial(messages.outcomes, by, schemas), sink, metrics, log, written)
    clients.require_topic(stream.consumer, options.topic)
    signals = StopSignals()
    with nullcontext() if monitored is None else endpoint(metrics, *monitored) as port:
        log.say(
            "started", topic=options.topic, group=options.group, out=options.out, model=model.label,
            classifier_version=version(model), metrics_port=port,
        )  # fmt: skip
        stream.run(options.topic, lambda: signals.number)
    log.say("stopped", signal=signals.number, **metrics.totals())
    return exits.status_of(signals.number)


def _sink_of(out: str) -> tuple[str, str]:
    """TOPIC or FOLDER, and its name."""
    for kind in (TOPIC, FOLDER):
        if out.startswith(kind) and out != kind:
            return kind, out.removeprefix(kind)
    raise InputError(f"{option('out', out)}: expected {TOPIC}NAME or {FOLDER}FOLDER")


def _topics_of(kind: str, place: str) -> tuple[str, ...]:
    """Topics that are written to."""
    from jtss.serving import sinks

    return (place, f"{place}-{sinks.DEAD}") if kind == TOPIC else ()


def _sink(options: argparse.Namespace, kind: str, place: str, given: dict[str, str], log):
    from jtss.serving import clients, sinks

    if kind == FOLDER:
        return sinks.FolderSink(Path(place), options.rotate)
    make = partial(clients.producer, options.bootstrap, given, log.logger)
    probe = make()
    for name in _topics_of(kind, place):
        clients.require_topic(probe, name)
    return sinks.TopicSink(make, place)


def _produce(options: argparse.Namespace) -> None:
    from jtss.serving import clients, producing
    from jtss.serving.log import Log

    given = clients.settings(options.set_kafka)
    producer = clients.producer(options.bootstrap, given, Log().logger)
    clients.require_topic(producer, options.topic)
    n_sent = producing.produce(producer, options.topic, producing.packets(options.packets), options.rate)
    print(f"{n_sent} packets to the topic {options.topic}")
