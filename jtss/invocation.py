"""How this program was called, so that its messages name commands and options that exist where they are shown."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

INSTALLED, MODULE = ("jtss",), ("python", "-m", "jtss")
_SCRIPTS: dict[str, tuple[str, ...]] = {}
_PROGRAM = INSTALLED
_FROM_PYTHON = ContextVar("from_python", default=False)


def called_as(verb: str, *words: str) -> None:
    """From here on, spell a verb with these words, as ("python", "train.py") where that script was called.

    Other verbs are spelled as of the package then: a checkout that is not installed has no `jtss`.
    """
    global _PROGRAM
    _SCRIPTS[verb] = words
    _PROGRAM = MODULE


def forget() -> None:
    """Spell every verb as the installed command again."""
    global _PROGRAM
    _SCRIPTS.clear()
    _PROGRAM = INSTALLED


def spelled(verb: str, *words: object) -> str:
    """The command line of a verb: "jtss train --list", or what `called_as` says."""
    return shlex.join([*_SCRIPTS.get(verb, (*_PROGRAM, *verb.split())), *map(str, words)])


@contextmanager
def from_python() -> Iterator[None]:
    """Within, options are arguments of Python's functions: a program, not a shell, called."""
    token = _FROM_PYTHON.set(True)
    try:
        yield
    finally:
        _FROM_PYTHON.reset(token)


def option(name: str, value: object = None) -> str:
    """An option as whoever called gives it: "--split all", or "split='all'" in Python.

    Args:
        name: in the shell without its dashes.
        value: None: not said; True: a flag is set.
    """
    if _FROM_PYTHON.get():
        return f"{name.replace('-', '_')}=" + ("" if value is None else repr(value))
    return f"--{name}" + ("" if value is None or value is True else f" {shlex.quote(str(value))}")
