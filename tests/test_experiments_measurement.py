"""Cells that are really trained, very small ones: what is written down of them."""

from pathlib import Path

import numpy as np
import pytest
from made_sequences import sequences

from data_prep.hdf5 import Writer
from data_prep.ledger import Ledger
from jtss import overrides, registry
from jtss.experiments.paper import cells, results
from jtss.experiments.paper.cells import Setup
from jtss.experiments.paper.measurement import Laboratory, Stopped

SHORT = ["training.iterations=2", "training.patience=0", "training.validate_every=1", "training.batch_size=4"]
SMALL = ["encoder.filters=2,2,2,2,2", "encoder.units=4", "stamp.crop=5", "stamp.copies=1"]


class NoStop:
    """Nobody asks to stop; or somebody does at once."""

    def __init__(self, asked=False):
        self.agreed = asked

    def agree(self):
        return self.agreed

    def may_break_off(self):
        return False


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """45 objects of five classes, two detections each."""
    path = tmp_path_factory.mktemp("measurement") / "made.h5"
    made = sequences([2] * 45, label=[i % 5 for i in range(45)], split=[i // 5 % 3 for i in range(45)])
    with Writer(path, survey="made", command="a test") as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger())
    return path


def cells_of(laboratory, name, settings, seeds):
    setup = Setup((), name, overrides.override(registry.get(name), settings), seeds)
    return cells.of(setup, laboratory.data_hash)


def test_two_seeds_that_train_together_are_two_results(path):
    laboratory = Laboratory(path, NoStop(), print)
    group = cells_of(laboratory, "n2_metadata_noallwise", SHORT, 2)
    assert laboratory.together(group) == 2
    found = laboratory.measure(group)
    assert [(result.id, result.seed, result.together) for result in found] == [
        (cell.id, seed, 2) for seed, cell in enumerate(group)
    ]
    for result in found:
        assert results.from_line(results.to_line(result)) == result  # which checks that its parts agree
        assert len(result.truth) == 9  # the test objects of the three classes
        assert result.truth == "012012012"
        assert result.best_step in (1, 2)
        assert (result.steps, result.screened) == (2, None)
        assert result.inference["median_s_per_object"] > 0
    (alone,) = laboratory.measure(group[1:])
    assert alone.validation_accuracy == pytest.approx(found[1].validation_accuracy)
    assert alone.predicted == found[1].predicted


@pytest.mark.slow
def test_ranges_of_rotation_that_train_together_are_each_as_alone(path):
    laboratory = Laboratory(path, NoStop(), print)
    few = ["training.iterations=4", *SHORT[1:], *SMALL, "stamp.copies=3"]
    group = [
        cell
        for range_deg in (7.2, 360)
        for cell in cells_of(laboratory, "n1_enhanced", [*few, f"stamp.rotation_range_deg={range_deg}"], 1)
    ]
    together = laboratory.measure(group)
    assert [(result.id, result.together) for result in together] == [(cell.id, 2) for cell in group]
    for cell, result in zip(group, together, strict=True):
        (alone,) = laboratory.measure([cell])
        assert result.config == alone.config == results.settings(cell.config)
        assert (result.predicted, result.best_step) == (alone.predicted, alone.best_step)


def test_of_a_training_that_is_stopped_nothing_comes(path):
    laboratory = Laboratory(path, NoStop(asked=True), print)
    with pytest.raises(Stopped):
        laboratory.measure(cells_of(laboratory, "n2_metadata_noallwise", SHORT, 1))


def test_a_first_alert_network_also_screens_the_test_objects(path):
    laboratory = Laboratory(path, NoStop(), print, screened=True)
    (result,) = laboratory.measure(cells_of(laboratory, "n1_enhanced", SHORT + SMALL, 1))
    assert result.truth == "012340123401234"
    assert list(result.screened) == ["AGN", "SN", "VS", "asteroid", "bogus"]
    assert {(row["objects"], row["screened"]) for row in result.screened.values()} == {(3, 3)}
    rejected = np.array([[row["rejected"], row["first_called_bogus"]] for row in result.screened.values()])
    assert np.all(rejected[:, 0] <= rejected[:, 1])
