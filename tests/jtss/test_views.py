"""Views take the rows that they promise, and commute with taking and joining objects."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.sequences import KEPT, select
from helpers.made_sequences import sequences, with_histories
from jtss import schema, views
from jtss.inference import versions
from jtss.schema import ALERT, COLUMNS, LIMIT, TOLD_DAYS

COUNTS = (3, 1, 2, 5, 1)
MANY = st.lists(st.integers(1, 3), min_size=1, max_size=4)
SEEDS = st.integers(0, 2**32 - 1)


def assert_same(one, other):
    schema.check(one)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def made(seed=0, counts=COUNTS):
    """Objects with histories, and their alerts alone."""
    alone = sequences(counts, seed=seed)
    return with_histories(alone, seed), alone


def test_alerts_are_what_the_histories_were_put_around():
    both, alone = made()
    assert len(both.kind) > len(alone.kind)
    assert_same(views.alerts(both), alone)


def test_alerts_cost_no_stamp_and_nothing_where_there_is_nothing_else():
    both, alone = made()
    assert views.alerts(both).stamps is both.stamps
    assert views.alerts(alone) is alone


@settings(max_examples=25, derandomize=True, deadline=None)
@given(MANY, SEEDS, st.data())
def test_alerts_of_objects_taken_are_those_taken_of_the_alerts(counts, seed, data):
    both, alone = made(seed, counts)
    objects = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=5)), int)
    assert_same(views.alerts(schema.take(both, objects)), schema.take(alone, objects))


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.lists(st.tuples(MANY, SEEDS), min_size=1, max_size=3))
def test_alerts_of_parts_joined_are_those_joined_of_the_parts(drawn):
    parts = [made(seed, counts) for counts, seed in drawn]
    assert_same(views.alerts(schema.join([both for both, _ in parts])), schema.join([alone for _, alone in parts]))


def test_one_alert_of_each_object():
    both, alone = made()
    objects = np.array([3, 0, 2])
    second = views.first(both, objects, 1)
    schema.check(second)
    assert second.n_rows.tolist() == [1, 1, 1]
    rows = alone.object_start[objects] + 1
    for name, column in COLUMNS.items():
        if column.axis in ("row", "stamp") and name != "stamp_row":
            np.testing.assert_array_equal(getattr(second, name), getattr(alone, name)[rows])
        elif column.axis == "object":
            np.testing.assert_array_equal(getattr(second, name), getattr(alone, name)[objects])
    assert views.first(both, np.empty(0, int), 4).n_objects == 0


def test_an_alert_that_is_not_there_is_named():
    both, _ = made()
    with pytest.raises(ValueError, match="object ZTF2 has 2 alerts, asked for number 3"):
        views.first(both, np.array([3, 2]), 2)
    for number, which in ((2, 1), (0, -1)):
        with pytest.raises(ValueError, match=f"object ZTF1: 1 alerts, asked for number {number}"):
            views.packet(both, np.array([0, 1]), np.array([0, which]))


@settings(max_examples=25, derandomize=True, deadline=None)
@given(MANY, SEEDS)
def test_a_packet_is_its_alert_and_what_is_earlier_by_thirty_days_at_most(counts, seed):
    both, alone = made(seed, counts)
    both.jd[: len(both.jd) // 3] -= 20  # some of it is older than that
    objects = np.repeat(np.arange(len(counts)), counts)
    which = np.concatenate([np.arange(n) for n in counts])
    packets = views.packet(both, objects, which)
    schema.check(packets)
    np.testing.assert_array_equal(packets.candid[packets.object_start[1:] - 1], alone.candid)
    for i, (owner, candid) in enumerate(zip(objects, alone.candid, strict=True)):
        rows = slice(*packets.object_start[i : i + 2])
        jd, now = both.jd[slice(*both.object_start[owner : owner + 2])], float(both.jd[both.candid == candid][0])
        np.testing.assert_array_equal(packets.jd[rows], jd[(jd <= now) & (jd > now - TOLD_DAYS)])
        assert packets.kind[rows][-1] == ALERT


def recent_by_hand(both, alone, owner, which, n):
    """Jd of the latest n detections 6 hours apart, the alert last; None where there are not so many."""
    rows = slice(*both.object_start[owner : owner + 2])
    now = alone.jd[alone.object_start[owner] + which]
    jd = both.jd[rows][both.kind[rows] != schema.LIMIT]
    taken = [now]
    for earlier in sorted(jd[(jd < now) & (jd > now - TOLD_DAYS)], reverse=True):
        if taken[-1] - earlier >= schema.MIN_GAP_DAYS - schema.GAP_TOLERANCE_DAYS:
            taken.append(earlier)
    return taken[:n][::-1] if len(taken) >= n else None


@settings(max_examples=40, derandomize=True, deadline=None)
@given(MANY, SEEDS, st.integers(1, 5))
def test_the_recent_past_is_what_a_packet_tells_six_hours_apart(counts, seed, n):
    both, alone = made(seed, counts)
    both.jd[:] = (
        both.jd[both.object_start[:-1]].repeat(both.n_rows)
        + (both.jd - both.jd[both.object_start[:-1]].repeat(both.n_rows)) / 20
    )  # hours apart, so that the gap counts
    alone.jd[:] = both.jd[both.kind == ALERT]
    objects = np.repeat(np.arange(len(counts)), counts)
    which = np.concatenate([np.arange(k) for k in counts])
    index, taken = views.recent(both, objects, which, n)
    schema.check(taken)
    expected = [recent_by_hand(both, alone, *pair, n) for pair in zip(objects, which, strict=True)]
    assert index.tolist() == [i for i, jd in enumerate(expected) if jd is not None]
    assert taken.n_rows.tolist() == [n] * len(index)
    assert taken.jd.reshape(-1, n).tolist() == [jd for jd in expected if jd is not None]
    assert schema.LIMIT not in taken.kind
    assert (taken.kind[taken.object_start[1:] - 1] == ALERT).all()
    np.testing.assert_array_equal(taken.object_id, both.object_id[objects[index]])


@pytest.mark.parametrize(("short_days", "n_taken"), [(0, 1), (1e-7, 1), (3e-7, 0)])
def test_a_gap_that_times_of_ztf_show_a_little_short_is_six_hours(short_days, n_taken):
    """As where the alerts of a sequence are chosen: times are written to 1e-7 day."""
    alone, owner = sequences((2,)), np.zeros(1, int)
    alone.jd[:] = 2459000.7 - np.array([schema.MIN_GAP_DAYS - short_days, 0])
    index, _ = views.recent(alone, owner, np.ones(1, int), 2)
    _, verdict = select(owner.repeat(2), alone.jd, alone.candid, alone.candid)
    assert len(index) == n_taken == (verdict == KEPT).sum() - 1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 99), st.data())
def test_counters_count_the_rows_since_the_survey_began(counts, seed, data):
    """By walking along the rows of each object; where it began before everything the counters stay."""
    made = with_histories(sequences(counts, seed=seed), most=6)
    alerts = np.flatnonzero(made.kind == ALERT)
    days = np.array([data.draw(st.sampled_from([0.0, 0.3, 5.0, 40.0, np.inf])) for _ in alerts])
    lone = np.array([data.draw(st.booleans()) for _ in alerts])
    found = views.recounted(made, made.jd[alerts] - days, lone)
    others = made.kind != ALERT
    np.testing.assert_array_equal(found.metadata[others], made.metadata[others])
    for row, watched, alone in zip(alerts, days, lone, strict=True):
        begin = made.object_start[np.searchsorted(made.object_start, row, side="right") - 1]
        seen = [i for i in range(begin, row) if made.jd[i] >= made.jd[row] - watched]
        detections = 1 + sum(made.kind[i] != LIMIT for i in seen) * (not alone)
        expected = made.metadata[row].copy()
        if np.isfinite(watched) or alone:
            expected[views.COUNTER_PLACES] = detections, len(seen) + 1, len(seen) + 1 - detections
        np.testing.assert_array_equal(found.metadata[row], expected)


def test_counters_that_are_missing_stay_so():
    made = with_histories(sequences([3, 1, 2]), most=9)
    made.metadata[:, views.COUNTER_PLACES[0]] = np.nan
    alerts = made.kind == ALERT
    found = views.recounted(made, made.jd[alerts] - 5, np.zeros(alerts.sum(), bool)).metadata[alerts]
    assert np.isnan(found[:, views.COUNTER_PLACES[0]]).all()
    assert np.isfinite(found[:, views.COUNTER_PLACES[1:]]).all()


@pytest.mark.parametrize(("version", "lone"), [(versions.month, False), (versions.first, True)])
def test_a_survey_of_a_month_counts_as_the_version_of_that_name_does(version, lone):
    made = with_histories(sequences([3, 1, 2]), most=9)
    alerts = made.kind == ALERT
    packets = version(versions.first_packets(made))
    found = views.recounted(made, made.jd[alerts] - TOLD_DAYS, np.full(alerts.sum(), lone))
    first = [np.flatnonzero(made.kind[begin:end] == ALERT)[0] + begin for begin, end in pairwise(made.object_start)]
    np.testing.assert_array_equal(found.metadata[first], packets.metadata[packets.object_start[1:] - 1])
