"""Scores of real alerts by hand, and paired differences against plain resampling."""

from datetime import date

import numpy as np
import pytest

from jtss.realism import transfer
from jtss.realism.transfer import NO_VOTE, Votes
from jtss.schema import CLASS_NAMES

FIVE = CLASS_NAMES
THREE, FOUR = transfer.GROUPS


def votes_for(said, classes=FIVE):
    """Certain votes for the given class names; None: no vote."""
    rows = np.full((len(said), len(classes)), np.nan)
    for row, name in zip(rows, said, strict=True):
        if name is not None:
            row[:] = np.array(classes) == name
    return Votes(classes, rows)


def labels(*names):
    return np.array([FIVE.index(name) for name in names])


LABEL = labels("AGN", "AGN", "SN", "SN", "SN", "SN", "VS", "asteroid", "asteroid")
SAID = ("AGN", "bogus", "SN", "SN", "SN", "AGN", "VS", "SN", "asteroid")


def test_scores_by_hand():
    scores = transfer.scores(LABEL, votes_for(SAID))
    recall = {name: score["value"] for name, score in scores["recall"].items()}
    assert recall == {"AGN": 0.5, "SN": 0.75, "VS": 1, "asteroid": 0.5, "bogus": pytest.approx(np.nan, nan_ok=True)}
    assert scores["balanced_accuracy"][THREE]["value"] == 0.75
    assert scores["balanced_accuracy"][FOUR]["value"] == pytest.approx(2.75 / 4)
    assert scores["confusion_matrix"][0] == [1, 0, 0, 0, 1]
    assert scores["confusion_matrix"][1] == [1, 3, 0, 0, 0]
    assert scores["n_objects"] == 9


def test_predicted_is_in_the_order_of_all_classes_whatever_the_models():
    votes = Votes(("VS", "AGN"), np.array([[0.6, 0.4], [0.1, 0.9], [np.nan, 0.5]]))
    np.testing.assert_array_equal(votes.predicted, [FIVE.index("VS"), FIVE.index("AGN"), NO_VOTE])


def test_a_class_that_a_model_does_not_know_has_no_recall():
    scores = transfer.scores(LABEL, votes_for(["AGN"] * 9, classes=("AGN", "SN", "VS")))
    assert scores["balanced_accuracy"][THREE]["value"] == pytest.approx(1 / 3)
    assert np.isnan(scores["balanced_accuracy"][FOUR]["value"])
    assert np.isnan(scores["recall"]["asteroid"]["value"])
    assert scores["recall"]["asteroid"]["n_objects"] == 2


def test_a_mean_over_an_absent_class_is_undefined():
    scores = transfer.scores(labels("AGN", "SN"), votes_for(["AGN", "SN"]))
    assert np.isnan(scores["balanced_accuracy"][THREE]["value"])


def test_no_interval_from_a_handful_of_objects():
    few = transfer.scores(np.repeat([0, 1, 2], [9, 9, 4]), votes_for(["AGN"] * 22))
    more = transfer.scores(np.repeat([0, 1, 2], [9, 9, 5]), votes_for(["AGN"] * 23))
    assert np.isnan(few["balanced_accuracy"][THREE]["interval"]).all()
    one, other = votes_for(["AGN"] * 22), votes_for(["SN"] * 22)
    apart = transfer.difference(np.repeat([0, 1, 2], [9, 9, 4]), one, other)[THREE]
    assert apart["value"] == 0
    assert np.isnan(apart["interval"]).all()
    assert np.isfinite(more["balanced_accuracy"][THREE]["interval"]).all()


def test_an_object_without_vote_is_refused():
    with pytest.raises(ValueError, match="label -1 of object 1"):
        transfer.scores(LABEL[:2], votes_for(["AGN", None]))


def made_votes(n=60, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, n)
    one, other = (np.where(rng.random(n) < right, label, rng.integers(0, 5, n)) for right in (0.8, 0.6))
    other = np.where(rng.random(n) < 0.5, one, other)
    return label, *(votes_for([FIVE[i] for i in said]) for said in (one, other))


def mean_recall(label, said, classes=range(4)):
    return np.mean([np.mean(said[label == index] == index) for index in classes])


def test_interval_agrees_with_drawing_the_objects():
    label, votes, _ = made_votes()
    rng, drawn = np.random.default_rng(9), []
    for _ in range(1_500):
        rows = np.concatenate([rng.choice(np.flatnonzero(label == c), np.sum(label == c)) for c in range(4)])
        drawn.append(mean_recall(label[rows], votes.predicted[rows]))
    scores = transfer.scores(label, votes)["balanced_accuracy"][FOUR]
    assert scores["value"] == pytest.approx(mean_recall(label, votes.predicted))
    np.testing.assert_allclose(scores["interval"], np.percentile(drawn, [2.5, 97.5]), atol=0.015)


def test_paired_difference_agrees_with_drawing_the_objects():
    label, one, other = made_votes()
    rng, drawn = np.random.default_rng(8), []
    for _ in range(1_500):
        rows = np.concatenate([rng.choice(np.flatnonzero(label == c), np.sum(label == c)) for c in range(4)])
        drawn.append(mean_recall(label[rows], one.predicted[rows]) - mean_recall(label[rows], other.predicted[rows]))
    measured = transfer.difference(label, one, other)[FOUR]
    assert measured["value"] == pytest.approx(mean_recall(label, one.predicted) - mean_recall(label, other.predicted))
    np.testing.assert_allclose(measured["interval"], np.percentile(drawn, [2.5, 97.5]), atol=0.015)


