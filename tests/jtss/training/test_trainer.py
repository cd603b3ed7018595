"""The trainer as a program or a notebook uses it: start, train, stop, resume."""

import json
import shutil

import numpy as np
import pytest

from helpers.made_training import NO_IMAGES, StopAfter, assert_equal_trees
from jtss.config.settings import override
from jtss.errors import InputError
from jtss.files import LockedError
from jtss.runs import directory
from jtss.training import trainer
from jtss.training.trainer import NeverStop

CONFIG = override(NO_IMAGES, ["training.iterations=6", "training.validate_every=2", "training.patience=0"])


def start(data_file, out, **given):
    return trainer.start(CONFIG, data_file, out, command="a test", say=pytest.fail, **given)


def train(training, stop=None, warn=pytest.fail, **given):
    return trainer.train(training, stop or NeverStop(), warn=warn, **given)


@pytest.fixture(scope="module")
def whole(data_file, tmp_path_factory):
    """A run that went to its end, and its final state."""
    out = tmp_path_factory.mktemp("trainer") / "whole"
    (state,) = train(start(data_file, out))
    return out, state


def comparable(out):
    """The metrics without the clock, and without the mean training loss, which begins anew on resuming."""
    return [
        {name: value for name, value in line.items() if name not in ("seconds", "train_loss")}
        for line in directory.open_run(out).metrics()
    ]


def test_a_training_leaves_a_run_directory_with_metrics_provenance_and_its_last_state(whole, data_file):
    out, state = whole
    run = directory.open_run(out)
    assert (int(state.step), max(directory.saved_steps(out))) == (6, 6)
    assert [line["step"] for line in run.metrics()] == [2, 4, 6]
    assert run.config == CONFIG
    assert (run.provenance["command"], run.provenance["data"]) == ("a test", str(data_file))
    best = min(run.metrics(), key=lambda line: line["validation_loss"])
    assert int(state.best.step) == best["step"]
    assert float(state.best.loss) == pytest.approx(best["validation_loss"], rel=1e-6)


def test_whoever_never_stops_is_never_asked_to():
    stop = NeverStop()
    assert (stop.agree(), stop.may_break_off(), stop.agreed) == (False, False, 0)


@pytest.mark.parametrize("asked", [0, 1, 2])  # before the first turn, after it, after the second
def test_a_training_that_is_stopped_and_resumed_ends_in_the_same_bits(whole, data_file, tmp_path, asked):
    stop = StopAfter(asked)
    (stopped,) = train(start(data_file, tmp_path / "run"), stop)
    assert (int(stopped.step), stop.agreed) == (2 * asked, 1)
    (state,) = train(trainer.resume(tmp_path / "run", say=pytest.fail, warn=pytest.fail))
    assert_equal_trees(state, whole[1])
    assert comparable(tmp_path / "run") == comparable(whole[0])


def test_a_finished_run_is_not_trained_again(whole):
    out, state = whole
    before = (out / "metrics.jsonl").read_bytes()

    def watch(*_):
        pytest.fail("it trains")

    (again,) = train(trainer.resume(out, say=pytest.fail, warn=pytest.fail), watch=watch)
    assert_equal_trees(again, state)
    assert (out / "metrics.jsonl").read_bytes() == before


def test_a_run_that_exists_is_not_begun_anew(whole, data_file):
    out, _ = whole
    before = (out / "metrics.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match="go on with it by: jtss train --resume"):
        start(data_file, out)
    assert (out / "metrics.jsonl").read_bytes() == before


def test_a_run_that_another_trains_is_left_alone(data_file, tmp_path):
    training = start(data_file, tmp_path / "run")
    with training.directories[0].locked(), pytest.raises(LockedError, match="is in use"):
        train(training)
    assert directory.saved_steps(tmp_path / "run") == []


def test_each_seed_has_a_run_directory_of_its_own(data_file, tmp_path):
    training = start(data_file, tmp_path / "seeds", n_seeds=3)
    assert [run.config.training.seed for run in training.directories] == [0, 1, 2]
    assert [run.path for run in training.directories] == [tmp_path / "seeds" / f"seed-{seed}" for seed in range(3)]
    assert training.at_once == 3  # without images
    resumed = trainer.resume(tmp_path / "seeds", say=pytest.fail, warn=pytest.fail)
    assert ([run.path for run in resumed.directories], resumed.at_once) == (
        [run.path for run in training.directories],
        3,
    )
    with pytest.raises(FileExistsError, match="holds an ensemble"):
        start(data_file, tmp_path / "seeds", n_seeds=3)


def test_data_that_moved_are_looked_for_where_they_are_said_to_be(whole, data_file, tmp_path):
    out = shutil.copytree(whole[0], tmp_path / "run")
    provenance = json.loads((out / "provenance.json").read_text())
    (out / "provenance.json").write_text(json.dumps(provenance | {"data": str(tmp_path / "gone.h5")}))
    with pytest.raises(FileNotFoundError, match=r"gone\.h5: the data set of .* if it moved, say where by --data"):
        trainer.resume(out, say=pytest.fail, warn=pytest.fail)
    moved = shutil.copy(data_file, tmp_path / "moved.h5")
    assert trainer.resume(out, say=pytest.fail, warn=pytest.fail, data=[moved]).prepared.data.paths == (moved,)


def test_other_data_are_refused_and_another_machine_is_said(whole, tmp_path):
    out = shutil.copytree(whole[0], tmp_path / "run")
    provenance = json.loads((out / "provenance.json").read_text())
    warnings = []
    changed = provenance | {"versions": provenance["versions"] | {"jax": "0.0.1"}}
    (out / "provenance.json").write_text(json.dumps(changed))
    trainer.resume(out, say=pytest.fail, warn=warnings.append)
    assert len(warnings) == 1
    assert "may come to other bits than where it began: versions.jax: then 0.0.1, now" in warnings[0]
    (out / "provenance.json").write_text(json.dumps(provenance | {"data_hash": "f00d"}))
    with pytest.raises(InputError, match=r"content hash .*, but .* was trained on f00d"):
        trainer.resume(out, say=pytest.fail, warn=pytest.fail)


def test_states_are_saved_every_minute_or_less_often_where_that_takes_long():
    pace = trainer.Pace(100.0)
    assert [pace.is_due(now) for now in (100.0, 160.0, 160.5)] == [False, False, True]
    pace.saved(160.5, 161.0)  # 0.5 s: a fiftieth of the time is less than a minute
    assert [pace.is_due(now) for now in (221.0, 221.5)] == [False, True]
    pace.saved(221.5, 231.5)  # 10 s
    assert [pace.is_due(now) for now in (731.5, 732.0)] == [False, True]


def test_the_watcher_sees_every_turn(data_file, tmp_path):
    from contextlib import contextmanager

    seen = []

    @contextmanager
    def watch(config, states, n_validation):
        seen.append((config.name, int(np.max(states.step)), n_validation))
        yield lambda progress: seen.append(int(progress.figures.step[0]))
        seen.append("closed")

    train(start(data_file, tmp_path / "run"), watch=watch)
    assert seen == [(CONFIG.name, 0, 12), 2, 4, 6, "closed"]
