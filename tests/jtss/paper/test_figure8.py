"""Other classifiers on the test objects, from tables as ALeRCE's client gives them."""

import csv
import io

import pytest

from data_prep.ledger import Ledger
from helpers.made_experiments import write_result
from helpers.made_predictions import classifier_rows, write_table
from helpers.made_sequences import sequences, with_histories
from jtss import dataset
from jtss.dataset import Writer
from jtss.inference.other_classifiers import PredictionsError
from jtss.paper import figure8, grids, layout
from jtss.paper.experiments import EXPERIMENTS, TRAININGS
from jtss.paper.grids import choose

COUNTS = [5, 5, 5, 2, 2, 1, 5]


LABEL = [0, 1, 2, 0, 1, 2, 3]


SPLIT = 7 * [2]


@pytest.fixture
def made(tmp_path):
    sky = sequences(COUNTS, label=LABEL, split=SPLIT)
    with Writer(tmp_path / "sky.h5", survey="made", command="a test") as writer:
        writer.append(with_histories(sky))
        writer.finish(split=sky.split, ledger=Ledger().as_dict())
    return sky


def compare(folder):
    return figure8.compare(folder / "sky.h5", [("lc", folder / "lc.csv")], folder, [], pytest.fail)


def test_a_classifier_stands_beside_the_complete_network_on_the_same_objects(made, tmp_path):
    said = ["VS", "SN", "VS", "AGN"]  # of the five objects with two detections, the first wrongly, the last not at all
    rows = [row for oid, name in zip(made.object_id, said, strict=False) for row in classifier_rows(oid, {name: 1.0})]
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
    write_table(tmp_path / "lc.csv", classifier_rows("ZTF_elsewhere", {"E": 1.0}))
    with pytest.raises(PredictionsError, match=r"lc\.csv: has none of the 5 test objects, such as"):
        compare(tmp_path)
