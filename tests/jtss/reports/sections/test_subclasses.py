"""The section on subclasses: those of a class alone, the known ones alone, against counts by hand."""

import numpy as np
import pytest

from jtss.reports.following import Followed
from jtss.reports.sections import subclasses
from jtss.schema import SUBCLASSES

CODE = {name: i for i, name in enumerate(SUBCLASSES)} | {"": -1}
TRUE = ["SN Ia"] * 6 + ["other SN"] * 2 + ["quasar", "Seyfert", "", ""]
FIRST = ["SN Ia"] * 4 + ["other SN"] * 2 + ["other SN", "SN Ia", "quasar", "quasar", "SN Ia", "RR Lyrae"]
LATEST = ["SN Ia"] * 8 + ["quasar", "Seyfert", "SN Ia", "RR Lyrae"]


def followed(true=TRUE, first=FIRST, latest=LATEST):
    codes = [np.array([CODE[name] for name in names]) for names in (true, first, latest)]
    return Followed(*[np.zeros(0)] * 5, *codes)


def test_scores_by_hand():
    scored = subclasses.scores(followed())
    assert list(scored) == ["SN", "AGN"]  # of no star the subclass is known
    of = scored["SN"]
    assert (of["objects"], of["most_common"], of["most_common_share"]) == (8, "SN Ia", 0.75)
    assert of["first_alert"]["confusion_matrix"] == [[4, 2], [1, 1]]
    assert (of["first_alert"]["accuracy"], of["first_alert"]["balanced_accuracy"]) == (5 / 8, pytest.approx(7 / 12))
    assert of["latest_alert"]["confusion_matrix"] == [[6, 0], [2, 0]]
    assert (of["latest_alert"]["accuracy"], of["latest_alert"]["balanced_accuracy"]) == (0.75, 0.5)
    assert scored["AGN"]["subclasses"] == ["quasar", "Seyfert", "blazar"]
    assert scored["AGN"]["latest_alert"]["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert scored["AGN"]["latest_alert"]["balanced_accuracy"] == 1  # of those there


def test_always_the_same_answer_is_no_better_than_the_most_common_one():
    """What the share beside is for: the latest answers on SN look right in three of four and know nothing."""
    of = subclasses.scores(followed())["SN"]
    assert of["latest_alert"]["accuracy"] == of["most_common_share"]


def test_none_known():
    assert subclasses.scores(followed([""] * 3, FIRST[:3], LATEST[:3])) is None


def test_the_page_and_the_terminal():
    scored = subclasses.scores(followed())
    html = subclasses.section(scored)
    for words in ("62.5 %", "58.3 %", "8 objects", "true SN", "→ blazar"):
        assert words in html
    assert "<td>blazar</td>" not in html  # no object is one
    text = subclasses.text(scored)
    assert "SN 75.0 % (most common 75.0 %); AGN 100.0 % (most common 50.0 %)" in text
