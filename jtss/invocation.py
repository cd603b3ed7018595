"""How this program was called, so that its messages name commands that exist where they are shown."""

import shlex

INSTALLED, MODULE = ("jtss",), ("python", "-m", "jtss")
_SCRIPTS: dict[str, tuple[str, ...]] = {}
_PROGRAM = INSTALLED


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
