"""The section on slices: planted errors show where they were planted, and nowhere else."""

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, labelled
from jtss.reports import evaluation
from jtss.reports.sections.slices import scores


def test_planted_errors_show_in_their_slice_and_nowhere_else():
    """The classifier is wrong on whatever is fainter than 20 mag."""
    magnitude = np.where(np.arange(60) < 12, 20.5, 18.5)
    objects = labelled(60, 1, magpsf=magnitude)
    wrong = {f"ZTF{i}": ((i + 1) % 3, 0.9) for i in range(12)}
    evaluated = evaluation.evaluate(FakeClassifier(1, wrong), [objects], CLASSES, 1, "test")
    cut = next(cut for cut in scores(evaluated, 1) if cut["name"] == "magnitude")
    faint, bright = (
        next(row for row in cut["slices"] if row["name"] == name) for name in ("20 mag or more", "18 to 19 mag")
    )
    assert (faint["objects"], faint["correct"], faint["accuracy"], faint["few"]) == (12, 0, 0, True)
    assert (bright["objects"], bright["correct"], bright["accuracy"], bright["few"]) == (48, 48, 1, False)
    assert faint["wilson_interval"][1] == pytest.approx(0.2425, abs=1e-4)  # Wilson, 0 of 12
    assert faint["classes"]["SN"] == {"objects": 4, "correct": 0}
    assert len(cut["slices"]) == 2  # none without objects
