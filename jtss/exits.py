"""How the program ends: its exit statuses, the signals that end it, and the way out that waits for nothing."""

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

FAILED = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def status_of(number: int) -> int:
    """The exit status of a program that a signal has ended, as a shell has it."""
    return 128 + number


def leave(status: int) -> NoReturn:
    """Exit at once, without waiting for a step or a compilation that is still running."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whose terminal is gone
            stream.flush()
    os._exit(status)
