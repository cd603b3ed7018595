"""What all verbs share: errors in one line, exit statuses, signals, and output whose reader may go away."""

import argparse
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from jtss import exits
from jtss.errors import InputError
from jtss.invocation import option

AGAIN_SECONDS = 0.05  # until a signal comes again that has been dropped
MODEL = "NAME|FILE|RUN"
MODEL_HELP = "pretrained model by its name, model file, run directory, or folder of several seeds"


def add_models(parser: argparse.ArgumentParser, text: str, *more_names: str) -> None:
    """`-m`, which takes several models and adds each time that it is given."""
    names = ("-m", "--model", *more_names)
    parser.add_argument(
        *names, dest="model", metavar=MODEL, type=Path, nargs="+", action="extend", default=[], help=text
    )
    parser.set_defaults(usage_error=parser.error)


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP: leaves by the same way as an error, so that temporary files are deleted."""

    def __init__(self, number: int):
        self.number, self.status = number, exits.status_of(number)


def warn(message: str) -> None:
    """Say on stderr what a reader must know before believing a result."""
    print(f"WARNING: {message}", file=sys.stderr, flush=True)


def say(message: str) -> None:
    """Print at once, also where a file takes it."""
    print(message, flush=True)


def printable(text: object) -> str:
    """`text` with bytes that are not UTF-8, which file names may hold, spelled out."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def add_force(parser) -> None:
    """The rule of every command, see `jtss.files.check_outputs`."""
    parser.add_argument(
        "--force", action="store_true", default=None, help="replace files that exist, which are refused without it"
    )


def add_allwise(parser, text: str = "") -> None:
    """The catalogue of AllWISE sources, and by what radius it is matched; `text` before what it may be."""
    parser.add_argument(
        "--allwise",
        metavar="CAT",
        help=f"{text}AllWISE sources: .csv, .parquet, .fits and others with ra, dec, W1 to W4 (or w1mpro to w4mpro), or"
        " the URL of one, a HATS catalogue, tap:URL or xmatch:URL",
    )
    parser.add_argument(
        "--allwise-radius",
        metavar="ARCSEC",
        type=positive,
        help="of a match to an AllWISE source (default: 2)",
    )


def allwise_radius(options: argparse.Namespace) -> float:
    """The radius [arcsec] that `add_allwise` asks for.

    Raises:
        InputError: there is a radius and no catalogue.
    """
    from jtss.schema import MATCH_RADIUS_ARCSEC

    if options.allwise is None and options.allwise_radius is not None:
        raise InputError(f"{option('allwise-radius')}: only with {option('allwise')}")
    return options.allwise_radius or MATCH_RADIUS_ARCSEC


def load_allwise(options: argparse.Namespace):
    """The catalogue that `add_allwise` asks for; None without one.

    Raises:
        InputError, OSError: as `crossmatch.load`; or there is a radius and no catalogue.
    """
    from data_prep.infrared import crossmatch

    radius_arcsec = allwise_radius(options)
    return options.allwise and crossmatch.load(options.allwise, radius_arcsec)


def say_matches(allwise, notes, n_objects: int) -> None:
    """Say what a match came to, and warn where nothing matched; without a catalogue nothing.

    Args:
        allwise: the catalogue, or None.
        notes: of the ledger of alerts that were matched. n_objects: they are of.
    """
    from data_prep.infrared import crossmatch
    from data_prep.ingest import ALLWISE_NOTES

    if allwise is None:
        return
    n_matched, n_without, n_ambiguous = (notes[name] for name in ALLWISE_NOTES)
    text = crossmatch.report(allwise, n_matched, n_without, n_objects, n_ambiguous)
    (say if n_matched or not n_objects else warn)(text)


def add_labels(parser, text: str = "") -> None:
    """The table of labels, and what it calls its columns; `text` before what it may be."""
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help=f"{text}CSV, Parquet, ECSV, VOTable or FITS with objectId, label, maybe subclass",
    )
    parser.add_argument(
        "--columns",
        metavar="OURS=THEIRS,…",
        action="append",
        default=[],
        help="other names of the columns of --labels, as objectId=ztf_id,label=class",
    )


def label_columns(options: argparse.Namespace) -> dict[str, str]:
    """What the table of `add_labels` calls our columns.

    Raises:
        InputError: as `tables.renamed`; or there is no table.
    """
    from data_prep import labels, tables

    if options.columns and not options.labels:
        raise InputError(f"{option('columns')}: only with {option('labels')}")
    return tables.renamed(options.columns, labels.COLUMNS)


def add_dask(parser: argparse.ArgumentParser, text: str) -> None:
    """The cluster that does the work; `text` says which."""
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help=f"{text} on this Dask cluster: address of its scheduler, as tcp://HOST:8786; local: processes here",
    )


