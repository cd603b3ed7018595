"""The rows of an object: each exposure once, whoever tells it, in whatever order."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_prep.history import CONTRADICTS, OWN, SECOND, Told, counts, gather, once
from data_prep.packets.history import TOLD
from jtss.schema import ALERT, DETECTION, LIMIT, METADATA_NAMES

JD = 2459000.5


def rows(*given):
    """TOLD from (kind, day, candid, fid, magpsf, diffmaglim)."""
    made = np.zeros(len(given), TOLD)
    made["metadata"] = np.nan
    for row, (kind, day, candid, fid, magpsf, depth) in zip(made, given, strict=True):
        row["kind"], row["jd"], row["candid"], row["fid"] = kind, JD + day, candid, fid
        row["metadata"][[METADATA_NAMES.index("magpsf"), METADATA_NAMES.index("diffmaglim")]] = magpsf, depth
    return made


def merged(given, rank, owner=None):
    made = rows(*given)
    owner = np.zeros(len(made), int) if owner is None else np.array(owner)
    chosen, notes = once(owner, np.array(rank), made)
    return made[chosen], notes


def test_an_alert_goes_before_what_is_told_of_it():
    seen, notes = merged(
        [(DETECTION, 1, 7, 1, 18.0, 20.0), (ALERT, 1, 7, 1, 18.5, 20.0), (DETECTION, 1, 0, 1, 18.5, 20.0)], [0, OWN, 1]
    )
    assert seen["kind"].tolist() == [ALERT]
    assert notes[CONTRADICTS] == 1


def test_of_two_versions_that_of_the_earliest_packet_stays():
    told = [(DETECTION, 1, 7, 1, mag, 20.0) for mag in (18.3, 18.1, 18.2)]
    seen, notes = merged(told, [2, 0, 1])
    assert seen["metadata"][:, METADATA_NAMES.index("magpsf")].tolist() == [np.float32(18.1)]
    assert notes[CONTRADICTS] == 2


@pytest.mark.parametrize(
    ("other", "n_rows", "note"),
    [
        ((DETECTION, 1, 7, 1, 18.0, 20.0), 1, None),
        ((DETECTION, 1 + 5e-7, 0, 1, 18.0, 20.0), 1, None),  # the same exposure, without its candid
        ((DETECTION, 1 + 3e-6, 0, 1, 18.0, 20.0), 2, None),
        ((DETECTION, 1, 0, 2, 18.0, 20.0), 2, None),  # another filter
        ((DETECTION, 2, 7, 2, 18.0, 20.0), 1, None),  # the same candid
        ((DETECTION, 1, 7, 1, 18.00005, 20.0), 1, None),  # rounded as ZTF does
        ((DETECTION, 1, 7, 1, 18.001, 20.0), 1, CONTRADICTS),
        ((DETECTION, 1, 7, 1, 18.0, 20.2), 1, CONTRADICTS),
        ((DETECTION, 1, 7, 1, 18.0, np.nan), 1, None),  # not given
        ((DETECTION, 1, 8, 1, 19.0, 20.0), 1, SECOND),
        ((DETECTION, 1, 8, 1, 18.0, 20.0), 1, SECOND),
        ((DETECTION, 1, 0, 1, 19.0, 20.0), 1, CONTRADICTS),  # the same exposure, whatever its candid
        ((LIMIT, 1, 0, 1, np.nan, 20.0), 1, CONTRADICTS),  # the one saw it, the other did not
    ],
)
def test_what_is_the_same_row_and_what_contradicts_it(other, n_rows, note):
    seen, notes = merged([(DETECTION, 1, 7, 1, 18.0, 20.0), other], [0, 1])
    assert (len(seen), notes) == (n_rows, {CONTRADICTS: 0, SECOND: 0} | ({note: 1} if note else {}))
    assert seen["candid"][0] == 7


@pytest.mark.parametrize("kept", [7, 8])
def test_of_two_alerts_of_one_exposure_that_with_stamps_stays(kept):
    alerts = [(ALERT if candid == kept else DETECTION, 1, candid, 1, 10.0 + candid, 20.0) for candid in (8, 7)]
    seen, notes = merged([*alerts, (DETECTION, 1, 6, 1, 16.0, 20.0)], [OWN, OWN, 0])
    assert (seen["candid"].tolist(), notes) == ([kept], {CONTRADICTS: 0, SECOND: 2})


@pytest.mark.parametrize("candid", [0, 7])
def test_what_contradicts_counts_once_however_often_it_is_told(candid):
    told = [(DETECTION, 1, 7, 1, 18.0, 20.0)] + 5 * [(DETECTION, 1, candid, 1, 18.5, 20.0)]
    assert merged(told, range(6))[1][CONTRADICTS] == 1


def test_alerts_with_stamps_all_stay():
    seen, notes = merged([(ALERT, 1, 7, 1, 18.0, 20.0), (ALERT, 1, 7, 1, 18.0, 20.0)], [OWN, OWN])
    assert (len(seen), notes) == (2, {CONTRADICTS: 0, SECOND: 0})


def test_objects_do_not_mix_and_rows_come_in_time():
    given_rows = [(LIMIT, day, 0, 1, np.nan, 20.0) for day in (3, 1, 1, 2)] + [(ALERT, 5, 9, 1, 18.0, 20.0)] * 2
    seen, _ = merged(given_rows, [0, 0, 0, 0, OWN, OWN], owner=[1, 1, 0, 0, 1, 0])
    assert (seen["jd"] - JD).tolist() == [1, 2, 5, 1, 3, 5]
    assert counts(seen["kind"]) == {"history_detections": 0, "history_limits": 4}


def test_nothing_is_nothing():
    seen, notes = merged([], [])
    assert (len(seen), notes) == (0, {CONTRADICTS: 0, SECOND: 0})


ROW = st.tuples(
    st.sampled_from([DETECTION, LIMIT]),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.sampled_from([0, 7, 8]),
    st.sampled_from([1, 2]),
    st.sampled_from([18.0, 18.5]),
    st.sampled_from([20.0, 20.5, np.nan]),
).map(lambda row: row if row[0] == DETECTION else (*row[:2], 0, row[3], np.nan, row[5]))
TELLING = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), ROW), max_size=24)


@given(TELLING, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(telling, random):
    shuffled = random.sample(telling, len(telling))
    results = []
    for order in (telling, shuffled):
        seen, notes = merged([row for *_, row in order], [r for _, r, _ in order], [o for o, *_ in order])
        results.append((seen.tobytes(), notes))
    assert results[0] == results[1]


@given(TELLING)
def test_each_exposure_and_each_candid_is_there_once_and_none_is_lost(telling):
    owner = np.array([o for o, *_ in telling], int)
    made = rows(*(row for *_, row in telling))
    chosen, notes = once(owner, np.array([r for _, r, _ in telling], int), made)
    seen = list(zip(owner[chosen], made["jd"][chosen], made["fid"][chosen], strict=True))
    assert len(set(seen)) == len(seen)
    named = [(o, c) for o, c in zip(owner[chosen], made["candid"][chosen], strict=True) if c]
    assert len(set(named)) == len(named)
    for o, row in zip(owner, made, strict=True):
        assert (o, row["jd"], row["fid"]) in seen or any(
            made["candid"][i] == row["candid"] != 0 for i in np.flatnonzero(owner == o)
        )
    assert sum(notes.values()) <= len(made) - len(chosen)


@given(TELLING)
def test_telling_it_again_changes_nothing(telling):
    """Every packet tells all, and then all tell it once more."""
    once_told = merged([row for *_, row in telling], [r for _, r, _ in telling], [o for o, *_ in telling])[0]
    again = telling + [(o, rank + 4, row) for o, rank, row in telling]
    twice = merged([row for *_, row in again], [r for _, r, _ in again], [o for o, *_ in again])[0]
    assert once_told.tobytes() == twice.tobytes()


# Rows of one candid are the same before rows of one exposure are, unless a portion has made one of them already.
REPEATED = [(0, 0, (DETECTION, 1.0, candid, 1, 18.0 + candid / 10, 20.0)) for candid in 3 * [0] + 9 * [7]]


@given(TELLING, st.integers(1, 5))
@example(REPEATED, 1)
def test_portions_do_not_matter(telling, size):
    """In portions of a few rows, in the order of packets: the same rows stay, and as many contradict them."""
    telling = sorted(telling, key=lambda one: one[1])
    made = rows(*(row for *_, row in telling))
    owner, rank = (np.array([one[i] for one in telling], int) for i in (0, 1))
    whole = Told(owner, rank, made)
    cuts = range(0, max(len(made), 1), size)
    gathered = gather(Told(*(column[at : at + size] for column in whole)) for at in cuts)
    results = []
    for told in (whole, gathered):
        chosen, notes = once(*told)
        results.append((told.rows[chosen].tobytes(), notes))
    assert results[0] == results[1]


def test_what_is_told_a_thousand_times_is_held_a_few_times():
    made = rows(*[(DETECTION, day, day, 1, 18.0, 20.0) for day in (1, 2, 3)])
    gathered = gather(Told(np.zeros(3, int), np.full(3, rank), made) for rank in range(1000))
    assert len(gathered.rows) <= 9
    assert gathered.rank.min() == 0