def test_a_model_does_not_differ_from_itself():
    label, one, _ = made_votes()
    assert transfer.difference(label, one, one)[FOUR] == {"value": 0, "interval": [0, 0]}


def test_the_difference_changes_sign_with_the_order():
    label, one, other = made_votes()
    there, back = transfer.difference(label, one, other)[THREE], transfer.difference(label, other, one)[THREE]
    assert there["value"] == -back["value"]
    np.testing.assert_allclose(there["interval"], [-limit for limit in reversed(back["interval"])], atol=0.01)


def test_strata_hold_their_lower_limit_and_nothing_missing():
    bins = transfer.strata(np.array([17.9, 18.0, 18.5, 19.0, np.nan]), transfer.MAGNITUDES)
    assert {name: rows.nonzero()[0].tolist() for name, rows in bins.items()} == {
        "below 18": [0],
        "18 to 19": [1, 2],
        "19 and above": [3],
    }


def test_epochs_begin_when_they_say():
    julian = [day.toordinal() + 1721424.5 for day in (date(2019, 7, 1), date(2022, 1, 1))]
    assert list(transfer.EPOCHS_JD.values())[1:] == julian


def compared(votes, others=("theirs",)):
    n = len(LABEL)
    magnitude = np.linspace(17, 20, n)
    ndethist = np.array([1, 2, 4, 5, 19, 20, 99, 100, 3000])
    told = np.array([1, 1, 2, 3, 4, 5, 6, 7, 40])
    return transfer.comparison(LABEL, np.full(n, 2459000.5), magnitude, ndethist, told, votes, others)


def test_models_are_compared_on_the_objects_that_all_voted_for():
    theirs = [None, *SAID[1:-1], None]
    comparison = compared({"ours": votes_for(SAID), "theirs": votes_for(theirs)})
    assert (comparison["n_labelled"], comparison["n_common"]) == (9, 7)
    ours = comparison["models"]["ours"]
    assert (ours["n_answered"], ours["answered"]["n_objects"], ours["common"]["n_objects"]) == (9, 9, 7)
    assert ours["common"]["balanced_accuracy"] == comparison["models"]["theirs"]["common"]["balanced_accuracy"]
    assert ours["answered"]["recall"]["AGN"]["value"] == 0.5
    assert ours["common"]["recall"]["AGN"]["value"] == 0


@pytest.mark.parametrize("key", ["epoch", "magnitude", "ndethist", "detections told"])
def test_parts_add_up_to_the_whole(key):
    model = compared({"ours": votes_for(SAID)}, others=())["models"]["ours"]
    total = np.sum([part["confusion_matrix"] for part in model["by"][key].values()], axis=0)
    np.testing.assert_array_equal(total, model["common"]["confusion_matrix"])


def test_detections_before_are_cut_where_they_say():
    parts = compared({"ours": votes_for(SAID)}, others=())["models"]["ours"]["by"]["ndethist"]
    assert {name: part["n_objects"] for name, part in parts.items()} == {
        "1": 1,
        "2 to 4": 2,
        "5 to 19": 2,
        "20 to 99": 2,
        "100 and more": 2,
    }


def test_detections_told_are_cut_where_they_say():
    parts = compared({"ours": votes_for(SAID)}, others=())["models"]["ours"]["by"]["detections told"]
    counts = {name: part["n_objects"] for name, part in parts.items()}
    assert counts == {"1": 2, "2": 1, "3": 1, "4": 1, "5": 1, "6 and more": 3}


def test_versions_are_scored_on_the_same_objects_by_the_classes_that_are_labelled():
    label = labels("AGN", "AGN", "VS", "VS", "bogus", "SN")
    came, lone = votes_for(["AGN", "AGN", "VS", "SN", "SN", "SN"]), votes_for(["VS", "AGN", "AGN", "SN", "bogus", "SN"])
    common = np.array([True] * 5 + [False])
    scored = transfer.versions(label, {"as_is": {"a": came}, "first": {"a": lone}}, common)
    (group,) = scored["as_is"]["a"]["balanced_accuracy"]
    assert group == "AGN, VS"  # bogus is no class of objects, and the supernova is not common
    values = {version: models["a"]["balanced_accuracy"][group]["value"] for version, models in scored.items()}
    assert values == {"as_is": 0.75, "first": 0.25}
    assert scored["first"]["a"]["recall"]["AGN"]["value"] == 0.5
    assert scored["first"]["a"]["n_objects"] == 5


def test_only_others_are_compared_with():
    votes = votes_for(SAID)
    differences = compared({"a": votes, "b": votes, "x": votes, "y": votes}, others=("x", "y"))["differences"]
    assert [(each["model"], each["other"]) for each in differences] == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]


def test_nothing_in_common_is_an_error():
    some, rest = [*SAID[:4], *[None] * 5], [*[None] * 4, *SAID[4:]]
    with pytest.raises(ValueError, match="no labelled object is predicted by every one of ours, theirs"):
        compared({"ours": votes_for(some), "theirs": votes_for(rest)})
