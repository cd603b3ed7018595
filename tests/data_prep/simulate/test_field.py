"""The field around an object: its light, and what catalogues list of it."""

import numpy as np

from data_prep.simulate import survey
from jtss.schema import CLASS_NAMES


def test_fields_are_crowded_near_the_plane():
    observed = survey.observe(np.random.SeedSequence(2), CLASS_NAMES.index("VS"), 64)
    blobs = np.bincount(observed.blobs.owner, minlength=64)
    latitude = np.abs(survey.sky.galactic(observed.ra, observed.dec)[1])
    assert np.median(blobs[latitude < 8]) > 3 * np.median(blobs[latitude > 40])
