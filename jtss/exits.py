"""How the program ends: its exit statuses, the signals that end it, and the way out that waits for nothing."""

import atexit
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


def end(status: int) -> NoReturn:
    """Exit as Python does, but without waiting for threads, and before the interpreter itself ends.

    A thread of a library that asks for the interpreter while it ends would crash the program: seen with JAX's on Python
    3.11, after all was done.
    """
    atexit._run_exitfuncs()
    leave(status)


def leave(status: int) -> NoReturn:
    """Exit at once, without waiting for a step or a compilation that is still running."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed by the shell
        with suppress(OSError):  # whose terminal is gone
            stream.flush()
    os._exit(status)
