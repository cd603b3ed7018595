"""Every alert is answered as its packet alone would be, and what was there to go by is counted."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from helpers.made_runs import make_run, write_data
from helpers.made_sequences import COLUMN, sequences, with_histories
from jtss import schema, views
from jtss.config import named
from jtss.config.settings import override
from jtss.inference import known_alerts, packets, predict
from jtss.inference.known_alerts import Activations
from jtss.inference.model import Member
from jtss.network import network
from jtss.network.inputs import standardised
from jtss.network.packets import of_alerts
from jtss.schema import ALERT, LIMIT
from jtss.training import trained

TINY = override(
    named.get("any_gru"),
    ["stamp.crop=5", "stamp.copies=1", "stamp.rotation_range_deg=0", "encoder.filters=2,2,3,3,3", "encoder.units=3",
     "temporal.units=4", "head.units=4", "head.dropout=0", "packet.rows=6", "packet.stamps=1"],
)  # fmt: skip
MADE = with_histories(sequences([3, 1, 2, 4]), most=9)
BANDS = np.full((4, 4), 12, np.float32)
MADE = replace(MADE, metadata=np.abs(MADE.metadata), allwise=BANDS)  # counts have logarithms


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5", certainty=0.05)
    return trained.load(folder / "run")


def alone(made, index, which):
    """The packet of one alert, as an object that has no other alert."""
    packet = views.packet(made, np.array([index]), np.array([which]))
    kind = np.where(packet.kind == ALERT, schema.DETECTION, packet.kind).astype(np.int8)
    kind[-1] = ALERT
    stamps = packet.stamps[-1:]
    return replace(packet, kind=kind, stamps=stamps, stamp_row=schema.stamp_rows(kind))


def test_every_alert_is_answered_as_its_packet_alone(model, monkeypatch):
    monkeypatch.setattr(packets, "AT_ONCE", 3)
    found = packets.answers(model, MADE)
    assert found.object.tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 3, 3]
    assert found.which.tolist() == [0, 1, 2, 0, 0, 1, 0, 1, 2, 3]
    np.testing.assert_array_equal(found.candid, MADE.candid[MADE.kind == ALERT])
    assert len(np.unique(found.probabilities.round(6), axis=0)) == 10
    for i, (index, which) in enumerate(zip(found.object, found.which, strict=True)):
        packet = alone(MADE, index, which)
        _, expected = predict.predict(model, packet)
        np.testing.assert_allclose(found.probabilities[i], expected[0], rtol=1e-5)
        assert found.object_id[i] == MADE.object_id[index]
        assert found.n_limits[i] == (packet.kind == LIMIT).sum()
        assert found.n_detections[i] == (packet.kind != LIMIT).sum()
        assert found.n_stamps[i] == 1


def test_what_comes_later_changes_nothing(model):
    whole = packets.answers(model, MADE)
    last = np.flatnonzero(MADE.kind == ALERT)[-2]  # of the last object all but the last alert
    cut = schema.select_rows(
        MADE, np.arange(4), np.arange(last + 1), np.array([*MADE.object_start[:4], last + 1], np.int64)
    )
    found = packets.answers(model, cut)
    np.testing.assert_array_equal(found.candid, whole.candid[:-1])
    np.testing.assert_allclose(found.probabilities, whole.probabilities[:-1], rtol=1e-5)


def test_a_trajectory_ends_in_the_answer_and_every_row_is_the_answer_to_what_was_there(model):
    """A detection in the past is answered as told; so is a limit. Each packet's rows are those of its view."""
    answered, found = packets.answers(model, MADE), packets.trajectories(model, MADE)
    ends = np.flatnonzero(found.kind == ALERT)
    np.testing.assert_array_equal(found.probabilities[ends], answered.probabilities)
    np.testing.assert_array_equal(found.candid[ends], answered.candid)
    begin = 0
    for end, index, which in zip(ends, answered.object, answered.which, strict=True):
        packet = alone(MADE, index, which)
        rows = slice(begin, end + 1)
        for name in ("jd", "kind", "fid"):
            np.testing.assert_array_equal(getattr(found, name)[rows], getattr(packet, name))
        magnitude = np.where(
            packet.kind == LIMIT, packet.metadata[:, COLUMN["diffmaglim"]], packet.metadata[:, COLUMN["magpsf"]]
        )
        np.testing.assert_array_equal(found.magnitude[rows], magnitude)
        assert (found.candid[rows] == packet.candid[-1]).all()
        detected = np.cumsum(packet.kind != LIMIT) > 0
        np.testing.assert_array_equal(np.isfinite(found.probabilities[rows]).all(axis=1), detected)
        begin = end + 1
    assert begin == len(found.jd)