@contextmanager
def workers(options: argparse.Namespace) -> Iterator:
    """Where `--dask` and `--workers` want the work to be done, as `data_prep.workers.ordered_map` takes it.

    Raises:
        InputError: Dask is not installed, the cluster cannot be used, or the number of its workers is given.
    """
    n_workers = getattr(options, "workers", None)
    if not getattr(options, "dask", None):
        yield n_workers
        return
    require(option("dask"), "dask", "dask", "distributed")
    from data_prep import cluster

    if n_workers and options.dask != cluster.LOCAL:
        raise InputError(
            f"{option('workers', n_workers)}: only with {option('dask', cluster.LOCAL)}; how many work for"
            f" {options.dask} is decided where they are started"
        )
    with cluster.cluster(options.dask, n_workers, lambda line: print(line, file=sys.stderr, flush=True)) as joined:
        yield joined


def add_calibrated(parser) -> None:
    """Whether probabilities are calibrated; `None` where it is not said."""
    parser.add_argument(
        "--calibrated",
        action="store_true",
        default=None,
        help="calibrated probabilities: scaled by the temperature of the model",
    )


def add_cluster(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Which Kafka cluster, and what its clients need."""
    parser.add_argument(
        "--bootstrap", metavar="HOST:PORT", required=required, help="address of the Kafka cluster, or several, a,b"
    )
    parser.add_argument(
        "--set-kafka",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="setting of librdkafka, as security.protocol=SASL_SSL; may be given again",
    )


def require(what: str, extra: str, *packages: str) -> None:
    """Raises InputError where a package that `what` needs, and that an extra of ours brings, is not installed."""
    for package in packages:
        if find_spec(package.replace("-", "_")) is None:
            raise InputError(
                f"{what} needs the package {package}, which is not installed: pip install 'jtss[{extra}]', or in a"
                f" checkout pip install '.[{extra}]'"
            )


def place(text: str) -> Path | str:
    """A path, or a URL as it is, as an argument of argparse: a path has no double slash."""
    from data_prep import remote

    return text if remote.is_url(text) else remote.path_of(text)


def positive(text: str) -> float:
    """A positive number, as an argument of argparse."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}, expected a positive number")
    return value


def run(prog: str, action: Callable[[], int | None]) -> int:
    """Do what a verb does, and return the exit status of the program.

    Bad input, a file that cannot be read or written, and a loss that is no number are one line on stderr and status 2;
    a signal is 128 + its number.

    Args:
        prog: how the program is called, before its errors.
        action: the work; returns an exit status, None for 0.
    """
    try:
        status = action() or 0
        if sys.stdout is not None:  # closed by the shell
            sys.stdout.flush()  # what does not fit on a disk is an error
        return status
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        print(f"{prog}: error: {one_line(error)}", file=sys.stderr)
        return exits.FAILED
    except (KeyboardInterrupt, Interrupted) as stopped:
        print(f"{prog}: interrupted", file=sys.stderr)
        return getattr(stopped, "status", exits.status_of(signal.SIGINT))


def one_line(error: Exception) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split())


def heed_signals() -> None:
    """Let SIGTERM and SIGHUP raise `Interrupted`; a SIGHUP that is ignored, as under nohup, stays ignored.

    Python drops what is raised where nobody can catch it, as in a call of the garbage collector: then the signal comes
    again a moment later.
    """

    def leave(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not break off the clean-up: a terminal sends two
        raise Interrupted(number)

    def dropped(what: object, others: Callable = sys.unraisablehook) -> None:
        if not isinstance(what.exc_value, Interrupted):
            others(what)
            return
        number = what.exc_value.number
        signal.signal(number, leave)
        threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()

    sys.unraisablehook = dropped
    signal.signal(signal.SIGTERM, leave)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, leave)


class _Unread(io.FileIO):
    """A stream that takes what nobody reads any more as written."""

    def write(self, data) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):  # a pipe or a terminal that is gone
                raise
            return len(data)


def outlive_readers() -> None:
    """Let this program do its work to the end in silence when the reader of its output has seen enough, as `head`.

    Replaces `sys.stdout` and `sys.stderr`; what their encoding lacks is spelled out (\\u2013). SIGPIPE would end the
    program in the middle of what it was started for, and an exception be taken for a failure of that.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and hasattr(stream, "buffer"):  # not closed, and no notebook's
            stream.flush()
            raw = _Unread(stream.fileno(), "w", closefd=False)
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), **_manner(stream)))


def _manner(stream: io.TextIOWrapper) -> dict:
    by_lines = stream.line_buffering or stream.write_through  # the latter by PYTHONUNBUFFERED
    return {"encoding": stream.encoding, "line_buffering": by_lines, "errors": "backslashreplace"}
