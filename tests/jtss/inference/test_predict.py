"""Probabilities of a model: for whom, in which order, and whatever else is in the batch."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from helpers.made_exported import of_packets as model_of_packets
from helpers.made_runs import TINY, make_run, write_data
from helpers.made_sequences import sequences
from jtss import schema
from jtss.config import named
from jtss.config.settings import override
from jtss.inference import predict
from jtss.inference.model import Member
from jtss.network import network, packets, parts, subclasses
from jtss.network.inputs import examples, standardised
from jtss.pretrained import load
from jtss.schema import CLASS_OF_SUBCLASS


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5", certainty=0.002)
    return load.load_model(folder / "run")


def test_only_objects_with_enough_detections_are_answered_for(model):
    indices, p = predict.predict(model, sequences([3, 2, 5, 1, 4]))
    assert indices.tolist() == [0, 2, 4]
    assert (p.shape, p.dtype) == ((3, 3), np.float32)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    indices, p = predict.predict(model, sequences([1, 2]))
    assert (indices.tolist(), p.shape, p.dtype) == ([], (0, 3), np.float32)


def test_they_are_the_softmax_of_the_network(model):
    made = sequences([3] * 5)
    batch = standardised(examples(made, model.config), model.statistics)
    apply = jax.jit(lambda variables: network.apply(model.config, variables, batch, train=False)[0])
    logits = apply(model.members[0].variables)
    np.testing.assert_allclose(predict.predict(model, made)[1], jax.nn.softmax(logits), rtol=1e-5)


def test_an_object_gets_the_same_in_a_batch_of_any_size(model):
    n = predict.BATCH_SIZE + 3  # one whole batch and a short one
    made = sequences([3] * n)
    _, p = predict.predict(model, made)
    assert p.shape == (n, 3)
    batch = standardised(examples(made, model.config), model.statistics)
    for i in (0, predict.SHORT_BATCH, n - 1):
        alone = predict.probabilities(model, parts.take(batch, slice(i, i + 1)))
        np.testing.assert_allclose(alone[0], p[i], rtol=1e-5)
    assert len(np.unique(p.round(7), axis=0)) == n  # and everybody an own answer


def test_the_hidden_layer_is_that_of_each_member(model):
    batch = standardised(examples(sequences([3] * 5), model.config), model.statistics)
    (one,) = model.members
    other = Member(7, jax.tree.map(lambda leaf: 2 * leaf, one.variables), one.outcome)
    p, hidden = predict.with_hidden(replace(model, members=(one, other)), batch)
    assert hidden.shape == (5, 2, model.config.head.units[-1])
    for m, member in enumerate((one, other)):
        _, alone = predict.with_hidden(replace(model, members=(member,)), batch)
        np.testing.assert_array_equal(hidden[:, m], alone[:, 0])
    np.testing.assert_array_equal(p.classes, predict.probabilities(replace(model, members=(one, other)), batch))


def test_an_ensemble_is_the_mean_of_its_members(model):
    (one,) = model.members
    other = Member(7, jax.tree.map(lambda leaf: 2 * leaf, one.variables), one.outcome)
    made = sequences([3] * 4)
    apart = [predict.predict(replace(model, members=(member,)), made)[1] for member in (one, other)]
    assert not np.allclose(*apart, rtol=1e-3)
    both = predict.predict(replace(model, members=(one, other)), made)[1]
    np.testing.assert_allclose(both, np.mean(apart, axis=0), rtol=1e-6)


SMALL = ["stamp.channels=", "hide.stamps=0", "packet.rows=6", "temporal.units=4", "head.units=4", "head.dropout=0"]


@pytest.fixture(scope="module")
def packet_model(tmp_path_factory):
    """Two members with all subclasses, and other weights."""
    folder = tmp_path_factory.mktemp("packets")
    write_data(folder / "made.h5")
    make_run(folder / "run", override(named.get("any_gru"), SMALL), folder / "made.h5")
    model = load.load_model(folder / "run")
    (one,) = model.members
    other = Member(7, jax.tree.map(lambda leaf: leaf - 0.05, one.variables), one.outcome)
    return replace(model, members=(one, other))


def test_answers_of_subclasses_are_the_mean_of_the_members_and_add_up_to_their_class(packet_model):
    config = packet_model.config
    batch = standardised(packets.to_classify(sequences([2] * 5), config), packet_model.statistics)
    found = predict.answers(packet_model, batch)
    assert (found.classes.shape, found.subclasses.shape) == ((5, 5), (5, 10))
    assert found.classes.dtype == found.subclasses.dtype == np.float32
    np.testing.assert_array_equal(found.classes, predict.probabilities(packet_model, batch))
    np.testing.assert_allclose(found.classes.sum(axis=1), 1, rtol=1e-5)
    for index, name in enumerate(config.classes):
        of_class = [i for i, each in enumerate(config.subclasses) if CLASS_OF_SUBCLASS[each] == name]
        if of_class:
            np.testing.assert_allclose(found.subclasses[:, of_class].sum(axis=1), found.classes[:, index], rtol=1e-5)
    apply = jax.jit(lambda variables: network.apply(config, variables, batch, train=False)[0][:, -1])
    apart = [subclasses.probabilities(config, apply(member.variables)) for member in packet_model.members]
    assert not np.allclose(apart[0][1], apart[1][1], rtol=1e-3)
    for ours, theirs in zip(found, zip(*apart, strict=True), strict=True):
        np.testing.assert_allclose(ours, np.mean(theirs, axis=0), rtol=1e-5)


def test_a_stamp_that_several_packets_show_is_encoded_once(monkeypatch):
    """And one that is not shown not at all; the answers are those of the network that encodes all."""
    made = model_of_packets()
    config, rng = made.config, np.random.default_rng(0)
    one = standardised(packets.to_classify(sequences([2] * 6), config), made.statistics)
    side = config.stamp.source_side
    seen = rng.random((3, side, side, 3)).astype(np.float16)
    which = np.array([[0, 1], [0, 2], [1, 0], [2, 0], [0, 0], [1, 1]])
    stamp_at = np.where(np.arange(6)[:, None] == [[5, 4]], schema.NO_STAMP, [[15, 3]]).astype(np.int32)
    batch = one._replace(stamps=seen[which], rows=one.rows._replace(stamp_at=stamp_at))
    batch.stamps[stamp_at == schema.NO_STAMP] = 9
    asked, encode = [], predict._encode
    monkeypatch.setattr(predict, "_encode", lambda *given: asked.append(given[2]) or encode(*given))
    found = predict.answers(made, batch)
    assert [len(np.unique(stamps, axis=0)) for stamps in asked] == [3] * len(made.members)
    apply = jax.jit(lambda variables: network.apply(config, variables, batch, train=False)[0][:, -1])
    each = [subclasses.probabilities(config, apply(member.variables))[0] for member in made.members]
    np.testing.assert_allclose(found.classes, np.mean(each, axis=0), rtol=1e-5)
    blind = batch._replace(rows=batch.rows._replace(stamp_at=np.full_like(stamp_at, schema.NO_STAMP)))
    assert np.abs(predict.answers(made, blind).classes - found.classes).max() > 1e-4


def test_a_model_of_sequences_answers_of_no_subclasses(model):
    batch = standardised(examples(sequences([3] * 4), model.config), model.statistics)
    found = predict.answers(model, batch)
    assert (found.subclasses.shape, found.subclasses.dtype) == ((4, 0), np.float32)
    np.testing.assert_array_equal(found.classes, predict.probabilities(model, batch))


def test_what_comes_after_the_first_detections_does_not_count(model):
    long, short = sequences([5]), sequences([5])
    for changed in (short.metadata, short.stamps):
        changed[3:] = 0
    np.testing.assert_array_equal(predict.predict(model, long)[1], predict.predict(model, short)[1])
