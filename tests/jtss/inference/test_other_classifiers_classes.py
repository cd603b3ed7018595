"""Classes from tables as ALeRCE's client gives them."""

import csv

import numpy as np
import pytest

from jtss.inference import other_classifiers
from jtss.inference.other_classifiers import PredictionsError

HEAD = ("oid", "classifier_name", "classifier_version", "class_name", "probability", "ranking")


def write_table(path, rows, head=HEAD):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def rows_of(oid, chances, classifier="lc_classifier"):
    return [(oid, classifier, "1.0", name, p, i + 1) for i, (name, p) in enumerate(chances.items())]


IDS = np.array(["A", "B", "C"], object)


def test_subclasses_add_up_and_who_is_not_there_has_no_answer(tmp_path):
    rows = rows_of("A", {"RRL": 0.4, "QSO": 0.3, "Blazar": 0.2, "SNIa": 0.1}) + rows_of("B", {"SNII": 0.6, "E": 0.4})
    path = write_table(tmp_path / "lc.csv", rows + rows_of("elsewhere", {"E": 1}))
    assert other_classifiers.predicted(path, "x", IDS).tolist() == [0, 1, other_classifiers.NO_ANSWER]


def test_of_several_classifiers_the_one_named_counts(tmp_path):
    rows = rows_of("A", {"AGN": 1.0}, "stamp_classifier") + rows_of("A", {"LPV": 1.0})
    path = write_table(tmp_path / "both.csv", rows)
    assert other_classifiers.predicted(path, "stamp_classifier", IDS)[0] == 0
    assert other_classifiers.predicted(path, "lc_classifier", IDS)[0] == 2
    with pytest.raises(PredictionsError, match="has the classifiers stamp_classifier, lc_classifier; name the one"):
        other_classifiers.predicted(path, "theirs", IDS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "0 rows; expected oid,class_name,probability"),
        (rows_of("A", {"Quasar": 1}), "line 2: class 'Quasar', expected one of AGN"),
        (rows_of("A", {"AGN": 1.5}), "line 2: probability '1.5', expected 0 to 1"),
        (rows_of("A", {"AGN": ""}), "line 2: probability '', expected"),
        (rows_of("A", {"AGN": 0.5}) * 2, "line 3: class AGN of A is there twice"),
    ],
)
def test_what_is_no_such_table_is_named(tmp_path, rows, message):
    with pytest.raises(PredictionsError, match=message):
        other_classifiers.predicted(write_table(tmp_path / "t.csv", rows), "x", IDS)


def test_columns_that_are_missing_are_named(tmp_path):
    path = write_table(tmp_path / "t.csv", [("A", 1)], ("oid", "AGN"))
    with pytest.raises(PredictionsError, match="columns oid,AGN, 1 rows; expected oid,class_name,probability"):
        other_classifiers.predicted(path, "x", IDS)
