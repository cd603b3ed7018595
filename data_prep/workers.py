"""Decoding on all cores: items in, results out in the same order, a bounded number of them in flight."""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from types import ModuleType
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT_PER_WORKER = 3  # one at work, two waiting: the main process may pause to write
THREAD_LIMITS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
ONE_WORKER = "ask for one worker (--workers 1)"  # what to do about a WorkerError, where the user has that choice


class WorkerError(RuntimeError):
    """A worker process died: killed for lack of memory, or by somebody."""


class Elsewhere(Protocol):
    """Another place of work than processes of this machine; see `cluster.Cluster`."""

    def ordered_map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]: ...


Workers = int | Elsewhere  # a number of processes, or another place


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], workers: Workers) -> Iterator[Result]:
    """Apply `function` to each item, in `workers` processes, in this one if that is 1, or elsewhere.

    The processes are spawned, not forked: the caller may hold JAX, whose threads do not survive a fork.

    Raises:
        WorkerError: a process died.
    """
    if not isinstance(workers, int):
        yield from workers.ordered_map(function, items)
        return
    if workers == 1:
        yield from map(function, items)
        return
    pending = deque()
    with _one_thread_each():
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare)
        try:
            for item in items:
                with _script_hidden():
                    pending.append(pool.submit(function, item))
                if len(pending) >= IN_FLIGHT_PER_WORKER * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise WorkerError("a worker process died, perhaps for lack of memory") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare() -> None:
    """In a worker: Ctrl-C and a broken connection are for the main process, which then ends its workers.

    A terminal tells every process of both. If the main process is killed, its workers end, too.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):  # Windows knows no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    wait([parent_process().sentinel])
    os._exit(1)


@contextmanager
def _script_hidden() -> Iterator[None]:
    """Processes started inside do not run the script of this one again, as spawned ones do to find its functions.

    They need nothing of it, and a script without `if __name__ == "__main__"` would begin anew in each of them.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside get one linear-algebra thread each: there is a process for every core already."""
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
