"""Simulated packets to try a service with."""

import io

import fastavro
import pytest

from jtss.serving.http.examples import examples


@pytest.mark.slow
def test_there_is_one_of_each_class_with_a_past():
    records = [*fastavro.reader(io.BytesIO(examples()))]
    assert len(records) == 5
    rows = [[row["magpsf"] is None for row in record["prv_candidates"]] for record in records]
    assert all(rows)
    assert any(any(one) and not all(one) for one in rows)  # limits and detections
    assert examples() is examples()
