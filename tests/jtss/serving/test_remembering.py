"""The stamps of earlier alerts count as where `jtss classify` is given all packets of an object together."""

import csv
from itertools import pairwise

import numpy as np
import pytest

from data_prep import ingest
from data_prep.ledger import Rejection
from data_prep.packets.alerts import from_record
from helpers.made_explained import TINY
from helpers.made_runs import make_run, write_data
from helpers.make_packets import CANDIDATE, alert, detection, images, limit, save
from helpers.programs import jtss
from jtss.config.settings import override
from jtss.errors import InputError
from jtss.serving import answering, remembering
from jtss.serving.answering import answerer, answers
from jtss.serving.remembering import Memory
from jtss.training import trained

DAYS = (0, 2, 5, 9, 14, 40)  # the last one tells the one before it alone
MANY = 100


def record(which, object_id="ZTF18a", **candidate):
    """Alert number `which` of an object, which tells those of 30 days before it and limits a day before each."""
    recent = [(before, day) for before, day in enumerate(DAYS[: which + 1]) if DAYS[which] - day < 29]
    told = [detection(-day, 1 + before, magpsf=18 + before / 8) for before, day in recent[:-1]]
    limits = [limit(1 - day) for _, day in recent]
    values = {"jd": CANDIDATE["jd"] + DAYS[which], "magpsf": 18 + which / 8} | candidate
    return alert(object_id, 1 + which, images(which), [*limits, *told], **values)


RECORDS = [record(which) for which in range(len(DAYS))]


def alerts_of(records):
    return [from_record(one, "a test") for one in records]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="module")
def by(folder):
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5", certainty=2.0)  # so certain that every stamp shows
    return answerer(trained.load(folder / "run"))


@pytest.fixture(scope="module")
def together(by, folder):
    """The rows of `jtss classify` for every packet of a folder with all of them, by candid and class."""
    packets, table = save(folder / "packets", RECORDS), folder / "t.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "available_cores", lambda: 1)
        assert jtss("classify", packets, "-m", folder / "run", "--out", table) == 0
    with open(table, newline="") as file:
        return {(int(row["candid"]), row["class_name"]): row for row in csv.DictReader(file)}


def check(found, expected):
    """Answers as rows of `jtss classify`."""
    for answer in found:
        for name, probability in answer["probabilities"].items():
            row = expected[answer["candid"], name]
            # the batch is another, which changes the order of sums
            assert probability == pytest.approx(float(row["probability"]), rel=1e-5, abs=1e-7)
            for key in ("n_detections", "n_limits", "n_stamps", "note"):
                assert str(answer[key]) == row[key], key


def like(one, other):
    """Answers that differ at the most by the order of sums."""
    chances = (np.array([*answer["probabilities"].values()]) for answer in (one, other))
    np.testing.assert_allclose(*chances, rtol=1e-5, atol=1e-7)
    return one["n_stamps"] == other["n_stamps"]


@pytest.mark.parametrize("cuts", [(), (1, 2, 3, 4, 5), (2, 3)])
def test_answers_are_those_of_all_packets_together(by, together, cuts):
    memory, read = Memory(by, MANY), alerts_of(RECORDS)
    edges = (0, *cuts, len(read))
    found = [answer for begin, end in pairwise(edges) for answer in memory.answers(read[begin:end])]
    check(found, together)
    assert [answer["n_stamps"] for answer in found] == [1, 2, 3, 4, 4, 2]
    lone = answers(by, read)
    moved = [
        max(abs(one["probabilities"][name] - other["probabilities"][name]) for name in one["probabilities"])
        for one, other in zip(found, lone, strict=True)
    ]
    assert moved[0] < 1e-6
    assert min(moved[1:]) > 1e-4  # the stamps count


def test_in_a_batch_time_counts_and_not_the_order(by, together):
    found = Memory(by, MANY).answers(alerts_of(RECORDS)[::-1])
    check(found, together)
    assert [answer["candid"] for answer in found] == [6, 5, 4, 3, 2, 1]


def test_no_alert_sees_the_stamps_of_later_ones_nor_its_own_again(by):
    memory, read = Memory(by, MANY), alerts_of(RECORDS[:3])
    first = memory.answers(read)
    again = [memory.answers([one])[0] for one in (read[2], read[0], read[1], read[2])]
    assert [answer["n_stamps"] for answer in again] == [3, 1, 2, 3]
    assert all(like(one, first[place]) for one, place in zip(again, (2, 0, 1, 2), strict=True))
    (twice,) = {answer["n_stamps"] for answer in Memory(by, MANY).answers([read[0], read[0]])}
    assert twice == 1


def test_what_a_packet_does_not_tell_is_not_seen(by):
    untold = record(1) | {"prv_candidates": None}
    other = record(1, object_id="ZTF18b")
    found = Memory(by, MANY).answers(alerts_of([RECORDS[0], untold, other]))
    assert [(answer["n_detections"], answer["n_stamps"]) for answer in found] == [(1, 1), (1, 1), (2, 1)]


