"""Processes that decode: in order, bounded, one thread each, and never silently fewer."""

import os

import pytest

from data_prep import workers


def test_a_dead_worker_is_an_error():
    with pytest.raises(workers.WorkerError, match="worker process died"):
        list(workers.ordered_map(os._exit, [3], workers=2))


def test_results_come_in_order_and_the_environment_stays():
    before = dict(os.environ)
    assert list(workers.ordered_map(abs, range(-20, 0), workers=2)) == list(range(20, 0, -1))
    assert dict(os.environ) == before
