"""`jtss VERB`: one parser and one shell for all verbs; `python -m jtss` and the scripts are doors to it."""

import argparse
import sys
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from data_prep.remote import masked
from jtss import exits, invocation
from jtss.commands import common
from jtss.version import __version__

VERBS = ("classify", "serve", "evaluate", "explain", "train", "models", "export", "data", "audit", "paper", "realism")
BEGIN = """\
Early classification of astronomical alerts. To begin with:

  jtss classify ALERTS -m n1_enhanced    what is each of these alert packets?
  jtss models list                       the pretrained models
  jtss train demo                        train a small one on a simulated sky

A file that exists is replaced only with --force; a folder of reports is made anew.
"""


def program(arguments: list[str] | None = None, *, verb: str | None = None, prog: str = "jtss") -> NoReturn:
    """`main` as a process of its own: it heeds signals, outlives the readers of its output, and exits."""
    common.outlive_readers()
    common.heed_signals()
    exits.end(main(arguments, verb=verb, prog=prog))


def door(verb: str, *words: str) -> NoReturn:
    """Do one verb in a process that was called as `python -m WORDS`, and exit."""
    called = ("python", "-m", *words)
    invocation.called_as(verb, *called)
    program(sys.argv[len(words) :], verb=verb, prog=" ".join(called))


def main(arguments: list[str] | None = None, *, verb: str | None = None, prog: str = "jtss") -> int:
    """Run a verb.

    Args:
        arguments: the command line after the program's name; None: that of this process.
        verb: of a door that has one only; None: the first argument.
        prog: how the program is called, before its errors.

    Returns:
        The exit status: 0, 1 for a leak (audit), 2 for an error in one line on stderr, 128 + number for a signal.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    return common.run(prog, lambda: _do(arguments, verb, prog))


def _do(arguments: list[str], verb: str | None, prog: str) -> int | None:
    parser = parser_of(module_of(verb), prog) if verb else whole_parser(prog)
    _complete(parser)
    options = parser.parse_args(arguments)
    verb, words = (verb, arguments) if verb else (arguments[0], arguments[1:])
    options.command_line = common.printable(invocation.spelled(verb, *map(masked, words)))  # kept in files
    options.prog = prog
    return module_of(verb).run(options)


def module_of(verb: str) -> ModuleType:
    """The module of a verb: DESCRIPTION, HELP, `add_arguments` and `run`."""
    return import_module(f"jtss.commands.{verb}")


def parser_of(module: ModuleType, prog: str) -> argparse.ArgumentParser:
    """The parser of one verb."""
    parser = argparse.ArgumentParser(prog=prog, description=module.DESCRIPTION)
    module.add_arguments(parser)
    return parser


def whole_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(prog=prog, description=BEGIN, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"jtss {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", title="verbs (jtss VERB --help says more)")
    for verb in VERBS:
        module = module_of(verb)
        module.add_arguments(verbs.add_parser(verb, help=module.HELP, description=module.DESCRIPTION))
    return parser


def _complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that completes a command line, where argcomplete is there; it exits then."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser)


if __name__ == "__main__":
    program()
