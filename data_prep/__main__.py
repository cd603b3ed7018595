"""`python -m data_prep build | simulate | inspect | audit | compare`: command lines, and nothing else."""

import argparse
import os
import shlex
import signal
import sys

from data_prep.workers import WorkerError
from jtss.errors import InputError

EXIT_FAILED, EXIT_LEAKS, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_UNREAD, EXIT_TERMINATED = 1, 1, 2, 130, 141, 143


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; an error of use is one line on stderr and status 2; `audit` has status 1 for leaks."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        signal.signal(signal.SIGTERM, _terminate)
        options = _parser().parse_args(arguments)
        options.command_line = _printable(shlex.join(["python", "-m", "data_prep", *arguments]))
        return options.run(options) or 0
    except KeyboardInterrupt:
        print("interrupted; no data set is written", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (FileNotFoundError, FileExistsError, InputError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (OSError, WorkerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED


def _terminate(_signal: int, _frame: object) -> None:
    """SIGTERM leaves by the same way as an error, so that temporary files are deleted; SIGKILL cannot."""
    raise SystemExit(EXIT_TERMINATED)


def _printable(text: str) -> str:
    """`text` with bytes that are not UTF-8, which file names may hold, spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _say(text: str) -> None:
    """Print at once; a reader that has seen enough, as `head`, ends the program in silence."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python prints what is left when it ends
        raise SystemExit(EXIT_UNREAD) from None


# Everything else is imported on use: worker processes import this module again, and a machine which only simulates and
# trains may lack the libraries that read packets.


def _build(options: argparse.Namespace) -> None:
    from data_prep.build import build

    built = build(
        options.alerts,
        options.out,
        command=options.command_line,
        labels_path=options.labels,
        allwise_path=options.allwise,
        rejects_path=options.rejects,
        seed=options.seed,
        workers=options.workers,
        force=options.force,
    )
    _say(str(built.ledger))
    kept, out = built.ledger.kept, _printable(options.out)
    _say(f"\n{out}: {built.n_objects} objects, {kept} detections, hash {built.content_hash}\n")
    _audit_built(options.out)


def _audit_built(path: str) -> None:
    """Audit a data set that was just written; whatever comes of it, it stays and its build has succeeded."""
    from data_prep.audit.audit import audit

    try:
        found = audit(path)
    except (InputError, KeyboardInterrupt) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else error
        print(f"WARNING: {_printable(path)} is written but not audited: {reason}", file=sys.stderr)
        return
    _say(_printable(str(found)))
    if found.leaks:
        print(f"WARNING: {_printable(path)} leaks: accuracies measured with it may be too high", file=sys.stderr)


def _simulate(options: argparse.Namespace) -> None:
    from data_prep.simulate import command as simulate_command

    _say(simulate_command.run(options))


def _inspect(options: argparse.Namespace) -> None:
    from data_prep.inspection import summary

    _say(summary(options.file))
    if options.gallery:
        from data_prep.inspection import draw

        draw(options.file, options.gallery)
        _say(f"\n{_printable(options.gallery)}: gallery of stamps")


def _audit(options: argparse.Namespace) -> int:
    from data_prep.audit.audit import audit

    found = audit(options.file)
    _say(_printable(str(found)))
    return EXIT_LEAKS if found.leaks else 0


def _compare(options: argparse.Namespace) -> None:
    from data_prep.compare.comparison import compare

    _say(compare(options.simulated, options.real, options.out, options.seed))


def _parser() -> argparse.ArgumentParser:
    from data_prep.simulate import command as simulate_command

    parser = argparse.ArgumentParser(prog="python -m data_prep", description="Make and look at data sets of sequences.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_build(commands.add_parser("build", help="alert packets to a data set", description=_build_help()))
    simulate = commands.add_parser("simulate", help="a simulated sky to a data set or to alert packets")
    simulate_command.add_arguments(simulate)
    simulate.set_defaults(run=_simulate)
    _add_inspect(commands.add_parser("inspect", help="counts, missing values, ledger and stamps of a data set"))
    _add_audit(commands.add_parser("audit", help="leaks between the splits of a data set", description=_audit_help()))
    _add_compare(commands.add_parser("compare", help="how far simulated alert packets are from real ones"))
    return parser


def _build_help() -> str:
    return (
        "Turn alert packets into one HDF5 file of sequences: the first 5 detections of each object, 6 hours apart. "
        "Broken packets are counted and left out; the ledger says why."
    )


def _audit_help() -> str:
    return (
        "Look for what makes accuracies too good to be true: an object, alert or stamp in two splits, sequences that "
        "break the rules, classes that place, date or visits alone give away. "
        "Exit status: 0 no leak, 1 a leak, 2 an error."
    )


def _add_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--alerts",
        nargs="+",
        action="extend",
        required=True,
        metavar="PATH",
        help="directories, Avro files, .tar, .tar.gz, .tgz",
    )
    add("--out", required=True, metavar="FILE.h5", help="the data set to write")
    add("--labels", metavar="FILE.csv", help="columns objectId, label; default: no labels")
    add("--allwise", metavar="FILE", help=".csv, .parquet or .fits with ra, dec, W1 to W4 (or w1mpro to w4mpro)")
    add("--rejects", metavar="FILE.jsonl", help="name each dropped alert and the reason here")
    add("--seed", type=int, default=0, help="of the split into train, validation and test (default: 0)")
    add("--workers", type=_positive, metavar="N", help="processes (default: one per core)")
    add("--force", action="store_true", help="replace files that exist")
    parser.set_defaults(run=_build)


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.h5", help="a data set")
    parser.add_argument("--gallery", metavar="FILE.png", help="draw stamps of a few objects of each class")
    parser.set_defaults(run=_inspect)


def _add_audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.h5", help="a data set")
    parser.set_defaults(run=_audit)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    for name in ("simulated", "real"):
        parser.add_argument(f"--{name}", required=True, metavar="FOLDER", help="alert packets and their labels.csv")
    parser.add_argument("--out", required=True, metavar="DIR", help="for tables and galleries; replaces earlier ones")
    parser.add_argument("--seed", type=int, default=0, help="which objects the galleries show (default: 0)")
    parser.set_defaults(run=_compare)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, expected at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
