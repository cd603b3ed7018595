"""Commands and paths without the folders of the machine where they were used, which mean nothing elsewhere."""

import shlex
from pathlib import PurePosixPath

OUTSIDE = ("/", "..", "~")


def path(text: str) -> str:
    """A path that leads out of the folder where a command was given, or to a script, becomes the name at its end."""
    given = PurePosixPath(text)
    return given.name if given.suffix == ".py" or (given.parts and given.parts[0] in OUTSIDE) else text


def command(text: str) -> str:
    """The same for every word of a command, and for what stands behind a `=`."""
    words = (word.rpartition("=") for word in shlex.split(text))
    return shlex.join(f"{option}{equals}{path(value)}" for option, equals, value in words)
