"""An outlier score that rises with one thing finds that and nothing else; all numbers are on the page."""

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

N = 40
OTHER = "another object's stamps"
CONFIG = override(named.get("any_gru"), ["classes=AGN,SN,VS", "subclasses=", "stamp.crop=5"])
BLIND = override(CONFIG, ["stamp.channels=", "hide.stamps=0"])


def objects():
    made = labelled(N, 2, magpsf=18)
    made.label[:] = np.arange(N) % 5
    pixels = np.random.default_rng(0).uniform(size=made.stamps.shape)
    made.stamps[:] = pixels
    made.stamps[:, 31, 31] = 1
    return with_histories(made, seed=1)


def model_of(config=CONFIG):
    return Model("made", config, None, (Member(0, {}, None),), {})


@pytest.fixture
def scores(monkeypatch):
    """Of a model whose outlier score of an alert is what is read of its stamp and label."""

    def measure(read, config=CONFIG):
        def fake(_, sequences):
            found = np.array([read(*each) for each in zip(sequences.stamps, sequences.label, strict=True)], np.float32)
            return packets.Answers(*[None] * (len(packets.Answers._fields) - 1), outlier=found)

        monkeypatch.setattr(packets, "answers", fake)
        every = objects()
        known, unknown = (take(every, np.flatnonzero((every.label < 3) == is_known)) for is_known in (True, False))
        return unusual.scores(model_of(config), known, unknown)

    return measure


def areas(measured):
    return {of["name"]: of["auc"]["value"] for of in measured["unusual"]}


def test_a_score_of_the_class_finds_the_classes_that_are_not_known(scores):
    measured = scores(lambda _, label: label)
    assert measured["known"] == {"objects": 24, "median": 1.0, "high": pytest.approx(2 / 3)}
    asteroid, bogus, *mangled = measured["unusual"]
    assert asteroid["name"] == "asteroid, which it does not know"
    assert bogus["name"] == "bogus, which it does not know"
    assert [of["objects"] for of in (asteroid, bogus)] == [8, 8]
    assert asteroid["auc"] == {"value": 1.0, "interval": [1.0, 1.0]}
    assert {of["auc"]["value"] for of in mangled} == {0.5}  # their labels are as they were


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda stamp, _: np.isnan(stamp).mean(), {"half of the stamps masked", "stamps masked"}),
        (lambda stamp, _: np.isnan(stamp).all(), {"stamps masked"}),
        (
            lambda stamp, _: np.nan_to_num(stamp)[31, 31].sum() < 3,
            {*unusual.MANGLED} - {"half of the stamps masked", OTHER},
        ),
        (lambda *_: 0, set()),
    ],
)
def test_a_score_of_pixels_finds_the_stamps_whose_pixels_are_so(scores, read, found):
    measured = areas(scores(read))
    assert set(measured) >= {*unusual.MANGLED}
    assert {name for name in unusual.MANGLED if measured[name] == 1} == found


def test_mangled_stamps_keep_what_they_should():
    stamps, rng = first_packets(objects()).stamps, np.random.default_rng(0)
    before = stamps.copy()
    mangled = {name: mangle(stamps, rng) for name, mangle in unusual.MANGLED.items()}
    assert {found.dtype for found in mangled.values()} == {stamps.dtype}
    shuffled = mangled["pixels shuffled"].reshape(N, -1, 3)
    for one, own in zip(shuffled, before.reshape(N, -1, 3), strict=True):
        triplets = {tuple(pixel) for pixel in own.tolist()}
        assert {tuple(pixel) for pixel in one.tolist()} == triplets  # the three images of a pixel stay together
    assert not np.array_equal(shuffled, before.reshape(N, -1, 3))
    np.testing.assert_allclose(mangled["brightness reversed"].astype(float), 1 - before.astype(float), atol=1e-3)
    half = np.isnan(mangled["half of the stamps masked"])
    assert half.mean() == pytest.approx(31 / 63)
    assert half[:, :, :31].all()
    other = mangled["another object's stamps"]
    places = [np.flatnonzero((before == one).all(axis=(1, 2, 3))).item() for one in other]
    assert sorted(places) == [*range(N)]
    assert not np.any(np.equal(places, np.arange(N)))
    np.testing.assert_array_equal(stamps, before)


def test_no_stamp_is_mangled_for_a_model_that_reads_none(scores):
    assert {*areas(scores(lambda _, label: label, BLIND))}.isdisjoint(unusual.MANGLED)


def test_text_and_page_have_all_numbers(scores):
    measured = scores(lambda stamp, label: label + np.isnan(stamp).mean())
    page, text = unusual.section(measured), unusual.text(measured)
    for of in measured["unusual"]:
        assert of["name"].replace("'", "&#x27;") in page or of["name"] in page
        assert f"{of['auc']['value']:.2f}" in page
        assert f"{of['name']:<33}" in text
        assert f"area {of['auc']['value']:.2f}" in text
    assert f"{100 * measured['known']['high']:.1f} %" in page
    assert f"{100 * measured['known']['high']:.1f} % above 0.95" in text
