"""The paper's numbers agree with each other: what one table lists as best lies in the grid that another gives."""

import re

import pytest

from jtss.config import tsc

NUMBERS = {2, 3, 4, 5}
KINDS = {"lstm", "gru", "rnn", "gamma", "tdnn", "conv1d"}


def test_accuracies_are_percentages_with_a_deviation():
    accuracies = [row.accuracy for row in tsc.TABLE_2.values()]
    accuracies += [accuracy for of_n in tsc.TABLE_6.values() for _, accuracy in of_n.values()]
    accuracies += [accuracy for pair in tsc.TABLE_7.values() for accuracy in pair]
    accuracies += [accuracy for _, accuracy in tsc.TABLE_8.values()]
    assert len(accuracies) == 7 + 24 + 8 + 4
    for accuracy in accuracies:
        mean, deviation = re.fullmatch(r"(\d\d\.\d+) ± (\d\.\d+)", accuracy).groups()
        assert 90 < float(mean) < 99
        assert 0 < float(deviation) < 1


def test_the_best_rotations_lie_in_the_grid_and_the_baseline_does_not_turn():
    for row in tsc.TABLE_2.values():
        assert row.crop in tsc.CROPS
        assert row.copies in tsc.COPIES
        assert row.range_deg in tsc.ROTATION_RANGES_DEG
    assert tsc.TABLE_2["M_b"].range_deg == 0
    assert tsc.TABLE_2["M_r"].range_deg == tsc.FULLY_RANDOM_DEG
    best = max(tsc.TABLE_2, key=lambda name: float(tsc.TABLE_2[name].accuracy.split()[0]))
    assert best == "M_1"


@pytest.mark.parametrize("table", [tsc.TABLE_6, tsc.TABLE_6_P, tsc.TABLE_6_TIME])
def test_table_6_has_every_model_for_every_number_of_detections(table):
    assert set(table) == NUMBERS
    assert all(set(of_n) == KINDS for of_n in table.values())


def test_the_best_temporal_models_lie_in_the_grid():
    for n, of_n in tsc.TABLE_6.items():
        for kind, (temporal, _) in of_n.items():
            assert temporal.kind == kind
            if kind in ("lstm", "gru", "rnn"):
                assert temporal.units in tsc.UNITS
                assert temporal.layers in tsc.LAYERS
        assert of_n["gamma"][0].taps in tsc.TAPS
        assert of_n["tdnn"][0].window in tsc.WINDOWS
        assert 1 < of_n["conv1d"][0].kernel <= n


def test_tables_7_and_8_have_every_number_of_detections():
    assert set(tsc.TABLE_7) == set(tsc.TABLE_7_P) == set(tsc.TABLE_8) == NUMBERS
    assert {kind for kind, _ in tsc.TABLE_8.values()} <= KINDS
    for without, with_allwise in tsc.TABLE_7.values():
        assert float(without.split()[0]) < float(with_allwise.split()[0])