def test_what_is_missing_is_named(model):
    metadata = MADE.metadata.copy()
    metadata[:, [COLUMN[name] for name in ("ndethist", "ncovhist", "non_detections")]] = np.nan
    stamps = np.full_like(MADE.stamps, np.nan)
    whole, bare = packets.answers(model, MADE), packets.answers(model, replace(MADE, metadata=metadata, stamps=stamps))
    first = np.flatnonzero(whole.which == 0)
    has_past = np.array([MADE.kind[MADE.object_start[i]] != ALERT for i in range(4)])
    assert has_past.any()
    for i, told in zip(first, has_past, strict=True):
        if told:
            assert whole.missing[i] == ""
            assert bare.missing[i] == "counters, stamps"
    assert bare.n_stamps.tolist() == [0] * 10
    without = packets.answers(model, replace(MADE, allwise=np.full_like(MADE.allwise, np.nan)))
    assert all("allwise" in text for text in without.missing)


def test_an_alert_without_a_past_misses_it(model):
    made = sequences([1, 1])
    made = replace(made, metadata=np.abs(made.metadata), allwise=BANDS[:2])
    assert packets.answers(model, made).missing.tolist() == ["history"] * 2


def test_probabilities_are_adjusted_in_both(model):
    def flat(probabilities):
        return np.full_like(probabilities, 0.2)

    for found in (packets.answers(model, MADE, flat), packets.trajectories(model, MADE, flat)):
        assert (found.probabilities == np.float32(0.2)).all()
        assert found.probabilities.shape[1] == 5


def test_how_unusual_an_alert_is_comes_from_its_last_row(model):
    """By the layer after all its rows, of each member; whatever is done to the probabilities."""
    (one,) = model.members
    both = replace(model, members=(one, Member(7, jax.tree.map(lambda leaf: 0.9 * leaf, one.variables), one.outcome)))
    config, plain = model.config, packets.answers(both, MADE)
    batch = standardised(of_alerts(MADE, config, plain.object, plain.which), model.statistics)
    apply = jax.jit(partial(network.outputs, config, train=False))
    of_members = [np.asarray(apply(member.variables, batch)[0].hidden[:, -1]) for member in both.members]
    hidden, label = np.stack(of_members, axis=1), np.arange(10) % 5
    made = Activations(hidden, np.linspace(0.2, 0.9, 10), label)
    fitted = known_alerts.fit(made, made, 5)
    found = packets.answers(replace(both, known_alerts=fitted), MADE, np.sqrt)
    assert np.isnan(plain.outlier).all()
    np.testing.assert_allclose(found.outlier, known_alerts.outlier_scores(fitted, hidden), atol=0.01)
    assert len(np.unique(found.outlier.round(2))) >= 5
    np.testing.assert_array_equal(found.confidence, plain.probabilities.max(axis=1))


def test_two_detections_of_one_exposure_are_one_row(model):
    """ZTF sends two alerts of a badly subtracted source; each is answered, and neither is the other's past."""
    one = schema.take(MADE, np.array([0]))
    last = np.flatnonzero(one.kind == ALERT)[-1]
    rows = np.insert(np.arange(last + 1), last, last)
    twice = schema.select_rows(one, np.array([0]), rows, np.array([0, len(rows)]))
    twice.candid[-2] += 1
    alone, both = packets.answers(model, one), packets.answers(model, twice)
    assert len(both.candid) == len(alone.candid) + 1
    for which in (-1, -2):
        assert both.n_detections[which] == alone.n_detections[-1]
        np.testing.assert_allclose(both.probabilities[which], alone.probabilities[-1], rtol=1e-5)


def test_there_is_nothing_to_tell_of_no_packets():
    nothing = packets.no_trajectories(5)
    assert nothing.probabilities.shape == (0, 5)
    assert all(len(column) == 0 for column in nothing)


def test_chosen_alerts_are_answered_as_among_all(model):
    chosen = packets.Chosen(np.array([3, 0, 2]), np.array([3, 1, 0]))
    every, found = packets.answers(model, MADE), packets.answers(model, MADE, chosen=chosen)
    np.testing.assert_array_equal(found.candid, every.candid[[9, 1, 4]])
    np.testing.assert_allclose(found.probabilities, every.probabilities[[9, 1, 4]], rtol=1e-5)
    _, rows = packets.followed(model, MADE, chosen=chosen)
    ends = np.flatnonzero(rows.kind == ALERT)
    np.testing.assert_array_equal(rows.candid[ends], found.candid)
    np.testing.assert_array_equal(rows.probabilities[ends], found.probabilities)
