"""AllWISE magnitudes of counterparts."""

import numpy as np

from data_prep.simulate import allwise


def test_host_dilutes_the_colours_of_a_nucleus():
    rng, n = np.random.default_rng(6), 2000
    nuclei = np.full(n, allwise.NUCLEUS)

    def median_colour(share):
        magnitudes = allwise.photometry(rng, nuclei, np.full(n, 17.0), np.full(n, share), np.zeros(n))
        return np.nanmedian(magnitudes[:, 0] - magnitudes[:, 1])

    assert median_colour(1.0) > 0.9
    assert 0.2 < median_colour(0.2) < 0.6
    assert np.isnan(allwise.photometry(rng, nuclei, np.full(n, 22.0), np.ones(n), np.zeros(n))).mean() > 0.9
