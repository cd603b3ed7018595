"""`jtss paper TABLE --dask`: a runner in each worker process of a cluster, until nothing is left to take.

The runners share the work as processes always do, by the locks of the run directories (`paper.runner`). Dask starts
them, brings what they say, and knows which workers live. What a worker held that dies is free for the others.
"""

import socket
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import NamedTemporaryFile
from uuid import uuid4

from distributed import Future, KilledWorker, get_worker, wait

from data_prep.cluster import LOST, Cluster, ClusterWorkerError
from jtss.commands import cache
from jtss.errors import InputError
from jtss.paper import experiments
from jtss.paper.experiments import Bench, Request
from jtss.paper.runner import Deadline, Left
from jtss.training import trainer

Say = Callable[[str], None]
MOST_DEATHS = 4  # of workers in turn without a training that was finished between
SHOW_SECONDS = 1  # between two looks at what the workers say
_STOPS: dict[str, threading.Event] = {}  # on a worker: whether a run, by its name, is asked to stop


def train(bench: Bench, stop: trainer.Stop, say: Say, warn: Say, *, cluster: Cluster) -> Left:
    """Train on the workers what is missing; see `experiments.train_here`.

    Raises:
        InputError: a worker does not see the data file or the folder; names it.
        ClusterWorkerError: workers died one after the other, or there was none for too long.
    """
    request = bench.request
    request.out.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=request.out, prefix=".shared.") as seen:
        there = replace(request, data=request.data.resolve(), out=request.out.resolve(), budget=None)
        place = there.out / seen.name.rpartition("/")[2]
        return _Crew(cluster, bench, (there, str(place)), say, warn).work(Deadline(stop, request.budget))


