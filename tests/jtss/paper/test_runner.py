"""The work on a grid: nothing twice, nothing lost, nothing that another process holds, and a stop at any time."""

from contextlib import ExitStack
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from helpers.made_experiments import MadeTrainer, made_result, write_result
from helpers.made_runs import write_data
from helpers.made_states import flip_a_bit
from jtss import dataset, files
from jtss.config import tsc
from jtss.paper import grids, results, runner, table2
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.results import Measured, Results
from jtss.paper.runner import Deadline, Left, Runner
from jtss.runs import directory
from jtss.training.trainer import NeverStop

TABLE_7 = grids.metadata_models(choose("table7", EXPERIMENTS["table7"].extent, seeds=3))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("runner") / "made.h5"
    write_data(path)
    return path


@pytest.fixture(scope="module")
def data_hash(path):
    return str(dataset.attributes(path)["content_hash"])


@pytest.fixture
def make(path, data_hash, tmp_path):
    """A runner of a plan; all of a test share their folder."""

    def make(setups=TABLE_7, *, plan=None, stop=None, said=None, warned=None):
        kept = Results(tmp_path / "trainings", data_hash, pytest.fail if warned is None else warned.append)

        def look():
            wanted = plan(kept) if plan else setups
            kept.look(wanted)
            return wanted

        say, warn = ([] if said is None else said).append, pytest.fail if warned is None else warned.append
        return Runner(look, path, kept, stop or NeverStop(), say, warn, "a test")

    return make


@pytest.fixture
def trials(data_hash):
    return [trial for setup in TABLE_7 for trial in grids.trials(setup, data_hash)]


def ids(trials):
    return [trial.id for trial in trials]


class StopWhen(NeverStop):
    def __init__(self, holds):
        self._holds = holds

    def agree(self):
        return self._holds()


def test_every_training_is_done_once_and_its_seeds_as_one_program(make, monkeypatch, trials):
    made = MadeTrainer(monkeypatch)
    work = make()
    assert work.run() == Left({}, {}, False)
    assert made.programs == [ids(trials[i : i + 3]) for i in range(0, 24, 3)]
    assert made.tested == list(work.results.known) == ids(trials)
    make().run()
    assert len(made.trained) == 24


def test_one_prepared_data_set_serves_all_networks_that_read_the_same(make, monkeypatch):
    made = MadeTrainer(monkeypatch)
    setups = grids.temporal_models(choose("table6", EXPERIMENTS["table6"].extent, n=[2, 3], models=["rnn"], seeds=1))
    make(sorted(setups, key=lambda setup: setup.row)).run()
    assert (len(made.programs), len(made.prepared)) == (2 * 12, 2)


def rotations_in_one_dispatch():
    """Table 2's grid for two seeds; without images, since with them a CPU trains one after another."""
    settings = ["stamp.channels=", "metadata.dynamic=magpsf", "metadata.static=ra", "classes=AGN,SN,VS"]
    return grids.rotations(choose("table2", EXPERIMENTS["table2"].extent, seeds=2, settings=settings))


def test_table_2_trains_its_rows_by_themselves_and_then_all_ranges_of_a_crop_and_a_number_of_copies_as_one_program():
    """A range of 0 draws no angles, so that its program is another."""
    named = [row[:3] for row in tsc.TABLE_2.values()]
    expected = [[row] for row in named]
    for crop, copies in product(tsc.CROPS, tsc.COPIES):
        rows = [(crop, copies, range_deg) for range_deg in tsc.ROTATION_RANGES_DEG]
        for one_program in ([row for row in rows if not row[2]], [row for row in rows if row[2]]):
            expected.append([row for row in one_program if row not in named])
    programs = [[setup.row for setup in setups] for setups in runner.programs(rotations_in_one_dispatch())]
    assert programs == [program for program in expected if program]


def test_what_shares_a_program_is_named_one_by_one(data_hash):
    setups = rotations_in_one_dispatch()[-3:-1]
    one_program = [trial for setup in setups for trial in grids.trials(setup, data_hash)]
    assert runner.in_words(one_program) == "a 39, k 8, θ 21.6°, seeds 0, 1; a 39, k 8, θ 36°, seeds 0, 1"
    assert runner.in_words(one_program[:1]) == "a 39, k 8, θ 21.6°, seed 0"


def test_with_images_a_cpu_takes_one_and_leaves_the_others_to_other_processes(make, monkeypatch, data_hash):
    setups = grids.complete_models(choose("table8", EXPERIMENTS["table8"].extent, n=[3], seeds=2))
    monkeypatch.setattr(runner.loop, "in_one_dispatch", lambda config: False)
    made = MadeTrainer(monkeypatch)
    make(setups).run()
    assert made.programs == [[trial.id] for trial in grids.trials(setups[0], data_hash)]


