"""Populations: nuclei, supernovae and their hosts, asteroids, and when they are watched."""

import numpy as np
import pytest

from data_prep.simulate import objects, sky, survey
from helpers.made_sky import plan
from jtss.schema import CLASS_NAMES, NO_SUBCLASS, SUBCLASS_NAMES, SUBCLASSES, TOLD_DAYS


@pytest.mark.slow
def test_supernovae_follow_the_light_of_their_hosts():
    hosts = objects.supernovae(np.random.default_rng(4), plan(3000), "paper").hosts
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
    places = plan(3000)

    def faint():
        hosts = objects.supernovae(np.random.default_rng(21), places, "paper").hosts
        return np.mean(-2.5 * np.log10(hosts.flux[:, 1]) > 21.5)

    some = faint()
    monkeypatch.setattr(objects, "DWARF_SHARES", np.zeros(len(objects.SUPERNOVAE)))
    assert 0.03 < some < 0.1
    assert faint() < 0.3 * some


@pytest.mark.parametrize(("sky_name", "late"), [("paper", 0.0), ("any", 1.0), ("mixed", 0.5)])
def test_a_broker_joins_late_on_any_sky_and_never_on_the_papers(sky_name, late):
    places = plan(600)
    watched_jd = objects.draw_watched_jd(np.random.default_rng(3), places, sky_name)
    assert np.mean(np.isfinite(watched_jd)) == pytest.approx(late, abs=0.06)
    some = np.isfinite(watched_jd)
    assert np.all(watched_jd[some] >= places.begin_jd[some])
    assert np.all(watched_jd[some] <= sky.SURVEY_END_JD - TOLD_DAYS)


def test_nuclei_are_followed_from_the_first_exposure_of_their_place():
    places = plan(60)
    for sky_name in objects.SKIES:
        seen = objects.agn(np.random.default_rng(3), places, sky_name).visits
        assert np.all(seen.before == 0)
        first = [places.jd[place, taken][0] for place, taken in enumerate(places.taken)]
        np.testing.assert_array_equal(seen.jd[:, 0], first)


def test_nuclei_change_slowly():
    """A tenth of a magnitude in three weeks, as the structure functions of real nuclei in their packets' 30 days."""
    made = objects.agn(np.random.default_rng(3), plan(300), "paper")
    in_r = made.visits.good & (made.visits.fid == 2)
    magnitude = np.where(in_r, -2.5 * np.log10(made.flux), np.nan)
    now = magnitude[:, 60:61]
    later = np.abs(made.visits.jd - made.visits.jd[:, 60:61] - 20) < 5
    assert 0.05 < np.nanmedian(np.abs(np.where(later, magnitude - now, np.nan))) < 0.12


def test_nuclei_are_in_another_state_than_their_reference():
    """Half of the changes are negative, and they are larger than the scatter within a month."""
    made = objects.agn(np.random.default_rng(3), plan(800), "paper")
    steady = objects.of_filter(made.reference, made.visits.fid)
    change = -2.5 * np.log10(made.flux / steady)
    good = made.visits.good
    median = np.array([np.median(row[seen]) for row, seen in zip(change, good, strict=True)])
    assert 0.45 < np.mean(median > 0) < 0.7  # fainter
    scatter = np.array([np.std(np.diff(row[seen][:40])) for row, seen in zip(change, good, strict=True)])
    assert np.median(np.abs(median)) > 2 * np.median(scatter)


def test_what_happens_once_happens_at_any_age_of_its_field():
    """Half of it in logarithm, so that first nights and first months have their share."""
    places = plan(3000)
    made = objects.asteroids(np.random.default_rng(5), places, "paper")
    number = made.visits.before + np.argmax(made.flux > 0, axis=1)  # exposures before the first that shows it
    share = np.log1p(number) / np.log(places.taken.sum(axis=1))
    assert (
        0.5 * 0.3 < np.mean(share < 0.3) < 0.5 * 0.3 + 0.08
    )  # uniform in logarithm for half, hardly any of the others
    assert np.mean(number > 0.5 * places.taken.sum(axis=1)) > 0.25


def of_subclass(made, name):
    return made.subclass == SUBCLASSES.index(name)


def test_subclasses_are_what_was_drawn():
    """Shares as drawn; a Seyfert's host outshines its nucleus, and blazars alone are blazars in the infrared."""
    made = objects.agn(np.random.default_rng(6), plan(900), "paper")
    for name, share in objects.NUCLEI:
        assert np.mean(of_subclass(made, name)) == pytest.approx(share, abs=0.05)
    host_is_brighter = made.hosts.flux[:, 1] > made.reference[:, 1]
    assert np.mean(host_is_brighter[of_subclass(made, "Seyfert")]) > 0.4
    assert np.mean(host_is_brighter[~of_subclass(made, "Seyfert")]) < 0.05
    np.testing.assert_array_equal(made.infrared == 4, of_subclass(made, "blazar"))
    stars_that_explode = objects.supernovae(np.random.default_rng(6), plan(900), "paper")
    assert np.mean(of_subclass(stars_that_explode, "SN Ia")) == pytest.approx(0.62, abs=0.05)
    assert np.all(of_subclass(stars_that_explode, "SN Ia") | of_subclass(stars_that_explode, "other SN"))


@pytest.mark.parametrize("label", range(len(CLASS_NAMES)))
def test_subclasses_are_of_their_class(label):
    made, _ = survey.populate(np.random.default_rng(2), label, plan(200), "paper")
    assert made.subclass.dtype == np.int8
    names = {"" if code == NO_SUBCLASS else SUBCLASSES[code] for code in made.subclass}
    assert names - {""} == set(SUBCLASS_NAMES.get(CLASS_NAMES[label], ()))
    assert ("" in names) == (CLASS_NAMES[label] not in ("AGN", "SN"))


def test_supernovae_are_nothing_before_and_nothing_in_the_reference(monkeypatch):
    monkeypatch.setattr(objects, "AT_ANY_AGE", 0.0)
    made = objects.supernovae(np.random.default_rng(3), plan(400), "paper")
    assert np.all(made.reference == 0)
    shines = made.flux > 0
    before = np.argmax(shines, axis=1)
    # Two months of exposures, where they were not in the rest of the year or before the field was begun.
    assert np.median(before[shines.any(axis=1)]) > 5
    assert np.mean(~shines[:, 0]) > 0.7


def test_asteroids_and_artefacts_begin_at_an_exposure_of_their_place(monkeypatch):
    """As often in the middle of a season as its exposures are there: a month of them lies before most."""
    monkeypatch.setattr(objects, "AT_ANY_AGE", 0.0)
    places = plan(600)
    made = objects.asteroids(np.random.default_rng(3), places, "paper")
    shines = made.flux > 0
    appears = made.visits.jd[np.arange(600), np.argmax(shines, axis=1)]
    earlier = (places.taken & (places.jd < appears[:, None]) & (places.jd > appears[:, None] - 30)).sum(axis=1)
    assert np.quantile(earlier, 0.15) > 5
    assert not np.any(made.returns)
