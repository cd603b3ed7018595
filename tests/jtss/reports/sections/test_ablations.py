"""A model that reads one thing loses everything without it, and nothing without the rest."""

from functools import partial

import numpy as np
import pytest

from helpers.made_sequences import COLUMN, labelled, with_histories
from jtss.config import named
from jtss.config.settings import override
from jtss.inference import predict, versions
from jtss.inference.model import Member, Model
from jtss.network import inputs
from jtss.reports.sections import ablations

N = 60
READ = "fwhm,log_ndethist,log_ncovhist,magpsf,has_counters"
PLAIN = override(named.get("n1_baseline"), ["classes=AGN,SN,VS", "stamp.crop=5", "stamp.copies=1"])
CONFIG = override(PLAIN, [f"metadata.static={READ},W1-W2", "hide.counters=0.5"])
LABEL = np.arange(N) % 3
ALL = ["stamps zeroed", "another object's stamps", "another object's metadata", "counters hidden", "without AllWISE"]


def objects():
    """Of each class its own stamps, magnitude, counters and colour."""
    made = labelled(N, 1, magpsf=18 + LABEL, ndethist=10.0**LABEL, ncovhist=10.0**LABEL, fwhm=2)
    made.metadata[:, COLUMN["non_detections"]] = 0
    made.stamps[:, 31, 31] = 1
    made.stamps[:, 30, 30] = (LABEL / 2)[:, None]  # one pixel tells the class
    made.stamps[:, 29, 29] = 0
    made.allwise[:] = np.stack([LABEL, 0 * LABEL, 0 * LABEL, 0 * LABEL], axis=1)
    return with_histories(made, seed=1)


def model_of(config=CONFIG):
    chosen = inputs.examples(objects(), config)
    statistics = inputs.fit(chosen.dynamic, chosen.static, config.metadata)
    return Model("made", config, statistics, (Member(0, {}, None),), {})


@pytest.fixture
def scores(monkeypatch):
    """Rows by name of a model that takes the value of an object for its class, as 0, 1 or 2 standard steps."""

    def measure(read, config=CONFIG):
        def fake(_, batch):
            values = np.asarray(read(batch))
            return np.eye(3)[np.searchsorted([-0.5, 0.5], values)]

        monkeypatch.setattr(predict, "probabilities", fake)
        measured = ablations.scores(model_of(config), objects())
        rows = {part: {row["name"]: row for row in table} for part, table in measured.items()}
        return rows["inputs"], rows["versions"]

    return measure


def static(name, batch):
    return batch.static[:, CONFIG.metadata.static.index(name)]


def pixel(batch):
    return 4 * (batch.stamps[:, 0, 1, 1, 0] - 0.5)  # 0, 1/2 or 1, a step to the upper left of the centre


def accuracies(rows):
    return {name: row["accuracy"] for name, row in rows.items()}


THIRD = pytest.approx(1 / 3)


def exchanged():
    """What is left of a perfect model that reads another object's input."""
    other = ablations.others(N)
    return float(np.mean(LABEL[other] == LABEL))


def test_others_are_others_each_once():
    for n in (2, 3, 50):
        other = ablations.others(n)
        assert sorted(other) == list(range(n))
        assert not np.any(other == np.arange(n))


def test_of_a_model_of_stamps_nothing_is_left_without_them(scores):
    given, past = scores(pixel)
    assert list(given) == [ablations.NOTHING, *ALL]
    assert accuracies(given) == {
        ablations.NOTHING: 1,
        "stamps zeroed": THIRD,
        "another object's stamps": exchanged(),
        "another object's metadata": 1,
        "counters hidden": 1,
        "without AllWISE": 1,
    }
    assert set(accuracies(past).values()) == {1}


def test_of_a_model_of_counters_nothing_is_left_without_them(scores):
    given, past = scores(partial(static, "log_ndethist"))
    assert accuracies(given) == {
        ablations.NOTHING: 1,
        "stamps zeroed": 1,
        "another object's stamps": 1,
        "another object's metadata": exchanged(),
        "counters hidden": THIRD,
        "without AllWISE": 1,
    }
    assert list(past) == list(versions.WORDS.values())
    assert past["as they came"]["accuracy"] == 1
    for name in ("of the first night of a survey", "of a lone first alert", "counters hidden"):
        assert past[name]["accuracy"] == THIRD, name


def test_of_a_model_of_colours_nothing_is_left_without_allwise(scores):
    given, _ = scores(partial(static, "W1-W2"))
    assert accuracies(given) == dict.fromkeys([ablations.NOTHING, *ALL], 1) | {
        "another object's metadata": exchanged(),
        "without AllWISE": THIRD,
    }


def test_counters_hidden_are_counters_missing(scores):
    """Bits of availability and all: what is hidden from a batch, and what is missing in a packet."""
    for name in ("log_ndethist", "log_ncovhist", "has_counters", "magpsf"):
        given, past = scores(partial(static, name))
        assert given["counters hidden"]["recall"] == past["counters hidden"]["recall"], name


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (["stamp.channels=", "metadata.dynamic=magpsf"], ALL[2:4]),
        (["metadata.static="], ALL[:2]),
        (["metadata.static=magpsf"], ALL[:3]),
        (["metadata.static=ndethist"], ALL[:4]),
        (["metadata.static=W3-W4"], [*ALL[:3], ALL[4]]),
    ],
)
def test_nothing_is_withheld_that_is_not_read(settings, names):
    assert list(ablations.changes(override(PLAIN, settings), N)) == names


def test_a_time_is_no_metadata_and_a_single_object_has_no_other():
    images = named.get("n3_conv1d_images")
    assert list(ablations.changes(images, N)) == ALL[:2]
    assert list(ablations.changes(CONFIG, 1)) == ["stamps zeroed", "counters hidden", "without AllWISE"]


def test_a_row_has_its_recalls_and_the_text_its_numbers(scores):
    given, past = scores(partial(static, "log_ndethist"))
    row = given["counters hidden"]
    assert [of["accuracy"] for of in row["recall"].values()] == [0, 1, 0]  # what is missing looks like the mean
    assert row["mean_recall"] == THIRD
    assert (row["objects"], row["correct"]) == (N, N // 3)
    text = ablations.text({"inputs": list(given.values()), "versions": list(past.values())})
    assert "what it rests on, 60 objects:" in text
    assert text.count("33.3 % (22.7–45.9 %), mean recall 33.3 %") >= 3


def test_of_packets_their_parts_are_withheld_too():
    changes = ablations.changes(named.get("any_gru"), N)
    assert list(changes) == [*ALL[1:], "no stamps", "no history", "no limits"]
    blind = override(named.get("any_gru"), ["stamp.channels=", "hide.stamps=0"])
    assert list(ablations.changes(blind, N)) == [*ALL[2:], "no history", "no limits"]