def test_what_does_not_fit_is_free_for_others_and_taken_later(make, monkeypatch, trials, tmp_path):
    def nothing_else_is_held(runs):
        for trial in trials:
            lock = tmp_path / "trainings" / trial.id / directory.LOCK
            if lock.exists() and trial.id not in {run.path.name for run in runs}:
                with files.hold_lock(lock):
                    pass

    made = MadeTrainer(monkeypatch, most=2, before=nothing_else_is_held)
    make().run()
    assert [len(program) for program in made.programs] == 8 * [2, 1]
    assert sorted(made.trained) == sorted(ids(trials))


def hold(folder, trial):
    (folder / trial.id).mkdir(parents=True)
    return files.hold_lock(folder / trial.id / directory.LOCK)


def test_what_another_process_trains_is_left_to_it_and_named(make, monkeypatch, trials, tmp_path):
    made = MadeTrainer(monkeypatch)
    with hold(tmp_path / "trainings", trials[0]), hold(tmp_path / "trainings", trials[4]):
        left = make().run()
    assert set(left.held) == {trials[0].id, trials[4].id}
    assert all(holder.startswith("process ") for holder in left.held.values())
    assert sorted(made.trained) == sorted(set(ids(trials)) - set(left.held))


def test_what_another_process_left_unfinished_is_done_at_the_end(make, monkeypatch, trials, tmp_path):
    with ExitStack() as other:
        other.enter_context(hold(tmp_path / "trainings", trials[0]))
        made = MadeTrainer(monkeypatch, before=lambda runs: made.programs[6:] and other.close())
        assert make().run() == Left({}, {}, False)
    assert made.programs[-1] == [trials[0].id]


def test_what_another_process_finished_between_reading_and_locking_is_not_trained(make, monkeypatch, trials, tmp_path):
    made, lock = MadeTrainer(monkeypatch), files.hold_lock

    def late(path, **how):
        if path.parent.name == trials[1].id:
            write_result(tmp_path / "trainings", trials[1])
        return lock(path, **how)

    monkeypatch.setattr(files, "hold_lock", late)
    make().run()
    assert sorted(made.trained) == sorted({*ids(trials)} - {trials[1].id})


def test_one_process_at_a_time_claims_what_it_trains(make, monkeypatch, trials, tmp_path):
    """So that two that begin together do not share the seeds of a program, which would round otherwise."""
    claims, lock, locked = tmp_path / "trainings" / directory.LOCK, files.hold_lock, []

    def watched(path, **how):
        if path != claims:
            locked.append(path.parent.name)
            with pytest.raises(files.LockedError), lock(claims):
                pass
        return lock(path, **how)

    def is_free(_runs):
        with lock(claims):
            pass

    monkeypatch.setattr(files, "hold_lock", watched)
    MadeTrainer(monkeypatch, before=is_free)
    make().run()
    assert {*locked} == {*ids(trials)}


def test_a_seed_that_fails_is_named_and_takes_no_other_with_it(make, monkeypatch, trials):
    warned, made = [], MadeTrainer(monkeypatch, failing=[(2, 1)])
    left = make(warned=warned).run()
    bad = [trials[1].id, trials[4].id]  # seed 1, two alerts, without and with AllWISE
    assert list(left.failed) == bad
    assert warned == list(left.failed.values())
    assert warned[0] == "2 alerts, without AllWISE, seed 1: training loss is nan"
    assert sorted(made.tested) == sorted({*ids(trials)} - {*bad})


def test_what_failed_before_is_not_tried(make, monkeypatch, trials):
    work, made = make(), MadeTrainer(monkeypatch)
    left = replace(work, failed={trials[1].id: "why"}).run()
    assert left.failed == {trials[1].id: "why"}
    assert sorted(made.tested) == sorted({*ids(trials)} - {trials[1].id})


def test_a_run_directory_that_is_damaged_is_named_and_the_others_go_on(make, monkeypatch, trials, tmp_path):
    warned, made = [], MadeTrainer(monkeypatch)
    damaged = tmp_path / "trainings" / trials[0].id / directory.CONFIG
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    left = make(warned=warned).run()
    assert list(left.failed) == [trials[0].id]
    assert f"{damaged}: damaged" in left.failed[trials[0].id]
    assert len(made.tested) == 23


def test_a_run_directory_of_another_training_is_named(make, monkeypatch, trials, tmp_path):
    MadeTrainer(monkeypatch)
    make(TABLE_7[:1]).run()
    folder = tmp_path / "trainings"
    (folder / trials[0].id / results.TEST).unlink()
    (folder / trials[0].id).rename(folder / trials[3].id)
    left = make(TABLE_7[:2], warned=[]).run()
    assert set(left.failed) == {trials[3].id}
    assert left.failed[trials[3].id].endswith(f"{folder / trials[3].id}: another training than its name says")


