"""The section on bogus screening counts true classes, and rejected objects as errors."""

from types import SimpleNamespace

import numpy as np
import pytest

from jtss.inference.screening import Screened, Verdict
from jtss.reports.sections import screening
from jtss.schema import CLASS_NAMES

# true class; whether the classifier would have answered, screening was able, the first and the second looked bogus
OBJECTS = [
    ("AGN", 1, 1, 1, 1),
    ("AGN", 1, 1, 1, 0),
    ("AGN", 1, 1, 0, 0),
    ("SN", 1, 1, 0, 1),
    ("VS", 0, 1, 1, 1),
    ("bogus", 0, 1, 1, 1),
    ("bogus", 0, 1, 1, 0),
    ("bogus", 0, 0, 0, 0),
]


@pytest.fixture
def scores():
    """Of the three that are left one is misclassified."""
    label = np.array([CLASS_NAMES.index(name) for name, *_ in OBJECTS])
    answered, able, first, second = np.array([flags for _, *flags in OBJECTS], bool).T
    screened = Screened(label, answered, Verdict(able, np.stack([first, second], axis=1)))
    evaluation = SimpleNamespace(label=np.array([0, 0, 1]), predicted=np.array([0, 1, 1]))
    return screening.scores(evaluation, screened, {"name": "n1", "run": "runs/n1"})


def test_a_rejected_object_is_an_error_in_the_second_accuracy(scores):
    assert scores["accuracy_with_rejected"]["value"] == 2 / 4  # and the variable star would not have been classified
    assert scores["accuracy_with_rejected"]["n_objects"] == 4
    assert scores["classes"]["bogus"]["screened"] == 2
    assert scores["classes"]["bogus"]["first_called_bogus"]["value"] == 1
    assert scores["classes"]["bogus"]["second_called_bogus"]["value"] == 0.5
    assert scores["classes"]["AGN"]["rejected"]["count"] == 1


def test_text_and_section_have_every_number(scores):
    lines = screening.text(scores).splitlines()
    assert "runs/n1" in lines[0]
    assert lines[-2].split() == ["bogus", "3", "2", "2", "(100.0", "%)", "1", "(50.0", "%)", "1", "(50.0", "%)"]
    assert lines[-1].startswith("50.0 % accuracy with rejected objects counted as errors")
    page = screening.section(scores)
    assert "50.0 % accuracy with rejected objects counted as errors" in page
    assert "1 (50.0 %)" in page