def test_a_packet_that_tells_what_cannot_be_is_not_believed(by, monkeypatch):
    """Of itself, of a later alert, and of another at the same time."""
    told = [detection(21 - candid, candid) for candid in (1, 2, 3, 4)]
    copy = alert("ZTF18a", 3, images(7), jd=CANDIDATE["jd"] - 30)
    read = alerts_of([alert("ZTF18a", 3, images(7), told), copy])
    days = {1: -20, 2: 0, 3: -1, 4: 5}
    others = alerts_of([alert("ZTF18a", of, images(of), jd=CANDIDATE["jd"] + day) for of, day in days.items()])
    memory, asked = Memory(by, MANY), []
    memory._most_of_object = MANY
    for one in others:
        memory.answers([one])

    def spied(by, alerts, earlier):
        asked.extend([one.candid for one in group] for group in earlier)
        return answers(by, alerts, earlier=earlier)

    monkeypatch.setattr(remembering, "answers", spied)
    found, _ = memory.answers(read)
    assert asked == [[1], []]
    assert (found["jd"], found["n_stamps"]) == (CANDIDATE["jd"], 2)


def test_objects_answered_least_recently_are_forgotten_as_a_whole(by):
    of = {name: alerts_of([record(which, object_id=name) for which in range(4)]) for name in ("ZTF18a", "ZTF18b")}
    memory = Memory(by, 3)
    memory.answers(of["ZTF18a"][:2])
    memory.answers(of["ZTF18b"][:1])  # three are kept
    (kept,) = memory.answers(of["ZTF18a"][2:3])  # four would be: the other object goes
    (forgotten,) = memory.answers(of["ZTF18b"][1:2])
    assert (kept["n_stamps"], forgotten["n_stamps"]) == (3, 1)
    assert forgotten == answers(by, of["ZTF18b"][1:2])[0]  # to the bit
    (lone,) = memory.answers(of["ZTF18a"][3:])  # which was forgotten for the former
    assert lone == answers(by, of["ZTF18a"][3:])[0]
    assert memory.answers(of["ZTF18b"][2:3])[0]["n_stamps"] == 2  # there is room for one of each again


def test_no_more_is_kept_than_asked_for(by):
    memory = Memory(by, 2)
    for which in range(4):
        (answer,) = memory.answers(alerts_of(RECORDS[which : which + 1]))
        assert answer["n_stamps"] == min(which + 1, 3)
    kept = [one for of_object in memory._kept.values() for one in of_object.values()]
    assert [one.candid for one in kept] == [3, 4]
    assert sum(len(one.history.candid) for one in kept) == 0


def test_an_alert_that_cannot_be_used_is_neither_kept_nor_in_the_way(by):
    broken = record(0)
    broken["cutoutScience"]["stampData"] = b"no image"
    memory = Memory(by, MANY)
    found = memory.answers(alerts_of([broken, RECORDS[1]]))
    assert isinstance(found[0], Rejection)
    assert (found[0].reason, found[0].object_id, found[0].candid) == ("bad_gzip", "ZTF18a", 1)
    assert (found[1]["candid"], found[1]["n_stamps"]) == (2, 1)
    assert memory.answers(alerts_of(RECORDS[2:3]))[0]["n_stamps"] == 2
    broken = RECORDS[3] | {"cutoutScience": {"fileName": "", "stampData": b"no image"}}
    (lost,) = memory.answers(alerts_of([broken]))  # and not the answer to the one before
    assert (lost.reason, lost.candid) == ("bad_gzip", 4)


def test_one_elsewhere_leaves_the_answer_of_the_packet_alone(by):
    """Of two places neither is to be trusted: both would be dropped."""
    elsewhere = record(0, ra=CANDIDATE["ra"] + 1)
    memory = Memory(by, MANY)
    memory.answers(alerts_of([elsewhere]))
    assert memory.answers(alerts_of(RECORDS[1:2])) == answers(by, alerts_of(RECORDS[1:2]))


@pytest.mark.parametrize(("poison", "n_stamps"), [(1, [None, 1, 2, 3]), (4, [1, 2, 3, None])])
def test_an_error_that_nobody_thought_of_is_that_of_one_alert(by, monkeypatch, poison, n_stamps):
    work = answering._answers

    def fails(by, alerts, earlier, *how):
        if any(one.candid == poison for group in (alerts, *earlier) for one in group):
            raise KeyError("unthought of")
        return work(by, alerts, earlier, *how)

    monkeypatch.setattr(answering, "_answers", fails)
    memory = Memory(by, MANY)
    found = [memory.answers(alerts_of(RECORDS[:2])), memory.answers(alerts_of(RECORDS[2:4]))]
    seen = [None if isinstance(one, Rejection) else one["n_stamps"] for one in (*found[0], *found[1])]
    assert seen == n_stamps
    together = Memory(by, MANY).answers(alerts_of(RECORDS[:4]))
    assert [isinstance(one, Rejection) for one in together] == [one is None for one in n_stamps]
    if poison == 4:  # the first would be seen by all others, which are then answered alone
        assert [one["n_stamps"] for one in together[:3]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("most", "settings", "expected"),
    [
        (0, [], "--remember 0: expected 1 or more, how many alerts are kept"),
        (-2, [], "--remember -2: expected 1 or more"),
        (1, ["packet.stamps=1"], "--remember 1: .* reads one stamp, expected a model"),
        (1, ["stamp.channels=", "hide.stamps=0"], "--remember 1: .* reads no stamps, expected a model"),
    ],
)
def test_what_cannot_be_remembered_is_refused(by, most, settings, expected):
    classifier = by.classifier._replace(reads=override(TINY, settings) if settings else TINY)
    with pytest.raises(InputError, match=expected):
        Memory(by._replace(classifier=classifier), most)