def test_a_stop_comes_between_programs_and_before_tests(make, monkeypatch, trials):
    made = MadeTrainer(monkeypatch)
    left = make(stop=StopWhen(lambda: len(made.programs) == 3)).run()
    assert left.stopped
    assert made.trained == ids(trials[:9])
    assert made.tested == ids(trials[:6])
    make().run()
    assert made.tested == ids(trials)


def test_a_budget_is_a_stop_that_stays(monkeypatch):
    now = iter([0, 59, 60, 61])
    monkeypatch.setattr(runner.time, "monotonic", lambda: next(now))
    deadline = Deadline(NeverStop(), 60)
    assert [deadline.agree() for _ in range(3)] == [False, True, True]
    assert Deadline(StopWhen(lambda: True), None).agree()


def test_trainings_go_on_together_from_the_step_that_most_of_them_have(make, trials, tmp_path):
    one, two, three, new = trials[:4]
    for trial, steps in ((one, [8, 4]), (two, [4]), (three, [8])):
        for step in steps:
            (tmp_path / "trainings" / trial.id / directory.CHECKPOINTS / str(step)).mkdir(parents=True)
    at_one_step = make()._at_one_step
    assert at_one_step([one, two, three]) == [one, three]
    assert at_one_step([one, two]) == [one, two]
    assert at_one_step([two, three, new]) == [three]
    assert at_one_step([two, *trials[4:6], new]) == [*trials[4:6], new]


@pytest.mark.parametrize("damage", [flip_a_bit, lambda path: path.write_text(path.read_text()[:200])])
def test_a_damaged_result_is_named_once_and_tested_again(make, monkeypatch, trials, tmp_path, damage):
    MadeTrainer(monkeypatch)
    make().run()
    path = tmp_path / "trainings" / trials[1].id / results.TEST
    damage(path)
    warned, again = [], MadeTrainer(monkeypatch)
    assert make(warned=warned).run() == Left({}, {}, False)
    assert again.tested == [trials[1].id]
    (line,) = warned
    assert line.startswith(f"{path}: damaged (")
    assert results.read(path.parent, trials[1]) == made_result(trials[1])


def test_a_result_is_that_of_its_training_and_of_no_other(trials, tmp_path):
    write_result(tmp_path, trials[0])
    assert results.read(tmp_path / trials[0].id, trials[0]) == made_result(trials[0])
    assert results.read(tmp_path / trials[1].id, trials[1]) is None
    with pytest.raises(ValueError, match=f"it is of training {trials[0].id}"):
        results.read(tmp_path / trials[0].id, trials[1])


def test_a_training_of_which_nothing_but_numbers_is_left_is_no_result(make, monkeypatch, trials):
    """The loop says so after the last step, when the state that looks finished is saved."""
    made = MadeTrainer(monkeypatch)
    train = runner.trainer.train_group

    def diverged(runs, *given, **more):
        return train(runs, *given, **more)._replace(variables={"kernel": np.full((len(runs), 2), np.nan)})

    monkeypatch.setattr(runner.trainer, "train_group", diverged)
    left = make(TABLE_7[:1], warned=[]).run()
    assert list(left.failed) == ids(trials[:3])
    assert "its weights are no numbers" in left.failed[trials[0].id]
    assert made.tested == []


def test_table_2_of_one_row_trains_no_more_seeds(data_hash):
    for models in (["M_1"], ["M_b"]):
        choice = choose("table2", EXPERIMENTS["table2"].extent, models=models, seeds=2)
        setups = grids.rotations(choice)
        known = {trial.id: made_result(trial) for setup in setups for trial in grids.trials(setup, data_hash)}
        assert table2.finalists(setups, Measured(known, data_hash), choice) == []


def test_table_2_gives_more_seeds_to_the_best_and_the_baseline_when_its_grid_is_complete(make, monkeypatch, data_hash):
    settings = ["classes=AGN,SN,VS"]
    choice = choose("table2", EXPERIMENTS["table2"].extent, models=["M_1", "M_2", "M_b"], seeds=2, settings=settings)
    setups = grids.rotations(choice)

    def plan(kept):
        kept.look(setups)
        return [*setups, *table2.finalists(setups, kept.measured, choice)]

    made, work = MadeTrainer(monkeypatch), make(plan=plan)
    work.run()
    baseline, winner = table2.finalists(setups, work.results.measured, choice)
    assert baseline.row == table2.BASELINE
    assert (baseline.seeds, winner.seeds) == (8, 8)
    assert len(made.trained) == len(set(made.trained)) == 3 * 2 + 2 * 6
