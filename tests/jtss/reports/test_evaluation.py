"""Every object of a data set is evaluated or counted with the reason; the numbers agree with those of plain arrays."""

from collections import Counter

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, sequences, with_histories
from jtss import schema
from jtss.reports import evaluation

COUNTS = (3, 3, 2, 3, 3, 5, 3, 3)
LABEL = (0, 1, 2, 2, 3, 2, -1, 0)
SPLIT = (2, 2, 2, 2, 2, 2, 2, 0)


def data(**changes):
    return with_histories(sequences(COUNTS, **{"label": LABEL, "split": SPLIT} | changes))


def evaluate(batches, split="test", wrong=None):
    return evaluation.evaluate(FakeClassifier(3, wrong), batches, CLASSES, 3, split)


def test_every_object_has_one_fate():
    evaluated = evaluate([data()])
    assert evaluated.counts == {
        "evaluated": 4,
        "with too few detections": 1,
        "of class asteroid, which the model does not know": 1,
        "without label": 1,
        "in another split": 1,
    }
    assert list(evaluated.object_id) == ["ZTF0", "ZTF1", "ZTF3", "ZTF5"]
    np.testing.assert_array_equal(evaluated.label, [0, 1, 2, 2])
    np.testing.assert_array_equal(evaluated.predicted, [0, 1, 2, 2])


@pytest.mark.parametrize(("split", "n"), [("train", 1), ("validation", 0), ("test", 4), ("all", 5)])
def test_splits(split, n):
    assert evaluate([data()], split).counts.get("evaluated", 0) == n


def test_labels_are_indices_into_the_models_classes():
    """A model with its own order of classes."""

    def predict(made):
        return np.arange(made.n_objects), np.tile(np.array([0.7, 0.3], np.float32), (made.n_objects, 1))

    evaluated = evaluation.evaluate(predict, [data()], ("VS", "AGN"), 3, "test")
    np.testing.assert_array_equal(evaluated.label, [1, 0, 0])
    assert evaluated.counts["of class SN, which the model does not know"] == 1


@pytest.mark.parametrize("keep", [1, 3, 7, 40])
def test_objects_are_kept_at_random_and_only_those_evaluated(keep):
    whole = with_histories(sequences([3] * 40, label=[i % 4 for i in range(40)], split=[2] * 40), seed=2)
    parts = [schema.take(whole, np.arange(i, i + 4)) for i in range(0, 40, 4)]
    kept = evaluation.evaluate(FakeClassifier(3), parts, CLASSES, 3, "test", keep=keep).kept
    schema.check(kept)
    evaluated = [f"ZTF{i}" for i in range(40) if i % 4 != 3]
    names = kept.object_id.tolist()
    assert len(names) == min(keep, 30)
    assert set(names) <= set(evaluated)
    assert names == sorted(names, key=evaluated.index)
    assert names != evaluated[:keep] or keep == 40
    rows = schema.take(whole, np.array([int(name.removeprefix("ZTF")) for name in names]))
    np.testing.assert_array_equal(kept.metadata, rows.metadata)  # histories and all


def test_objects_of_other_classes_are_kept_apart():
    parts = [with_histories(sequences([1, 3], label=[3, 4], split=[2, 2])), data()]
    others = evaluation.evaluate(FakeClassifier(3), parts, CLASSES, 3, "test", keep=9).of_other_classes
    assert others.label.tolist() == [3, 4, 3]
    assert evaluation.evaluate(FakeClassifier(3), parts, CLASSES, 3, "test", keep=2).of_other_classes.n_objects == 2
    assert evaluation.evaluate(FakeClassifier(3), parts, CLASSES, 3, "train", keep=9).of_other_classes is None


def test_nothing_is_kept_unless_asked_for():
    assert evaluate([data()]).kept is None
    assert evaluate([data()]).of_other_classes is None


def test_batches_change_nothing():
    whole = data()
    parts = [schema.take(whole, np.arange(i, min(i + 3, 8))) for i in range(0, 8, 3)]
    one, many = evaluate([whole]), evaluate(parts)
    assert one.counts == many.counts
    np.testing.assert_array_equal(one.probabilities, many.probabilities)
    np.testing.assert_array_equal(one.object_id, many.object_id)


def test_errors_are_the_most_confident_ones_worst_first():
    n = 40
    rng = np.random.default_rng(0)
    wrong = {f"ZTF{i}": (1, float(probability)) for i, probability in enumerate(rng.uniform(0.5, 1, 20))}
    whole = sequences([3] * n, label=[0] * n, split=[2] * n)
    evaluated = evaluate([schema.take(whole, np.arange(i, i + 10)) for i in range(0, n, 10)], wrong=wrong)
    expected = sorted(wrong, key=lambda oid: -wrong[oid][1])[: evaluation.N_ERRORS_SHOWN]
    assert [shown.object_id for shown in evaluated.errors] == expected
    assert {shown.true_class for shown in evaluated.errors} == {"AGN"}
    worst = int(expected[0][3:])
    np.testing.assert_array_equal(evaluated.errors[0].stamps, whole.stamps[3 * worst : 3 * worst + 3])


def test_a_classifier_that_leaves_an_object_out_is_caught():
    with pytest.raises(ValueError, match="probabilities for 3 of 4 objects, expected all"):
        evaluation.evaluate(FakeClassifier(5), [sequences([5, 5, 4, 5], label=[0] * 4)], CLASSES, 4, "all")


def test_probabilities_that_are_not_finite_are_caught():
    with pytest.raises(ValueError, match="ZTF1: probabilities"):
        evaluate([data()], wrong={"ZTF1": (0, float("nan"))})


def test_nothing_to_evaluate():
    evaluated = evaluate([data()], "validation")
    assert evaluated.sample is None
    assert evaluated.probabilities.shape == (0, 3)


def test_inference_time_counts_only_the_timed_runs():
    predict = FakeClassifier(3)
    evaluated = evaluation.inference_time(predict, evaluate([data()]).sample, repeats=2)
    assert len(predict.calls) == 3
    assert evaluated["batch_size"] == len(predict.calls[0]) == evaluation.TIMING_OBJECTS
    assert 0 < evaluated["min_s_per_object"] <= evaluated["median_s_per_object"] <= evaluated["max_s_per_object"]


def test_a_slow_model_is_timed_less_often(monkeypatch):
    predict = FakeClassifier(3)
    sample = evaluate([data()]).sample
    monkeypatch.setattr(evaluation, "TIMING_SECONDS", 0)
    evaluated = evaluation.inference_time(predict, sample)
    assert evaluated["repeats"] == len(predict.calls) - 1 == evaluation.TIMING_LEAST_REPEATS


def test_the_longest_sequence_is_that_of_the_whole_data_set():
    whole = data()
    parts = [schema.take(whole, np.arange(i, i + 1)) for i in range(8)]
    assert evaluate(parts).longest == 5


def test_the_fates_add_up():
    rng = np.random.default_rng(3)
    whole = sequences(rng.integers(1, 6, 200), label=rng.integers(-1, 5, 200), split=rng.integers(-1, 3, 200), seed=3)
    for split in (*schema.SPLIT_NAMES, evaluation.ALL_SPLITS):
        for n in range(1, 6):
            what = Counter(evaluation.fate(whole, CLASSES, n, split))
            inside = split == "all" or whole.split == schema.SPLIT_NAMES.index(split)
            usable = (whole.n_alerts >= n) & (whole.label >= 0) & (whole.label < 3) & inside
            assert what["evaluated"] == usable.sum()
            assert what.total() == 200
