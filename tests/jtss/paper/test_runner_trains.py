"""Trainings of an experiment that are really trained, very small ones: what they leave, and that nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import sequences, with_histories
from helpers.made_states import flip_a_bit
from helpers.made_training import assert_equal_trees
from helpers.places import ROOT
from helpers.programs import HASTY
from jtss import dataset
from jtss.config import named
from jtss.config.settings import override
from jtss.dataset import Writer
from jtss.paper import grids
from jtss.paper.grids import Setup
from jtss.paper.results import Results
from jtss.paper.runner import Left, Runner
from jtss.pretrained.load import load_model
from jtss.runs import directory, states
from jtss.training import trained
from jtss.training.trainer import NeverStop

SHORT = ["training.iterations=6", "training.patience=0", "training.validate_every=2", "training.batch_size=4"]
SMALL = ["encoder.filters=2,2,2,2,2", "encoder.units=4", "stamp.crop=5"]


class StopAfter(NeverStop):
    """Stops when it was asked so many times."""

    def __init__(self, times):
        self._left = times

    def agree(self):
        self._left -= 1
        return self._left < 0


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """45 objects of five classes, two detections each."""
    path = tmp_path_factory.mktemp("runner") / "made.h5"
    made = sequences([2] * 45, label=[i % 5 for i in range(45)], split=[i // 5 % 3 for i in range(45)])
    with Writer(path, survey="made", command="a test") as writer:
        writer.append(with_histories(made))
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path


@pytest.fixture
def data_hash(path):
    return str(dataset.attributes(path)["content_hash"])


@pytest.fixture
def make(path, tmp_path):
    def make(setups, out="out", *, stop=None, said=None):
        kept = Results(tmp_path / out, str(dataset.attributes(path)["content_hash"]), pytest.fail)

        def plan():
            kept.look(setups)
            return setups

        return Runner(plan, path, kept, stop or NeverStop(), ([] if said is None else said).append, pytest.fail, "a")

    return make


def setup_of(name, *settings, seeds=2):
    return Setup((name, *settings), name, override(named.get(name), [*SHORT, *settings]), seeds)


METADATA = setup_of("n2_metadata_noallwise")


def comparable(result):
    """Without clocks."""
    return replace(result, finished="", inference={})


def weights(folder, trial):
    (member,) = load_model(folder / trial.id).members
    return member.variables


@pytest.mark.slow
def test_each_training_of_one_program_is_a_run_directory_like_any_other(make, data_hash, tmp_path):
    runner, trials = make([METADATA]), grids.trials(METADATA, data_hash)
    assert runner.run() == Left({}, {}, False)
    for trial in trials:
        result = runner.results.known[trial.id]
        assert result.truth == "012012012"  # the test objects of the three classes
        assert (result.seed, result.steps, result.screened) == (trial.seed, 6, None)
        assert result.best_step in (2, 4, 6)
        assert result.inference["median_s_per_object"] > 0
        model = load_model(tmp_path / "out" / trial.id)
        assert model.config == trial.config
        assert model.members[0].outcome.validation_accuracy == result.validation_accuracy
        assert [line["step"] for line in trained.learning_curve(model)] == [2, 4, 6]
        assert model.provenance["data_hash"] == data_hash
    alone = make([METADATA._replace(seeds=1)], "alone")
    alone.run()
    (one,) = alone.results.known.values()
    assert one.predicted == runner.results.known[one.id].predicted


@pytest.mark.slow
def test_a_training_that_is_stopped_twice_comes_to_the_same_bits_as_one_that_is_not(make, data_hash, tmp_path):
    whole, said = make([METADATA], "whole"), []
    whole.run()
    for step in (2, 4):  # asked by the runner, before the first turn, and after it
        left = make([METADATA], stop=StopAfter(2), said=said).run()
        assert left.stopped
        assert [line for line in said if "stopped" in line][-1].startswith(f"  stopped at step {step}: n2_metadata")
    last = make([METADATA], said=said)
    last.run()
    assert "  goes on from step 4" in said
    for trial in grids.trials(METADATA, data_hash):
        assert comparable(last.results.known[trial.id]) == comparable(whole.results.known[trial.id])
        assert_equal_trees(weights(tmp_path / "out", trial), weights(tmp_path / "whole", trial))


def test_a_finished_training_whose_last_state_is_damaged_is_not_tested_as_it_was_before(make, data_hash, tmp_path):
    one = METADATA._replace(seeds=1)
    make([one]).run()
    (trial,) = grids.trials(one, data_hash)
    run = tmp_path / "out" / trial.id
    (run / "test.json").unlink()
    flip_a_bit(run / "checkpoints" / "6" / "made_with.json")
    again = make([one])
    again.warn = (warned := []).append
    again.run()
    assert "6: made_with.json changed; step 0 is used instead" in warned[0]
    assert again.results.known[trial.id].steps == 6


@pytest.mark.slow
def test_a_finished_training_that_was_not_tested_is_only_tested(make, data_hash, tmp_path):
    runner = make([METADATA])
    runner.run()
    for trial in grids.trials(METADATA, data_hash):
        (tmp_path / "out" / trial.id / "test.json").unlink()
    again, said = make([METADATA]), []
    again.say = said.append
    again.run()
    assert [*map(comparable, again.results.known.values())] == [*map(comparable, runner.results.known.values())]
    assert not [line for line in said if "goes on" in line]


def test_a_full_disk_stops_all_trainings_with_one_error(make, data_hash, monkeypatch):
    said, runner = [], make([METADATA._replace(seeds=1), setup_of("n3_metadata_noallwise", seeds=1)])
    runner.say = said.append
    monkeypatch.setattr(states.shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(OSError, match=r"checkpoints/0 cannot be saved: No space left on device; .* same command goes"):
        runner.run()
    assert said == ["n2_metadata_noallwise, seed 0 …"]
    monkeypatch.undo()
    assert make([METADATA._replace(seeds=1)]).run() == Left({}, {}, False)


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_named_whenever_it_is_tried(make, data_hash):
    diverging = setup_of("n2_metadata_noallwise", "training.learning_rate=1e38")
    for _ in range(2):
        runner = make([diverging, METADATA])
        runner.warn = [].append
        left = runner.run()
        assert set(left.failed) == {trial.id for trial in grids.trials(diverging, data_hash)}
        assert set(runner.results.known) == {trial.id for trial in grids.trials(METADATA, data_hash)}


@pytest.mark.slow
def test_ranges_of_rotation_and_seeds_of_one_program_are_each_as_alone(make, monkeypatch, data_hash):
    small = [*SMALL, "stamp.copies=3"]
    setups = [setup_of("n1_enhanced", *small, f"stamp.rotation_range_deg={theta}") for theta in (7.2, 360)]
    alone = make(setups, "alone")  # on a CPU
    alone.run()
    monkeypatch.setattr("jtss.training.loop.in_one_dispatch", lambda config: True)
    said, together = [], make(setups, "together")
    together.say = said.append
    together.run()
    assert said[0] == "n1_enhanced, seeds 0, 1, 0, 1 …"
    assert len(together.results.known) == 4
    for key, result in together.results.known.items():
        one = alone.results.known[key]
        assert (result.predicted, result.best_step) == (one.predicted, one.best_step)
        assert result.validation_accuracy == pytest.approx(one.validation_accuracy)


@pytest.mark.slow
def test_a_first_alert_network_also_screens_the_test_objects(make):
    runner = make([setup_of("n1_enhanced", *SMALL, "stamp.copies=1", seeds=1)])
    runner.run()
    (result,) = runner.results.known.values()
    assert result.truth == "012340123401234"
    assert list(result.screened) == ["AGN", "SN", "VS", "asteroid", "bogus"]
    assert {(row["objects"], row["screened"]) for row in result.screened.values()} == {(3, 3)}
    rejected = np.array([[row["rejected"], row["first_called_bogus"]] for row in result.screened.values()])
    assert np.all(rejected[:, 0] <= rejected[:, 1])


# Table 7 of two alerts; "slow": all states are saved, and when two trainings are some way it waits to be killed
PROGRAM = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from jtss.paper import experiments
from jtss.runs import directory, states
from jtss.training import trainer
from jtss.training.trainer import NeverStop

class Slow(NeverStop):
    def agree(self):
        runs = Path(sys.argv[2], "trainings").glob("*")
        if sum(max(directory.saved_steps(run), default=0) >= 4 for run in runs) >= 2:
            time.sleep(3600)
        return False

settings = ["training.iterations=40", "training.patience=0", "training.validate_every=2", "training.batch_size=4"]
request = experiments.Request("table7", Path(sys.argv[1]), Path(sys.argv[2]), tuple(settings), seeds=2, n=(2,))
if sys.argv[3] == "slow":
    trainer.SAVE_EVERY_SECONDS, trainer.SHARE_OF_TIME = 0, 1e9
say = lambda line: print(line, flush=True)
experiments.perform(request, Slow() if sys.argv[3] == "slow" else NeverStop(), say, say)
"""


