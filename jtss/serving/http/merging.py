"""Requests that wait while the thread is at work are answered together: eight packets take as long as one.

Each gets its own answers, which are those that it would have had alone, to the last bit; see `answering.answers`.
"""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import islice
from threading import Lock
from typing import NamedTuple

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from jtss.inference.predict import SHORT_BATCH
from jtss.serving import answering
from jtss.serving.http.limits import Limits
from jtss.serving.http.problems import Problem
from jtss.serving.http.reading import TOO_LONG, alerts_of
from jtss.serving.http.worker import Worker

Results = list[dict | Rejection]
JOINING_SECONDS = 0.25  # in which those that join a request, whose turn it is, are unpacked


class Question(NamedTuple):
    """A request: what answers it, whether trajectories are asked for, and its body."""

    by: answering.Answerer
    followed: bool
    body: bytes


class _Waiting(NamedTuple):
    question: Question
    results: Future[Results]


class _Read(NamedTuple):
    """A request at work, with the packets in its body."""

    question: Question
    results: Future[Results]
    alerts: list[Alert]
    rejected: list[Rejection]


class Merger:
    """Gives questions to a worker, in order, and with each those behind it that ask the same, while there are few."""

    def __init__(self, worker: Worker, limits: Limits) -> None:
        self._worker, self._limits = worker, limits
        self._waiting: deque[_Waiting] = deque()
        self._lock = Lock()

    def ask(self, question: Question) -> Future[Results]:
        """The answer to each packet, in order, and then what cannot be used; or why there is none.

        If it is cancelled before its turn, its body is forgotten at once.
        """
        results: Future[Results] = Future()
        with self._lock:
            self._waiting.append(_Waiting(question, results))
        results.add_done_callback(self._forget)
        turn = self._worker.begin(self._take_turn)  # as many as questions: some will find nothing to do
        turn.add_done_callback(lambda turn: turn.cancelled() and results.cancel())
        return results

    def _forget(self, gone: Future[Results]) -> None:
        with self._lock:
            self._waiting = deque(one for one in self._waiting if one.results is not gone)

    def _take_turn(self) -> None:
        some: list[_Read] = []
        try:
            for one in self._read():
                some.append(one)
            answers = iter(_answers(some))
            for one in some:
                one.results.set_result([*islice(answers, len(one.alerts)), *one.rejected])
        except BaseException as error:  # of the machine: those who asked are to know
            for one in some:
                if not one.results.done():
                    one.results.set_exception(error)

    def _read(self) -> Iterator[_Read]:
        """The request whose turn it is and some that join it; what is wrong with one is told to it alone."""
        first, n_alerts, limits = None, 0, self._limits
        while n_alerts < SHORT_BATCH and (one := self._next(first)):
            try:
                found, error = alerts_of(one.question.body, limits), None
            except Exception as wrong:
                found, error = ([], []), wrong
            if first and isinstance(error, Problem) and error.reason == TOO_LONG:  # it may take longer at its own turn
                with self._lock:  # one that is cancelled later than this is found by `_forget`
                    if not one.results.cancelled():
                        self._waiting.appendleft(one)
                return
            if first is None:
                first, end = one.question, time.monotonic() + JOINING_SECONDS
            limits = self._limits._replace(unpack_seconds=end - time.monotonic())
            if not one.results.set_running_or_notify_cancel():
                continue
            if error is not None:
                one.results.set_exception(error)
                continue
            n_alerts += len(found[0])
            yield _Read(*one, *found)

    def _next(self, first: Question | None) -> _Waiting | None:
        """The request that waits longest, of those that ask the same as the first."""
        with self._lock:
            for place, one in enumerate(self._waiting):
                if first is None or (one.question.by is first.by and one.question.followed == first.followed):
                    del self._waiting[place]
                    return one
        return None


def _answers(some: list[_Read]) -> Results:
    alerts = [alert for one in some for alert in one.alerts]
    if not alerts:
        return []
    by, followed, _ = some[0].question
    return answering.answers(by, alerts, followed=followed, alike=True)
