"""One step of training by an independent road; sampling, the loss, the stop rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.made_training import TINY, chunks_of, leaves, source_of
from jtss import devices
from jtss.config import named
from jtss.config.settings import override
from jtss.network import network, parts
from jtss.schema import ALERT, CLASS_OF_SUBCLASS, DETECTION, METADATA_GROUPS
from jtss.training import batches, hiding, strata
from jtss.training import step as training
from jtss.training.strata import Strata


def classes(config, *counts) -> Strata:
    """The strata of as many objects of each class, all with the same counts."""
    label = np.repeat(np.arange(len(counts)), counts)
    return strata.of(label, np.ones((len(label), 2), np.float32), config)[1]


def drawn(config, counts, *, seed=0, step=0) -> np.ndarray:
    return np.asarray(training.draw(config, classes(config, *counts), np.uint32([seed]), step, 1))[0, 0]


@pytest.mark.slow
def test_a_step_is_adam_written_out():
    """First step of Adam: every parameter moves by the learning rate against the sign of its gradient.

    The range of rotation is written out in the configuration here, and comes from the state there.
    """
    config = override(TINY, ["head.dropout=0,0", "training.class_balance=natural"])
    state = training.init_state(config)
    _, model_key = jax.random.split(jax.random.fold_in(training.keys(np.uint32(0))[1], 0))
    rows = training.draw(config, classes(config, 30, 30, 30), np.uint32([0]), 0, 1)
    examples = jax.tree.map(lambda leaf: leaf[0, 0], source_of(config).take(rows))

    def loss_of(params):
        variables = {**state.variables, "params": params}
        logits, _ = network.apply(config, variables, examples.batch, train=True, key=model_key)
        return -jax.nn.log_softmax(logits)[jnp.arange(16), examples.label].mean()

    before = state.variables["params"]
    loss, gradients = jax.jit(jax.value_and_grad(loss_of))(before)
    after, found = jax.jit(training.train_step, static_argnums=0)(training.shared(config), state, examples)
    assert found == pytest.approx(float(loss), rel=1e-5)
    assert (int(after.step), int(after.best.step)) == (1, 0)
    for new, old, gradient in zip(leaves(after.variables["params"]), leaves(before), leaves(gradients), strict=True):
        clear = np.abs(gradient) > 1e-5
        expected = -config.training.learning_rate * np.sign(gradient)
        np.testing.assert_allclose((new - old)[clear], expected[clear], rtol=2e-2)


def answered(kinds):
    """Which of the earlier rows count: from the first detection on."""
    first = next((t for t, kind in enumerate(kinds) if kind in (ALERT, DETECTION)), len(kinds))
    return [t for t in range(first, len(kinds) - 1) if kinds[t] != parts.NO_ROW]


def test_the_loss_of_packets_is_half_of_the_last_row_and_half_of_those_before():
    """By walking along the rows; a packet without earlier detections has its last row alone."""
    rng = np.random.default_rng(0)
    logits, label = rng.normal(size=(4, 5, 3)), np.array([0, 2, 1, 1])
    kind = np.array([[-1, -1, -1, -1, 0], [-1, 1, 2, -1, 0], [2, 0, 1, 2, 0], [-1, -1, -1, 2, 0]], np.int8)
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = []
    for each, which, kinds in zip(log_p, label, kind, strict=True):
        before = [-each[t, which] for t in answered(kinds)]
        expected.append(np.mean([-each[4, which], np.mean(before)]) if before else -each[4, which])
    found = training.loss_after_rows(jnp.asarray(logits), jnp.asarray(label), jnp.asarray(kind))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


PACKETS = override(
    named.get("any_gru"),
    ["stamp.channels=", "hide.stamps=0", "packet.rows=5", "temporal.units=4", "head.units=4", "head.dropout=0"],
)
KIND = jnp.array([[-1, -1, -1, -1, 0], [-1, 1, 2, -1, 0], [2, 0, 1, 2, 0], [-1, -1, -1, 2, 0]], jnp.int8)


def logits_of_packets(seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(4, 5, 15)), jnp.float32)


def labelled(names):
    """Packets of these classes or subclasses, without anything to read."""
    subclass = [PACKETS.subclasses.index(name) if name in PACKETS.subclasses else -1 for name in names]
    label = [PACKETS.classes.index(CLASS_OF_SUBCLASS.get(name, name)) for name in names]
    return batches.Labelled(None, jnp.array(label), jnp.array(subclass))


def test_the_subclass_counts_given_the_class_in_the_packets_that_have_one():
    """By walking along the rows and the subclasses of the class."""
    logits, names = np.asarray(logits_of_packets(), float), ("blazar", "other SN", "asteroid", "eclipsing")
    examples, expected = labelled(names), []
    for each, name, kinds in zip(logits[..., 5:], names, KIND, strict=True):
        if name not in PACKETS.subclasses:
            continue
        siblings = [
            i for i, other in enumerate(PACKETS.subclasses) if CLASS_OF_SUBCLASS[other] == CLASS_OF_SUBCLASS[name]
        ]
        rows = [np.log(np.exp(row[siblings]).sum()) - row[PACKETS.subclasses.index(name)] for row in each]
        before = [rows[t] for t in answered(np.asarray(kinds))]
        expected.append(np.mean([rows[4], np.mean(before)]) if before else rows[4])
    found = training.subclass_loss(PACKETS, logits_of_packets(), examples.subclass, KIND)
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)
    whole = training.loss_of_packets(PACKETS, logits_of_packets(), examples, KIND)
    of_classes = training.loss_after_rows(logits_of_packets()[..., :5], examples.label, KIND)
    assert float(whole) == pytest.approx(float(of_classes) + 0.3 * np.mean(expected), rel=1e-5)


def test_where_no_subclass_is_known_the_loss_is_of_the_classes_alone():
    examples = labelled(("AGN", "bogus", "SN", "VS"))
    whole = training.loss_of_packets(PACKETS, logits_of_packets(), examples, KIND)
    assert float(whole) == float(training.loss_after_rows(logits_of_packets()[..., :5], examples.label, KIND))
    without = override(PACKETS, ["subclasses="])
    assert float(training.loss_of_packets(without, logits_of_packets()[..., :5], examples, KIND)) == float(whole)


def test_a_subclass_teaches_its_own_class_alone():
    """Gradients of its loss are of its siblings, in rows that there are, of the packets that have a subclass."""
    examples = labelled(("blazar", "other SN", "asteroid", "VS"))
    gradient = jax.grad(training.subclass_loss, argnums=1)(PACKETS, logits_of_packets(), examples.subclass, KIND)
    siblings = {0: "AGN", 1: "SN"}
    expected = np.zeros((4, 5, 15), bool)
    for packet, name in siblings.items():
        columns = [5 + i for i, other in enumerate(PACKETS.subclasses) if CLASS_OF_SUBCLASS[other] == name]
        expected[np.ix_([packet], [*answered(np.asarray(KIND[packet])), 4], columns)] = True
    np.testing.assert_array_equal(np.asarray(gradient) != 0, expected)
    assert np.isfinite(gradient).all()


def test_validation_is_of_the_classes_alone():
    """Whatever the subclasses say, however surely, and whichever they are."""
    rng, n = np.random.default_rng(0), 6
    rows = parts.Rows(
        np.tile(KIND[2], (n, 1)),
        np.ones((n, 5), np.int8),
        np.tile(np.arange(-4.0, 1), (n, 1)),
        np.ones((n, 5)),
        -np.ones((n, 1), int),
    )
    dynamic = rng.normal(size=(n, 5, len(PACKETS.metadata.dynamic))).astype(np.float32)
    static = rng.normal(size=(n, len(PACKETS.metadata.static))).astype(np.float32)
    batch = parts.Batch(np.zeros((n, 1, 0, 0, 0), np.float16), dynamic, static, rows)
    variables = training.init_state(PACKETS).variables
    validate = jax.jit(training.validation_sums, static_argnums=0)

    def sums(bias, subclass):
        head = variables["params"]["head"]
        logits = {**head["logits"], "bias": head["logits"]["bias"] + bias}
        params = {**variables["params"], "head": {**head, "logits": logits}}
        examples = batches.Labelled(batch, np.arange(n) % 5, subclass)
        return validate(PACKETS, {**variables, "params": params}, batches.ValidationChunks(examples, np.ones(n)))

    plain = sums(np.zeros(15), np.full(n, -1))
    np.testing.assert_array_equal(sums(np.where(np.arange(15) < 5, 0, 50.0), np.arange(n)), plain)
    assert sums(np.where(np.arange(15) == 2, 50.0, 0), np.full(n, -1))[0] > plain[0]


def test_seeds_and_ranges_of_rotation_share_a_program_but_angles_that_are_not_drawn_are_constants_of_another():
    alike = ["training.seed=3", "stamp.rotation_range_deg=7.2", "stamp.rotation_range_deg=360"]
    assert {training.shared(override(TINY, [setting])) for setting in alike} == {training.shared(TINY)}
    for setting in ("stamp.rotation_range_deg=0", "stamp.copies=3", "head.dropout=0.1,0"):
        assert training.shared(override(TINY, [setting])) != training.shared(TINY)


@pytest.mark.parametrize(("decay", "rates"), [("none", [1, 1, 1, 1]), ("cosine", [1, 0.75, 0.25, 0])])
def test_the_learning_rate_is_constant_or_falls_to_nothing(decay, rates):
    """Adam moves by the learning rate where the gradient stays the same."""
    config = override(TINY, [f"training.decay={decay}", "training.patience=0", "training.learning_rate=0.01",
                             "training.iterations=3", "training.validate_every=1"])  # fmt: skip
    adam = training.optimizer(config)
    state, moves = adam.init(jnp.float32(0)), []
    for _ in range(4):
        move, state = adam.update(jnp.float32(2), state)
        moves.append(-100 * float(move))
    np.testing.assert_allclose(moves, rates, atol=1e-5)


def test_uniform_batches_hold_every_class_alike_and_natural_ones_as_they_come():
    label = np.repeat([0, 1, 2], [30, 3, 2])
    config = override(TINY, ["training.batch_size=6000"])
    uniform = drawn(config, [30, 3, 2])
    np.testing.assert_allclose(np.bincount(label[uniform]) / 6000, 1 / 3, atol=0.03)
    assert set(uniform) == set(range(35))
    natural = drawn(override(config, ["training.class_balance=natural"]), [30, 3, 2])
    np.testing.assert_allclose(np.bincount(label[natural]) / 6000, np.array([30, 3, 2]) / 35, atol=0.03)


@pytest.mark.parametrize("balance", ["uniform", "natural", "counts"])
def test_a_draw_depends_on_seed_and_step_alone(balance):
    config = override(TINY, [f"training.class_balance={balance}"])
    together = np.asarray(training.draw(config, classes(config, 30, 30, 30), np.uint32([3, 8]), 5, 4))
    assert together.shape == (2, 4, 16)
    for i, seed in enumerate((3, 8)):
        for j in range(4):
            np.testing.assert_array_equal(together[i, j], drawn(config, [30, 30, 30], seed=seed, step=5 + j))
    assert len({tuple(rows) for rows in together.reshape(8, 16)}) == 8


def test_uniform_and_natural_batches_are_the_same_objects_as_ever():
    uniform = [28, 33, 33, 28, 34, 31, 29, 24, 33, 31, 33, 28, 34, 34, 30, 20]
    natural = [13, 11, 5, 8, 30, 30, 19, 14, 9, 34, 21, 33, 15, 14, 2, 0]
    assert drawn(TINY, [30, 3, 2], seed=4, step=9).tolist() == uniform
    assert drawn(override(TINY, ["training.class_balance=natural"]), [30, 3, 2], seed=4, step=9).tolist() == natural


def test_batches_balanced_at_each_count_hold_every_class_alike_there_and_repeat_with_seed_and_step():
    rng, config = np.random.default_rng(0), override(TINY, ["training.batch_size=60000"])
    config = override(config, ["training.class_balance=counts"])
    label = rng.integers(0, 3, 5000)
    ndethist = np.floor(1 + rng.exponential(np.array([3, 8, 30])[label]))
    ndethist[rng.random(5000) < 0.1] = np.nan
    counts = np.stack([ndethist, np.full(5000, 50.0)], axis=1).astype(np.float32)
    order, groups = strata.of(label, counts, config)
    rows = order[np.asarray(training.draw(config, groups, np.uint32([0]), 3, 1))[0, 0]]
    table = np.zeros((3, strata.N_BINS))
    np.add.at(table, (label[rows], strata.bin_of(counts[rows])), 1)
    expected = groups.share.reshape(3, strata.N_BINS) * len(rows)
    assert np.all(np.abs(table - expected) < 5 * np.sqrt(expected + 1))
    there = groups.count.reshape(3, strata.N_BINS)
    frequent = there.min(axis=0) > 0.05 * there.sum(axis=0)  # in these bins no class is rare
    assert frequent.sum() >= 5
    within = table[:, frequent] / table[:, frequent].sum(axis=0)
    np.testing.assert_allclose(within, 1 / 3, atol=0.03)


HIDING = override(TINY, ["hide.counters=0.4", "hide.allwise=0.2"])


@pytest.mark.slow
def test_a_step_adds_the_noise_and_hides_from_each_object_what_its_keys_say():
    """The same step by another road: a batch with that noise that lacks what the key says, in a training with neither.

    Without noise and hiding the draws of the model are those of ever, which the step that is Adam written out shows.
    """
    config = training.shared(override(HIDING, ["training.metadata_noise=0.5"]))
    state = training.init_state(config)
    examples = jax.tree.map(lambda leaf: leaf[0, 0], source_of(TINY).take(jnp.arange(16)[None, None]))
    step = jax.jit(training.train_step, static_argnums=0)
    _, loss = step(config, state, examples)
    _, again = step(config, state, examples)
    assert float(loss) == float(again)

    @jax.jit
    def loss_of(batch, key):
        drawn = {"key": key, "rotation_range_deg": state.rotation_range_deg}
        logits, _ = network.apply(training.shared(TINY), state.variables, batch, train=True, **drawn)
        return training.training_loss(TINY, logits, examples.label)

    noise_key, key = jax.random.split(training.step_keys(np.uint32(0), 0)[1])
    hiding_key, model_key = jax.random.split(key)
    noisy = training.blurred(config, noise_key, examples.batch)
    lacking = hiding.hide(config, noisy, hiding.draw(config, hiding_key, 16))
    assert float(loss) == pytest.approx(float(loss_of(lacking, model_key)), rel=1e-5)
    others = [loss_of(batch, model_key) for batch in (noisy, examples.batch)]
    assert len({float(loss), *map(float, others)}) == 3


def test_noise_is_of_every_value_but_the_bits_and_is_there_in_training_alone():
    config = override(TINY, ["training.metadata_noise=0.3", "hide.counters=0.4", "metadata.static=has_counters,ra,dec"])
    batch = parts.Batch(jnp.zeros(()), jnp.ones((2000, 3, 10)), jnp.ones((2000, 3)))
    noisy = training.blurred(config, jax.random.key(0), batch)
    np.testing.assert_array_equal(noisy.static[:, 0], 1)
    for values in (noisy.dynamic, noisy.static[:, 1:]):
        np.testing.assert_allclose(np.std(values, axis=0), 0.3, rtol=0.1)
        np.testing.assert_allclose(np.mean(values, axis=0), 1, atol=0.03)
    np.testing.assert_array_equal(np.ptp(noisy.dynamic, axis=1), 0)  # what changes from one detection to the next stays
    chunk = jax.tree.map(lambda leaf: leaf[0], chunks_of(TINY, size=8))
    variables = training.init_state(TINY).variables
    validate = jax.jit(training.validation_sums, static_argnums=0)
    plain, noise = (
        validate(override(TINY, [f"training.metadata_noise={each}"]), variables, chunk) for each in (0, 0.3)
    )
    np.testing.assert_array_equal(plain, noise)


def test_validation_weighs_each_object_as_it_is_and_with_each_group_hidden():
    chunk = jax.tree.map(lambda leaf: leaf[0], chunks_of(TINY, size=40))
    variables = training.init_state(HIDING).variables
    validate = jax.jit(training.validation_sums, static_argnums=0)
    found = validate(HIDING, variables, chunk)

    def loss_without(*groups: str) -> float:
        hidden = jnp.array([group in groups for group in METADATA_GROUPS])
        lacking = chunk._replace(
            examples=chunk.examples._replace(batch=hiding.hide(TINY, chunk.examples.batch, hidden))
        )
        return float(validate(TINY, variables, lacking)[0])

    expected = loss_without() / 2 + loss_without("counters") / 3 + loss_without("allwise") / 6
    assert float(found[0]) == pytest.approx(expected, rel=1e-5)
    assert float(found[0]) != pytest.approx(loss_without(), rel=1e-4)
    np.testing.assert_array_equal(found[1:], validate(TINY, variables, chunk)[1:])


def test_the_entropy_term_rewards_doubt():
    logits, label = jnp.array([[2.0, 0, -1], [0.5, 0.1, 0]]), jnp.array([0, 2])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    cross_entropy = -np.log(p[[0, 1], [0, 2]]).mean()
    entropy = -(p * np.log(p)).sum(axis=1).mean()
    assert training.training_loss(TINY, logits, label) == pytest.approx(cross_entropy, rel=1e-6)
    rewarded = override(TINY, ["training.entropy_weight=0.5"])
    assert training.training_loss(rewarded, logits, label) == pytest.approx(cross_entropy - 0.5 * entropy, rel=1e-6)


def test_validation_in_chunks_counts_every_object_once():
    variables = training.init_state(TINY).variables
    validate = jax.jit(training.validation_sums, static_argnums=0)
    sums = []
    for size in (7, 64):
        chunks = chunks_of(TINY, size=size)
        assert chunks.weight.shape == (-(-40 // size), size)
        parts = [jax.tree.map(lambda leaf, i=i: leaf[i], chunks) for i in range(len(chunks.weight))]
        sums.append(sum(validate(TINY, variables, chunk) for chunk in parts))
    assert sums[0][2] == 40
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-5)


def test_a_loss_that_is_no_number_never_becomes_the_best():
    state = training.init_state(TINY)
    kept = training.keep_best(state, jnp.array([jnp.nan, 3.0, 4.0]))
    assert float(kept.best.loss) == np.inf
    better = training.keep_best(state, jnp.array([2.0, 3.0, 4.0]))
    assert float(better.best.loss) == 0.5
    worse = training.keep_best(better, jnp.array([3.0, 4.0, 4.0]))
    assert (float(worse.best.loss), float(worse.best.accuracy)) == (0.5, 0.75)


@pytest.mark.parametrize(
    ("best_step", "expected"), [(0, 30_000), (19_990, 30_000), (20_000, 30_000), (20_010, 30_010), (29_000, 39_000)]
)
def test_the_stop_rule(best_step, expected):
    assert training.last_step(named.get("n3_conv1d"), best_step) == expected


@pytest.mark.slow
def test_the_network_computes_in_the_precision_that_is_asked_for():
    """bfloat16 has 8 bits: near to float32, and not the same; weights, gradients and result stay float32."""
    state = training.init_state(TINY)
    examples = jax.tree.map(lambda leaf: leaf[0, 0], source_of(TINY).take(jnp.arange(16)[None, None]))
    step = jax.jit(training.train_step, static_argnums=0)
    coarse_config = override(TINY, ["precision=bfloat16"])
    (fine, fine_loss), (coarse, coarse_loss) = (step(config, state, examples) for config in (TINY, coarse_config))
    assert float(fine_loss) != float(coarse_loss)
    assert float(coarse_loss) == pytest.approx(float(fine_loss), rel=0.02)
    for leaf in jax.tree.leaves((coarse.variables, coarse.opt_state)):
        assert leaf.dtype != jnp.bfloat16
    del fine


@pytest.mark.parametrize(
    ("device", "host", "expected"), [(1, 1, False), (10, 1, False), (1, 10, False), (10, 10, True)]
)
def test_a_training_set_that_is_too_large_for_device_or_host_is_not_held(monkeypatch, device, host, expected):
    size = 90 * 3 * 9 * 9 * 2 * 2  # objects, detections, pixels, channels, bytes
    assert TINY.stamp.source_side == 9
    monkeypatch.setattr(devices, "memory_bytes", lambda: device * size)
    monkeypatch.setattr(devices, "host_memory_bytes", lambda: host * size)
    assert batches.fits(90, TINY) is expected
    assert batches.fits(90, override(TINY, ["stamp.channels="]))
