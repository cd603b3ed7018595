"""The thread that works for requests, one job after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from jtss.serving.http.problems import Problem
from jtss.serving.memory import Trimmer

Result = TypeVar("Result")


class Worker:
    """One thread; JAX and the interpreter use the cores well enough from one."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._trimmer = Trimmer()

    def begin(self, job: Callable[[], Result]) -> Future[Result]:
        """Do a job when those before it are done; one that is cancelled before is forgotten at once."""
        held = [job]  # the pool keeps what it was given until its turn comes, and a job holds the body of a request
        begun = self._pool.submit(self._work, held)
        begun.add_done_callback(lambda _: held.clear())
        return begun

    def _work(self, held: list[Callable[[], Result]]) -> Result:
        try:
            return held.pop()()
        finally:
            self._trimmer.job_done()

    async def do(self, job: Callable[[], Result], seconds: float) -> Result:
        """As `begin`, and wait for its `outcome`."""
        return await outcome(self.begin(job), seconds)

    def close(self) -> None:
        """Begin no more jobs, and do not wait for the one at work."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def outcome(begun: Future[Result], seconds: float) -> Result:
    """What comes of something; if the wait is cancelled, so is what is not begun.

    Raises:
        Problem: it takes longer; it is not begun then, or runs to its end unheard.
    """
    try:
        return await asyncio.wait_for(asyncio.wrap_future(begun), seconds)
    except TimeoutError:
        detail = f"no answer within {seconds:g} s: there is much to do; ask again"
        raise Problem(503, "timeout", detail, retry_seconds=1) from None
