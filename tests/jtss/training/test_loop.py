"""The loop: one program or many, one seed or several, from memory or from the file, whole or resumed: the same run."""

from dataclasses import replace
from threading import Event

import jax
import numpy as np
import pytest

from helpers.made_training import (
    NO_IMAGES,
    TINY,
    assert_close_trees,
    assert_equal_trees,
    chunks_of,
    leaves,
    made_examples,
    source_of,
    states_of,
    trained,
    turns,
)
from jtss.config.settings import override
from jtss.training import batches, loop
from jtss.training import step as training

DECAYING = override(NO_IMAGES, ["training.decay=cosine", "training.patience=0"])


HIDING = override(
    NO_IMAGES,
    [
        "hide.counters=0.4",
        f"metadata.static=has_counters,{','.join(NO_IMAGES.metadata.static[1:])}",
        "training.class_balance=counts",
    ],
)
PATIENT = override(NO_IMAGES, ["training.patience=8", "training.patience_after=4", "training.learning_rate=1e-2"])


@pytest.mark.slow
def test_four_steps_and_validation_in_one_program_are_the_same_training_as_one_by_one():
    source, chunks, states = source_of(TINY), chunks_of(TINY), states_of(TINY)
    rows = training.draw(TINY, source.strata, states.seed, 0, 4)
    apart, losses = states, []
    for i in range(4):
        apart, one = loop.advance(TINY, apart, source.take(rows[:, i : i + 1]))
        losses.append(float(one[0]))
    parts = [jax.tree.map(lambda leaf, i=i: leaf[i], chunks) for i in range(len(chunks.weight))]
    expected = sum(loop.validate(TINY, apart, part) for part in parts)
    apart = loop.conclude(apart, expected)
    together, loss, sums = loop.turn(TINY, states, source.take(rows), chunks)
    assert float(loss[0]) == pytest.approx(np.mean(losses), rel=1e-5)
    np.testing.assert_allclose(sums, expected, rtol=1e-4)
    assert_close_trees(together, apart, rtol=1e-3, atol=1e-5)
    assert int(together.best.step[0]) == 4


@pytest.mark.parametrize(("config", "first"), [(TINY, [1, 2, 3, 4]), (NO_IMAGES, [4, 8, 12])])
@pytest.mark.slow
def test_a_turn_is_one_step_where_convolutions_run_on_a_cpu_else_all_up_to_the_validation(config, first):
    history = list(turns(config))
    steps = [int(progress.figures.step[0]) for progress in history]
    assert steps[: len(first)] == first
    assert steps[-1] == 12
    validated = [step for step, seen in zip(steps, history, strict=True) if seen.figures.validation_loss is not None]
    assert validated == [4, 8, 12]


