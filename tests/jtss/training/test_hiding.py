"""Hidden metadata: which values go, how often, and that a hidden value is a missing one."""

import jax
import numpy as np
import pytest

from helpers.made_training import NO_IMAGES, chunks_of, made_examples, source_of, trained
from jtss.config import named
from jtss.config.settings import override
from jtss.network import inputs, network
from jtss.network.inputs import Examples
from jtss.network.parts import NO_ROW, Batch, Rows
from jtss.schema import ALERT, COLOUR_NAMES, DETECTION, LIMIT, METADATA_GROUPS, METADATA_NAMES, NO_STAMP
from jtss.training import hiding, step

READ = [
    "metadata.dynamic=time_gap,log_ndethist,magpsf,log_non_detections,has_counters",
    "metadata.static=ra,has_counters,distnr,W1-W2,gal_b,has_place",
]
CONFIG = override(named.get("demo"), [*READ, "hide.counters=0.4", "hide.place=0.1", "hide.allwise=0.25"])
GROUPS = list(METADATA_GROUPS)


def batch_of(n: int = 5) -> Batch:
    rng = np.random.default_rng(0)
    return Batch(
        np.ones((n, 3, 5, 5, 2)), *(rng.uniform(1, 2, shape).astype(np.float32) for shape in ((n, 3, 5), (n, 6)))
    )


def only(*groups: str) -> np.ndarray:
    return np.array([group in groups for group in GROUPS])


def test_a_hidden_group_is_zero_in_all_detections_with_its_bit_and_nothing_else_changes():
    batch = batch_of()
    hidden = np.zeros((5, len(GROUPS)), bool)
    hidden[1], hidden[3] = only("counters"), only("place", "allwise")
    found = hiding.hide(CONFIG, batch, hidden)
    dynamic, static = batch.dynamic.copy(), batch.static.copy()
    dynamic[1][:, [1, 3, 4]] = 0
    static[1, 1] = 0
    static[3, [0, 3, 4, 5]] = 0
    np.testing.assert_array_equal(found.dynamic, dynamic)
    np.testing.assert_array_equal(found.static, static)
    assert found.stamps is batch.stamps


def test_one_answer_for_all_objects_hides_from_each():
    found = hiding.hide(CONFIG, batch_of(), only("counters"))
    np.testing.assert_array_equal(found.dynamic == 0, np.tile([False, True, False, True, True], (5, 3, 1)))


def test_groups_are_hidden_in_their_shares_of_the_objects_each_by_itself():
    n = 40_000
    drawn = np.asarray(hiding.draw(CONFIG, jax.random.key(3), n))
    share = dict(zip(GROUPS, drawn.mean(axis=0), strict=True))
    expected = dict.fromkeys(GROUPS, 0) | {"counters": 0.4, "place": 0.1, "allwise": 0.25}
    assert share == pytest.approx(expected, abs=5 * 0.5 / np.sqrt(n))
    both = drawn[:, GROUPS.index("counters")] & drawn[:, GROUPS.index("allwise")]
    assert both.mean() == pytest.approx(0.1, abs=5 * 0.3 / np.sqrt(n))
    other = np.asarray(hiding.draw(CONFIG, jax.random.key(4), n))
    assert (drawn != other).any()


PACKETS = override(named.get("any_gru"), ["packet.rows=5"])
PARTS = [*GROUPS, "stamps", "history", "limits"]


def packets(*kinds: list[int]) -> Batch:
    """A batch of packets of these kinds of rows, with a stamp beside the last row and one beside the second."""
    n, kind = len(kinds), np.array(kinds, np.int8)
    config = PACKETS.metadata
    numbers = np.ones((n, 5, len(config.dynamic)), np.float32), np.ones((n, len(config.static)), np.float32)
    days, fid = np.tile(np.arange(-4.0, 1), (n, 1)), np.ones((n, 5), np.int8)
    return Batch(np.ones((n, 2, 5, 5, 3)), *numbers, Rows(kind, fid, days, 0.5 * fid, np.tile([4, 1], (n, 1))))


