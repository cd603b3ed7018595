"""Requests that wait are answered together, and none of them can tell."""

import threading
import weakref

import pytest

from data_prep.simulate.packets import encode_file
from helpers.made_explained import run_of_packets
from helpers.made_service import PAST, PATIENT, packet
from helpers.make_packets import alert, images, limit
from jtss.inference.predict import SHORT_BATCH
from jtss.network.packets import LEAST_ROWS
from jtss.serving import answering
from jtss.serving.http import merging
from jtss.serving.http.merging import Merger, Question
from jtss.serving.http.problems import Problem
from jtss.serving.http.worker import Worker

SECONDS = 600
BY, OTHER = object(), object()


@pytest.fixture
def busy(monkeypatch):
    """A merger whose worker is at work, and what lets it go on; those who join may take as long as they like."""
    monkeypatch.setattr(merging, "JOINING_SECONDS", SECONDS)
    worker, go_on = Worker("test"), threading.Event()
    worker.begin(lambda: go_on.wait(SECONDS))
    yield Merger(worker, PATIENT), go_on
    go_on.set()
    worker.close()


@pytest.fixture
def seen(monkeypatch):
    """The numbers of the alerts that were answered together; each answer is its number."""
    found = []

    def answers(by, alerts, *, followed, alike):
        assert alike
        found.append([one.candid for one in alerts])
        return [(by, followed, one.candid) for one in alerts]

    monkeypatch.setattr(answering, "answers", answers)
    return found


def ask(merger, *bodies, by=BY, followed=False):
    return [merger.ask(Question(by, followed, body)) for body in bodies]


def numbers(asked):
    return [[one[2] for one in future.result(SECONDS)] for future in asked]


def test_what_waits_is_answered_together_and_each_has_its_own(busy, seen):
    merger, go_on = busy
    foreign = encode_file([alert("LSST1", 9)])
    asked = ask(merger, packet(1), packet(2) + foreign + packet(3), packet(4))
    go_on.set()
    (first,), (second, third, lost), (fourth,) = (future.result(SECONDS) for future in asked)
    assert [first[2], second[2], third[2], fourth[2]] == [1, 2, 3, 4]
    assert lost.reason == "other_survey"
    assert seen == [[1, 2, 3, 4]]


def test_only_those_who_ask_the_same_are_together_and_nobody_is_overtaken_for_long(busy, seen):
    merger, go_on = busy
    asked = ask(merger, packet(1)) + ask(merger, packet(2), by=OTHER) + ask(merger, packet(3), followed=True)
    asked += ask(merger, packet(4)) + ask(merger, packet(5), by=OTHER)
    go_on.set()
    assert [future.result(SECONDS) for future in asked] == [
        *([(BY, False, 1)], [(OTHER, False, 2)], [(BY, True, 3)], [(BY, False, 4)], [(OTHER, False, 5)])
    ]
    assert seen == [[1, 4], [2, 5], [3]]


def test_they_are_no_more_than_one_program_takes(busy, seen):
    merger, go_on = busy
    n = 2 * SHORT_BATCH + 1
    asked = ask(merger, *(packet(candid) for candid in range(1, n + 1)))
    go_on.set()
    assert numbers(asked) == [[candid] for candid in range(1, n + 1)]
    assert [len(one) for one in seen] == [SHORT_BATCH, SHORT_BATCH, 1]


def test_a_bad_request_is_told_so_and_no_other(busy, seen):
    merger, go_on = busy
    asked = ask(merger, b"nothing", packet(1), b"", packet(2))
    go_on.set()
    (lost,) = asked[0].result(SECONDS)
    assert lost.reason == "not_avro"
    with pytest.raises(Problem, match="0 bytes"):
        asked[2].result(SECONDS)
    assert numbers([asked[1], asked[3]]) == [[1], [2]]
    assert seen == [[1, 2]]


def test_one_that_takes_long_to_unpack_waits_for_its_own_turn(busy, seen, monkeypatch):
    merger, go_on = busy
    monkeypatch.setattr(merging, "JOINING_SECONDS", -1)  # as if nothing could be unpacked so soon
    asked = ask(merger, packet(1), packet(2), packet(3))
    go_on.set()
    assert numbers(asked) == [[1], [2], [3]]
    assert seen == [[1], [2], [3]]


def test_one_that_is_cancelled_while_it_is_unpacked_in_vain_is_not_kept(busy, seen, monkeypatch):
    merger, go_on = busy
    monkeypatch.setattr(merging, "JOINING_SECONDS", -1)
    first, gone, last = ask(merger, packet(1), packet(2), packet(3))
    unpack, unpacked = merging.alerts_of, []

    def cancelling(body, limits):
        unpacked.append(body)
        if body == packet(2):
            gone.cancel()
        return unpack(body, limits)

    monkeypatch.setattr(merging, "alerts_of", cancelling)
    go_on.set()
    assert numbers([first, last]) == [[1], [3]]
    assert gone.cancelled()
    assert seen == [[1], [3]]
    assert unpacked.count(packet(2)) == 1


def test_one_that_nobody_waits_for_is_forgotten_at_once(busy, seen):
    class Asked:
        """Of a question, which holds the body of a request."""

    merger, go_on = busy
    by = Asked()
    alive = weakref.ref(by)
    (first, last), (gone,) = ask(merger, packet(1), packet(3)), ask(merger, packet(2), by=by)
    del by
    assert alive() is not None
    assert gone.cancel()
    assert alive() is None  # while the thread is still at work on another
    go_on.set()
    assert numbers([first, last]) == [[1], [3]]
    assert seen == [[1, 3]]


def test_a_failing_machine_is_told_to_all_who_asked_and_the_next_are_answered(busy, seen, monkeypatch):
    merger, go_on = busy
    work, failures = answering.answers, iter([OSError("No space left on device")])

    def fails(*arguments, **named):
        for error in failures:
            raise error
        return work(*arguments, **named)

    monkeypatch.setattr(answering, "answers", fails)
    asked = ask(merger, packet(1), packet(2))
    go_on.set()
    for one in asked:
        with pytest.raises(OSError, match="No space left"):
            one.result(SECONDS)
    assert numbers(ask(merger, packet(3))) == [[3]]


def test_a_worker_that_closes_lets_nobody_wait():
    worker, go_on = Worker("test"), threading.Event()
    worker.begin(lambda: go_on.wait(SECONDS))
    asked = ask(Merger(worker, PATIENT), packet(1), packet(2))
    worker.close()
    assert [one.cancelled() for one in asked] == [True, True]
    go_on.set()


def test_answers_are_to_the_bit_those_of_each_request_alone(busy, tmp_path):
    """Of packets of several lengths, also of several in a body."""
    merger, go_on = busy
    by = answering.answerer(run_of_packets(tmp_path))
    pasts = (None, PAST, [limit(day) for day in range(1, 21)])
    records = [alert(f"ZTF18{i}", i + 1, images(i), history=pasts[i % 3]) for i in range(12)]
    bodies = [encode_file([record]) for record in records[:8]] + [encode_file(records[8:])]
    together = ask(merger, *bodies, by=by, followed=True)
    go_on.set()
    together = [future.result(SECONDS) for future in together]
    alone = [future.result(SECONDS) for body in bodies for future in ask(merger, body, by=by, followed=True)]
    assert together == alone
    each = [future.result(SECONDS)[0] for record in records for future in ask(merger, encode_file([record]), by=by)]
    found = [one for some in together for one in some]
    lengths = [len(one.pop("trajectory")) for one in found]
    assert min(lengths) < LEAST_ROWS < max(lengths)  # of two programs
    assert found == each
