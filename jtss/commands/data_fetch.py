"""`jtss data fetch`: real alerts from public services into a folder of packets."""

import argparse

from jtss.commands import common
from jtss.errors import InputError
from jtss.invocation import option, spelled
from jtss.version import __version__

TEXT = "real alerts of listed objects, or of nights, from public services to alert packets"
DESCRIPTION = (
    "Fetch alert packets of real objects into a folder that `data build` reads. An interrupted run goes on with the"
    " same command and does not ask again for what it has. Status 1: something did not come that may come later."
)
SERVICES = {
    "alerce": "ALeRCE, packets as ZTF sent them",
    "fink": "Fink, packets put together from its table and stamps",
    "nights": "ZTF's public nightly archives",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    common.add_labels(parser, "which objects to fetch: ")
    services = "; ".join(f"{name}: {text}" for name, text in SERVICES.items())
    add("--service", choices=SERVICES, default="alerce", help=f"{services} (default: alerce)")
    add("--out", required=True, metavar="DIR", help="new, or filled by this command before")
    add(
        "--first", type=_count, metavar="N", help="only the first N alerts of each object, 6 hours apart (default: all)"
    )
    add(
        "--nights", nargs="+", action="extend", default=[], metavar="YYYYMMDD", help="with --service nights: which ones"
    )
    add("--again", action="store_true", help="also ask again for what the service did not have in earlier runs")
    add("--rate", type=common.positive, default=5.0, metavar="N", help="questions per second, at most (%(default)g)")
    add(
        "--url",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="another address of alerce, alerce-avro, fink or nights; may be given again",
    )


def run(options: argparse.Namespace) -> int:
    _check(options)
    common.require("data fetch", "fetch", "httpx")
    from data_prep.client import Client
    from data_prep.fetch.fetch import fetch

    columns = common.label_columns(options)
    try:
        with Client(options.rate, f"jtss/{__version__}") as client:
            fetched = fetch(
                options.out,
                options.service,
                client,
                labels_path=options.labels,
                columns=columns,
                nights=options.nights,
                first=options.first,
                again=options.again,
                urls=dict(pair.partition("=")[::2] for pair in options.url),
                command=options.command_line,
                progress=True,
            )
    except (KeyboardInterrupt, common.Interrupted):
        common.say(f"{common.printable(options.out)}: not complete; the same command goes on")
        raise
    common.say(str(fetched.account))
    common.say(f"\nnext: {_next_step(options)}")
    for warning in fetched.warnings:
        common.warn(common.printable(warning))
    return 0 if fetched.account.is_settled else 1


def _check(options: argparse.Namespace) -> None:
    is_nights = options.service == "nights"
    if is_nights != bool(options.nights):
        raise InputError(f"{option('nights')} and {option('service', 'nights')}: give both or neither")
    if is_nights and options.first:
        raise InputError(f"{option('first')}: not of nights, whose alerts `data build` chooses among when all are here")
    if not is_nights and not options.labels:
        raise InputError(f"{option('service', options.service)}: expected {option('labels')} FILE with it")


def _next_step(options: argparse.Namespace) -> str:
    given = ("--alerts", f"{options.out}/alerts", "--labels", f"{options.out}/labels.csv")
    given = given if options.labels else ("--alerts", f"{options.out}/nights")
    return common.printable(spelled("data", "build", *given, "--out", "FILE.h5"))


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, expected at least 1")
    return number
