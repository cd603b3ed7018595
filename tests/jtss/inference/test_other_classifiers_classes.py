"""Classes from tables as ALeRCE's client gives them."""

import numpy as np
import pytest

from helpers.made_predictions import classifier_rows, write_table
from jtss.inference import other_classifiers
from jtss.inference.other_classifiers import PredictionsError

IDS = np.array(["A", "B", "C"], object)


def test_subclasses_add_up_and_who_is_not_there_has_no_answer(tmp_path):
    rows = classifier_rows("A", {"RRL": 0.4, "QSO": 0.3, "Blazar": 0.2, "SNIa": 0.1}) + classifier_rows(
        "B", {"SNII": 0.6, "E": 0.4}
    )
    path = write_table(tmp_path / "lc.csv", rows + classifier_rows("elsewhere", {"E": 1}))
    assert other_classifiers.predicted(path, "x", IDS).tolist() == [0, 1, other_classifiers.NO_ANSWER]


def test_of_several_classifiers_the_one_named_counts(tmp_path):
    rows = classifier_rows("A", {"AGN": 1.0}, "stamp_classifier") + classifier_rows("A", {"LPV": 1.0})
    path = write_table(tmp_path / "both.csv", rows)
    assert other_classifiers.predicted(path, "stamp_classifier", IDS)[0] == 0
    assert other_classifiers.predicted(path, "lc_classifier", IDS)[0] == 2
    with pytest.raises(PredictionsError, match="has the classifiers stamp_classifier, lc_classifier; name the one"):
        other_classifiers.predicted(path, "theirs", IDS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (classifier_rows("A", {"Quasar": 1}), "line 2: class 'Quasar', expected one of AGN"),
        (classifier_rows("A", {"AGN": 1.5}), "line 2: probability '1.5', expected 0 to 1"),
        (classifier_rows("A", {"AGN": ""}), "line 2: probability '', expected"),
        (classifier_rows("A", {"AGN": 0.5}) * 2, "line 3: class AGN of A is there twice"),
    ],
)
def test_what_is_no_such_table_is_named(tmp_path, rows, message):
    with pytest.raises(PredictionsError, match=message):
        other_classifiers.predicted(write_table(tmp_path / "t.csv", rows), "x", IDS)


def test_columns_that_are_missing_are_named(tmp_path):
    path = write_table(tmp_path / "t.csv", [("A", 1)], ("oid", "AGN"))
    with pytest.raises(PredictionsError, match=r"columns oid,AGN; expected oid or .*, or class_name,probability"):
        other_classifiers.predicted(path, "x", IDS)
