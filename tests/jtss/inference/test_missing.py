"""What a model would read and does not find is said; nothing is answered from nothing."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.made_sequences import FakeClassifier, sequences, with_histories
from jtss import schema
from jtss.config import named
from jtss.inference import classify, table
from jtss.inference.missing import NO_PIXELS, missing

ONE = named.get("n1_enhanced")  # science, template, difference; a crop of 33; 23 values
TWO = named.get("n2_metadata")
BOTH = replace(named.get("n3_lstm"), n_detections=2)  # science, template


def _look(config, made):
    """What is missing, whatever is told beside the alerts."""
    return missing(config, with_histories(made))


def without(made, rows, channels=(0, 1, 2), half=16):
    """NaN in the middle of these stamps."""
    stamps, middle = made.stamps.copy(), schema.STAMP_SIDE // 2
    hole = slice(middle - half, middle + half + 1)
    for row in rows:
        stamps[row, hole, hole, list(channels)] = np.nan
    return replace(made, stamps=stamps)


def test_nothing_is_said_of_whole_objects():
    for config in (ONE, TWO, BOTH):
        found = _look(config, sequences((1, 2, 3)))
        assert not found.blank.any()
        assert found.notes == ["", "", ""]


def test_a_crop_without_a_pixel_is_blank_and_one_with_a_pixel_is_not():
    made = sequences((1, 1))
    assert _look(ONE, without(made, [1])).blank.tolist() == [False, True]
    assert not _look(ONE, without(made, [1], half=15)).blank.any()


def test_a_masked_source_is_noted_where_there_is_sky_around_it():
    names = "science, template, difference"
    assert _look(ONE, without(sequences((1,)), [0], half=2)).notes == [f"no_pixels_at_source: {names}"]
    assert _look(ONE, without(sequences((1,)), [0], half=1)).notes == [""]


def test_images_that_are_not_read_do_not_count():
    made = without(sequences((2,)), [0, 1])
    assert not _look(TWO, made).blank.any()  # reads no images
    assert _look(BOTH, without(sequences((2,)), [0, 1], channels=(0, 1))).blank.all()  # never asks for a difference
    assert _look(BOTH, without(sequences((2,)), [0, 1], channels=(2,))).notes == [""]


def test_a_note_names_the_empty_images():
    assert _look(ONE, without(sequences((1,)), [0], channels=(1, 2))).notes == [
        "no_pixels_in_crop: template, difference"
    ]
    assert _look(BOTH, without(sequences((2,)), [1], channels=(0,))).notes == [
        "no_pixels_in_crop: science of detection 2"
    ]


@pytest.mark.parametrize(
    ("n_missing", "note"), [(5, ""), (6, "metadata_missing 6 of 23"), (20, "metadata_missing 20 of 23")]
)
def test_a_note_counts_the_values_where_more_than_a_quarter_is__look(n_missing, note):
    made = sequences((1, 1))
    made.metadata[1, :n_missing] = np.nan
    assert _look(ONE, made).notes == ["", note]


def test_a_value_that_one_detection_lacks_is__look():
    made = sequences((2,))
    made.metadata[0, : len(schema.DYNAMIC_METADATA)] = np.nan
    assert _look(TWO, made).notes == ["metadata_missing 9 of 23"]


def test_too_few_detections_are_another_reason():
    made = without(sequences((1,)), [0])
    made.metadata[:] = np.nan
    found = _look(BOTH, made)
    assert (found.blank.tolist(), found.notes) == ([False], [""])


def test_a_blank_object_has_a_row_without_class_and_others_keep_theirs():
    made, rows = without(sequences((2, 2, 1)), [0, 1]), []
    made.metadata[2:4] = np.nan
    classifier = table.Classifier("n2_test", "0.1.0", BOTH.classes, 2, BOTH)
    tally = classify.classify(
        FakeClassifier(2), [made], classifier, rows.extend, notes={"ZTF1": "padded_edge"}, rejected={}
    )
    by_object = {row.oid: (row.class_name, row.note) for row in rows}
    assert by_object == {
        "ZTF0": (None, "no_usable_pixels"),
        "ZTF1": ("VS", "padded_edge; metadata_missing 23 of 23"),
        "ZTF2": (None, "too_few_detections: 1, needs 2"),
    }
    assert dict(tally.unclassified) == {"no_usable_pixels": 1, "too_few_detections": 1}


def test_a_model_of_packets_answers_without_stamps_and_says_so():
    found = _look(named.get("any_gru"), without(sequences((2, 2)), (2,)))
    assert not found.blank.any()
    assert found.notes == ["", NO_PIXELS]
