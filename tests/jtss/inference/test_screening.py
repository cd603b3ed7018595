"""Both of the first two detections must look bogus; every labelled object is counted, whatever the model knows."""

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, sequences, with_histories
from jtss import schema
from jtss.config import named
from jtss.inference import screening
from jtss.reports import evaluation

FIVE = ("AGN", "SN", "VS", "asteroid", "bogus")


class FakeScreener:
    """Calls the detections with the given candids bogus, the others variable stars."""

    def __init__(self, bogus: set[int]) -> None:
        self.bogus, self.asked = bogus, []

    def __call__(self, made):
        assert (made.n_alerts == 1).all()
        self.asked += made.candid.tolist()
        names = np.where(np.isin(made.candid, list(self.bogus)), FIVE.index("bogus"), FIVE.index("VS"))
        return np.arange(made.n_objects), np.eye(5, dtype=np.float32)[names]


def candids(made, *places):
    """Candids of (object, detection) pairs."""
    return {int(made.candid[made.object_start[i] + which]) for i, which in places}


def screen(made, *places):
    return screening.screen(FakeScreener(candids(made, *places)), FIVE, with_histories(made))


def test_only_two_bogus_detections_reject():
    made = sequences((2, 3, 2, 5, 1))
    found = screen(made, (0, 0), (1, 1), (2, 0), (2, 1), (3, 2), (3, 3), (3, 4), (4, 0))
    np.testing.assert_array_equal(found.rejected, [False, False, True, False, False])
    np.testing.assert_array_equal(found.able, [True, True, True, True, False])
    np.testing.assert_array_equal(found.called_bogus, [[1, 0], [0, 1], [1, 1], [0, 0], [0, 0]])


def test_only_the_first_two_detections_are_asked_about_each_once():
    made, screener = sequences((1, 3, 2)), FakeScreener(set())
    screening.screen(screener, FIVE, with_histories(made))
    assert sorted(screener.asked) == sorted(candids(made, (1, 0), (1, 1), (2, 0), (2, 1)))


def test_the_class_is_found_by_its_name_not_by_its_place():
    made = sequences((2, 2))

    def predict(part):
        return np.arange(part.n_objects), np.tile(np.array([0.7, 0.3], np.float32), (part.n_objects, 1))

    assert screening.screen(predict, ("bogus", "SN"), made).rejected.all()
    assert not screening.screen(predict, ("SN", "bogus"), made).rejected.any()


def test_objects_are_screened_alone():
    """The verdict on an object does not depend on the others of its batch."""
    rng = np.random.default_rng(1)
    whole = sequences(rng.integers(1, 6, 40))
    bogus = set(rng.choice(whole.candid, len(whole.candid) * 2 // 3, replace=False).tolist())
    together = screening.screen(FakeScreener(bogus), FIVE, whole)
    assert 3 < together.rejected.sum() < 30
    for i in range(whole.n_objects):
        alone = screening.screen(FakeScreener(bogus), FIVE, schema.take(whole, np.array([i])))
        assert alone.rejected[0] == together.rejected[i]


def test_nothing_to_screen():
    assert not screen(sequences((1, 1))).rejected.any()
    assert not screening.no_screening(sequences((2, 2))).rejected.any()
    assert screening.join([]) is None


@pytest.mark.parametrize("name", ["n3_conv1d", "n2_best"])
def test_a_model_of_sequences_cannot_screen(name):
    with pytest.raises(ValueError, match=rf"^runs/x: config {name} has n_detections=\d and.*AGN, SN, VS; .*needs"):
        screening.check_screener(named.get(name), "runs/x")


def test_first_detection_models_can_screen():
    for name in ("n1_baseline", "n1_enhanced"):
        screening.check_screener(named.get(name), "runs/x")


# Eight objects of the test split: (detections, class, called bogus in the first, in the second detection).
OBJECTS = [
    (3, "AGN", 1, 1),
    (3, "AGN", 1, 0),
    (3, "AGN", 0, 0),
    (3, "SN", 0, 1),
    (2, "VS", 1, 1),
    (4, "bogus", 1, 1),
    (2, "bogus", 1, 0),
    (1, "bogus", 1, 0),
]
LABEL = [FIVE.index(name) for _, name, _, _ in OBJECTS]


def evaluated(classes=CLASSES, wrong=None):
    made = sequences([n for n, *_ in OBJECTS] + [3, 3], label=[*LABEL, 0, -1], split=[2] * 8 + [0, 2])
    places = [(i, which) for i, (_, _, *called) in enumerate(OBJECTS) for which in (0, 1) if called[which]]
    bogus = candids(made, *places, (8, 0), (8, 1), (9, 0), (9, 1))
    batches = [schema.take(made, np.arange(i, min(i + 3, 10))) for i in range(0, 10, 3)]
    return evaluation.evaluate(
        FakeClassifier(3, wrong),
        batches,
        classes,
        3,
        "test",
        lambda part: screening.screen(FakeScreener(bogus), FIVE, part),
    )


def test_true_bogus_are_counted_though_the_model_does_not_know_them():
    found = evaluated()
    assert found.counts == {
        "evaluated": 3,
        "rejected as bogus": 1,
        "with too few detections": 1,
        "of class bogus, which the model does not know": 3,
        "in another split": 1,
        "without label": 1,
    }
    assert list(found.object_id) == ["ZTF1", "ZTF2", "ZTF3"]
    assert {name: tuple(counts) for name, counts in screening.count(found.screened).items()} == {
        "AGN": (3, 3, 2, 1, 1),
        "SN": (1, 1, 0, 1, 0),
        "VS": (1, 1, 1, 1, 1),
        "bogus": (3, 2, 2, 1, 1),
    }


def test_to_reject_a_bogus_is_right_where_the_model_knows_bogus():
    label = np.array([0, 4, 4])
    verdict = screening.Verdict(np.ones(3, bool), np.array([[1, 1], [1, 1], [1, 0]], bool))
    screened = screening.Screened(label, np.array([True, True, True]), verdict)
    assert screening.hits_with_rejected(screened, hits=1, total=1) == (2, 3)


def test_screening_leaves_the_rest_as_it_was():
    plain = evaluation.evaluate(FakeClassifier(3), [sequences((3, 3), label=[0, 1], split=[2, 2])], CLASSES, 3, "test")
    assert plain.screened is None
