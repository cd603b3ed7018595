"""The loop over cells: nothing twice, nothing lost, and a stop between cells."""

from itertools import product

import pytest

from helpers.made_experiments import DATA_HASH, MadeLaboratory, made_result
from jtss.config import tsc
from jtss.paper import grids, runner, table2
from jtss.paper.claims import Claims
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.results import Measured
from jtss.paper.sitting import Stopped
from jtss.paper.store import Store

TABLE_7 = grids.metadata_models(choose("table7", EXPERIMENTS["table7"].extent, seeds=3))
IDS = {cell.id for setup in TABLE_7 for cell in grids.of(setup, DATA_HASH)}


@pytest.fixture
def work_with(tmp_path):
    def make(laboratory, *, plan=lambda found: TABLE_7, time_is_up=lambda: False, said=None):
        say = (said if said is not None else []).append
        return runner.Work(
            Store(tmp_path / "table7.jsonl"), Claims(tmp_path / "claims"), laboratory, plan, time_is_up, say
        )

    return make


def claims_left(tmp_path):
    return list((tmp_path / "claims").glob("*.claim"))


def test_every_cell_is_trained_once_and_its_seeds_together(work_with, tmp_path):
    groups = []
    laboratory = MadeLaboratory(before=lambda group: groups.append([cell.seed for cell in group]))
    job = work_with(laboratory)
    assert runner.run(job) == runner.Left({}, {}, False)
    assert sorted(laboratory.trained) == sorted(IDS)
    assert groups == 8 * [[0, 1, 2]]
    assert set(job.store.read()[0]) == IDS == set(laboratory.forgotten)
    assert not claims_left(tmp_path)


def rotations_in_one_dispatch():
    """Table 2's grid for two seeds; without images, since with them a CPU trains one cell after another."""
    settings = ["stamp.channels=", "metadata.dynamic=magpsf", "metadata.static=ra"]
    return grids.rotations(choose("table2", EXPERIMENTS["table2"].extent, seeds=2, settings=settings))


def test_table_2_trains_its_rows_by_themselves_and_then_all_ranges_of_a_crop_and_a_number_of_copies_together(work_with):
    """A range of 0 draws no angles, so that its program is another."""
    setups, programs = rotations_in_one_dispatch(), []
    laboratory = MadeLaboratory(100, before=lambda group: programs.append([(c.setup.row, c.seed) for c in group]))
    runner.run(work_with(laboratory, plan=lambda found: setups))
    named = [row[:3] for row in tsc.TABLE_2.values()]
    expected = [[(row, 0), (row, 1)] for row in named]
    for crop, copies in product(tsc.CROPS, tsc.COPIES):
        rows = [(crop, copies, range_deg) for range_deg in tsc.ROTATION_RANGES_DEG]
        for one_program in ([row for row in rows if not row[2]], [row for row in rows if row[2]]):
            expected.append([(row, seed) for row in one_program if row not in named for seed in (0, 1)])
    assert programs == [group for group in expected if group]
    assert len(laboratory.trained) == len(set(laboratory.trained)) == 140 * 2


def test_ranges_that_share_a_program_are_named_one_by_one(work_with):
    setups, said = rotations_in_one_dispatch()[-3:-1], []
    runner.run(work_with(MadeLaboratory(), plan=lambda found: setups, said=said))
    assert said[0] == "a 39, k 8, θ 21.6°, seeds 0, 1; a 39, k 8, θ 36°, seeds 0, 1 …"
    assert [line.partition(":")[0] for line in said[1:5]] == [
        f"  a 39, k 8, θ {theta}°, seed {seed}" for theta in ("21.6", "36") for seed in (0, 1)
    ]


def test_a_second_run_trains_nothing(work_with):
    runner.run(work_with(MadeLaboratory()))
    again = MadeLaboratory()
    runner.run(work_with(again))
    assert again.trained == []


def test_seeds_that_do_not_fit_together_are_given_back_and_taken_later(work_with, tmp_path):
    claimed = []
    laboratory = MadeLaboratory(2, before=lambda group: claimed.append(len(claims_left(tmp_path)) - len(group)))
    runner.run(work_with(laboratory))
    assert sorted(laboratory.trained) == sorted(IDS)
    assert set(claimed) == {0}  # while it trained, it held nothing else


def test_a_killed_run_goes_on_where_it_was(work_with, tmp_path):
    def stop_at_the_third(group):
        if len(first.trained) == 6:
            raise Stopped

    first = MadeLaboratory(before=stop_at_the_third)
    assert runner.run(work_with(first)).out_of_time
    assert not claims_left(tmp_path)
    second = MadeLaboratory()
    runner.run(work_with(second))
    assert len(first.trained) == 6
    assert sorted(first.trained + second.trained) == sorted(IDS)


