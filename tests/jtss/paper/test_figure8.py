"""Other classifiers on the test objects, from tables as ALeRCE's client gives them."""

import csv
import io

import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_experiments import write_result
from helpers.made_sequences import sequences
from jtss import dataset
from jtss.dataset import Writer
from jtss.inference import other_classifiers
from jtss.inference.other_classifiers import PredictionsError
from jtss.paper import figure8, grids, layout
from jtss.paper.experiments import EXPERIMENTS, TRAININGS
from jtss.paper.grids import choose

HEAD = ("oid", "classifier_name", "classifier_version", "class_name", "probability", "ranking")
COUNTS = [5, 5, 5, 2, 2, 1, 5]
LABEL = [0, 1, 2, 0, 1, 2, 3]
SPLIT = 7 * [2]


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


@pytest.fixture
def made(tmp_path):
    sky = sequences(COUNTS, label=LABEL, split=SPLIT)
    with Writer(tmp_path / "sky.h5", survey="made", command="a test") as writer:
        writer.append(sky)
        writer.finish(split=sky.split, ledger=Ledger().as_dict())
    return sky


def compare(folder):
    return figure8.compare(folder / "sky.h5", [("lc", folder / "lc.csv")], folder, [], pytest.fail)


def test_a_classifier_stands_beside_the_complete_network_on_the_same_objects(made, tmp_path):
    said = ["VS", "SN", "VS", "AGN"]  # of the five objects with two detections, the first wrongly, the last not at all
    rows = [row for oid, name in zip(made.object_id, said, strict=False) for row in rows_of(oid, {name: 1.0})]
    write_table(tmp_path / "lc.csv", rows)
    data_hash = str(dataset.attributes(tmp_path / "sky.h5")["content_hash"])
    setups = grids.complete_models(choose("table8", EXPERIMENTS["table8"].extent))
    (trial, *_) = grids.trials(setups[0], data_hash)
    write_result(tmp_path / TRAININGS, trial, truth="01201", predicted="01201", accuracy=1.0)
    document = compare(tmp_path)
    two, three, *_ = csv.DictReader(io.StringIO(layout.as_csv(document.tables[0])))
    assert [two[key] for key in ("objects", "answered", "accuracy on these [%]")] == ["5", "4", "75.00"]
    assert two["its accuracy on the same [%]"] == "100.00"
    assert float(two["its gain [points]"]) == 25
    assert float(two["p (McNemar, seed 0)"]) == 1
    assert (three["objects"], three["answered"], three["its accuracy on the same [%]"]) == ("3", "3", "missing")
    text = layout.text(document)
    assert "AGN         1.0 (50.0 %)  0.0 (0.0 %)" in text
    assert "no numbers of it to set beside" in text


def test_a_table_of_other_objects_is_refused(made, tmp_path):
    write_table(tmp_path / "lc.csv", rows_of("ZTF_elsewhere", {"E": 1.0}))
    with pytest.raises(PredictionsError, match=r"lc\.csv: has none of the 5 test objects, such as"):
        compare(tmp_path)
