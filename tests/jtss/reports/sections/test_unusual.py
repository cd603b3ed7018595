"""An outlier score that rises with one thing finds that and nothing else; all numbers are on the page."""

import re

import numpy as np
import pytest

from helpers.made_sequences import labelled, with_histories
from jtss.config import named
from jtss.config.settings import override
from jtss.inference import packets
from jtss.inference.model import Member, Model
from jtss.inference.versions import first_packets
from jtss.reports.sections import unusual
from jtss.schema import take

N, SIDE = 60, 5
CONFIG = override(named.get("any_gru"), ["classes=AGN,SN,VS", "subclasses=", f"stamp.crop={SIDE}"])
BLIND = override(CONFIG, ["stamp.channels=", "hide.stamps=0"])
OTHER, NONE = "another object's stamps", "no stamps"
SHUFFLED, REVERSED, HALF = "pixels shuffled", "brightness reversed", "half of the stamps masked"
CENTRE = slice(29, 34)


def objects():
    """Each has a bright pixel at its centre."""
    made = labelled(N, 2, magpsf=18)
    made.label[:] = np.arange(N) % 5
    made.stamps[:] = np.random.default_rng(0).uniform(0.1, 0.9, size=made.stamps.shape)
    made.stamps[:, 31, 31] = 1
    return with_histories(made, seed=1)


@pytest.fixture
def scores(monkeypatch):
    """Of a model whose outlier score of an alert is what is read of its stamp and label."""

    def measure(read, config=CONFIG, other_classes=True):
        def fake(_, sequences):
            found = np.array([read(*each) for each in zip(sequences.stamps, sequences.label, strict=True)], np.float32)
            return packets.Answers(*[None] * (len(packets.Answers._fields) - 1), outlier=found)

        monkeypatch.setattr(packets, "answers", fake)
        every = objects()
        known, others = (take(every, np.flatnonzero((every.label < 3) == is_known)) for is_known in (True, False))
        model = Model("made", config, None, (Member(0, {}, None),), {})
        return unusual.scores(model, known, others if other_classes else None)

    return measure


def areas(measured):
    return {of["name"]: of["auc"]["value"] for of in measured["unusual"]}


def test_a_score_of_the_class_finds_the_classes_that_are_not_known(scores):
    measured = scores(lambda _, label: label)
    assert measured["known"] == {"objects": 36, "median": 1.0, "high": pytest.approx(2 / 3)}
    asteroid, bogus, *mangled = measured["unusual"]
    assert asteroid["name"] == "asteroid, which it does not know"
    assert bogus["name"] == "bogus, which it does not know"
    assert [of["objects"] for of in (asteroid, bogus)] == [12, 12]
    assert asteroid["auc"]["value"] == 1
    assert np.isnan(asteroid["auc"]["interval"]).all()  # too few
    assert {of["auc"]["value"] for of in mangled} == {0.5}  # their labels are as they were
    assert {tuple(of["auc"]["interval"]) for of in mangled} == {(0.5, 0.5)}


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda stamp, _: np.isnan(stamp).mean(), {HALF, NONE}),
        (lambda stamp, _: np.isnan(stamp).all(), {NONE}),
        (lambda stamp, _: (stamp[31, 31] < 1).all(), {SHUFFLED, REVERSED}),
        (lambda *_: 0, set()),
    ],
)
def test_a_score_of_pixels_finds_the_stamps_whose_pixels_are_so(scores, read, found):
    measured = areas(scores(read, other_classes=False))
    assert {*measured} == {SHUFFLED, REVERSED, HALF, OTHER, NONE}
    assert {name for name, area in measured.items() if area > 0.95} == found
    assert {area for name, area in measured.items() if name not in found} == {0.5}


def test_mangled_stamps_keep_what_they_should():
    stamps, rng = first_packets(objects()).stamps, np.random.default_rng(0)
    before = stamps.copy()
    changed = unusual.shuffled(stamps, rng, SIDE)
    outside = np.ones((63, 63), bool)
    outside[CENTRE, CENTRE] = False
    np.testing.assert_array_equal(changed[:, outside], before[:, outside])
    pairs = zip(changed[:, CENTRE, CENTRE].reshape(N, -1, 3), before[:, CENTRE, CENTRE].reshape(N, -1, 3), strict=True)
    for one, own in pairs:
        assert {*map(tuple, one.tolist())} == {*map(tuple, own.tolist())}  # the three images of a pixel stay together
        assert not np.array_equal(one, own)
    np.testing.assert_allclose(unusual.inverted(stamps, rng).astype(float), 1 - before.astype(float), atol=1e-3)
    half = np.isnan(unusual.half_masked(stamps, rng))
    assert half[:, :, :31].all()
    assert not half[:, :, 31:].any()
    np.testing.assert_array_equal(stamps, before)


def test_the_stamps_of_another_are_its_stamps(scores):
    """The score of an object is that of another, so all scores are there once more."""
    seen = []
    scores(lambda stamp, _: seen.append(float(stamp[0, 0, 0])) or 0, other_classes=False)
    own, _, _, _, other, _ = np.array(seen).reshape(6, 36)
    assert sorted(other) == sorted(own)
    assert not np.any(other == own)


def test_nothing_is_compared_where_no_stamp_is_read_and_all_classes_are_known(scores):
    assert {*areas(scores(lambda _, label: label, BLIND))} == {
        "asteroid, which it does not know",
        "bogus, which it does not know",
    }
    assert scores(lambda _, label: label, BLIND, other_classes=False) is None


def test_each_row_of_text_and_page_has_its_numbers(scores):
    measured = scores(lambda stamp, label: np.nan_to_num(stamp).sum() % 1 + 0.2 * label + np.isnan(stamp).mean())
    table, text = unusual.section(measured).split("<tr>")[2:], unusual.text(measured).splitlines()[1:]
    rows = [measured["known"] | {"name": unusual.AS_THEY_CAME}, *measured["unusual"]]
    assert len(table) == len(rows) == len(text)
    for row, shown in zip(rows, table, strict=True):
        said = re.sub("<[^>]*>", " ", shown).replace("&#x27;", "'")
        assert said.split(row["name"])[0].strip() == ""
        numbers = [f"{row['objects']:,}", f"{row['median']:.2f}", f"{100 * row['high']:.1f} %"]
        if "auc" in row:
            numbers.append(f"{row['auc']['value']:.2f}")
            numbers += [f"{limit:.2f}" for limit in row["auc"]["interval"] if np.isfinite(limit)]
        place = len(row["name"])
        for number in numbers:
            place = said.index(number, place) + len(number)
    for row, line in zip([*measured["unusual"], measured["known"] | {"name": "(known)"}], text, strict=True):
        assert line.split("  ")[1] == row["name"]
        assert f"{100 * row['high']:.1f} %" in line
        assert "auc" not in row or f"area {row['auc']['value']:.2f}" in line
