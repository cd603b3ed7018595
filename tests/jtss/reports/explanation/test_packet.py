"""What a model of packets says of one alert: every row, what it is worth, and each group."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from helpers.made_explained import ONE, TINY, run_of_packets
from jtss import schema
from jtss.inference import packets
from jtss.reports.explanation import packet
from jtss.reports.explanation.occlusion import log_odds


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of_packets(tmp_path_factory.mktemp("explained"))


@pytest.fixture(scope="module")
def explained(run):
    return packet.explain(run, ONE, "here", "a test")


def test_every_row_is_there_with_what_was_said_after_it(run, explained):
    document, _ = explained
    answered = packets.answers(run, ONE)
    assert document["candid"] == answered.candid[-1]
    assert document["true_class"] == "VS"
    assert document["explained"]["n_detections"] == answered.n_detections[-1]
    rows = document["rows"]
    assert len(rows) == answered.n_detections[-1] + answered.n_limits[-1] > 3
    assert [row["days"] for row in rows] == sorted(row["days"] for row in rows)
    assert (rows[-1]["kind"], rows[-1]["days"], rows[-1]["log_odds_change"]) == ("alert", 0, None)
    last = [*rows[-1]["probabilities"].values()]
    np.testing.assert_allclose(last, answered.probabilities[-1], rtol=1e-5)
    kinds = [row["kind"] for row in rows]
    first = next(i for i, kind in enumerate(kinds) if kind != "limit")
    assert all(np.isnan([*row["probabilities"].values()]).all() for row in rows[:first])
    best = [None] * first + [max(row["probabilities"], key=row["probabilities"].get) for row in rows[first:]]
    assert [row["class"] for row in rows] == best
    changes = [bool(a and a != b) for a, b in pairwise(best)]
    assert [row["changes_the_class"] for row in rows] == [False, *changes]


def test_every_stamp_has_its_row(run, explained):
    document, drawn = explained
    alerts = np.flatnonzero(ONE.kind == schema.ALERT)
    last = ONE.jd[alerts[-1]]
    days = [ONE.jd[row] - last for row in alerts[::-1] if ONE.jd[row] > last - schema.TOLD_DAYS]
    assert document["explained"]["n_stamps"] == len(days) > 1
    np.testing.assert_allclose([document["rows"][row]["days"] for row in drawn.stamp_rows], days, atol=1e-6)
    assert drawn.stamps.shape[0] == drawn.occlusion.drop.shape[0] == len(days)


def test_a_row_is_worth_what_is_lost_without_it(run, explained):
    """By another road: the object without the row is answered."""
    document, _ = explained
    which = TINY.classes.index(document["explained"]["class"])
    whole = log_odds(packets.answers(run, ONE).probabilities[-1:], which)[0]
    assert document["explained"]["log_odds"] == pytest.approx(whole, rel=1e-5)
    n = len(document["rows"])
    told = np.flatnonzero(ONE.jd <= ONE.jd[ONE.kind == schema.ALERT][-1])[-n:]
    for row, entry in zip(told[:-1], document["rows"][:-1], strict=True):
        left = np.delete(np.arange(len(ONE.jd)), row)
        without = schema.select_rows(ONE, np.array([0]), left, np.array([0, len(left)]))
        expected = whole - log_odds(packets.answers(run, without).probabilities[-1:], which)[0]
        assert entry["log_odds_change"] == pytest.approx(expected, abs=2e-4)


def test_a_group_is_worth_what_is_lost_without_it(run, explained):
    document, _ = explained
    groups = {entry["name"]: entry["log_odds_change"] for entry in document["explained"]["groups"]}
    assert {"counters", "neighbours", "allwise", "history", "stamps"} <= groups.keys()
    changes = [abs(value) for value in groups.values()]
    assert changes == sorted(changes, reverse=True)
    which = TINY.classes.index(document["explained"]["class"])
    blind = replace(ONE, allwise=np.full_like(ONE.allwise, np.nan))
    without = log_odds(packets.answers(run, blind).probabilities[-1:], which)[0]
    assert groups["allwise"] == pytest.approx(document["explained"]["log_odds"] - without, abs=2e-4)
    masked, _ = packet.explain(run, replace(blind, stamps=np.full_like(ONE.stamps, np.nan)), "here", "a test")
    assert masked["explained"]["missing"] == "allwise, stamps"
    assert {"allwise", "stamps"}.isdisjoint(entry["name"] for entry in masked["explained"]["groups"])
    assert masked["explained"]["occlusion"] is None
