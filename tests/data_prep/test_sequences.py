"""The rule of sequences, against a plain loop that reads like it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_prep.sequences import KEPT, MAX_APART_ARCSEC, VERDICTS, apart, select, select_every, select_latest

# Times on a grid of 3 hours, so that gaps of exactly 6 hours are common.
ROWS = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 24), st.integers(1, 12)), max_size=40)


def columns(rows):
    names = np.array([row[0] for row in rows], "S8")
    jd = np.array([2458123.7106481 + row[1] * 0.125 for row in rows], float)
    candid = np.array([row[2] for row in rows], np.int64)
    return names, jd, candid


def plain_loop(rows, max_detections=5):
    """Verdict names by row index, one object after the other, one detection after the other."""
    verdicts = {}
    for name in {row[0] for row in rows}:
        seen, kept = set(), []
        for i in sorted((i for i, row in enumerate(rows) if row[0] == name), key=lambda i: (rows[i][1:], i)):
            _, time, candid = rows[i]
            if candid in seen:
                verdicts[i] = "duplicate_candid"
            elif len(kept) == max_detections:
                verdicts[i] = "beyond_first_5"
            elif kept and time - kept[-1] < 2:
                verdicts[i] = "within_6_hours"
            else:
                verdicts[i] = "kept"
                kept.append(time)
            seen.add(candid)
    return [verdicts[i] for i in range(len(rows))]


@given(ROWS, st.integers(1, 5))
@example([("A", 0, 1), ("A", 1, 2), ("A", 2, 3)], 5)
def test_equals_the_plain_loop(rows, max_detections):
    names, jd, candid = columns(rows)
    order, verdict = select(names, jd, candid, np.arange(len(rows)), max_detections)
    assert [VERDICTS[v] for v in verdict] == plain_loop(rows, max_detections)
    assert sorted(order) == list(range(len(rows)))
    assert all(rows[a] <= rows[b] for a, b in pairwise(order))


@given(ROWS)
def test_the_latest_is_the_last_that_is_no_duplicate(rows):
    names, jd, candid = columns(rows)
    order, verdict = select_latest(names, jd, candid, np.arange(len(rows)))
    assert all(rows[a] <= rows[b] for a, b in pairwise(order))
    duplicates = [what == "duplicate_candid" for what in plain_loop(rows)]
    for name in {row[0] for row in rows}:
        mine = [i for i in order if rows[i][0] == name and not duplicates[i]]
        assert [VERDICTS[verdict[i]] for i in mine] == ["before_the_latest"] * (len(mine) - 1) + ["kept"]
    assert [VERDICTS[v] == "duplicate_candid" for v in verdict] == duplicates


@given(ROWS)
def test_every_one_is_kept_that_is_no_duplicate(rows):
    names, jd, candid = columns(rows)
    order, verdict = select_every(names, jd, candid, np.arange(len(rows)))
    assert all(rows[a] <= rows[b] for a, b in pairwise(order))
    duplicates = ["duplicate_candid" if what == "duplicate_candid" else "kept" for what in plain_loop(rows)]
    assert [VERDICTS[v] for v in verdict] == duplicates


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(rows, random):
    names, jd, candid = columns(rows)
    tiebreak = np.arange(len(rows))
    shuffle = np.array(random.sample(range(len(rows)), len(rows)), int)
    order, verdict = select(names, jd, candid, tiebreak)
    shuffled_order, shuffled_verdict = select(names[shuffle], jd[shuffle], candid[shuffle], tiebreak[shuffle])
    np.testing.assert_array_equal(shuffle[shuffled_order], order)
    np.testing.assert_array_equal(shuffled_verdict, verdict[shuffle])


def verdicts_of(jd, candid=None, **options):
    jd = np.asarray(jd)
    candid = np.arange(1, len(jd) + 1) if candid is None else np.array(candid)
    _, verdict = select(np.zeros(len(jd), int), jd, candid, np.zeros(len(jd), int), **options)
    return [VERDICTS[v] for v in verdict]


@pytest.mark.parametrize("start", 2458000.5 + np.arange(0, 3, 0.0371))
def test_a_gap_of_exactly_six_hours_is_kept_in_printed_dates(start):
    """ZTF prints jd to seven decimals; printing must not cost a detection."""
    jd = [float(f"{start:.7f}"), float(f"{start + 0.25:.7f}"), float(f"{start + 0.25 + 5.999 / 24:.7f}")]
    assert verdicts_of(jd) == ["kept", "kept", "within_6_hours"]


def test_the_gap_is_counted_from_the_last_kept_detection():
    assert verdicts_of([0.0, 0.2, 0.3]) == ["kept", "within_6_hours", "kept"]


def test_the_same_time_twice_keeps_the_smaller_candid():
    assert verdicts_of([1.0, 1.0], candid=[9, 4]) == ["within_6_hours", "kept"]


def test_a_copy_with_another_time_is_a_duplicate_even_of_a_dropped_detection():
    assert verdicts_of([0.0, 0.1, 7.0], candid=[1, 2, 2]) == ["kept", "within_6_hours", "duplicate_candid"]


def test_a_candid_under_two_objects_counts_for_both():
    _, verdict = select(np.array(["B", "A"]), np.zeros(2), np.array([7, 7]), np.zeros(2, int))
    assert (verdict == KEPT).all()


def test_nothing_in_nothing_out():
    order, verdict = select(np.array([], "S8"), np.zeros(0), np.zeros(0, int), np.zeros(0, int))
    assert len(order) == len(verdict) == 0


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.999, 60.0), (10.0, 90.0), (123.0, -89.999)])
def test_what_lies_off_the_place_of_most_is_apart(ra, dec):
    """Everywhere on the sky; of two that differ neither is the right one."""
    limit = MAX_APART_ARCSEC / 3600 * (-1 if dec > 0 else 1)
    key = np.array([0, 0, 0, 0, 0, 1, 1, 2, 3, 3])
    decs = dec + limit * np.array([0, 0, 0, 0.99, 1.01, 0, 1000, 0, 0, 0])
    assert apart(key, np.full(10, ra), decs).tolist() == [False] * 4 + [True] * 3 + [False] * 3


def test_a_detection_without_a_position_is_not_judged():
    key, nan = np.zeros(4, int), np.nan
    assert apart(key, np.array([10, nan, nan, nan]), np.array([10.0, 10, nan, nan])).tolist() == [False] * 4
    assert not apart(np.zeros(0, int), np.zeros(0), np.zeros(0)).size
    assert apart(key, np.array([10, nan, 200, nan]), np.array([10.0, nan, 10, nan])).tolist() == [True, False] * 2
