"""Parts of sequences keep every value with its row and its object, and what breaks the contract is named."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.made_sequences import sequences, with_histories
from jtss import schema
from jtss.schema import ALERT, NO_STAMP

PER_ROW = ("kind", "metadata", "jd", "candid", "fid")
PER_OBJECT = ("object_id", "allwise", "label", "subclass", "split")


def whole():
    label, subclass = (0, 1, 2, 2, 3, 2, -1, 0), (7, 0, 2, 6, -1, -1, -1, 9)
    return sequences((3, 3, 2, 3, 3, 5, 3, 3), label=label, subclass=subclass, split=(2, 2, 2, 1, 2, 2, -1, 0))


def rows_of(made, index):
    return slice(*made.object_start[index : index + 2])


@pytest.mark.parametrize("made", [whole(), with_histories(whole())], ids=["alerts", "histories"])
def test_take_keeps_rows_and_stamps_with_their_objects(made):
    objects = np.array([5, 0, 2, 5])
    part = schema.take(made, objects)
    schema.check(part)
    for new, old in enumerate(objects):
        rows, before = rows_of(part, new), rows_of(made, old)
        for name in PER_ROW:
            np.testing.assert_array_equal(getattr(part, name)[rows], getattr(made, name)[before])
        for name in PER_OBJECT:
            np.testing.assert_array_equal(getattr(part, name)[new], getattr(made, name)[old])
        with_stamps = part.kind[rows] == ALERT
        one, other = part.stamp_row[rows][with_stamps], made.stamp_row[before][with_stamps]
        np.testing.assert_array_equal(part.stamps[one], made.stamps[other])


def test_nothing():
    part = schema.take(whole(), np.empty(0, np.int64))
    schema.check(part)
    assert (part.n_objects, len(part.jd), len(part.stamps)) == (0, 0, 0)
    assert part.n_alerts.tolist() == part.n_rows.tolist() == []


@pytest.mark.parametrize("made", [whole(), with_histories(whole())], ids=["alerts", "histories"])
def test_parts_joined_are_the_whole_again(made):
    joined = schema.join([schema.take(made, np.arange(3)), schema.take(made, np.arange(3, 8))])
    schema.check(joined)
    for name in schema.COLUMNS:
        np.testing.assert_array_equal(getattr(joined, name), getattr(made, name))


def test_rows_and_alerts_are_counted():
    made = whole()
    both = with_histories(made)
    assert made.n_rows.tolist() == made.n_alerts.tolist() == both.n_alerts.tolist() == [3, 3, 2, 3, 3, 5, 3, 3]
    assert both.n_rows.sum() == len(both.kind) > made.n_rows.sum()


def test_stamps_are_numbered_from_those_before():
    kind = np.array([2, 0, 1, 0], np.int8)
    assert schema.stamp_rows(kind).tolist() == [-1, 0, -1, 1]
    assert schema.stamp_rows(kind, 7).tolist() == [-1, 7, -1, 8]


def kinds(*codes):
    return {"kind": np.array(codes, np.int8), "stamp_row": schema.stamp_rows(np.array(codes))}


def labelled(*codes):
    return {"label": np.array(codes, np.int8)}


def subclassed(*codes):
    """Subclasses of two supernovae."""
    return labelled(1, 1) | {"subclass": np.array(codes, np.int8)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jd": np.zeros(3)}, r"jd: shape \(3,\), expected \(5,\)"),
        ({"stamps": np.zeros((5, 63, 63, 2), np.float16)}, r"stamps: shape .*, expected \(5, 63, 63, 3\)"),
        ({"label": np.zeros(2)}, "label: dtype float64, expected int8"),
        ({"object_start": np.array([0, 5, 5])}, "object_start: must start at 0 and grow"),
        ({"object_start": np.array([1, 3, 5])}, "object_start: must start at 0 and grow"),
        (kinds(0, 0, 3, 0, 0), r"kind: 3, expected 0 to 2"),
        (kinds(0, 0, -1, 0, 0), r"kind: -1, expected 0 to 2"),
        ({"stamp_row": np.array([0, 1, 2, 4, 3])}, "stamp_row: must number the alerts"),
        ({"stamp_row": np.array([0, 1, NO_STAMP, 2, 3])}, "stamp_row: must number the alerts"),
        (kinds(0, 1, 0, 0, 0), "stamps: 5 for 4 alerts"),
        ({"stamps": np.zeros((3, 63, 63, 3), np.float16), **kinds(0, 0, 0, 1, 2)}, "kind: every object must have an"),
        ({"subclass": np.zeros(2)}, "subclass: dtype float64, expected int8"),
        (subclassed(0, 10), "subclass: 10, expected -1 to 9"),
        (subclassed(-2, 0), "subclass: -2, expected -1 to 9"),
        (subclassed(0, 7), "subclass: quasar for an object of class SN, expected AGN"),
        (subclassed(0, 0) | labelled(1, -1), "subclass: SN Ia for an object of class none, expected SN"),
        (subclassed(2, 0) | labelled(1, 1), "subclass: RR Lyrae for an object of class SN, expected VS"),
    ],
)
def test_what_breaks_the_contract_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        schema.check(replace(sequences((3, 2)), **changes))


def test_subclasses_have_their_codes_and_each_its_class():
    """Files store the codes."""
    assert schema.SUBCLASSES == (
        "SN Ia", "other SN", "RR Lyrae", "eclipsing", "long-period", "cataclysmic", "young star", "quasar", "Seyfert",
        "blazar",
    )  # fmt: skip
    assert [schema.subclass_code(name) for name in (*schema.SUBCLASSES, "SLSN", "")] == [*range(10), -1, -1]
    for name, subclasses in schema.SUBCLASS_NAMES.items():
        assert name in schema.CLASS_NAMES
        assert {schema.CLASS_OF_SUBCLASS[subclass] for subclass in subclasses} == {name}


@pytest.mark.parametrize("codes", [(0, 1), (-1, 0), (-1, -1)])
def test_a_subclass_of_the_class_or_none_is_right(codes):
    schema.check(replace(sequences((3, 2)), **subclassed(*codes)))


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
