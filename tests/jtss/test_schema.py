"""Parts of sequences keep every value with its detection and its object."""

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
