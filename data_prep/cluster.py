"""Work on more than one machine: a Dask cluster in the place of processes of our own.

The scheduler is Dask's. Here is what it does not promise: results in order, a bounded number of items in flight, the
same program on all workers, and work that outlives its scheduler. All that is in flight is kept here until its result
has come, so that it can be submitted again, and counts once however often it was done.

Needs the extra `dask`; nobody imports this module before a cluster is asked for.
"""

import hashlib
import logging
import os
import platform
import reprlib
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from multiprocessing import resource_tracker
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, TypeVar
from uuid import uuid4

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, get_worker, wait
from distributed.client import ClosedClientError
from distributed.comm import CommClosedError

from data_prep.workers import IN_FLIGHT_PER_WORKER, available_cores
from jtss import files
from jtss.errors import InputError
from jtss.version import __version__

Item = TypeVar("Item")
Result = TypeVar("Result")
Say = Callable[[str], object]

LOCAL = "local"
SCRATCH, LOCK = "jtss-dask.", ".lock"
CONNECT_SECONDS = 10  # for a scheduler that ought to be there
PATIENCE_SECONDS = 600  # for a scheduler that restarts, and for workers, which a batch system may queue
MOST_LOSSES = 4  # of a scheduler without a result between
LOOK_SECONDS = 5  # between two looks at whether anybody works
COMPUTING = ("numpy", "scipy", "jax", "jaxlib")  # packages whose versions decide over bits
# What a client raises whose scheduler is gone; a RuntimeError, once it has given up by itself.
LOST = (CommClosedError, ClosedClientError, CancelledError, OSError, RuntimeError)


class ClusterError(InputError):
    """The cluster cannot be used: no scheduler at the address, or workers with another program."""


class ClusterWorkerError(RuntimeError):
    """Workers of the cluster died at one item, or there was none for too long."""


@dataclass
class Task:
    """An item in flight, and to whom it was submitted."""

    item: Any
    future: Future | None = None
    client: Client | None = None


