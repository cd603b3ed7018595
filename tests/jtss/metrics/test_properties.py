"""Properties of objects are those of the detections that the model reads."""

import numpy as np

from helpers.made_sequences import labelled, with_histories
from jtss.metrics.properties import properties


def test_properties_are_those_of_the_last_detection_that_is_read():
    objects = labelled(
        2, 3, magpsf=[20, 19, 18, 17, 16, 15], gal_b=[-5, 5, -5, 5, -5, 5], distpsnr1=[-999, 1, 2, 3, -999, 5]
    )
    known = properties(with_histories(objects), 2)
    assert known.magnitude_mag.tolist() == [19, 16]
    assert known.gal_b_deg.tolist() == [5, 5]
    assert known.host_arcsec[0] == 1
    assert np.isnan(known.host_arcsec[1])
    assert known.days.tolist() == [1, 1]
    assert known.fid.tolist() == objects.fid[[1, 4]].tolist()
    assert known.missing.tolist() == [0, 0]
    assert known.has_allwise.tolist() == [False, False]


def test_missing_pixels_count_where_the_model_may_look():
    objects = labelled(4, 2)
    objects.stamps[1, 0, :, 0] = np.nan  # the edge of the second detection of object 0
    objects.stamps[2, 31, 31, 2] = np.nan  # the centre of object 1
    objects.stamps[5, 20, 31] = np.nan  # a row above the central 21 × 21 of the second detection of object 2
    assert properties(objects, 2).missing.tolist() == [1, 2, 1, 0]
    assert properties(objects, 1).missing.tolist() == [0, 2, 0, 0]


def test_one_band_is_no_colour():
    objects = labelled(3)
    objects.allwise[0], objects.allwise[1, 0], objects.allwise[2, [0, 2]] = 12, 12, 12
    assert properties(objects, 1).has_allwise.tolist() == [True, False, False]
