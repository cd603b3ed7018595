"""Variable stars: what kinds there are, how bright, and how they vary."""

import numpy as np
import pytest

from data_prep.simulate import allwise, sky, stars
from helpers.made_sky import plan
from jtss.schema import subclass_code


def population(n=600, seed=22):
    return stars.variable_stars(np.random.default_rng(seed), plan(n), "paper")


def test_shares_of_the_kinds_add_up():
    assert sum(kind.share for kind in stars.KINDS) == pytest.approx(1)


def test_stars_have_no_hosts_and_have_always_shone():
    made = population()
    assert np.all(made.hosts.flux == 0)
    assert np.all(made.visits.before == 0)  # as long as their place is seen
    assert np.all(made.flux > 0)
    assert set(made.infrared) == {allwise.STAR, allwise.DUSTY}


def test_none_is_brighter_than_the_limit_and_none_goes_dark():
    made = population()
    r_mag = -2.5 * np.log10(made.reference[:, 1])
    assert r_mag.min() >= stars.BRIGHTEST_MAG - 1e-9
    assert np.quantile(r_mag, 0.5) < 17
    steady = np.take_along_axis(made.reference, made.visits.fid - 1, axis=1)
    assert (made.flux / steady).min() >= stars.FLUX_FLOOR * (1 - 1e-12)


def test_dwarf_novae_alone_have_outbursts_of_magnitudes(monkeypatch):
    """Each kind by itself; they brighten by the median of their largest changes, of 2 to 5.5 magnitudes."""

    def brightening(index):
        kinds = tuple(kind._replace(share=float(i == index)) for i, kind in enumerate(stars.KINDS))
        monkeypatch.setattr(stars, "KINDS", kinds)
        made = population(150)
        steady = np.take_along_axis(made.reference, made.visits.fid - 1, axis=1)
        return np.median(2.5 * np.log10((made.flux / steady).max(axis=1)))

    brightening_mag = [brightening(index) for index in range(len(stars.KINDS))]
    assert stars.KINDS[-1].name == "dwarf nova"
    assert brightening_mag[-1] > 2
    assert max(brightening_mag[:-1]) < 2


def change_of(name, monkeypatch, n=200):
    """[n, V] magnitudes brighter than the reference in r, NaN where no exposure in r was made, and their times."""
    monkeypatch.setattr(stars, "KINDS", tuple(k._replace(share=float(k.name == name)) for k in stars.KINDS))
    made = population(n)
    in_r = made.visits.good & (made.visits.fid == 2)
    return np.where(in_r, 2.5 * np.log10(made.flux / made.reference[:, 1:2]), np.nan), made.visits.jd


def test_contact_binaries_are_as_often_brighter_as_fainter_and_detached_ones_fainter(monkeypatch):
    contact, _ = change_of("contact", monkeypatch)
    detached, _ = change_of("eclipsing", monkeypatch)
    brighter, fainter = np.nanquantile(contact, 0.9), -np.nanquantile(contact, 0.1)
    assert brighter == pytest.approx(fainter, rel=0.1)
    assert -np.nanquantile(detached, 0.02) > 2 * np.nanquantile(detached, 0.98)


def test_rotating_stars_change_little_in_a_month_and_are_where_the_reference_did_not_see_them(monkeypatch):
    change, jd = change_of("rotating", monkeypatch)
    within = np.where(np.abs(jd - jd[:, 40:41]) < 15, change, np.nan)
    in_a_month = np.nanstd(within, axis=1)
    from_reference = np.abs(np.nanmean(change, axis=1))
    assert np.nanmedian(in_a_month) < 0.05
    assert np.nanmedian(from_reference) > 1.5 * np.nanmedian(in_a_month)


def test_a_reference_adds_up_what_a_dwarf_nova_did(monkeypatch):
    """So some are fainter in quiescence than their reference, and most are not."""
    change, _ = change_of("dwarf nova", monkeypatch)
    quiescent = np.nanmedian(change, axis=1)
    assert 0.1 < np.mean(quiescent < -0.3) < 0.6


def test_a_disc_in_outburst_has_the_colours_of_a_hot_star(monkeypatch):
    monkeypatch.setattr(stars, "KINDS", tuple(k._replace(share=float(k.name == "dwarf nova")) for k in stars.KINDS))
    made = population(200)
    brightest = made.flux.max(axis=1, initial=0, where=made.visits.good & (made.visits.fid == 1))
    in_r = made.flux.max(axis=1, initial=0, where=made.visits.good & (made.visits.fid == 2))
    colour = -2.5 * np.log10(brightest / in_r)
    assert -0.4 < np.median(colour) < 0.3


def test_the_subclass_is_that_of_the_kind(monkeypatch):
    for index, kind in enumerate(stars.KINDS):
        monkeypatch.setattr(stars, "KINDS", tuple(k._replace(share=float(k is kind)) for k in stars.KINDS))
        assert set(population(8).subclass) == {subclass_code(kind.subclass)}, index
        monkeypatch.undo()
    without = [kind.name for kind in stars.KINDS if not kind.subclass]
    assert without == ["pulsating", "rotating"]
    assert [kind.name for kind in stars.KINDS if kind.subclass == "cataclysmic"] == ["nova-like", "dwarf nova"]


def test_kinds_keep_to_their_part_of_the_galaxy():
    """Young stars are in the plane, RR Lyrae in the halo, too."""
    names = [kind.name for kind in stars.KINDS]
    latitude = {}
    for name in ("young", "RR Lyrae"):
        ra, dec = stars.places(np.random.default_rng(1), np.full(2000, names.index(name)))
        latitude[name] = np.median(np.abs(sky.galactic(ra, dec)[1]))
    assert latitude["young"] < 10 < latitude["RR Lyrae"]


@pytest.mark.parametrize("n", [1, 3])
def test_a_few_stars_need_not_be_of_every_kind(n):
    for seed in range(12):
        assert np.all(population(n, seed).flux > 0)
