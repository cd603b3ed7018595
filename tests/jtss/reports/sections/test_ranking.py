"""The section on ranking: curves that are undefined, and long ones."""

import numpy as np
import pytest

from jtss.reports import figures
from jtss.reports.sections.ranking import POINTS, scores

CLASSES = ("AGN", "SN", "VS")


def test_undefined_curves_are_empty_and_long_ones_thinned():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 2000)  # no VS
    p = rng.dirichlet(np.ones(3), 2000) + 0.5 * np.eye(3)[labels]
    classes = scores(p, labels, CLASSES, np.array([0.3, 0.02, 0.68]))
    assert np.isnan(classes["VS"]["auc"])
    assert classes["VS"]["roc"] == {"false_positive_rate": [], "true_positive_rate": []}
    assert np.isnan(classes["SN"]["average_precision_on_the_sky"])  # VS has a prior, and no objects
    roc = classes["SN"]["roc"]
    assert (roc["false_positive_rate"][0], roc["true_positive_rate"][-1]) == (0, 1)
    assert len(roc["true_positive_rate"]) <= POINTS + 1
    area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
    assert area == pytest.approx(classes["SN"]["auc"], abs=0.01)
    assert figures.roc_figure(classes).startswith(b"\x89PNG")
    assert figures.precision_recall_figure({"VS": classes["VS"]}).startswith(b"\x89PNG")