@pytest.mark.slow
def test_killed_in_the_middle_two_processes_go_on_to_the_same_bits_and_do_nothing_twice(tmp_path):
    path = tmp_path / "made.h5"
    made = sequences([2] * 45, label=[i % 3 for i in range(45)], split=[i // 3 % 3 for i in range(45)])
    with Writer(path, survey="made", command="a test") as writer:
        writer.append(replace(made, allwise=np.full((45, 4), 12, np.float32)))
        writer.finish(split=made.split, ledger=Ledger().as_dict())

    def start(out, pace="quick"):
        words = [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / out), pace]
        return subprocess.Popen(words, cwd=ROOT, env=HASTY, text=True, stdout=subprocess.PIPE)

    assert start("whole").wait(600) == 0
    first, killed = start("out", "slow"), tmp_path / "out" / "trainings"
    while sum(max(directory.saved_steps(run), default=0) >= 4 for run in killed.glob("*")) < 2:
        assert first.poll() is None
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert not list(killed.glob("*/test.json"))

    both = [start("out"), start("out")]
    outputs = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert any("goes on from step" in output for output in outputs)  # each of one, or one of both
    runs = sorted(run.name for run in (tmp_path / "whole" / "trainings").iterdir() if run.is_dir())
    assert len(runs) == 4
    for run in runs:
        assert "".join(outputs).count(f"; {killed / run}\n") == 1
        (one,), (other,) = (load_model(tmp_path / out / "trainings" / run).members for out in ("whole", "out"))
        assert_equal_trees(one.variables, other.variables)
    assert any("MISSING" not in output for output in outputs)  # the last one has all
