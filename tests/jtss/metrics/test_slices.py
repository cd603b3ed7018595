"""Every object is in one slice of a cut, the right one, and planted faults show where they were planted."""

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, sequences
from jtss import schema
from jtss.metrics import properties, slices
from jtss.reports import evaluation
from jtss.reports.sections.slices import scores

COLUMN = {name: i for i, name in enumerate(schema.METADATA_NAMES)}


def made(n=60, detections=2, **metadata):
    found = sequences([detections] * n, label=[i % 3 for i in range(n)], split=[2] * n)
    for name, values in metadata.items():
        found.metadata[:, COLUMN[name]] = np.asarray(values)
    return found


def test_properties_are_those_of_the_last_detection_that_is_read():
    found = made(2, 3, magpsf=[20, 19, 18, 17, 16, 15], gal_b=[-5, 5, -5, 5, -5, 5], distpsnr1=[-999, 1, 2, 3, -999, 5])
    known = properties.properties(found, 2)
    assert known.magnitude_mag.tolist() == [19, 16]
    assert known.gal_b_deg.tolist() == [5, 5]
    assert known.host_arcsec[0] == 1
    assert np.isnan(known.host_arcsec[1])
    assert known.days.tolist() == [1, 1]
    assert known.fid.tolist() == found.fid[[1, 4]].tolist()
    assert known.missing.tolist() == [0, 0]
    assert known.has_allwise.tolist() == [False, False]


def test_missing_pixels_count_where_the_model_may_look():
    found = made(4, 2)
    found.stamps[1, 0, :, 0] = np.nan  # the edge of the second detection of object 0
    found.stamps[2, 31, 31, 2] = np.nan  # the centre of object 1
    found.stamps[5, 20, 31] = np.nan  # a row above the central 21 × 21 of the second detection of object 2
    assert properties.properties(found, 2).missing.tolist() == [1, 2, 1, 0]
    assert properties.properties(found, 1).missing.tolist() == [0, 2, 0, 0]


def test_one_band_is_no_colour():
    found = made(3)
    found.allwise[0], found.allwise[1, 0], found.allwise[2, [0, 2]] = 12, 12, 12
    assert properties.properties(found, 1).has_allwise.tolist() == [True, False, False]


def test_edges_belong_to_the_slice_above():
    values = np.array([16.9, 17, 17.5, 18, 25, np.nan])
    found = {name: inside.nonzero()[0].tolist() for name, inside in slices.by_edges(values, (17, 18), "mag")}
    assert found == {"below 17 mag": [0], "17 to 18 mag": [1, 2], "18 mag or more": [3, 4], "unknown": [5]}


def test_every_object_is_in_exactly_one_slice_of_every_cut():
    rng = np.random.default_rng(0)
    n = 200
    ndethist = rng.integers(1, 200, 2 * n)
    found = made(n, 2, magpsf=rng.uniform(15, 22, 2 * n), ndethist=ndethist, gal_b=rng.uniform(-90, 90, 2 * n))
    found.metadata[::7, COLUMN["magpsf"]] = np.nan
    every = slices.cuts(properties.properties(found, 2), 2)
    for cut in every:
        np.testing.assert_array_equal(np.sum([inside for _, inside in cut.slices], axis=0), 1, err_msg=cut.name)
    assert every[0].name == "days since first detection"
    assert len(slices.cuts(properties.properties(found, 1), 1)) == len(every) - 1
    seen = dict(next(cut.slices for cut in every if "ndethist" in cut.name))
    last = ndethist[1::2]
    for name, low, high in (("1", 1, 1), ("2 to 5", 2, 5), ("6 to 20", 6, 20), ("101 or more", 101, 999)):
        assert seen[name].sum() == np.sum((last >= low) & (last <= high)), name


def test_planted_errors_show_in_their_slice_and_nowhere_else():
    """The classifier is wrong on whatever is fainter than 20 mag."""
    magnitude = np.where(np.arange(60) < 12, 20.5, 18.5)
    found = made(60, 1, magpsf=magnitude)
    wrong = {f"ZTF{i}": ((i + 1) % 3, 0.9) for i in range(12)}
    evaluated = evaluation.evaluate(FakeClassifier(1, wrong), [found], CLASSES, 1, "test")
    cut = next(cut for cut in scores(evaluated, 1) if cut["name"] == "magnitude")
    faint, bright = (
        next(row for row in cut["slices"] if row["name"] == name) for name in ("20 mag or more", "18 to 19 mag")
    )
    assert (faint["objects"], faint["correct"], faint["accuracy"], faint["few"]) == (12, 0, 0, True)
    assert (bright["objects"], bright["correct"], bright["accuracy"], bright["few"]) == (48, 48, 1, False)
    assert faint["wilson_interval"][1] == pytest.approx(0.2425, abs=1e-4)  # Wilson, 0 of 12
    assert faint["classes"]["SN"] == {"objects": 4, "correct": 0}
    assert len(cut["slices"]) == 2  # none without objects