class Cluster:
    """A connection to a scheduler, as the place of `workers.ordered_map`.

    Attributes:
        address: of the scheduler.
        client: connected to it; another one after the scheduler was lost.
    """

    def __init__(self, address: str, say: Say, revive: Callable[[], object] = lambda: None) -> None:
        """Connect.

        Args:
            address: HOST:PORT or tcp://HOST:PORT.
            say: takes a line about what is waited for.
            revive: is called now and then while results are waited for: starts workers that are missing.

        Raises:
            ClusterError: nobody is there, or it runs another program.
        """
        self.address, self._say, self._revive = address, say, revive
        self._n_submitted = self._n_losses = 0
        self.client = self._connected(CONNECT_SECONDS)
        try:
            self._require_same_program()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with suppress(*LOST):
            self.client.close(timeout=CONNECT_SECONDS)

    def ordered_map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply `function` to each item on the workers; see `workers.ordered_map`.

        Raises:
            ClusterWorkerError: an item killed several workers in turn; names it. Or there was no worker for too long.
            ClusterError: the scheduler is gone and does not come back, or a worker runs another program.
        """
        tasks: deque[Task] = deque()
        try:
            room = 1
            for number, item in enumerate(items):
                if number % room == 0:  # not each time: it asks the scheduler
                    room = IN_FLIGHT_PER_WORKER * self.n_threads()
                tasks.append(Task(item))
                try:
                    self._submit(function, tasks[-1])
                except LOST:
                    self._recover(function, tasks)
                while len(tasks) >= room:
                    yield self._next(function, tasks)
            while tasks:
                yield self._next(function, tasks)
        finally:
            with suppress(*LOST):
                self.client.cancel([task.future for task in tasks if task.future])

    def n_threads(self) -> int:
        """How many tasks the workers do at a time, 1 at the least."""
        if self.client.status != "running":
            return 1
        with suppress(*LOST):
            return max(1, sum(self.client.nthreads().values()))
        return 1

    def wait(self, futures: list[Future]) -> None:
        """Wait until all are done, or failed.

        Raises:
            ClusterWorkerError: there was no worker for too long.
            OSError, CancelledError: the scheduler is gone.
        """
        alone_since = None
        while True:
            try:
                with self.client.as_current():
                    wait(futures, timeout=LOOK_SECONDS)
                return
            except TimeoutError:
                self._revive()
                alone_since = self.look_for_workers(alone_since)

    def look_for_workers(self, alone_since: float | None) -> float | None:
        """Since when there is no worker, which is said once and borne for a while; None where there is one."""
        if self.client.nthreads():
            return None
        if alone_since is None:
            self._say(f"no worker at {self.address}; waiting for one")
            alone_since = time.monotonic()
        if time.monotonic() - alone_since >= PATIENCE_SECONDS:
            raise ClusterWorkerError(
                f"{self.address}: no worker in {PATIENCE_SECONDS} s; start some with: dask worker {self.address}"
            )
        return alone_since

    def _submit(self, function: Callable, task: Task) -> None:
        self._n_submitted += 1
        # Items are bytes to decode: what Dask warns of is the purpose here, and `ordered_map` bounds it.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": sys.maxsize}):
            key = (f"jtss-{_name(function)}-{uuid4().hex}", self._n_submitted)
            task.client = self.client
            task.future = self.client.submit(_do, function, task.item, versions(), key=key, pure=False)

    def _next(self, function: Callable, tasks: deque[Task]) -> Any:
        """The result of the oldest task, which leaves the queue."""
        while True:
            try:
                future, error = tasks[0].future, None
                if not future.done():
                    self.wait([future])
                if future.status == "error":
                    error = future.exception()
                    if isinstance(error, KilledWorker):
                        self._try_alone(function, tasks)
                        continue
                else:
                    result = future.result()  # raises CancelledError where the scheduler is gone
            except ClusterWorkerError:
                raise
            except LOST:
                self._recover(function, tasks)
                continue
            if error:
                raise error
            self._n_losses = 0
            tasks.popleft()
            return result

    def _try_alone(self, function: Callable, tasks: deque[Task]) -> None:
        """Submit the oldest task again with nothing beside it: others that wait on a worker die with it, too.

        Raises:
            ClusterWorkerError: it kills them by itself.
        """
        suspect = tasks[0]
        self.wait([task.future for task in tasks])
        self._submit(function, suspect)
        self.wait([suspect.future])
        if suspect.future.status == "error" and isinstance(suspect.future.exception(), KilledWorker):
            raise ClusterWorkerError(
                f"workers died one after the other at {_what(suspect.item)}; leave it out, or see their logs for why"
            )

    def _recover(self, function: Callable, tasks: deque[Task]) -> None:
        """Connect again and submit what is in flight again, also where it is lost meanwhile.

        Raises:
            ClusterError: the scheduler does not come back.
            ClusterWorkerError: it is lost again and again, perhaps of what it is sent.
        """
        while True:
            if tasks[0].client is self.client:  # else another map has connected again
                self._n_losses += 1
                if self._n_losses > MOST_LOSSES:
                    raise ClusterWorkerError(
                        f"lost the scheduler {self.address} {self._n_losses} times without a result between, at"
                        f" {_what(tasks[0].item)}; see its log for why"
                    )
                self.reconnect(len(tasks))
            try:
                for task in tasks:
                    self._submit(function, task)
            except LOST:
                continue
            return

    def reconnect(self, n_tasks: int) -> None:
        """Connect again, once the scheduler is there again; raises ClusterError where it does not come back."""
        self._say(f"lost the scheduler {self.address}; waiting for it, {n_tasks} tasks will be submitted again")
        self.close()
        self.client = self._connected(PATIENCE_SECONDS)

    def _connected(self, seconds: float) -> Client:
        try:
            return Client(self.address, timeout=seconds, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"--dask {self.address}: no scheduler answered in {seconds} s ({_first_line(error)}); expected the"
                " address of a running one, as tcp://HOST:8786: start it with dask scheduler"
            ) from error

    def _require_same_program(self) -> None:
        """Raise ClusterError where the scheduler or a worker that is there lacks our program, or runs another."""
        try:
            self.client.run_on_scheduler(versions)
        except Exception as error:
            raise ClusterError(
                f"--dask {self.address}: the scheduler cannot run this program ({_first_line(error)}); install the same"
                " jtss in its environment"
            ) from error
        for worker, found in self.client.run(versions, on_error="return").items():
            if isinstance(found, BaseException):
                raise ClusterError(
                    f"worker {worker} cannot run this program ({_first_line(found)}); install the same jtss in its"
                    " environment"
                )
            _require_same(worker, found, versions())


@contextmanager
def cluster(where: str, n_workers: int | None, say: Say) -> Iterator[Cluster]:
    """A cluster while it is needed.

    Args:
        where: the address of a scheduler, or "local" for processes of this machine, one thread each, that end with it.
        n_workers: local processes; None: one per core.
        say: takes a line about what is waited for.

    Raises:
        ClusterError: as `Cluster`.
    """
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said here, in a line
    if where != LOCAL:
        with _closing(Cluster(where, say)) as joined:
            yield joined
        return
    n_workers = n_workers or available_cores()
    with (
        _scratch() as folder,
        _started(n_workers, folder) as local,
        # Dask starts a worker that died again, but for one that dies as it starts.
        _closing(Cluster(local.scheduler_address, say, partial(local.scale, n_workers))) as joined,
    ):
        yield joined


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder for files of local workers. Those that processes left which were killed are removed before."""
    for left in Path(gettempdir()).glob(f"{SCRATCH}*"):
        with suppress(OSError):  # in use, somebody else's, or gone
            _remove_unless_held(left)
    with TemporaryDirectory(prefix=SCRATCH, ignore_cleanup_errors=True) as folder, files.hold_lock(Path(folder, LOCK)):
        yield folder


