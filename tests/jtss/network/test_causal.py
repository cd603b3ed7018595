"""The network of packets: no answer knows what comes later, rows that are none leave no trace, every input counts."""

from dataclasses import replace
from functools import partial
from itertools import pairwise

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.made_weights import drawn
from jtss.config import named
from jtss.config.settings import EncoderConfig, HeadConfig, TemporalConfig
from jtss.network import causal, network, parts
from jtss.network.parts import NO_ROW, Batch, Rows
from jtss.schema import ALERT, DETECTION, LIMIT, NO_STAMP

N_ROWS = 7
ENCODER = EncoderConfig(kernels=(2, 2, 2, 2, 2), filters=(2, 2, 3, 3, 3), units=(6,))


def tiny(kind):
    config = named.get(f"any_{kind}")
    stamp = replace(config.stamp, crop=9, copies=2, rotation_range_deg=0)
    head = HeadConfig(units=(8,), dropout=(0.0,))
    return replace(config, stamp=stamp, encoder=ENCODER, temporal=TemporalConfig(kind=kind, units=8), head=head)


CONFIGS = {kind: tiny(kind) for kind in ("gru", "attention")}
each = pytest.mark.parametrize("kind", CONFIGS)
init = jax.jit(network.init, static_argnums=0)
apply = jax.jit(partial(network.apply, train=False), static_argnums=0)


def variables(kind):
    """All weights drawn, also those that begin with 0."""
    return drawn(partial(network.init, CONFIGS[kind]), jax.random.key(3))


def logits(kind, batch):
    return np.asarray(apply(CONFIGS[kind], variables(kind), batch)[0])


def packets(n=3, *, n_rows=N_ROWS, seed=0, empty=2) -> Batch:
    """Packets whose first rows, `empty` of them, are none, with a stamp beside the last row and one before it."""
    rng = np.random.default_rng(seed)
    config = CONFIGS["gru"]
    kind = rng.choice([DETECTION, LIMIT], (n, n_rows)).astype(np.int8)
    kind[:, :empty], kind[:, [-3, -1]] = NO_ROW, ALERT
    side = config.stamp.source_side
    return Batch(
        stamps=rng.random((n, 2, side, side, 3)).astype(np.float16),
        dynamic=rng.normal(size=(n, n_rows, len(config.metadata.dynamic))).astype(np.float32),
        static=rng.normal(size=(n, len(config.metadata.static))).astype(np.float32),
        rows=Rows(
            kind=kind,
            fid=rng.integers(1, 4, (n, n_rows)).astype(np.int8),
            days=np.sort(rng.uniform(-30, 0, (n, n_rows))).astype(np.float32),
            change=np.where(rng.random((n, n_rows)) < 0.2, np.nan, rng.normal(size=(n, n_rows))).astype(np.float32),
            stamp_at=np.tile(np.array([n_rows - 1, n_rows - 3], np.int32), (n, 1)),
        ),
    )


@each
def test_the_logits_are_a_linear_function_of_the_hidden_layer(kind):
    """Of the activations after the relu, which nothing drops."""
    weights, batch = variables(kind), packets()
    output, _ = jax.jit(partial(causal.outputs, train=False), static_argnums=0)(CONFIGS[kind], weights, batch)
    last = jax.device_get(weights["params"]["head"]["logits"])
    assert output.hidden.shape == (3, N_ROWS, 8)
    assert 0 == output.hidden.min() < output.hidden.max()
    np.testing.assert_allclose(output.hidden @ last["kernel"] + last["bias"], logits(kind, batch), rtol=1e-5, atol=1e-5)


@each
@pytest.mark.parametrize("t", [2, 3, 5])
def test_what_comes_later_changes_no_bit(kind, t):
    """Other values, kinds, filters, times and stamps after row t."""
    batch, other = packets(), packets(seed=1)
    later = np.arange(N_ROWS) > t
    dynamic = np.where(later[:, None], other.dynamic, batch.dynamic)
    pairs = zip(batch.rows[:-1], other.rows[:-1], strict=True)
    rows = Rows(*(np.where(later, theirs, ours) for ours, theirs in pairs), batch.rows.stamp_at)
    is_later = batch.rows.stamp_at > t
    stamps = np.where(is_later[..., None, None, None], other.stamps, batch.stamps)
    changed = logits(kind, batch._replace(dynamic=dynamic, rows=rows, stamps=stamps))
    before = logits(kind, batch)
    np.testing.assert_array_equal(changed[:, 2 : t + 1], before[:, 2 : t + 1])
    assert (np.abs(changed - before)[:, t + 1 :].max(axis=(1, 2)) > 1e-3).all()


