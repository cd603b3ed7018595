"""Simulated packets to try a service with."""

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import fastavro
import pytest

from jtss.serving.http import examples as room
from jtss.serving.http.examples import examples


def test_they_are_made_once_for_all_who_ask_at_once(monkeypatch):
    made, asking = [], Barrier(8)

    def slow(*_):
        made.append(1)
        go_on.wait(0.2)  # long enough for others to begin, if nothing holds them back
        return ()

    def ask(_):
        asking.wait()
        return examples()

    go_on = Event()
    monkeypatch.setattr(room, "chunks", slow)
    monkeypatch.setattr(room, "encode_file", lambda _: b"made")
    room._made.cache_clear()
    try:
        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(ask, range(8))] == [b"made"] * 8
    finally:
        room._made.cache_clear()
    assert len(made) == 1


@pytest.mark.slow
def test_there_is_one_of_each_class_with_a_past():
    records = [*fastavro.reader(io.BytesIO(examples()))]
    assert len(records) == 5
    rows = [[row["magpsf"] is None for row in record["prv_candidates"]] for record in records]
    assert all(rows)
    assert any(any(one) and not all(one) for one in rows)  # limits and detections
    assert examples() is examples()
