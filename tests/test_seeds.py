"""Seeds that train together go on from a step that all of them have."""

import pytest
from made_training import NO_IMAGES, STATISTICS
from test_states import flip_a_bit

from jtss import checkpoint, repeats, seeds, training

PROVENANCE = dict.fromkeys(checkpoint.PROVENANCE, "made")


def directory(path, seed: int, *steps: int) -> checkpoint.RunDirectory:
    """The run directory of a seed with states and metrics of some steps."""
    config = seeds.with_seed(NO_IMAGES, seed)
    made, state = (
        checkpoint.create(repeats.seed_directory(path, seed), config, STATISTICS, PROVENANCE),
        training.init_state(config),
    )
    for step in steps:
        made.append_metrics({"step": step})
        made.states().save(state._replace(step=state.step + step))
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("saved", "damaged", "step"),
    [
        (((4, 8), (4,)), [], 4),
        (((4, 8), (4, 8)), [(1, 8)], 4),
        (((8, 10), (4, 8)), [(1, 8)], 0),
        (((12,), (4, 8)), [], 8),  # the first is finished
    ],
)
def test_the_latest_step_that_all_have(tmp_path, saved, damaged, step):
    made = [directory(tmp_path, seed, *steps) for seed, steps in enumerate(saved)]
    for seed, at in damaged:
        flip_a_bit(made[seed].path / "checkpoints" / str(at) / "made_with.json")
    warnings = []
    found = seeds.restore(made, warnings.append).step.tolist()
    assert found == [12 if steps == (12,) else step for steps in saved]
    assert any("begins anew" in line for line in warnings) == (step == 0)
    for one, at, steps in zip(made, found, saved, strict=True):
        assert [line["step"] for line in one.metrics()] == [each for each in steps if each <= at]
        assert max(one.states().steps(), default=0) in (at, 0)