def test_the_budget_stops_between_cells(work_with):
    laboratory = MadeLaboratory()
    left = runner.run(work_with(laboratory, time_is_up=lambda: len(laboratory.trained) >= 6))
    assert left.out_of_time
    assert len(laboratory.trained) == 6


def test_what_another_process_holds_is_left_to_it_and_named(work_with, tmp_path):
    other, mine = Claims(tmp_path / "claims"), MadeLaboratory()
    held = [cell.id for cell in grids.of(TABLE_7[0], DATA_HASH)[:2]]
    assert [other.take(cell_id) for cell_id in held] == [None, None]
    left = runner.run(work_with(mine))
    assert set(left.held) == set(held)
    assert set(mine.trained) == IDS - set(held)


def test_what_another_finished_between_reading_and_claiming_is_not_trained(work_with):
    cell = grids.of(TABLE_7[0], DATA_HASH)[0]

    class Late(Claims):
        def take(self, cell_id):
            if cell_id == cell.id and cell_id not in job.store.read()[0]:
                job.store.append(made_result(cell))
            return super().take(cell_id)

    laboratory = MadeLaboratory()
    job = work_with(laboratory)
    job = job._replace(claims=Late(job.claims.folder))
    runner.run(job)
    assert sorted(laboratory.trained) == sorted(IDS - {cell.id})


def test_a_configuration_that_fails_is_passed_over_and_named(work_with, tmp_path):
    said = []
    left = runner.run(work_with(MadeLaboratory(failing={(2, True)}), said=said))
    assert set(left.failed) == {cell.id for cell in grids.of(TABLE_7[1], DATA_HASH)}
    assert any(line.startswith("WARNING: 2 alerts, with AllWISE, seeds 0, 1, 2: training loss is nan") for line in said)
    assert not claims_left(tmp_path)


def test_a_stop_in_the_middle_of_a_training_forgets_no_failure(work_with):
    def stop_at_the_third(group):
        if group[0].setup.row == TABLE_7[2].row:
            raise Stopped

    laboratory = MadeLaboratory(failing={(2, True)}, before=stop_at_the_third)
    left = runner.run(work_with(laboratory))
    failed = {cell.id for cell in grids.of(TABLE_7[1], DATA_HASH)}
    assert left.out_of_time
    assert set(left.failed) == failed
    assert failed <= set(laboratory.forgotten)  # it would fail again from what is saved


def test_a_seed_that_fails_takes_no_other_with_it(work_with):
    """Two fit in one program; the program of seeds 0 and 1 fails because of 1."""

    class OneBad(MadeLaboratory):
        def measure(self, group):
            if any(cell.seed == 1 for cell in group):
                raise FloatingPointError("training loss is nan (seed 1)")
            return super().measure(group)

    job = work_with(OneBad(2))
    left = runner.run(job)
    assert set(left.failed) == {cell.id for setup in TABLE_7 for cell in grids.of(setup, DATA_HASH) if cell.seed == 1}
    assert set(job.store.read()[0]) == IDS - set(left.failed)


def test_table_2_of_one_row_trains_no_more_seeds():
    for models in (["M_1"], ["M_b"]):
        choice = choose("table2", EXPERIMENTS["table2"].extent, models=models, seeds=2)
        setups = grids.rotations(choice)
        found = {cell.id: made_result(cell) for setup in setups for cell in grids.of(setup, DATA_HASH)}
        assert table2.finalists(setups, Measured(found, DATA_HASH), choice) == []


def test_table_2_gives_more_seeds_to_the_best_and_the_baseline_when_its_grid_is_complete(work_with):
    choice = choose("table2", EXPERIMENTS["table2"].extent, models=["M_1", "M_2", "M_b"], seeds=2)
    setups = grids.rotations(choice)

    def plan(found):
        return [*setups, *table2.finalists(setups, Measured(found, DATA_HASH), choice)]

    laboratory = MadeLaboratory(8)
    job = work_with(laboratory, plan=plan)
    runner.run(job)
    found = job.store.read()[0]
    baseline, winner = table2.finalists(setups, Measured(found, DATA_HASH), choice)
    assert baseline.row == table2.BASELINE
    assert (baseline.seeds, winner.seeds) == (8, 8)
    assert len(laboratory.trained) == len(set(laboratory.trained)) == 3 * 2 + 2 * 6
