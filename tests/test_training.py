"""The engine: the step by an independent road, sampling, the stop rule, resuming, and that it learns."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jtss import features, model, registry, training
from jtss.data import Examples
from jtss.model import Batch
from jtss.overrides import override

TINY = override(
    registry.get("demo"),
    [
        "stamp.crop=5",
        "encoder.filters=2,2,3,3,3",
        "training.batch_size=16",
        "training.iterations=12",
        "training.validate_every=4",
    ],
)


def made_examples(n: int, seed: int, signal: float = 4.0) -> Examples:
    """Three classes that differ in one dynamic and one static value."""
    rng = np.random.default_rng(seed)
    side, label = TINY.stamp.source_side, np.arange(n, dtype=np.int32) % 3
    dynamic, static = rng.normal(size=(n, 3, 10)), rng.normal(size=(n, 17))
    dynamic[..., 5] += signal * label[:, None]
    static[:, 3] -= signal * label
    return Examples(
        rng.random((n, 3, side, side, 2)).astype(np.float16),
        dynamic.astype(np.float32),
        static.astype(np.float32),
        label,
        np.zeros(n, np.int8),
        np.arange(n),
    )


TRAIN, VALIDATION = made_examples(90, 0), made_examples(40, 1)
STATISTICS = features.fit(TRAIN.dynamic, TRAIN.static, TINY.metadata)


def turns(config, state=None):
    state = training.init_state(config) if state is None else state
    return training.run(config, TRAIN, VALIDATION, STATISTICS, state)


def last_turn(config, **given):
    return list(turns(config, **given))[-1]


def leaves(tree) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def assert_equal_trees(one, other):
    for a, b in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_is_adam_written_out():
    """First step of Adam: every parameter moves by the learning rate against the sign of its gradient."""
    config = override(TINY, ["head.dropout=0,0", "training.class_balance=natural"])
    data = training.training_set(TRAIN, STATISTICS, 3)
    state = training.init_state(config)
    before = jax.tree.map(np.asarray, state.variables["params"])
    draw_key, model_key = jax.random.split(jax.random.fold_in(training.keys(config)[1], 0))
    rows = np.asarray(training.draw(config, data, draw_key))

    def loss_of(params):
        batch = Batch(*(part[rows] for part in data.batch))
        logits, _ = model.apply(config, {**state.variables, "params": params}, batch, train=True, key=model_key)
        chosen = jax.nn.log_softmax(logits)[jnp.arange(len(rows)), data.label[rows]]
        return -chosen.mean()

    loss, gradients = jax.jit(jax.value_and_grad(loss_of))(before)
    after, found = training.advance(config, state, data, 1)
    assert found == pytest.approx(float(loss), rel=1e-5)
    for new, old, gradient in zip(leaves(after.variables["params"]), leaves(before), leaves(gradients), strict=True):
        clear = np.abs(gradient) > 1e-5
        expected = -config.training.learning_rate * np.sign(gradient)
        np.testing.assert_allclose((new - old)[clear], expected[clear], rtol=2e-2)


def test_one_dispatch_of_four_steps_is_four_dispatches_of_one():
    data = training.training_set(TRAIN, STATISTICS, 3)
    together, loss = training.advance(TINY, training.init_state(TINY), data, 4)
    state, losses = training.init_state(TINY), []
    for _ in range(4):
        state, one = training.advance(TINY, state, data, 1)
        losses.append(float(one))
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-5)
    for a, b in zip(leaves(state.variables), leaves(together.variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_uniform_batches_hold_every_class_alike_and_natural_ones_as_they_come():
    rows = np.concatenate([np.flatnonzero(TRAIN.label == 0), np.flatnonzero(TRAIN.label == 1)[:3], [2, 5]])
    data = training.training_set(TRAIN.take(rows), STATISTICS, 3)
    config = override(TINY, ["training.batch_size=6000"])
    key = jax.random.key(1)
    uniform = np.asarray(data.label)[training.draw(config, data, key)]
    np.testing.assert_allclose(np.bincount(uniform) / 6000, 1 / 3, atol=0.03)
    natural = override(config, ["training.class_balance=natural"])
    drawn = np.asarray(data.label)[training.draw(natural, data, key)]
    np.testing.assert_allclose(np.bincount(drawn) / 6000, np.array([30, 3, 2]) / 35, atol=0.03)
    assert set(np.asarray(training.draw(config, data, key))) == set(range(35))


def test_validation_in_chunks_counts_every_object_once():
    variables = training.init_state(TINY).variables
    sums = [
        sum(
            training.validation_sums(TINY, variables, chunk)
            for chunk in training.validation_chunks(VALIDATION, STATISTICS, size)
        )
        for size in (7, 40, 64)
    ]
    assert sums[0][2] == 40
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-5)
    np.testing.assert_allclose(sums[2], sums[1], rtol=1e-5)


def test_the_best_model_is_that_of_the_lowest_validation_loss():
    history = [turn for turn in turns(TINY) if turn.validation_loss is not None]
    losses = [turn.validation_loss for turn in history]
    assert [turn.step for turn in history] == [4, 8, 12]
    best = history[-1].state.best
    assert float(best.loss) == pytest.approx(min(losses))
    assert int(best.step) == history[int(np.argmin(losses))].step


def test_a_gpu_takes_the_steps_between_two_validations_at_once_and_ends_in_time(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    steps = [(turn.step, turn.validation_loss is not None) for turn in turns(TINY)]
    assert steps == [(4, True), (8, True), (12, True)]


def test_a_loss_that_is_no_number_never_becomes_the_best():
    state = training.init_state(TINY)
    kept = training.keep_best(jax.tree.map(jnp.copy, state), jnp.array([jnp.nan, 3.0, 4.0]))
    assert float(kept.best.loss) == np.inf
    better = training.keep_best(state, jnp.array([2.0, 3.0, 4.0]))
    assert float(better.best.loss) == 0.5
    worse = training.keep_best(better, jnp.array([3.0, 4.0, 4.0]))
    assert (float(worse.best.loss), float(worse.best.accuracy)) == (0.5, 0.75)


def test_training_stops_at_a_loss_that_is_no_number_and_hands_over_the_best_model():
    seen = turns(override(TINY, ["training.learning_rate=1e30", "training.validate_every=1"]))
    turn = next(turn for turn in seen if not np.isfinite(turn.loss))
    with pytest.raises(FloatingPointError, match=rf"training loss is (nan|inf) at step {turn.step}"):
        next(seen)
    for leaf in leaves(turn.state.best.variables):
        assert np.all(np.isfinite(leaf))


@pytest.mark.parametrize(
    ("best_step", "expected"), [(0, 30_000), (19_990, 30_000), (20_000, 30_000), (20_010, 30_010), (29_000, 39_000)]
)
def test_the_stop_rule(best_step, expected):
    assert training.last_step(registry.get("n3_conv1d"), best_step) == expected


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    one, two = last_turn(TINY).state, last_turn(TINY).state
    assert_equal_trees(one, two)
    other = last_turn(override(TINY, ["training.seed=1"])).state
    assert np.abs(leaves(one.variables)[0] - leaves(other.variables)[0]).max() > 0


def test_a_run_resumed_from_a_copy_of_its_state_is_the_same_run():
    whole = last_turn(TINY).state
    for turn in turns(TINY):
        if turn.step == 7:  # between two validations
            state = jax.tree.map(np.asarray, turn.state)
            break
    assert_equal_trees(last_turn(TINY, state=jax.device_put(state)).state, whole)


def test_it_learns():
    config = replace(TINY, training=replace(TINY.training, iterations=240, validate_every=40, learning_rate=2e-3))
    assert float(last_turn(config).state.best.accuracy) > 0.85