class _Crew:
    """The runners: one for each worker, by its address."""

    def __init__(self, cluster: Cluster, bench: Bench, task: tuple[Request, str], say: Say, warn: Say):
        self._cluster, self._bench, self._task, self._say, self._warn = cluster, bench, task, say, warn
        self._name = f"jtss-paper-{uuid4().hex}"
        self._lines: SimpleQueue[tuple[str, str, bool]] = SimpleQueue()
        self._last: dict[str, str] = {}  # line of each worker, by its name
        self._running: dict[str, Future] = {}
        self._ended: dict[str, Left] = {}
        self._failed: dict[str, str] = {}
        self._n_begun = self._n_deaths = self._n_known = self._n_known_when_idle = 0
        self._listen()

    def work(self, deadline: Deadline) -> Left:
        """Until no worker has anything more to take, or all were asked to stop and have."""
        asked, alone_since = False, None
        while True:
            try:
                living = self._cluster.client.nthreads().keys()
                self._count_deaths(living)
                if not asked:
                    self._begin(living - self._running.keys() - self._ended.keys())
                self._wait()
                error = self._take_results()
                if not asked:
                    self._ask_the_idle()
                alone_since = self._cluster.look_for_workers(alone_since)
                if (error or deadline.agree()) and not asked:
                    asked = True
                    self._cluster.client.run(_ask_to_stop, self._name, on_error="ignore")
            except ClusterWorkerError:
                raise
            except LOST:
                self._cluster.reconnect(len(self._running))
                self._running.clear()
                self._listen()
                continue
            if error:
                raise error
            if not self._running and (asked or self._ended):
                held = {key: who for left in self._ended.values() for key, who in left.held.items()}
                known = self._bench.results.known
                return Left({key: who for key, who in held.items() if key not in known}, self._failed, asked)

    def _listen(self) -> None:
        self._cluster.client.subscribe_topic(self._name, lambda event: self._lines.put(event[1]))

    def _begin(self, addresses: set[str]) -> None:
        """A runner on each of these workers, and nowhere else."""
        for address in sorted(addresses):
            self._n_begun += 1
            key = f"{self._name}-{self._n_begun}"
            self._running[address] = self._cluster.client.submit(
                _run,
                *self._task,
                self._name,
                key,
                self._failed.copy(),
                key=key,
                pure=False,
                workers=[address],
                allow_other_workers=False,
            )

    def _wait(self) -> None:
        """A moment, for a runner to end; then show what was said."""
        with self._cluster.client.as_current(), suppress(TimeoutError):
            if self._running:
                wait(list(self._running.values()), timeout=SHOW_SECONDS, return_when="FIRST_COMPLETED")
            else:
                time.sleep(SHOW_SECONDS)
        while not self._lines.empty():
            name, line, is_warning = self._lines.get()
            self._last[name] = line
            (self._warn if is_warning else self._say)(f"[{name}] {line}")

    def _take_results(self) -> BaseException | None:
        """Of runners that have ended; what one of them failed of."""
        for address, future in [*self._running.items()]:
            if future.status == "finished":
                self._ended[address] = future.result()
                self._failed |= self._ended[address].failed
                del self._running[address]
            elif future.status == "error" and not isinstance(future.exception(), KilledWorker):
                return future.exception()
        return None

    def _ask_the_idle(self) -> None:
        """Let workers that ran out of work begin again if there may be some by now, as a training was finished.

        The last one of a grid brings those that it chooses, and a worker frees what does not fit into its program.
        """
        if not self._ended:
            return
        missing = {trial.id for trial in self._bench.results.missing(self._bench.plan())}
        n_known = len(self._bench.results.known)
        if missing - self._failed.keys() and n_known > self._n_known_when_idle:
            self._ended.clear()
        self._n_known_when_idle = n_known

    def _count_deaths(self, living: Collection[str]) -> None:
        """Forget workers that are gone, and ask all others again: what these held can be taken.

        Raises:
            ClusterWorkerError: many, and nothing was finished between.
        """
        dead = self._running.keys() - living
        if not dead:
            return
        for address in dead:
            del self._running[address]
            self._warn(f"the worker {address} is gone; what it trained is free for the others")
        self._ended.clear()
        self._bench.plan()  # looks for results
        n_known = len(self._bench.results.known)
        self._n_deaths = len(dead) + (self._n_deaths if n_known == self._n_known else 0)
        self._n_known = n_known
        if self._n_deaths >= MOST_DEATHS:
            said = "; ".join(f"[{name}] {line.strip()}" for name, line in self._last.items())
            raise ClusterWorkerError(
                f"{self._n_deaths} workers died and no training was finished; the last said: {said}"
            )


class _Asked:
    """On a worker: a stop that the main process asks for, or that is implied where nobody wants the result any more."""

    def __init__(self, name: str, key: str):
        self._event, self._key, self._tasks = _event(name), key, get_worker().state.tasks
        self.agreed = 0

    def agree(self) -> bool:
        self.agreed = int(self._event.is_set() or not self._is_wanted())
        return bool(self.agreed)

    def may_break_off(self) -> bool:
        return self.agree()

    def _is_wanted(self) -> bool:
        """Dask calls a task "cancelled" that runs on when its client is gone."""
        task = self._tasks.get(self._key)
        return task is not None and task.state == "executing"


def _run(request: Request, seen: str, name: str, key: str, failed: dict[str, str]) -> Left:
    """On a worker: train what no other does, but for what failed before."""
    worker = get_worker()

    def tell(is_warning: bool, line: str) -> None:
        worker.log_event(name, (str(worker.name), line, is_warning))

    for path in (request.data, Path(seen)):
        if not path.exists():
            raise InputError(
                f"the worker {worker.address} on {socket.gethostname()} does not see {path}; with --dask the data file"
                " and the folder of results lie on a file system that all machines share"
            )
    cache.enable()
    say, warn = partial(tell, False), partial(tell, True)
    return experiments.train_here(experiments.prepare(request, warn), _Asked(name, key), say, warn, failed)


def _ask_to_stop(name: str) -> None:
    """On a worker, beside its runner."""
    _event(name).set()


def _event(name: str) -> threading.Event:
    return _STOPS.setdefault(name, threading.Event())
