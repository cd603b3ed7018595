"""The thread that works for requests."""

import asyncio
import threading
import weakref
from functools import partial

import pytest

from jtss.serving.http.problems import Problem
from jtss.serving.http.worker import Worker


@pytest.fixture
def worker():
    made = Worker("test")
    yield made
    made.close()


def test_jobs_are_done_in_one_thread_in_order(worker):
    done = []

    async def ask():
        jobs = [lambda i=i: done.append(i) or threading.get_ident() for i in range(9)]
        return await asyncio.gather(*(worker.do(job, 600) for job in jobs))

    assert len({*asyncio.run(ask())}) == 1
    assert done == [*range(9)]


def test_errors_of_a_job_are_its_own(worker):
    async def ask():
        return await asyncio.gather(worker.do(lambda: 1 / 0, 600), worker.do(lambda: 1, 600), return_exceptions=True)

    failed, found = asyncio.run(ask())
    assert isinstance(failed, ZeroDivisionError)
    assert found == 1


def test_a_job_that_is_not_done_in_time_is_given_up(worker):
    go_on, begun = threading.Event(), []
    worker.begin(go_on.wait)

    async def ask():
        with pytest.raises(Problem) as late:
            await worker.do(lambda: begun.append(1), 0.01)
        go_on.set()
        await worker.do(lambda: None, 600)  # whatever stood in line is done by now
        return late.value

    error = asyncio.run(ask())
    assert (error.status, error.reason) == (503, "timeout")
    assert begun == []


def test_a_job_that_is_cancelled_is_forgotten_before_its_turn(worker):
    class Body:
        pass

    go_on, body, begun = threading.Event(), Body(), []
    worker.begin(go_on.wait)
    alive = weakref.ref(body)
    waiting = worker.begin(partial(begun.append, body))
    del body
    try:
        assert waiting.cancel()
        assert alive() is None  # while the thread is still at work on another
    finally:
        go_on.set()
    worker.begin(lambda: None).result(600)
    assert begun == []
