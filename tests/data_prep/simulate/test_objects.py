"""Populations: supernovae and their hosts."""

import numpy as np

from data_prep.simulate import objects


def test_supernovae_follow_the_light_of_their_hosts():
    start = np.full(3000, 2459000.0)
    hosts = objects.supernovae(np.random.default_rng(4), start).hosts
    distance = np.hypot(hosts.x, hosts.y)
    # An exponential disc has half its light within its effective radius; inclination brings sources closer, and a
    # bulge keeps more of them near the centre.
    disc, bulge = hosts.bulge < 0.3, hosts.bulge > 0.6
    assert 0.6 < np.median(distance[disc] / hosts.radius[disc]) < 1.05
    central = [np.mean(distance[some] < 0.15 * hosts.radius[some]) for some in (disc, bulge)]
    assert central[1] > 2 * central[0] > 0
    along = np.abs(hosts.x * np.cos(hosts.angle) + hosts.y * np.sin(hosts.angle))
    across = np.abs(hosts.y * np.cos(hosts.angle) - hosts.x * np.sin(hosts.angle))
    thin = hosts.axis_ratio < 0.5
    assert np.median(across[thin] / along[thin]) < 0.6


def test_some_supernovae_are_in_dwarf_galaxies(monkeypatch):
    def faint():
        hosts = objects.supernovae(np.random.default_rng(21), np.full(6000, 2459000.0)).hosts
        return np.mean(-2.5 * np.log10(hosts.flux[:, 1]) > 21.5)

    some = faint()
    monkeypatch.setattr(objects, "DWARF_SHARES", np.zeros(len(objects.SUPERNOVAE)))
    assert 0.03 < some < 0.1
    assert faint() < 0.3 * some
