"""The section on class priors: which priors, and what is reweighted."""

import numpy as np
import pytest

from jtss.metrics.priors import ClassPriors
from jtss.reports.sections import priors

PROPORTIONS = np.array([0.3, 0.02, 0.68])


def test_a_model_that_is_not_balanced_is_not_reweighted():
    p = np.eye(3)[[0, 0, 1, 2]] * 0.7 + 0.1
    labels = np.array([0, 1, 1, 2])
    document = priors.scores(p, labels, ("AGN", "SN", "VS"), ClassPriors(PROPORTIONS, "made", balanced=False))
    assert document["reweighted"] is None
    numbers = document["as_classified"]["classes"]
    assert numbers["SN"]["purity"]["value"] == 1
    assert numbers["SN"]["completeness"]["value"] == 0.5
    assert numbers["AGN"]["called"] == pytest.approx(0.3 + 0.02 / 2)
    assert "AGN 96.8 % pure" in priors.text(document)