def hidden_from_packets(*lost: str) -> Batch:
    batch = packets([NO_ROW, ALERT, LIMIT, DETECTION, ALERT])
    return hiding.hide(PACKETS, batch, np.array([part in lost for part in PARTS]))


@pytest.mark.parametrize(
    ("lost", "kind", "stamp_at"),
    [
        ((), [NO_ROW, ALERT, LIMIT, DETECTION, ALERT], [4, 1]),
        (("stamps",), [NO_ROW, ALERT, LIMIT, DETECTION, ALERT], [NO_STAMP, NO_STAMP]),
        (("history",), [NO_ROW] * 4 + [ALERT], [4, NO_STAMP]),  # the stamp of a row that is gone, too
        (("limits",), [NO_ROW, ALERT, NO_ROW, DETECTION, ALERT], [4, 1]),
        (("limits", "counters"), [NO_ROW, ALERT, NO_ROW, DETECTION, ALERT], [4, 1]),
    ],
)
def test_parts_of_a_packet_are_hidden(lost, kind, stamp_at):
    found = hidden_from_packets(*lost)
    assert (found.rows.kind.tolist(), found.rows.stamp_at.tolist()) == ([kind], [stamp_at])
    counters = [PACKETS.metadata.dynamic.index(name) for name in ("log_ndethist", "has_counters")]
    assert np.all(np.asarray(found.dynamic)[..., counters] == ("counters" not in lost))
    assert np.asarray(found.dynamic).sum() == found.dynamic.size - ("counters" in lost) * 5 * 4


def test_stamps_are_hidden_from_the_last_packets_of_a_batch_other_groups_from_any():
    config = override(PACKETS, ["hide.stamps=0.6"])
    drawn = np.asarray(hiding.draw(config, jax.random.key(0), 2000))
    assert hiding.n_with_stamps(config, 2000) == 800
    np.testing.assert_array_equal(drawn[:, PARTS.index("stamps")], np.arange(2000) >= 800)
    history = drawn[:, PARTS.index("history")]
    for half in (history[:1000], history[1000:]):
        assert half.mean() == pytest.approx(config.hide.history, abs=0.05)


def test_some_packets_begin_later_at_any_of_their_rows():
    batch = packets(*[[NO_ROW, ALERT, LIMIT, DETECTION, ALERT]] * 4000)
    found = hiding.shortened(PACKETS, jax.random.key(0), batch).rows
    left, share = np.unique((np.asarray(found.kind) != NO_ROW).sum(axis=1), return_counts=True)
    assert left.tolist() == [1, 2, 3, 4]
    expected = np.array([1, 1, 1, 1]) * PACKETS.hide.older / 4 + np.array([0, 0, 0, 1 - PACKETS.hide.older])
    np.testing.assert_allclose(share / 4000, expected, atol=0.03)
    for n in left:
        (one,) = np.unique(found.kind[(found.kind != NO_ROW).sum(axis=1) == n], axis=0)
        assert one.tolist() == [NO_ROW] * (5 - n) + batch.rows.kind[0, 5 - n :].tolist()
    whole = (found.kind != NO_ROW).sum(axis=1) == 4
    np.testing.assert_array_equal(found.stamp_at[:, 1] == 1, whole)
    assert np.all(found.stamp_at[:, 0] == 4)


def test_what_begins_later_keeps_as_many_rows_as_it_should_though_some_between_are_none():
    batch = packets(*[[LIMIT, NO_ROW, LIMIT, NO_ROW, ALERT]] * 3000)
    found = hiding.shortened(override(PACKETS, ["hide.older=0.9"]), jax.random.key(0), batch).rows
    kept, count = np.unique(np.asarray(found.kind), axis=0, return_counts=True)
    assert sorted(map(tuple, kept.tolist())) == [
        (NO_ROW, NO_ROW, NO_ROW, NO_ROW, ALERT),
        (NO_ROW, NO_ROW, LIMIT, NO_ROW, ALERT),
        (LIMIT, NO_ROW, LIMIT, NO_ROW, ALERT),
    ]
    assert count.min() / 3000 == pytest.approx(0.3, abs=0.03)


