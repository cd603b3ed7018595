"""Cells that are really trained, very small ones: what is written down of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import sequences
from jtss.config import named
from jtss.config.settings import override
from jtss.dataset import Writer
from jtss.paper import grids, results, sitting
from jtss.paper.grids import Setup
from jtss.paper.measurement import Laboratory
from jtss.paper.sitting import Conditions, Stopped
from jtss.paper.under_way import UnderWay
from jtss.training import trainer

SHORT = ["training.iterations=2", "training.patience=0", "training.validate_every=1", "training.batch_size=4"]
SMALL = ["encoder.filters=2,2,2,2,2", "encoder.units=4", "stamp.crop=5", "stamp.copies=1"]


def after(turns: int):
    """A clock that is up at that turn of the training loop, once."""
    asked = iter(range(turns))
    return lambda: next(asked, None) is None


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """45 objects of five classes, two detections each."""
    path = tmp_path_factory.mktemp("measurement") / "made.h5"
    made = sequences([2] * 45, label=[i % 5 for i in range(45)], split=[i // 5 % 3 for i in range(45)])
    with Writer(path, survey="made", command="a test") as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path


@pytest.fixture
def make(path, tmp_path):
    """A laboratory; all of a test share what is under way."""

    def make(time_is_up=lambda: False, said=None, **more):
        under_way = UnderWay(tmp_path / "under_way", pytest.fail)
        say = (said if said is not None else []).append
        return Laboratory(path, under_way, Conditions(time_is_up, lambda: False, say), **more)

    return make


def cells_of(laboratory, name, settings, seeds):
    setup = Setup((), name, override(named.get(name), settings), seeds)
    return grids.of(setup, laboratory.data_hash)


def test_two_seeds_that_train_together_are_two_results(make):
    laboratory = make()
    group = cells_of(laboratory, "n2_metadata_noallwise", SHORT, 2)
    assert laboratory.choose(group) == list(group)
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
def test_ranges_of_rotation_that_train_together_are_each_as_alone(make):
    laboratory = make()
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


LONGER = ["training.iterations=6", "training.patience=0", "training.validate_every=2", "training.batch_size=4"]


def test_a_training_that_is_stopped_twice_comes_to_the_same_as_one_that_is_not(make, tmp_path):
    group = cells_of(make(), "n2_metadata_noallwise", LONGER, 2)
    whole, said = make().measure(group), []
    for step in (2, 4):
        with pytest.raises(Stopped):
            make(after(0), said).measure(group)
        assert said[-1] == f"  stopped at step {step} of 6"
    last = make(said=said)
    assert last.choose(group) == list(group)
    found = last.measure(group)
    assert said[-1] == "  goes on from step 4 of 6"
    for one, other in zip(found, whole, strict=True):
        assert replace(one, finished="", inference={}, seconds=0) == replace(
            other, finished="", inference={}, seconds=0
        )
    before = UnderWay(tmp_path / "under_way", pytest.fail).latest(group[0]).spent.seconds
    assert found[0].seconds > before > 0
    for cell in group:
        last.forget(cell)
    assert not list((tmp_path / "under_way").iterdir())


def test_cells_without_a_step_in_common_do_not_train_together_and_the_furthest_is_first(make):
    group = cells_of(make(), "n2_metadata_noallwise", LONGER, 3)
    with pytest.raises(Stopped):
        make(after(0)).measure(group[1:])
    assert make().choose(group) == list(group[1:])
    with pytest.raises(Stopped):
        make(after(0)).measure(group[2:])
    make().forget(group[1])
    assert make().choose(group) == [group[2]]


def test_a_group_of_which_some_were_saved_once_more_goes_back_to_where_all_are(make, tmp_path):
    """As a kill leaves it in the middle of saving; not for one that was never begun."""
    group = cells_of(make(), "n2_metadata_noallwise", LONGER, 3)
    with pytest.raises(Stopped):
        make(after(0)).measure(group[:2])
    with pytest.raises(Stopped):
        make(after(0)).measure(group[:1])
    saved = UnderWay(tmp_path / "under_way", pytest.fail)
    assert [saved.step(cell) for cell in group] == [4, 2, 0]
    assert make().choose(group) == list(group[:2])
    assert [saved.step(cell) for cell in group] == [2, 2, 0]


def test_a_disk_that_is_full_costs_what_could_be_saved_and_nothing_else(make, monkeypatch):
    (cell,) = cells_of(make(), "n2_metadata_noallwise", LONGER, 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(UnderWay, "save", full)
    said = []
    with pytest.raises(Stopped):
        make(after(0), said).measure([cell])
    assert "WARNING: [Errno 28] No space left on device" in said


def test_a_loss_that_is_no_number_is_not_saved(make, tmp_path, monkeypatch):
    """Nor taken for a stop, though time is up; a result of it there is none."""
    group = cells_of(make(), "n2_metadata_noallwise", [*LONGER, "training.learning_rate=1e38"], 2)
    monkeypatch.setattr(trainer, "SAVE_EVERY_SECONDS", -1)
    with pytest.raises(FloatingPointError, match="training loss is"):
        make(time_is_up=lambda: True).measure(group)
    assert [UnderWay(tmp_path / "under_way", pytest.fail).step(cell) for cell in group] == [0, 0]


def test_a_training_that_was_killed_when_it_was_finished_is_only_tested(make, tmp_path):
    (cell,) = cells_of(make(), "n2_metadata_noallwise", LONGER, 1)
    whole = make()
    (expected,) = whole.measure([cell])
    finished = sitting.train([cell], whole._prepare(cell.config), whole._under_way, whole._conditions)
    whole._under_way.save(cell, finished[0])
    (found,) = make(time_is_up=pytest.fail).measure([cell])
    assert (found.predicted, found.best_step, found.steps) == (expected.predicted, expected.best_step, 6)


def test_a_first_alert_network_also_screens_the_test_objects(make):
    laboratory = make(screened=True)
    (result,) = laboratory.measure(cells_of(laboratory, "n1_enhanced", SHORT + SMALL, 1))
    assert result.truth == "012340123401234"
    assert list(result.screened) == ["AGN", "SN", "VS", "asteroid", "bogus"]
    assert {(row["objects"], row["screened"]) for row in result.screened.values()} == {(3, 3)}
    rejected = np.array([[row["rejected"], row["first_called_bogus"]] for row in result.screened.values()])
    assert np.all(rejected[:, 0] <= rejected[:, 1])
