"""After warming there is nothing to compile."""

import numpy as np
import pytest

from helpers.made_explained import run_of_packets
from jtss import schema
from jtss.inference import packets, predict
from jtss.network.packets import LEAST_ROWS
from jtss.serving.http import warming


def test_made_packets_keep_the_contract():
    made = warming.made(3, 20)
    schema.check(made)
    assert made.n_alerts.tolist() == [1, 1, 1]
    assert made.n_rows.tolist() == [20, 20, 20]
    assert len({stamp.tobytes() for stamp in made.stamps}) == 3  # one that is shown twice is encoded once


@pytest.fixture
def few_rows(monkeypatch):
    monkeypatch.setattr(warming, "MOST_ROWS", 2 * LEAST_ROWS)  # fewer programs than a service has


def n_programs():
    return predict._forward_packets._cache_size() + predict._encode._cache_size()


def test_no_packet_waits_for_a_program(few_rows, tmp_path):
    model = run_of_packets(tmp_path)
    predict._forward_packets.clear_cache()
    predict._encode.clear_cache()
    warming.warm(model)
    n_warmed = n_programs()
    for n_packets, n_rows in ((1, 1), (3, LEAST_ROWS), (9, 20), (70, 32)):
        found = packets.answers(model, warming.made(n_packets, n_rows))
        assert np.isfinite(found.probabilities).all()
    assert n_programs() == n_warmed
    packets.answers(model, warming.made(1, 2 * LEAST_ROWS + 1))
    assert n_programs() == n_warmed + 1  # the counter counts
