"""Where on the sky objects are."""

import numpy as np

from data_prep.simulate import sky


def test_positions_keep_to_their_part_of_the_sky():
    rng = np.random.default_rng(3)
    latitude = {}
    disc = sky.stars(8.0, 0.4)
    for kind in (sky.extragalactic, disc, sky.solar_system):
        ra, dec = sky.positions(rng, 2000, kind)
        assert np.all((dec > sky.DEC_MIN_DEG) & (dec < sky.DEC_MAX_DEG) & (ra >= 0) & (ra < 360))
        latitude[kind] = np.abs(sky.galactic(ra, dec)[1])
    assert latitude[sky.extragalactic].min() > 5
    assert np.median(latitude[disc]) < np.median(latitude[sky.extragalactic])
    ra, dec = sky.positions(rng, 2000, sky.solar_system)
    assert np.median(np.abs(sky.sky_frames(ra, dec)[3])) < 15


def test_stars_crowd_towards_the_plane_and_the_centre():
    density = sky.star_density(np.array([0.0, 180.0, 0.0, 0.0]), np.array([0.0, 0.0, 30.0, -90.0]))
    assert density[0] > density[1] > 5 * density[2] > 5 * density[3] > 0
