"""Tasks for workers of a cluster: what they do to whom does them."""

import os
import signal
from pathlib import Path
from typing import NamedTuple


class Named(NamedTuple):
    """An item with a source, as blocks of alerts have it."""

    source: str


def double(number: int) -> int:
    return 2 * number


def killed_once(item: tuple[int, str]) -> int:
    """The number, from the second worker on that tries it where there is the name of a file."""
    number, name = item
    if name and not Path(name).exists():
        Path(name).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def poison(items: list[Named]) -> str:
    """The source of the first item; "poison" kills whoever works on it."""
    if items[0].source == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return items[0].source