def test_validation_sees_every_object_as_it_is_and_without_each_hidden_group():
    versions, weights = hiding.versions(CONFIG)
    np.testing.assert_array_equal(versions, [only(), only("counters"), only("place"), only("allwise")])
    np.testing.assert_allclose(
        weights, np.array([0.5, 0.5 * 0.4 / 0.75, 0.5 * 0.1 / 0.75, 0.5 * 0.25 / 0.75]), rtol=1e-6
    )


@pytest.mark.parametrize("name", [name for name, config in named.CONFIGS.items() if not config.packet.rows])
def test_no_configuration_of_the_paper_hides_or_reads_a_bit(name):
    config = named.get(name)
    assert not hiding.hides(config)
    assert not any(read.startswith("has_") for read in (*config.metadata.dynamic, *config.metadata.static))


@pytest.mark.slow
def test_a_model_from_which_counters_were_hidden_does_without_them_and_one_that_always_had_them_does_not():
    """Counters tell the class for certain here, one static value tells it too, through more noise."""
    longer = ["training.learning_rate=1e-2", "training.iterations=400", "training.validate_every=100"]
    train, validation = (made_examples(n, seed, signal=1.5) for n, seed in ((600, 0), (300, 1)))
    for examples in (train, validation):
        examples.dynamic[..., NO_IMAGES.metadata.dynamic.index("ndethist")] += 9 * examples.label[:, None]
    accuracy = []
    for hidden in ([], ["hide.counters=0.4"]):
        config = override(NO_IMAGES, [*longer, *hidden])
        chunks = chunks_of(config, validation, size=300)
        model = trained(config, source=source_of(config, train), chunks=chunks).best.variables
        batch = jax.tree.map(lambda leaf: leaf[0], chunks.examples.batch)
        lacking = hiding.hide(config, batch, only("counters"))
        logits = [network.apply(config, step.part(model, 0), given, train=False)[0] for given in (batch, lacking)]
        accuracy.append([np.mean(np.argmax(given, axis=1) == validation.label) for given in logits])
    (with_counters, without), (hidden_with, hidden_without) = accuracy
    assert min(with_counters, hidden_with) > 0.95
    assert hidden_without > without + 0.05


@pytest.mark.parametrize("group", ["counters", "place", "allwise"])
def test_what_is_hidden_in_training_is_what_is_missing_in_an_alert(group):
    """Two roads to the same input: a group hidden from whole objects, and objects of packets that lack it."""
    rng = np.random.default_rng(1)
    metadata, allwise = rng.normal(9, 3, (6, 3, 26)).astype(np.float32), rng.normal(9, 1, (6, 4)).astype(np.float32)
    jd = np.cumsum(rng.uniform(1, 2, (6, 3)), axis=1)
    whole = inputs.assemble(metadata, jd, allwise, CONFIG.metadata)
    statistics = inputs.fit(*whole, CONFIG.metadata)
    lacking = metadata.copy()
    lacking[..., [i for i, name in enumerate(METADATA_NAMES) if name in METADATA_GROUPS[group]]] = np.nan
    no_colours = np.full_like(allwise, np.nan) if set(METADATA_GROUPS[group]) == set(COLOUR_NAMES) else allwise
    stamps, rest = np.zeros((6, 3, 5, 5, 2), np.float16), [np.zeros(6)] * 5

    def read(values) -> Batch:
        return inputs.standardised(Examples(stamps, *values, *rest), statistics)

    missing = read(inputs.assemble(lacking, jd, no_colours, CONFIG.metadata))
    hidden = hiding.hide(CONFIG, read(whole), only(group))
    np.testing.assert_array_equal(hidden.dynamic, missing.dynamic)
    np.testing.assert_array_equal(hidden.static, missing.static)
    assert (read(whole).static != missing.static).any()


def test_the_network_is_as_wide_as_its_values_and_bits():
    params = jax.eval_shape(lambda key: network.init(CONFIG, key), jax.random.key(0))["params"]
    assert (params["dynamic_norm"]["scale"].shape, params["static_norm"]["scale"].shape) == ((5,), (6,))