@each
def test_rows_that_are_none_leave_no_trace(kind):
    """Whatever stands in them, wherever they are, and however many."""
    batch, garbage = packets(), packets(seed=5)
    none = batch.rows.kind == NO_ROW
    filled = batch._replace(
        dynamic=np.where(none[..., None], garbage.dynamic, batch.dynamic),
        rows=batch.rows._replace(days=np.where(none, 7, batch.rows.days), fid=np.where(none, 3, batch.rows.fid)),
    )
    expected = logits(kind, batch)[:, 2:]
    np.testing.assert_array_equal(logits(kind, filled)[:, 2:], expected)
    rows = jax.tree.map(lambda column: column[:, 2:], batch.rows)._replace(stamp_at=batch.rows.stamp_at - 2)
    shorter = batch._replace(dynamic=batch.dynamic[:, 2:], rows=rows)
    np.testing.assert_allclose(logits(kind, shorter), expected, rtol=1e-5, atol=1e-5)
    middle = 4
    lost = batch.rows.kind.copy()
    lost[:, middle] = NO_ROW
    lost_stamps = np.where(batch.rows.stamp_at == middle, NO_STAMP, batch.rows.stamp_at)
    without = logits(kind, batch._replace(rows=batch.rows._replace(kind=lost, stamp_at=lost_stamps)))
    kept = np.arange(N_ROWS) != middle
    rows = jax.tree.map(lambda column: column[:, kept], batch.rows._replace(stamp_at=batch.rows.kind))
    rows = rows._replace(stamp_at=np.where(lost_stamps > middle, lost_stamps - 1, lost_stamps))
    removed = logits(kind, batch._replace(dynamic=batch.dynamic[:, kept], rows=rows))
    np.testing.assert_allclose(without[:, kept][:, 2:], removed[:, 2:], rtol=1e-5, atol=1e-5)


@each
@pytest.mark.parametrize("part", ["stamps", "dynamic", "static", "kind", "fid", "days", "stamp_at"])
def test_every_input_reaches_the_last_answer(kind, part):
    batch, other = packets(), packets(seed=8)
    if part in Rows._fields:
        new = np.full_like(batch.rows.stamp_at, NO_STAMP) if part == "stamp_at" else getattr(other.rows, part)
        changed = batch._replace(rows=batch.rows._replace(**{part: new}))
    else:
        changed = batch._replace(**{part: getattr(other, part)})
    difference = np.abs(logits(kind, changed) - logits(kind, batch))[:, -1].max(axis=1)
    assert (difference > 1e-4).all()


@each
def test_packets_do_not_know_of_each_other(kind):
    batch = packets(5)
    alone = logits(kind, parts.take(batch, slice(2, 3)))
    np.testing.assert_allclose(logits(kind, batch)[2], alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["gru", pytest.param("attention", marks=pytest.mark.slow)])
def test_subclasses_widen_the_last_layer_alone(kind):
    """No key is drawn for them: without them the other layers begin with the same bits."""
    config, key = CONFIGS[kind], jax.random.key(0)
    whole, without = (init(each, key)["params"] for each in (config, replace(config, subclasses=())))
    n_classes, n_subclasses = len(config.classes), len(config.subclasses)
    assert n_subclasses == 10
    assert whole["head"].pop("logits")["kernel"].shape == (8, n_classes + n_subclasses)
    assert without["head"].pop("logits")["kernel"].shape == (8, n_classes)
    jax.tree.map(np.testing.assert_array_equal, whole, without)
    assert logits(kind, packets()).shape == (3, N_ROWS, n_classes + n_subclasses)


@each
@pytest.mark.slow
def test_all_weights_learn(kind):
    """But the first harmonics' kernels, which begin with 0, no leaf is without a gradient."""
    config, batch = CONFIGS[kind], packets()

    @jax.jit
    def gradients(params):
        def loss(params):
            answers, _ = network.apply(
                config, {"params": params, "batch_stats": {}}, batch, train=True, key=jax.random.key(1)
            )
            return (answers[:, 2:] ** 2).sum()

        return jax.grad(loss)(params)

    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients(variables(kind)["params"])):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


KINDS = st.lists(st.sampled_from([NO_ROW, ALERT, DETECTION, LIMIT]), min_size=9, max_size=9)
STEPS = st.lists(st.sampled_from([0.0, 0.02, 1.0, 5.5]), min_size=9, max_size=9)
_past = jax.jit(causal.past)
NOTHING = causal.nothing_seen(CONFIGS["gru"])


CHANGES = st.lists(st.sampled_from([np.nan, -0.3, 0.1, 0.25, 2.0]), min_size=9, max_size=9)


