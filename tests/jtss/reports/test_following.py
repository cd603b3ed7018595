"""A model of packets is followed: each number again by a plain loop over all its answers and trajectories."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from helpers.made_explained import run_of_packets
from helpers.made_sequences import sequences, with_histories
from jtss.inference import packets, predict
from jtss.metrics.trajectories import DAYS_NAMES
from jtss.reports import following
from jtss.schema import ALERT, CLASS_NAMES, SUBCLASSES, take

COUNTS = [3, 1, 7, 2, 5, 1]
LABEL = [0, 1, 2, 1, 2, 4]
SUBCLASS = [SUBCLASSES.index(name) for name in ("Seyfert", "SN Ia", "eclipsing", "other SN")] + [-1, -1]
MADE = with_histories(sequences(COUNTS, label=LABEL, subclass=SUBCLASS), most=9)
MADE = replace(MADE, metadata=np.abs(MADE.metadata), allwise=np.full((6, 4), 12, np.float32))  # counts have logarithms
EDGES = {"0 days": (0, 0), "below 1 day": (1e-6, 1), "1 to 3 days": (1, 3), "3 to 10 days": (3, 10)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return run_of_packets(tmp_path_factory.mktemp("followed"))


@pytest.fixture(scope="module")
def followed(model):
    return following.follow(model, MADE)


def test_the_answers_are_those_to_the_first_five_alerts(model, followed):
    answered = packets.answers(model, MADE)
    for index, which, probabilities in zip(answered.object, answered.which, answered.probabilities, strict=True):
        if which < 5:
            np.testing.assert_allclose(followed.at_alert[index, which], probabilities, rtol=1e-5)
    there = np.isfinite(followed.at_alert).all(axis=2).sum(axis=1)
    assert there.tolist() == [3, 1, 5, 2, 5, 1]


def latest(model):
    """The trajectory of each object's latest packet, row by row: (days since the first answer, probabilities)."""
    found, alerts = packets.trajectories(model, MADE), MADE.candid[MADE.kind == ALERT]
    for candid in alerts[np.cumsum(COUNTS) - 1]:
        rows = [i for i in range(len(found.jd)) if found.candid[i] == candid and np.isfinite(found.probabilities[i, 0])]
        yield [(found.jd[i] - found.jd[rows[0]], found.probabilities[i]) for i in rows]


def test_the_latest_packet_is_followed_row_by_row(model, followed):
    moving = 0
    for i, rows in enumerate(latest(model)):
        flips = sum(int(a.argmax() != b.argmax()) for (_, a), (_, b) in pairwise(rows))
        path = sum(0.5 * np.abs(a.astype(float) - b).sum() for (_, a), (_, b) in pairwise(rows))
        assert (followed.new_rows[i], followed.flips[i]) == (len(rows) - 1, flips)
        assert followed.path[i] == pytest.approx(path, abs=1e-6)
        moving += path > 0
        for name, best in zip(DAYS_NAMES, followed.by_days[i], strict=True):
            low, high = EDGES.get(name, (10, 30))
            inside = [p.argmax() for days, p in rows if (low <= days < high) or days == low]
            assert best == (inside[-1] if inside else -1)
    assert moving > 3
    assert (followed.by_days == -1).any()


def test_subclasses_are_those_of_the_true_class(model, followed):
    answered = packets.answers(model, MADE)
    classes = model.config.classes
    assert followed.subclass.tolist() == SUBCLASS
    for i in range(6):
        of_class = answered.subclass[answered.object == i][:, classes.index(CLASS_NAMES[LABEL[i]])]
        for said, expected in ((followed.subclass_first[i], of_class[0]), (followed.subclass_latest[i], of_class[-1])):
            assert said == (SUBCLASSES.index(expected) if expected else -1)


def test_subclasses_that_the_model_does_not_tell_count_as_unknown(model):
    some = replace(model.config, subclasses=("SN Ia", "other SN"))
    assert following._known(MADE.subclass, some).tolist() == [-1, SUBCLASS[1], -1, SUBCLASS[3], -1, -1]


def test_batches_change_nothing(model, followed):
    parts = [following.follow(model, take(MADE, np.array(some))) for some in ([0, 1], [2], [3, 4, 5])]
    for whole, joined in zip(followed, following.join(parts), strict=True):
        np.testing.assert_allclose(joined, whole, rtol=1e-4, atol=1e-6)
    assert following.join([]) is None


def test_the_first_and_the_latest_subclass_are_not_taken_for_each_other(model, monkeypatch):
    """Of every SN it says SN Ia at the first alert, and another SN at the later ones; object 1 has no later one."""
    follow, column = packets.followed, model.config.classes.index("SN")

    def changing(*given, **chosen):
        answered, rows = follow(*given, **chosen)
        answered.subclass[:, column] = np.where(answered.which == 0, "SN Ia", "other SN")
        return answered, rows

    monkeypatch.setattr(packets, "followed", changing)
    found = following.follow(model, MADE)
    first, other = SUBCLASSES.index("SN Ia"), SUBCLASSES.index("other SN")
    assert found.subclass_first[[1, 3]].tolist() == [first, first]
    assert found.subclass_latest[[1, 3]].tolist() == [first, other]


def test_each_packet_is_asked_once(model, monkeypatch):
    """The first five and the latest of each object, and no packet twice for its answer and for its trajectory."""
    asked, with_hidden = [], predict.with_hidden

    def counting(model, batch):
        asked.append(len(batch.static))
        return with_hidden(model, batch)

    monkeypatch.setattr(predict, "with_hidden", counting)
    following.follow(model, MADE)
    assert sum(asked) == sum(min(count, 6) for count in COUNTS)