def _remove_unless_held(folder: Path) -> None:
    """Delete a folder of this user whose process has ended; raises OSError where it has not."""
    is_ours = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
    if not is_ours or not (folder / LOCK).stat().st_size:  # empty until its process holds it
        return
    with files.hold_lock(folder / LOCK):
        rmtree(folder, ignore_errors=True)


@contextmanager
def _closing(joined: Cluster) -> Iterator[Cluster]:
    try:
        yield joined
    finally:
        joined.close()


@contextmanager
def _started(n_workers: int, folder: str) -> Iterator[LocalCluster]:
    with _deaf():
        local = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # a free port
            local_directory=folder,
            memory_limit=0,  # as processes of ours, which nobody ends for what they hold
            silence_logs="CRITICAL",  # of the processes
        )
    with local:
        yield local


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started inside, threads and their processes, does not hear of Ctrl-C and a closed terminal.

    These are for the main thread, which then ends the others.
    """
    resource_tracker.ensure_running()  # which lets the signals through to the thread that starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _do(function: Callable[[Item], Result], item: Item, expected: dict[str, str]) -> Result:
    """On a worker: the work, unless another program would do it, as on one that came later."""
    if versions() != expected:
        _require_same(get_worker().address, versions(), expected)
    return function(item)


def _require_same(worker: str, found: dict[str, str], expected: dict[str, str]) -> None:
    differing = [f"{name} {found.get(name)}, here {own}" for name, own in expected.items() if found.get(name) != own]
    if differing:
        raise ClusterError(
            f"worker {worker} runs another program: {'; '.join(differing)}; install the same in its environment"
        )


@cache
def versions() -> dict[str, str]:
    """What results depend on: this program to the letter, Python, and the packages that compute."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"jtss": f"{__version__} (code {_code()})", "Python": python} | {name: _version(name) for name in COMPUTING}


def _code() -> str:
    """A sum of the files of this program."""
    digest = hashlib.sha256()
    for module in ("data_prep", "jtss"):
        folder = Path(sys.modules[module].__file__).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{module}/{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _name(function: Callable) -> str:
    """For Dask's own pages."""
    return getattr(getattr(function, "func", function), "__name__", "task")


def _what(item: object) -> str:
    """An item in an error: the sources in it, or what it looks like."""
    parts = item if isinstance(item, list) else [item]
    sources = list(dict.fromkeys(source for part in parts if (source := getattr(part, "source", None))))
    if not sources:
        return reprlib.repr(item)
    return sources[0] if len(sources) == 1 else f"one of {len(sources)} files, {sources[0]} to {sources[-1]}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