def rows_of(kind, days, change) -> Rows:
    """Nine rows in g, r, i, g and so on."""
    fid = np.arange(9, dtype=np.int8) % 3 + 1
    return Rows(np.array(kind, np.int8), fid, days.astype(np.float32), np.array(change, np.float32), np.array([-1]))


@given(KINDS, CHANGES)
def test_what_is_known_of_changes(kind, change):
    """By what numpy makes of the changes so far in each filter."""
    rows = rows_of(kind, np.arange(9.0), change)
    known, after = jax.device_get(_past(rows, NOTHING))
    for t in range(9):
        there = (np.array(kind) != NO_ROW) & np.isfinite(rows.change) & (np.arange(9) <= t)
        assert known.fainter[t] == np.sum(rows.change[there] < 0)
        for fid in (1, 2, 3):
            mine = rows.change[there & (rows.fid == fid)].astype(float)
            assert known.n_changes[t, fid - 1] == len(mine)
            np.testing.assert_allclose(known.scatter_mag[t, fid - 1], mine.std() if len(mine) else 0, atol=1e-6)
    np.testing.assert_array_equal(after.moments[:, 0], known.n_changes[-1])


@pytest.mark.parametrize("cut", [90, 40])
def test_changes_that_are_alike_keep_the_digits_of_their_scatter(cut):
    """Of a source that stands far out of the reference, also where what was seen is carried on."""
    change = np.random.default_rng(3).normal(8, 0.01, 90).astype(np.float32)
    parts = [
        Rows(kind, kind * 0 + 2, days, some, np.array([-1]))
        for kind, days, some in zip(
            *(
                np.split(values, [cut])
                for values in (np.full(90, DETECTION, np.int8), np.arange(90, dtype=np.float32), change)
            ),
            strict=True,
        )
        if len(kind)
    ]
    seen, found = NOTHING, []
    for rows in parts:
        known, seen = _past(rows, seen)
        found.append(known.scatter_mag[:, 1])
    expected = [change[: t + 1].astype(float).std() for t in range(90)]
    np.testing.assert_allclose(np.concatenate(found)[1:], expected[1:], rtol=1e-4)


@given(KINDS, STEPS)
def test_what_is_known_of_the_past(kind, steps):
    """By walking along the rows."""
    days = np.cumsum(steps) - 20
    known, _ = jax.device_get(_past(rows_of(kind, days, np.zeros(9)), NOTHING))
    began = before = None
    n_detections = n_limits = 0
    for t, (which, day) in enumerate(zip(kind, days, strict=True)):
        if which != NO_ROW:
            n_detections, n_limits = n_detections + (which != LIMIT), n_limits + (which == LIMIT)
            gap, first = (0.0, 1.0) if before is None else (day - before, 0.0)
            began = day if began is None else began
            expected = gap, day - began, first
            before = day
        else:
            expected = 0.0, 0.0, 0.0
        found = known.gap_days[t], known.age_days[t], known.is_first[t]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert (known.detections[t], known.limits[t]) == (n_detections, n_limits)


_follow = jax.jit(causal.follow, static_argnums=0)


@pytest.mark.parametrize("cuts", [[2, 3, 4, 5, 6], [4], [3, 6]])
def test_row_by_row_is_all_at_once(cuts):
    """From what is carried alone, which does not grow; a stamp comes with its row."""
    config, batch = CONFIGS["gru"], parts.take(packets(1), 0)
    params = variables("gru")["params"]
    stamps = parts.encode(config, params["encoder"], batch.stamps[None], None)[0]
    seen = causal.nothing_seen(config)
    size = sum(leaf.nbytes for leaf in seen)
    found = []
    for begin, end in pairwise([0, *cuts, N_ROWS]):
        stamp_at = batch.rows.stamp_at - begin
        here = np.where((stamp_at >= 0) & (stamp_at < end - begin), stamp_at, NO_STAMP)
        rows = Rows(*(values[begin:end] for values in batch.rows[:-1]), here)
        seen, output = _follow(config, params, seen, rows, batch.dynamic[begin:end], stamps, batch.static)
        found.append(output.logits)
        assert sum(leaf.nbytes for leaf in seen) == size
    expected = logits_of(batch)
    there = batch.rows.kind != NO_ROW
    np.testing.assert_allclose(np.concatenate(found)[there], expected[there], rtol=1e-5, atol=1e-5)
    assert len(np.unique(expected[there], axis=0)) == there.sum()


def logits_of(one: Batch) -> np.ndarray:
    return logits("gru", jax.tree.map(lambda leaf: leaf[None], one))[0]
