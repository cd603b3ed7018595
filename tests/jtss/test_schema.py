"""Parts of sequences keep every value with its detection and its object, and what breaks the contract is named."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.made_sequences import sequences
from jtss import schema

PER_DETECTION = ("stamps", "metadata", "jd", "candid", "fid")
PER_OBJECT = ("object_id", "allwise", "label", "split")


def whole():
    return sequences((3, 3, 2, 3, 3, 5, 3, 3), label=(0, 1, 2, 2, 3, 2, -1, 0), split=(2, 2, 2, 1, 2, 2, -1, 0))


def test_take_keeps_detections_with_their_objects():
    made, objects = whole(), np.array([5, 0, 2])
    part = schema.take(made, objects)
    schema.check(part)
    for new, old in enumerate(objects):
        rows_new = slice(*part.object_start[new : new + 2])
        rows_old = slice(*made.object_start[old : old + 2])
        for name in PER_DETECTION:
            np.testing.assert_array_equal(getattr(part, name)[rows_new], getattr(made, name)[rows_old])
        for name in PER_OBJECT:
            np.testing.assert_array_equal(getattr(part, name)[new], getattr(made, name)[old])


def test_a_detection_alone_keeps_its_values_and_those_of_its_object():
    made, objects = whole(), np.array([5, 2, 7])
    part = schema.detection(made, objects, 1)
    schema.check(part)
    np.testing.assert_array_equal(part.n_detections, 1)
    for new, old in enumerate(objects):
        for name in PER_DETECTION:
            expected = getattr(made, name)[made.object_start[old] + 1]
            np.testing.assert_array_equal(getattr(part, name)[new], expected)
        for name in PER_OBJECT:
            np.testing.assert_array_equal(getattr(part, name)[new], getattr(made, name)[old])


def test_a_detection_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="object ZTF2 has 2 detections, asked for number 3"):
        schema.detection(whole(), np.array([5, 2]), 2)


def test_nothing():
    for part in (schema.take(whole(), np.empty(0, np.int64)), schema.detection(whole(), np.empty(0, int), 4)):
        assert part.n_objects == 0
        assert len(part.jd) == 0


def test_parts_joined_are_the_whole_again():
    made = whole()
    joined = schema.join([schema.take(made, np.arange(3)), schema.take(made, np.arange(3, 8))])
    schema.check(joined)
    for name in schema.COLUMNS:
        np.testing.assert_array_equal(getattr(joined, name), getattr(made, name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jd": np.zeros(3)}, r"jd: shape \(3,\), expected \(25,\)"),
        ({"label": np.zeros(8)}, "label: dtype float64, expected int8"),
        ({"object_start": np.array([0, 3, 3, 8, 11, 14, 19, 22, 25])}, "object_start: must start at 0 and grow"),
        ({"object_start": np.array([1, 3, 6, 8, 11, 14, 19, 22, 25])}, "object_start: must start at 0 and grow"),
    ],
)
def test_what_breaks_the_contract_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        schema.check(replace(whole(), **changes))


def test_names_of_the_catalogue_are_distinct_and_what_a_model_may_read_is_in_it():
    assert len(set(schema.METADATA_NAMES)) == len(schema.METADATA_NAMES) == schema.COLUMNS["metadata"].shape[0] == 26
    assert set(schema.VALID_DYNAMIC) | set(schema.VALID_STATIC) == set(schema.FEATURES)
    assert set(schema.DYNAMIC_NAMES) <= set(schema.VALID_DYNAMIC)
    assert set(schema.STATIC_NAMES) <= set(schema.VALID_STATIC)


def test_groups_are_of_values_that_a_model_may_read_and_none_is_in_two():
    members = [name for group in schema.METADATA_GROUPS.values() for name in group]
    assert len(set(members)) == len(members)
    assert set(members) <= set(schema.VALID_STATIC) - set(schema.AVAILABILITY_NAMES)
    for group, names in schema.METADATA_GROUPS.items():
        of_detections = set(names) <= set(schema.VALID_DYNAMIC)
        assert (schema.availability(group) in schema.VALID_DYNAMIC) == of_detections == (group != "allwise")
