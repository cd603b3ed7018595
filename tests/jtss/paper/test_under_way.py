"""Saved trainings of an experiment: they come back to the bit, and damage is said and survived."""

import jax
import numpy as np
import pytest

from helpers.made_states import flip_a_bit
from helpers.made_training import NO_IMAGES, assert_equal_trees
from jtss.paper import grids
from jtss.paper import under_way as paper_under_way
from jtss.paper.grids import Setup
from jtss.paper.under_way import Begun, Spent, UnderWay
from jtss.training import step as training

ONE, OTHER = grids.of(Setup((), "made", NO_IMAGES, 2), "f00d")
BEGINNING = training.init_state(ONE.config)
SPENT = Spent(60.5, ("abc",), ("made",))


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def under_way(tmp_path, warnings):
    return UnderWay(tmp_path / "under_way", warnings.append)


def at(step: int) -> Begun:
    return Begun(jax.tree.map(np.array, BEGINNING._replace(step=np.int32(step))), SPENT)


def test_what_was_never_begun_is_at_its_beginning(under_way):
    found = under_way.latest(ONE)
    assert_equal_trees(found.state, BEGINNING)
    assert (found.step, found.spent, under_way.step(ONE)) == (0, Spent(), 0)


def test_what_is_saved_comes_back_and_can_be_forgotten(under_way, warnings, tmp_path):
    under_way.save(ONE, at(4))
    under_way.save(ONE, at(8))
    assert_equal_trees(under_way.latest(ONE), at(8))
    assert under_way.step(ONE) == 8
    assert under_way.step(OTHER) == under_way.latest(OTHER).step == 0
    under_way.forget(ONE)
    under_way.forget(OTHER)
    assert under_way.latest(ONE).step == 0
    assert not list((tmp_path / "under_way").iterdir())
    assert warnings == []


def test_a_damaged_state_is_set_aside_for_the_one_before(under_way, warnings, tmp_path):
    under_way.save(ONE, at(4))
    under_way.save(ONE, at(8))
    states = tmp_path / "under_way" / ONE.id / "states"
    flip_a_bit(states / "8" / "made_with.json")
    assert under_way.latest(ONE).step == 4
    assert under_way.step(ONE) == 4
    (line,) = warnings
    assert line.startswith(f"{states / '8'}: ")
    assert line.endswith("step 4 is used instead")


@pytest.mark.parametrize(("file", "named"), [("states/4/made_with.json", "states"), ("spent.json", "spent.json")])
def test_without_a_good_state_the_training_begins_anew_and_what_there_was_is_set_aside(
    under_way, warnings, tmp_path, file, named
):
    under_way.save(ONE, at(4))
    path = tmp_path / "under_way" / ONE.id / file
    path.write_text(path.read_text()[:-4])
    found = under_way.latest(ONE)
    assert (found.step, found.spent) == (0, Spent())
    (line,) = warnings
    folder = tmp_path / "under_way" / ONE.id
    assert line.startswith(f"{folder / named}: ")
    assert line.endswith(f"this training begins anew, what there was is in {folder}.damaged")
    assert (folder.with_name(f"{ONE.id}.damaged") / "states" / "4" / "SHA256SUMS").is_file()
    under_way.save(ONE, at(2))
    assert under_way.latest(ONE).step == 2


def test_a_file_that_cannot_be_read_just_now_costs_nothing(under_way, tmp_path, monkeypatch):
    under_way.save(ONE, at(4))
    with monkeypatch.context() as patched:
        patched.setattr(paper_under_way, "_parse", fail_with(OSError(24, "Too many open files")))
        with pytest.raises(OSError, match="Too many open files"):
            under_way.latest(ONE)
    assert under_way.latest(ONE).step == 4


def fail_with(error):
    def fail(*_):
        raise error

    return fail


def test_what_a_kill_left_of_finished_cells_is_swept_away(under_way):
    under_way.save(ONE, at(4))
    under_way.save(OTHER, at(4))
    under_way.sweep({ONE.id, "never begun"})
    assert (under_way.step(ONE), under_way.step(OTHER)) == (0, 4)


def test_sittings_add_up_and_nothing_is_named_twice():
    found = SPENT.and_then(10.0, "abc", "another").and_then(1.0, "def", "made")
    assert found == Spent(71.5, ("abc", "def"), ("made", "another"))