@pytest.mark.slow
def test_a_long_way_to_the_next_validation_is_taken_in_several_turns(monkeypatch):
    whole = trained(NO_IMAGES)
    monkeypatch.setattr(loop, "LONGEST_TURN", 3)
    history = list(turns(NO_IMAGES))
    assert [int(progress.figures.step[0]) for progress in history] == [3, 4, 7, 8, 11, 12]
    assert_close_trees(history[-1].states.best.variables, whole.best.variables, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("config", [TINY, NO_IMAGES])
def test_the_best_model_is_that_of_the_lowest_validation_loss(config):
    seen = [progress for progress in turns(config) if progress.figures.validation_loss is not None]
    losses = [float(progress.figures.validation_loss[0]) for progress in seen]
    best = seen[-1].states.best
    assert float(best.loss[0]) == pytest.approx(min(losses))
    assert int(best.step[0]) == 4 * (1 + int(np.argmin(losses)))


def test_a_late_improvement_is_granted_more_steps():
    final = trained(PATIENT)
    best = int(final.best.step[0])
    assert best > 8
    assert int(final.step[0]) == max(12, best + 8)


def test_training_stops_at_a_loss_that_is_no_number_and_hands_over_the_best_model():
    source, taken = source_of(TINY), []
    healthy = source.take

    def take(rows: jax.Array) -> batches.Labelled:
        taken.append(healthy(rows))
        batch = taken[-1].batch
        ill = batch._replace(dynamic=batch.dynamic * np.float32(np.nan))
        return taken[-1]._replace(batch=ill if len(taken) == 6 else batch)

    source.take = take
    seen = turns(TINY, source=source)
    broken = next(progress for progress in seen if not np.isfinite(progress.figures.loss[0]))
    with pytest.raises(FloatingPointError, match=r"training loss is nan at step 6 \(seed 0\)"):
        next(seen)
    assert int(broken.states.best.step[0]) == 4
    for leaf in leaves(broken.states.best.variables):
        assert np.all(np.isfinite(leaf))


@pytest.mark.parametrize("config", [TINY, NO_IMAGES])
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(config):
    one, two = trained(config), trained(config)
    assert_equal_trees(one, two)
    other = trained(config, seeds=(1,))
    assert max(np.abs(a - b).max() for a, b in zip(leaves(one.variables), leaves(other.variables), strict=True)) > 0


@pytest.mark.parametrize(("config", "at"), [(TINY, 7), (TINY, 8), (NO_IMAGES, 8), (DECAYING, 8), (HIDING, 8)])
def test_a_run_resumed_from_a_copy_of_its_state_is_the_same_run(config, at):
    whole = trained(config)
    for progress in turns(config):
        if progress.figures.step[0] == at:
            state = jax.tree.map(np.array, training.part(progress.states, 0))
            break
    assert_equal_trees(trained(config, states=training.join([state])), whole)


@pytest.mark.slow
@pytest.mark.parametrize("config", [TINY, NO_IMAGES])
def test_seeds_trained_together_are_each_as_alone(config):
    """Equal to rounding: the seeds share no number, only the program."""
    together = trained(config, seeds=(5, 0, 7))
    for i, seed in enumerate((5, 0, 7)):
        alone = training.part(trained(config, seeds=(seed,)), 0)
        found = training.part(together, i)
        assert int(found.best.step) == int(alone.best.step)
        assert_close_trees(found.variables, alone.variables, rtol=1e-3, atol=2e-5)
        assert float(found.best.loss) == pytest.approx(float(alone.best.loss), rel=1e-4)


@pytest.mark.slow
def test_ranges_of_rotation_trained_together_are_each_as_alone():
    ranges = [override(TINY, [f"stamp.rotation_range_deg={range_deg}"]) for range_deg in (7.2, 360.0)]
    together = trained(TINY, states=training.join([training.init_state(config) for config in ranges]))
    for i, config in enumerate(ranges):
        alone = training.part(trained(config), 0)
        assert_close_trees(training.part(together, i).variables, alone.variables, rtol=1e-3, atol=2e-5)
    apart = [leaves(training.part(together, i).variables["params"]["encoder"]) for i in range(2)]
    assert max(np.abs(a - b).max() for a, b in zip(*apart, strict=True)) > 1e-4  # of one seed: only the angles differ


@pytest.mark.slow
def test_a_seed_that_is_finished_stays_as_it_is_while_others_go_on():
    states = states_of(PATIENT, 0, 1)
    late = states._replace(best=states.best._replace(step=np.int32([0, 12]), loss=np.float32([-1, -1])))
    late = jax.tree.map(np.array, late)  # the engine takes the memory of device arrays
    final = trained(PATIENT, states=late)  # no loss is below -1: seed 1 ends at 12 + 8
    assert final.step.tolist() == [12, 20]
    alone = trained(PATIENT, states=jax.tree.map(lambda leaf: leaf[:1], late))
    assert_close_trees(training.part(final, 0), training.part(alone, 0), rtol=1e-3, atol=1e-5)


def test_a_stop_asked_for_in_the_middle_of_a_long_step_is_not_kept_waiting(monkeypatch):
    """The states before the step are still there; the step itself is given up."""
    asked, over, turn = Event(), Event(), loop._turn
    monkeypatch.setattr(loop, "LONGEST_WAIT_SECONDS", -1.0)

    def endless(*given):
        assert not asked.is_set() or over.wait(600)
        return turn(*given)

    monkeypatch.setattr(loop, "_turn", endless)
    seen = []
    for progress in turns(TINY, stop_asked=asked.is_set):
        seen.append(progress)
        asked.set()
    over.set()
    assert len(seen) == 1
    assert all(np.all(np.isfinite(leaf)) for leaf in leaves(seen[0].states.variables))


def test_a_turn_that_fails_by_a_timeout_of_its_own_is_not_waited_for(monkeypatch):
    def fail(*_):
        raise TimeoutError("the disk of the training set does not answer")

    monkeypatch.setattr(loop, "_turn", fail)
    with pytest.raises(TimeoutError, match="does not answer"):
        next(turns(NO_IMAGES))


@pytest.mark.slow
def test_it_learns_in_either_precision():
    longer = replace(TINY.training, iterations=240, validate_every=40, learning_rate=2e-3)
    config = replace(TINY, training=longer)
    configs = [replace(config, precision=precision) for precision in ("float32", "bfloat16")]
    # Taught by 90 objects it is right for 33 to 35 of 40, by how the processor rounds: no margin for what is asked.
    examples = made_examples(360, 0)
    accuracy = [float(trained(one, source=source_of(one, examples)).best.accuracy[0]) for one in configs]
    assert min(accuracy) > 0.85
    assert abs(accuracy[0] - accuracy[1]) < 0.15  # of 40 objects: within twice the binomial error
