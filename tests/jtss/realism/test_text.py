"""The texts and the CSV say what the document says; what is undefined shows as a dash or is empty."""

import csv
import io

import numpy as np

from jtss.realism import text, transfer
from jtss.realism.transfer import Votes
from jtss.schema import CLASS_NAMES

LABEL = np.array([0, 0, 1, 1, 2, 3])


def document():
    """Two models on six objects, of which one of them has no prediction for the last."""
    right = np.eye(5)[LABEL]
    some = right.copy()
    some[-1] = np.nan
    votes = {"ours": Votes(CLASS_NAMES, right), "theirs": Votes(CLASS_NAMES, some)}
    first = transfer.comparison(
        LABEL, np.full(6, 2459000.5), np.full(6, 18.5), np.full(6, 7), np.full(6, 3), votes, ("theirs",)
    )
    wrong = Votes(CLASS_NAMES, np.eye(5)[[4] * 6])
    versions = transfer.versions(LABEL, {"as_is": votes, "hidden": {"ours": wrong}}, np.arange(6) < 5)
    history = {"n_detections": 2, "n_objects": 6, "scores": transfer.scores(LABEL, votes["ours"])}
    none = {"n_detections": 5, "n_objects": 0, "scores": None}
    measured = {"first_detection": first, "versions": versions, "sequences": {}}
    seen_again = transfer.scores(LABEL, votes["ours"], groups=transfer.SEEN_AGAIN)
    read = [{"n_detections": 3, "stamps": "without stamps", "scores": seen_again}]
    measured |= {"histories": {"two": history, "five": none}, "detections_read": {"ours": read}}
    return {"real": {"path": "real.h5", "objects": {"AGN": 2}}, "transfer": measured}


def two_sample_document():
    score = {"value": 0.75, "interval": [0.5, 1.0]}
    separation = {"auc": score, "balanced_accuracy": score}
    value = {"importance": 0.1, "alone": 0.6, "median_real": 1.0, "median_simulated": np.nan}
    value |= {"missing_real": 0.25, "missing_simulated": 0.0}
    of_class = {
        "n_each": 12,
        "images": {"all channels": separation},
        "metadata": separation | {"other_nights": separation, "values": {"rb": value}},
        "sequences": separation | {"n_each": 11, "other_nights": separation, "values": {"span": value}},
    }
    classes = {"SN": of_class, "AGN": of_class | {"sequences": None}}
    test = {"folds": 5, "core_radius_pix": 5.0, "side_pix": 31, "classes": classes}
    return {"real": {"path": "a.h5"}, "simulated": {"path": "b.h5"}, "two_sample": test}


def test_transfer_in_words():
    words = text.transfer(document())
    assert "6 labelled objects (2 AGN)" in words
    assert "all models have a prediction for 5, which are scored." in words
    assert "Each model on all objects that it has a prediction for:" in words  # one more for ours
    assert "ours − theirs" in words
    assert "nan" not in words


def test_versions_and_histories_in_words():
    words = text.transfer(document())
    assert "the same 5 objects say of the past" in words
    lines = {tuple(cell for cell in line.split("  ") if cell)[:3] for line in map(str.strip, words.splitlines())}
    cells = {tuple(cell.strip() for cell in line) for line in lines}
    assert ("ours", "as they came", "100.0 %") in cells
    assert ("ours", "counters hidden", "0.0 %") in cells
    assert ("theirs", "as they came", "100.0 %") in cells
    assert ("two", "2", "6") in cells
    assert ("3", "without stamps", "6") in cells
    assert "five reads 5 detections, which no packet tells." in words
    assert words.count("counters hidden") == 1  # a table says nothing of it


def test_sequences_one_by_one_and_none():
    objects = [{"object_id": "ZTF1", "label": "SN", "predicted": "VS", "probabilities": {"SN": 0.25, "VS": 0.75}}]
    sequences = {"three": {"n_detections": 3, "objects": objects}, "five": {"n_detections": 5, "objects": []}}
    words = text.transfer(
        {
            "transfer": {
                "first_detection": None,
                "versions": None,
                "detections_read": {},
                "histories": {},
                "sequences": sequences,
            }
        }
    )
    assert "ZTF1       SN         VS  0.250  0.750" in words
    assert words.endswith("five reads 5 detections; labelled objects that have them: 0")


def test_two_sample_in_words():
    words = text.two_sample(two_sample_document())
    assert "Real or simulated? a.h5 against b.h5" in words
    rows = [line.split("  ") for line in words.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["stamps, all channels", *2 * ["0.75 (0.50–1.00)"]] in cells
    assert ["metadata, of other nights", *2 * ["0.75 (0.50–1.00)"]] in cells
    assert ["sequences", "0.75 (0.50–1.00)", "–"] in cells  # too few packets of the other class tell of the past
    assert ["span", "+0.100", "0.60", "1", "–", "25.0 %", "0.0 %"] in cells
    assert ["rb", "+0.100", "0.60", "1", "–", "25.0 %", "0.0 %"] in cells


def test_a_row_for_every_number_and_nothing_for_what_is_undefined():
    rows = list(csv.DictReader(io.StringIO(text.table(document() | two_sample_document()))))
    kinds = {(row["measure"], row["subject"], row["part"], row["class"]): row for row in rows}
    assert len(kinds) == len(rows)
    assert kinds["recall", "ours", "answered", "asteroid"]["value"] == "1.0"
    undefined = kinds["balanced accuracy", "theirs", "common", "AGN, SN, VS, asteroid"]  # no asteroid is in common
    assert (undefined["value"], undefined["lower"], undefined["n_objects"]) == ("", "", "5")
    assert ("recall", "ours", "common", "bogus") not in kinds
    assert kinds["recall", "ours", "version hidden", "SN"]["value"] == "0.0"
    assert kinds["recall", "two", "history of 2", "SN"]["value"] == "1.0"
    assert kinds["real or simulated: auc", "metadata", "", "SN"]["upper"] == "1.0"
    assert kinds["real or simulated: median_simulated", "rb", "", "SN"]["value"] == ""
    assert kinds["real or simulated: auc", "sequences", "", "SN"]["n_objects"] == "11"
    assert kinds["real or simulated: alone", "span", "", "SN"]["n_objects"] == "11"
    assert ("real or simulated: auc", "sequences", "", "AGN") not in kinds
    assert list(csv.reader(io.StringIO(text.table({})))) == [list(text.COLUMNS)]


def test_a_difference_without_interval_is_a_difference_still():
    assert text._points({"value": 0.0, "interval": [np.nan, np.nan]}) == "+0.0 points"
    assert text._points({"value": 0.025, "interval": [-0.01, 0.06]}) == "+2.5 (-1.0 to +6.0) points"
    assert text._points({"value": np.nan, "interval": [np.nan, np.nan]}) == "–"


def test_columns_are_even():
    assert text.aligned([["", "one"], ["longer", "2"]]) == "        one\nlonger    2"
