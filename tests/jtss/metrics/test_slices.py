"""Every object is in one slice of a cut, the right one, and planted errors show where they were planted."""

import numpy as np

from helpers.made_sequences import COLUMN, labelled
from jtss.metrics import properties, slices


def test_edges_belong_to_the_slice_above():
    values = np.array([16.9, 17, 17.5, 18, 25, np.nan])
    rows = {name: inside.nonzero()[0].tolist() for name, inside in slices.by_edges(values, (17, 18), "mag")}
    assert rows == {"below 17 mag": [0], "17 to 18 mag": [1, 2], "18 mag or more": [3, 4], "unknown": [5]}


def test_one_day_is_no_plural():
    assert [name for name, _ in slices.by_edges(np.zeros(1), (1, 3), "days")][:2] == ["below 1 day", "1 to 3 days"]


def test_every_object_is_in_exactly_one_slice_of_every_cut():
    rng = np.random.default_rng(0)
    n = 200
    ndethist = rng.integers(1, 200, 2 * n)
    objects = labelled(n, 2, magpsf=rng.uniform(15, 22, 2 * n), ndethist=ndethist, gal_b=rng.uniform(-90, 90, 2 * n))
    objects.metadata[::7, COLUMN["magpsf"]] = np.nan
    every = slices.cuts(properties.properties(objects, 2), 2)
    for cut in every:
        np.testing.assert_array_equal(np.sum([inside for _, inside in cut.slices], axis=0), 1, err_msg=cut.name)
    assert every[0].name == "days since first detection"
    assert len(slices.cuts(properties.properties(objects, 1), 1)) == len(every) - 1
    seen = dict(next(cut.slices for cut in every if "ndethist" in cut.name))
    last = ndethist[1::2]
    for name, low, high in (("1", 1, 1), ("2 to 5", 2, 5), ("6 to 20", 6, 20), ("101 or more", 101, 999)):
        assert seen[name].sum() == np.sum((last >= low) & (last <= high)), name
