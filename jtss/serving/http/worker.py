"""The thread that works for requests, one job after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from jtss.serving.http.problems import Problem

Result = TypeVar("Result")


class Worker:
    """One thread; JAX and the interpreter use the cores well enough from one."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    def begin(self, job: Callable[[], Result]) -> Future[Result]:
        """Do a job when those before it are done."""
        return self._pool.submit(job)

    async def do(self, job: Callable[[], Result], seconds: float) -> Result:
        """As `begin`, and wait for what comes of it.

        Raises:
            Problem: it takes longer; it is not begun then, or runs to its end unheard.
        """
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self.begin(job)), seconds)
        except TimeoutError:
            detail = f"no answer within {seconds:g} s: there is much to do; ask again"
            raise Problem(503, "timeout", detail, retry_seconds=1) from None

    def close(self) -> None:
        """Begin no more jobs, and do not wait for the one at work."""
        self._pool.shutdown(wait=False, cancel_futures=True)
