"""Models of run directories and of folders of seeds."""

import json
import shutil

import jax
import numpy as np
import pytest

from helpers.made_runs import TINY, make_run, write_data
from helpers.made_training import assert_equal_trees
from jtss.config.settings import override
from jtss.pretrained.load import load_model
from jtss.runs import directory, ensemble
from jtss.runs.ensemble import EnsembleError
from jtss.runs.states import RunError
from jtss.training import trained

SEEDS = (4, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run, and a folder of two seeds; nobody trained them."""
    folder = tmp_path_factory.mktemp("trained")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    for seed in SEEDS:
        make_run(folder / "seeds" / f"seed-{seed}", of_seed(seed), folder / "made.h5")
    ensemble.write(folder / "seeds", TINY, SEEDS, 2)
    return folder


def of_seed(seed):
    return override(TINY, [f"training.seed={seed}"])


def test_the_best_model_of_a_run_with_what_came_of_it(folder):
    model = trained.load(folder / "run")
    (member,) = model.members
    iterations = TINY.training.iterations
    assert (member.seed, member.outcome.steps, member.outcome.best_step) == (TINY.training.seed, iterations, 5)
    assert member.outcome.validation_loss == pytest.approx(0.9)
    assert (model.label, model.folder, model.warnings) == (str(folder / "run"), folder / "run", [])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(member.variables))


def test_an_ensemble_has_its_seeds_in_the_order_of_training(folder):
    model = trained.load(folder / "seeds")
    assert tuple(member.seed for member in model.members) == SEEDS
    for member in model.members:
        alone = trained.load(folder / "seeds" / f"seed-{member.seed}")
        assert_equal_trees(member.variables, alone.members[0].variables)
    assert (model.label, model.folder) == (str(folder / "seeds"), folder / "seeds")
    assert load_model(folder / "seeds").members[1].seed == SEEDS[1]


def test_a_single_training_has_a_learning_curve_and_an_ensemble_has_none(folder):
    assert [line["step"] for line in trained.learning_curve(trained.load(folder / "run"))] == [5]
    ensemble_of_two = trained.load(folder / "seeds")
    assert trained.learning_curve(ensemble_of_two) == []
    expected = [folder / "seeds" / f"seed-{seed}" for seed in SEEDS]
    assert [run.path for run in trained.directories(ensemble_of_two)] == expected


def test_a_model_that_ships_has_no_directory():
    model = load_model("n1_enhanced")
    assert (trained.directories(model), trained.learning_curve(model)) == ([], [])


def test_a_folder_named_after_another_seed_is_refused(folder, tmp_path):
    shutil.copytree(folder / "seeds", tmp_path / "seeds")
    shutil.rmtree(tmp_path / "seeds" / "seed-1")
    shutil.copytree(folder / "seeds" / "seed-4", tmp_path / "seeds" / "seed-1")
    with pytest.raises(RunError, match="seed-1: its seed is 4, expected 1"):
        trained.load(tmp_path / "seeds")


def test_a_missing_seed_is_named(folder, tmp_path):
    shutil.copytree(folder / "seeds", tmp_path / "seeds")
    shutil.rmtree(tmp_path / "seeds" / "seed-4")
    with pytest.raises(EnsembleError, match="seed-4 is missing"):
        trained.load(tmp_path / "seeds")


def test_a_run_without_a_state_says_how_to_go_on(folder, tmp_path):
    run = shutil.copytree(folder / "run", tmp_path / "run")
    shutil.rmtree(run / directory.CHECKPOINTS)
    with pytest.raises(RunError, match=r"there is no model yet: .*; go on by: .*train.* --resume"):
        trained.load(run)


def test_a_run_that_is_not_finished_is_loaded_with_a_warning(folder, monkeypatch):
    monkeypatch.setattr(trained, "finished", lambda *_: False)
    (warning,) = trained.load(folder / "run").warnings
    assert f"is not finished: it was saved at step {TINY.training.iterations} of " in warning


def test_seeds_that_began_with_other_weights_are_no_ensemble(folder, tmp_path):
    """Of the model the provenance of the first seed is told, which must be that of all."""
    shutil.copytree(folder / "seeds", tmp_path / "seeds")
    path = tmp_path / "seeds" / "seed-1" / "provenance.json"
    began = {"model": "n1", "parts": ["head"], "content_hash": "7"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"began_with": began}))
    with pytest.raises(RunError, match=r"seed-1: other weights to begin with than .*seed-4, expected a repeat"):
        trained.load(tmp_path / "seeds")
