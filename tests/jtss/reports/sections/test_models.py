"""Several models are compared on exactly the same objects, whatever the order and the number of those they can read."""

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, sequences
from jtss.reports import evaluation
from jtss.reports.sections import models
from jtss.reports.sections.models import Contender

COUNTS = [1, 2, 3, 3, 2, 3, 1, 3, 3, 3]
LABEL = [i % 3 for i in range(10)]


def contender(n, wrong=(), backwards=False):
    made = sequences(COUNTS, label=LABEL, split=[2] * 10)
    given = {f"ZTF{i}": ((LABEL[i] + 1) % 3, 0.9) for i in wrong}
    evaluated = evaluation.evaluate(FakeClassifier(n, given), [made], CLASSES, n, "test")
    if backwards:
        turned = (evaluated.object_id[::-1], evaluated.label[::-1], evaluated.probabilities[::-1])
        known = type(evaluated.properties)(*(values[::-1] for values in evaluated.properties))
        evaluated = evaluated._replace(
            **dict(zip(("object_id", "label", "probabilities"), turned, strict=True)), properties=known
        )
    return Contender(f"n{n}", n, evaluated)


def test_accuracy_is_that_of_the_common_objects():
    """Six objects have three detections: 2, 3, 5, 7, 8, 9. The first model errs on 0 and 1, too, which do not count."""
    for backwards in (False, True):
        comparison = models.scores([contender(1, wrong=(0, 1, 2, 3)), contender(3, wrong=(9,), backwards=backwards)])
        one, three = comparison["models"]
        assert comparison["common_objects"] == 6
        assert (one["own"]["correct"], one["own"]["objects"]) == (6, 10)
        assert (one["common"]["correct"], one["common"]["objects"]) == (4, 6)
        assert (three["own"], three["common"]["correct"]) == (three["common"], 5)
        assert one["recall"]["AGN"] == three["recall"]["AGN"] | {
            "correct": 1,
            "accuracy": 0.5,
            "wilson_interval": one["recall"]["AGN"]["wilson_interval"],
        }
        assert (one["median_days"], three["median_days"]) == (0, 2)
        assert {name: of["objects"] for name, of in three["days"].items()} == {"1 to 3 days": 6}


def test_differences_are_paired_and_against_the_model_before():
    """Of 2, 3, 5, 7, 8, 9 the first errs on 2 and 3, the second on 9, the third on none."""
    comparison = models.scores(
        [contender(1, wrong=(0, 1, 2, 3)), contender(2, wrong=(9,), backwards=True), contender(3)]
    )
    one, two = comparison["differences"]
    assert (one["run"], one["than"], two["run"], two["than"]) == ("n2", "n1", "n3", "n2")
    assert (one["only_run"], one["only_than"], one["p_mcnemar"], one["p_holm"]) == (2, 1, 1, 1)
    assert (two["only_run"], two["only_than"], two["p_mcnemar"], two["p_holm"]) == (1, 0, 1, 1)
    assert one["difference"] == two["difference"] == pytest.approx(1 / 6)
    assert one["interval"][0] < 0 < one["difference"] < one["interval"][1]
    assert two["interval"][0] == 0  # nothing that only the other gets right


def test_many_differences_are_corrected_for_how_many_they_are():
    """The first errs on all six, the others on none: p is 2 / 2⁶ and, of two comparisons, twice that."""
    comparison = models.scores([contender(1, wrong=range(10)), contender(2), contender(3)])
    assert [of["p_mcnemar"] for of in comparison["differences"]] == [pytest.approx(2 / 64), 1]
    assert [of["p_holm"] for of in comparison["differences"]] == [pytest.approx(4 / 64), 1]


def test_models_that_share_no_object_and_an_object_that_is_there_twice():
    some = contender(1)
    evaluated = some.evaluation
    other = some._replace(evaluation=evaluated._replace(object_id=np.array([f"SIM{i}" for i in range(10)], object)))
    with pytest.raises(ValueError, match="no object can be read by all of the models"):
        models.scores([some, other])
    twice = evaluated._replace(object_id=np.array(["ZTF1"] * 2 + [f"ZTF{i}" for i in range(2, 10)], object))
    with pytest.raises(ValueError, match="object ZTF1 occurs twice"):
        models.scores([some, some._replace(evaluation=twice)])


def test_the_page_leaves_out_classes_without_objects_and_shows_every_model():
    comparison = models.scores([contender(1, wrong=(2,)), contender(2), contender(3)])
    for of in comparison["models"]:
        of["classes"].append("bogus")
        of["recall"]["bogus"] = {"objects": 0, "correct": 0, "accuracy": np.nan, "wilson_interval": [np.nan] * 2}
    page = models.section(comparison)
    assert "bogus" not in page
    for words in ("6 objects that all", "1 detection<", "3 detections<", "5 of 6"):
        assert words in page
    assert "n1  n = 1  83.3 %" in models.text(comparison)
    assert "n2 against n1: +16.7 points (+0.0 to +50.0), p = 1 (corrected)" in models.text(comparison)
    comparison["differences"][0]["p_holm"] = 1e-5
    assert "p < 0.001 (corrected)" in models.text(comparison)
    assert "+16.7 points (+0.0 to +50.0)" in page
    assert "1 / 0" in page
