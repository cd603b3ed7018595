"""Processes that decode: in order, bounded, one thread each, and never silently fewer."""

import os

import pytest

from data_prep import build, ingest, workers


def test_a_dead_worker_is_an_error():
    with pytest.raises(workers.WorkerError, match=r"worker process died, perhaps for lack of memory$"):
        list(workers.ordered_map(os._exit, [3], workers=2))


def dying(monkeypatch):
    """Let the processes that decode die."""
    monkeypatch.setattr(ingest, "partial", lambda *_words, **_options: os._exit)
    monkeypatch.setattr(ingest.Reader, "portions", lambda _self: iter([3]))


def test_a_dead_worker_advises_what_the_caller_can_do(tmp_path, monkeypatch):
    """Nothing of workers where alerts are classified, in the shell or in Python: there is no such option."""
    dying(monkeypatch)
    with pytest.raises(workers.WorkerError, match="; give fewer alerts at a time: 512 or fewer are decoded without"):
        ingest.ingest_items([], workdir=tmp_path, workers=2)
    with pytest.raises(workers.WorkerError, match=r"; ask for one worker \(--workers 1\)$"):
        build.build([tmp_path], tmp_path / "out.h5", command="test", workers=2)


def test_results_come_in_order_and_the_environment_stays():
    before = dict(os.environ)
    assert list(workers.ordered_map(abs, range(-20, 0), workers=2)) == list(range(20, 0, -1))
    assert dict(os.environ) == before


def test_one_worker_is_this_process_and_takes_items_as_they_are_asked_for():
    taken = []
    results = workers.ordered_map(lambda _: os.getpid(), (taken.append(i) or i for i in range(9)), workers=1)
    assert next(results) == os.getpid()
    assert taken == [0]


def test_no_more_items_are_taken_than_may_be_in_flight():
    taken, most = [], 2 * workers.IN_FLIGHT_PER_WORKER
    for done, _ in enumerate(workers.ordered_map(abs, (taken.append(i) or i for i in range(30)), workers=2)):
        assert len(taken) <= done + most
    assert len(taken) == 30


def test_processes_have_one_thread_of_linear_algebra_each():
    found = list(workers.ordered_map(os.getenv, workers.THREAD_LIMITS, workers=2))
    assert found == ["1"] * len(workers.THREAD_LIMITS)


def test_an_error_in_a_process_is_that_of_its_item():
    results = workers.ordered_map(int, ["1", "two"], workers=2)
    assert next(results) == 1
    with pytest.raises(ValueError, match="'two'"):
        next(results)


def test_another_place_of_work_gets_all():
    class Elsewhere:
        def ordered_map(self, function, items):
            return (("elsewhere", function(item)) for item in items)

    assert list(workers.ordered_map(abs, [-1, 2], Elsewhere())) == [("elsewhere", 1), ("elsewhere", 2)]
