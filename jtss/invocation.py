"""How this program was called, so that its messages name commands that exist where they are shown."""

import shlex

_SCRIPTS: dict[str, tuple[str, ...]] = {}


def called_as(verb: str, *words: str) -> None:
    """From here on, spell a verb with these words, as ("python", "train.py") where that script was called."""
    _SCRIPTS[verb] = words


def spelled(verb: str, *words: object) -> str:
    """The command line of a verb: "jtss train --list", or what `called_as` says."""
    return shlex.join([*_SCRIPTS.get(verb, ("jtss", *verb.split())), *map(str, words)])
