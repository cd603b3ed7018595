"""The grids of the paper's experiments: their sizes, and what may be changed of them."""

from collections import Counter
from dataclasses import replace

import pytest

from jtss.config import named, tsc
from jtss.config.settings import ConfigError
from jtss.paper import grids
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import ChoiceError, choose

WHOLE = {name: (experiment.extent, experiment.grid) for name, experiment in EXPERIMENTS.items()}


def grid(name, **narrowed):
    extent, make = WHOLE[name]
    return make(choose(name, extent, **narrowed))


@pytest.mark.parametrize(
    ("name", "n_setups", "seeds"),
    [
        ("table2", 5 * 7 * 4, 5),
        ("table6", 4 * (3 * 3 * 4 + 8 + 1) + 1 + 2 + 3 + 4, 10),
        ("table7", 4 * 2, 5),
        ("table8", 4, 5),
        ("figure6", 190, 10),
        ("bogus", 1, 5),
    ],
)
def test_the_grids_have_the_paper_s_sizes_and_no_network_twice(name, n_setups, seeds):
    setups = grid(name)
    assert len(setups) == n_setups
    assert {setup.seeds for setup in setups} == {seeds}
    assert len({grids.identity(setup.config, "") for setup in setups}) == n_setups


def test_table_6_searches_what_table_5_lists_and_256_units():
    sizes = Counter(setup.row for setup in grid("table6"))
    assert {kind: sizes[4, kind] for kind in tsc.TABLE_6[4]} == {
        "lstm": 12,
        "gru": 12,
        "rnn": 12,
        "gamma": 8,
        "tdnn": 1,
        "conv1d": 3,
    }


def test_the_configurations_that_the_paper_found_best_come_first():
    table6 = [(setup.row, setup.config.temporal) for setup in grid("table6")[:24]]
    assert set(table6) == {((n, kind), row[kind][0]) for n, row in tsc.TABLE_6.items() for kind in row}
    assert [setup.row for setup in grid("table2")[:7]] == [row[:3] for row in tsc.TABLE_2.values()]


def test_temporal_models_see_images_and_time_gaps_only():
    for setup in grid("table6"):
        assert setup.config.metadata.dynamic == ("time_gap",)
        assert not setup.config.metadata.static
        assert setup.config.stamp == named.get("n3_conv1d").stamp


def test_the_baseline_and_the_enhanced_network_are_those_of_the_registry():
    ids = {setup.row: grids.identity(setup.config, "") for setup in grid("table2")}
    for row, name in (("M_b", "n1_baseline"), ("M_1", "n1_enhanced")):
        assert ids[tsc.TABLE_2[row][:3]] == grids.identity(named.get(name), "")


def test_a_narrowed_grid_says_so():
    extent, _ = WHOLE["table6"]
    choice = choose("table6", extent, n=[3, 2], models=["lstm", "conv1d"], seeds=2, settings=["training.iterations=20"])
    assert choice.n == (2, 3)
    assert [setup.row for setup in grids.temporal_models(choice)[:2]] == [(2, "lstm"), (2, "conv1d")]
    assert choice.remarks == (
        "Narrowed: n = 2, 3 only, of 2, 3, 4, 5.",
        "Narrowed: lstm, conv1d only, of lstm, gru, rnn, gamma, tdnn, conv1d.",
        "Altered: 2 seeds, the paper has 10.",
        "Altered for every network: training.iterations=20.",
    )
    assert choose("table6", extent).remarks == ()


def test_table_2_can_be_the_paper_s_rows_alone():
    assert [setup.row for setup in grid("table2", models=["M_b", "M_1"])] == [(33, 6, 28.8), (21, 4, 0.0)]


@pytest.mark.parametrize(
    ("name", "narrowed", "message"),
    [
        ("table7", {"n": [6]}, "--n: table7 has no 6; it has 2, 3, 4, 5"),
        ("table6", {"models": ["lstm", "transformer"]}, "no transformer; it has lstm, gru"),
        ("table7", {"models": ["lstm"]}, "--models: table7 has no choice of these"),
        ("table2", {"n": [1]}, "--n: table2 has no choice"),
        ("bogus", {"seeds": 0}, "--seeds 0: expected at least 1"),
    ],
)
def test_a_part_that_is_not_there_is_named(name, narrowed, message):
    with pytest.raises(ChoiceError, match=message):
        grid(name, **narrowed)


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("table2", "stamp.copies=4", "makes two networks of the grid the same: a 27, k 6"),
        ("table6", "temporal.units=8", "makes two networks of the grid the same: 2 alerts, lstm 1L 256U"),
        ("table7", "training.seed=3", "--set training.seed: table7 varies it; narrow it by --seeds"),
        ("table7", "n_detections=3", "narrow it by --n"),
        ("table8", "training.itertions=3", "no field 'itertions'"),
    ],
)
def test_settings_that_do_not_fit_the_grid_are_named(name, setting, message):
    with pytest.raises(ConfigError, match=message):
        grid(name, settings=[setting])


def test_a_training_is_known_by_settings_seed_and_data_alone():
    (setup, *_) = grid("table7")
    first, second = grids.trials(setup, "one")[:2]
    again = named.get("n2_metadata_noallwise")
    assert first.id == grids.identity(again, "one")
    assert len({first.id, second.id, grids.trials(setup, "other")[0].id}) == 3
    renamed = setup._replace(config=replace(setup.config, name="x", origin="y", paper_accuracy="1"))
    assert grids.trials(renamed, "one")[0].id == first.id


def test_every_number_of_the_paper_has_a_row():
    assert set(tsc.TABLE_6_P) == set(tsc.TABLE_6_TIME) == set(tsc.TABLE_6)
    for n, row in tsc.TABLE_6.items():
        assert set(tsc.TABLE_6_P[n]) == set(tsc.TABLE_6_TIME[n]) == set(row)
    assert set(tsc.TABLE_7_P) == set(tsc.TABLE_7)
