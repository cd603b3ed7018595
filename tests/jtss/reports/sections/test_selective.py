"""The section on selective classification: thresholds hold on objects other than those that chose them."""

import numpy as np
import pytest

from helpers.made_predictions import classified
from jtss.reports.evaluation import Predictions
from jtss.reports.sections import selective

CLASSES = ("AGN", "SN", "VS")


def test_thresholds_of_the_validation_split_keep_their_purity_elsewhere():
    purity = 0.97
    document = selective.scores(classified(seed=1), classified(seed=2), CLASSES, None, purity)
    assert document["thresholds_chosen_on"] == selective.VALIDATION
    for of in document["classes"].values():
        assert of["purity"]["value"] == pytest.approx(purity, abs=0.012)
        assert of["purity"]["interval"][0] <= of["purity"]["value"] <= of["purity"]["interval"][1]
        assert 0.5 < of["completeness"]["value"] < 1


def test_a_rare_class_needs_a_higher_threshold():
    evaluated, chosen = classified(seed=1, noise=1.5), classified(seed=2, noise=1.5)
    here = selective.scores(evaluated, chosen, CLASSES, None)["classes"]["SN"]
    there = selective.scores(evaluated, chosen, CLASSES, np.array([0.3, 0.02, 0.68]))["classes"]["SN"]
    assert there["threshold"] > here["threshold"]
    assert there["completeness"]["value"] < here["completeness"]["value"]


def test_without_validation_it_says_so_and_what_cannot_be_is_undefined():
    document = selective.scores(Predictions(np.zeros(50, int), classified(50).probabilities), None, CLASSES, None)
    assert document["thresholds_chosen_on"] == selective.THEMSELVES
    assert document["classes"]["SN"]["kept"] == 0
    assert np.isnan(document["classes"]["SN"]["threshold"])
    assert np.isnan(document["classes"]["SN"]["purity"]["value"])
    assert np.isnan(document["classes"]["SN"]["completeness"]["value"])
    page = selective.section(document)
    assert "not reached" in page
    assert "which is optimistic" in page
    assert "nan" not in page.split("base64")[-1].lower().split("</figure>")[-1]


def test_a_purity_that_is_none():
    for purity in (0, -1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="--purity"):
            selective.check_purity(purity)
