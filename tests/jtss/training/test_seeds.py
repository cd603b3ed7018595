"""Seeds that train together go on from a step that all of them have."""

import numpy as np
import pytest

from helpers.made_states import flip_a_bit
from helpers.made_training import NO_IMAGES, STATISTICS
from jtss.runs import directory as runs_directory
from jtss.runs.ensemble import seed_directory
from jtss.runs.states import RunError
from jtss.training import seeds
from jtss.training import step as training

PROVENANCE = dict.fromkeys(runs_directory.PROVENANCE, "made")


def directory(path, seed: int, *steps: int) -> runs_directory.RunDirectory:
    """The run directory of a seed with states and metrics of some steps."""
    config = seeds.with_seed(NO_IMAGES, seed)
    made, state = (
        runs_directory.create(seed_directory(path, seed), config, STATISTICS, PROVENANCE),
        training.init_state(config),
    )
    for step in steps:
        made.append_metrics({"step": step})
        made.states().save(state._replace(step=state.step + step))
    return made


def contents(path) -> dict:
    return {each: each.read_bytes() for each in path.rglob("*") if each.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("saved", "damaged", "expected"),
    [
        (((4, 8), (4,)), [], [4, 4]),
        (((4, 8), (4, 8)), [(1, 8)], [4, 4]),
        (((8, 10), (4, 8)), [(0, 10)], [8, 8]),
        (((12,), (4, 8)), [], [12, 8]),  # the first is finished
        (((0,), ()), [], [0, 0]),  # killed between the first saves
        (((), ()), [], [0, 0]),
    ],
)
def test_the_latest_step_that_all_have(tmp_path, saved, damaged, expected):
    made = [directory(tmp_path, seed, *steps) for seed, steps in enumerate(saved)]
    for seed, at in damaged:
        flip_a_bit(made[seed].path / "checkpoints" / str(at) / "made_with.json")
    warnings = []
    assert seeds.restore(made, warnings.append).step.tolist() == expected
    unused = [max((0, *steps)) > at for steps, at in zip(saved, expected, strict=True)]
    assert len(warnings) == sum(unused)  # what is damaged, or another seed does not have
    for one, at, steps in zip(made, expected, saved, strict=True):
        assert [line["step"] for line in one.metrics()] == [each for each in steps if each <= at]
        assert one.states().steps() == sorted((each for each in steps if each <= at), reverse=True)[:2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("saved", "damaged", "latest"),
    [
        (((8, 10), (4, 8)), [(1, 8)], "seed-0 10, seed-1 4"),
        (((4, 6), (9, 10)), [], "seed-0 6, seed-1 10"),  # one went on alone
        (((4, 8), (4, 8), ()), [], "seed-0 8, seed-1 8, seed-2 0"),  # the states of one are missing
        (((2, 4), (2, 10)), [(1, 2)], "seed-0 4, seed-1 10"),
        (((4, 8), (8, 10), (10, 11)), [], "seed-0 8, seed-1 10, seed-2 11"),
    ],
)
def test_without_a_step_that_all_have_nothing_is_touched(tmp_path, saved, damaged, latest):
    made = [directory(tmp_path, seed, *steps) for seed, steps in enumerate(saved)]
    for seed, at in damaged:
        flip_a_bit(made[seed].path / "checkpoints" / str(at) / "made_with.json")
    before = contents(tmp_path)
    with pytest.raises(RunError) as refused:
        seeds.restore(made, pytest.fail)
    assert str(refused.value) == (
        f"{tmp_path}: the seeds cannot go on together, having no step in common that is saved (latest: {latest});"
        f" finish each alone, as by --resume {tmp_path}/seed-0"
    )
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_seed_with_damaged_states_only_is_named_and_nothing_is_touched(tmp_path):
    made = [directory(tmp_path, seed, 4, 8) for seed in range(2)]
    for step in (4, 8):
        flip_a_bit(made[1].path / "checkpoints" / str(step) / "made_with.json")
    before = contents(tmp_path)
    with pytest.raises(RunError, match="seed-1/checkpoints: no state can be used"):
        seeds.restore(made, pytest.fail)
    assert contents(tmp_path) == before


def test_the_table_has_a_mean_only_of_several_that_all_have_a_model():
    states = training.join([training.init_state(seeds.with_seed(NO_IMAGES, seed)) for seed in (0, 3)])
    best = states.best._replace(step=np.int32([4, 8]), loss=np.float32([0.5, 0.7]), accuracy=np.float32([0.9, 0.8]))
    whole = seeds.table([0, 3], states._replace(best=best))
    assert [line.split() for line in whole.splitlines()[1:]] == [
        ["0", "4", "0.5000", "90.00", "%"],
        ["3", "8", "0.7000", "80.00", "%"],
        ["mean", "0.6000", "85.00", "%"],
        ["±", "0.1414", "7.07", "%"],
    ]
    half = best._replace(step=np.int32([4, 0]), loss=np.float32([0.5, np.inf]))
    lines = seeds.table([0, 3], states._replace(best=half)).splitlines()
    assert [line.split() for line in lines[1:]] == [["0", "4", "0.5000", "90.00", "%"], ["3", "–", "–", "–"]]
    one = states._replace(best=best._replace(step=np.int32([4]), loss=best.loss[:1], accuracy=best.accuracy[:1]))
    assert len(seeds.table([0], one).splitlines()) == 2
