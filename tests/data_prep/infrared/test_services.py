"""Sources near positions, from services that answer as CDS's xMatch and TAP do, and as they do on bad days."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from data_prep.client import ATTEMPTS, Client
from data_prep.infrared import crossmatch, services
from data_prep.infrared.services import ServiceError, parse
from helpers.sky_service import SkyService
from jtss.errors import InputError

RNG = np.random.default_rng(8)
N = 40
RA, DEC = np.append(RNG.uniform(0, 360, N - 1), 0.0), np.append(RNG.uniform(-90, 90, N - 1), 90.0)
# A source beside each second object, a second one beside the first, and one that is 3 arcsec off
NEAR = [*range(0, N, 2), 0, 1]
OFFSET = np.full(len(NEAR), 0.5 / 3600)
OFFSET[-2:] = -1.0 / 3600, 3.0 / 3600
SOURCE_RA, SOURCE_DEC = RA[NEAR], np.where(DEC[NEAR] > 0, DEC[NEAR] - OFFSET, DEC[NEAR] + OFFSET)
MAGNITUDES = np.arange(4.0 * len(NEAR)).reshape(-1, 4) % 20
MAGNITUDES[3, 2] = np.nan


@pytest.fixture
def sky(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(services, "_client", lambda _: Client(1000.0, pause=lambda _: None))
    monkeypatch.setattr(services, "CHUNK", 16)
    with SkyService(SOURCE_RA, SOURCE_DEC, MAGNITUDES) as service:
        yield service


def name(sky, kind):
    return f"{kind}:{sky.url}/{kind}"


def fetched(sky, kind, radius=2.0, ra=RA, dec=DEC):
    return crossmatch.load(name(sky, kind), radius).around(ra, dec)


@pytest.mark.parametrize("kind", services.KINDS)
@pytest.mark.parametrize("radius", [2.0, 4.0])
def test_a_service_gives_the_matches_of_a_file(sky, tmp_path, kind, radius):
    rows = np.column_stack([SOURCE_RA, SOURCE_DEC, MAGNITUDES])
    lines = [",".join("" if np.isnan(value) else f"{value:.17g}" for value in row) for row in rows]
    (tmp_path / "all.csv").write_text("\n".join(("ra,dec,w1,w2,w3,w4", *lines)))
    of_file, of_service = crossmatch.load(tmp_path / "all.csv", radius), fetched(sky, kind, radius)
    expected = crossmatch.match(of_file, RA, DEC)
    assert np.isfinite(expected[:, 0]).sum() == N // 2 + (radius > 3)
    np.testing.assert_array_equal(crossmatch.match(of_service, RA, DEC), expected)
    counts = crossmatch.n_sources(of_service, RA, DEC)
    np.testing.assert_array_equal(counts, crossmatch.n_sources(of_file, RA, DEC))
    assert (counts > 1).sum() == 1
    assert sorted(map(len, sky.asked)) == [8, 16, 16]


@pytest.mark.parametrize("kind", services.KINDS)
def test_what_was_answered_is_not_asked_again_unless_by_another_radius(sky, kind):
    first = fetched(sky, kind)
    assert f'40 positions asked of {name(sky, kind)}#II/328/allwise by 2"; answers of 2' in first.remark
    n_asked = len(sky.asked)
    again = fetched(sky, kind, ra=RA[:20], dec=DEC[:20])
    assert len(sky.asked) == n_asked
    assert "20 positions asked" in again.remark
    assert ", 20 of them answered by the cache; answers of " in again.remark
    np.testing.assert_array_equal(crossmatch.match(again, RA[:20], DEC[:20]), crossmatch.match(first, RA, DEC)[:20])
    fetched(sky, kind, radius=4.0)
    assert len(sky.asked) == 2 * n_asked


@pytest.mark.parametrize("kind", services.KINDS)
@pytest.mark.parametrize("fault", ["500", "429", "half", "cut", "html", "301", "308"])
def test_a_fault_that_goes_away_costs_nothing_but_time(sky, kind, fault):
    expected = crossmatch.match(fetched(sky, kind), RA, DEC)
    sky.faults = [fault] * (ATTEMPTS - 1)
    ra = np.append(RA, 200.0)  # a new one, to be asked for
    found = crossmatch.match(fetched(sky, kind, ra=ra, dec=np.append(DEC, 10.0)), ra, np.append(DEC, 10.0))
    assert not sky.faults
    np.testing.assert_array_equal(found, np.vstack([expected, [[np.nan] * 4]]))


@pytest.mark.parametrize("kind", services.KINDS)
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("500", "http://127.0.0.1:.*: status 500"),
        ("html", "no readable VOTable, but '<!DOCTYPE html>"),
        ("cut", "no readable VOT"),
    ],
)
def test_a_fault_that_stays_is_an_error_and_what_was_answered_is_kept(sky, kind, fault, said):
    fetched(sky, kind, ra=RA[:16], dec=DEC[:16])
    n_asked = len(sky.asked)
    sky.faults = [fault] * ATTEMPTS
    with pytest.raises(ServiceError, match=rf"^{name(sky, kind)}#II/328/allwise: no answer: {said}"):
        fetched(sky, kind)
    assert len(sky.asked) - n_asked <= (fault == "cut") * ATTEMPTS
    n_asked = len(sky.asked)
    fetched(sky, kind)
    assert sum(map(len, sky.asked[n_asked:])) == N - 16


@pytest.mark.parametrize("kind", services.KINDS)
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("busy_for_a_day", "no answer: the service asks not to be asked for 86400 s"),
        ("inflates", "more than 100000 bytes"),
    ],
)
def test_what_is_too_much_is_not_asked_for_twice(sky, monkeypatch, kind, fault, said):
    monkeypatch.setattr(services, "MOST_BYTES", 100_000)
    sky.faults = [fault, "left"]
    with pytest.raises(ServiceError, match=said):
        fetched(sky, kind)
    assert sky.faults == ["left"]


@pytest.mark.parametrize("kind", services.KINDS)
@pytest.mark.parametrize("fault", ["error", "400"])
def test_a_refusal_is_told_at_once(sky, kind, fault):
    sky.faults = [fault]
    with pytest.raises(InputError, match=r": refuses: Incorrect ADQL query: unknown column$"):
        fetched(sky, kind)
    assert not sky.asked


@pytest.mark.parametrize("kind", services.KINDS)
def test_an_answer_that_is_cut_off_is_asked_in_halves(sky, kind):
    expected = crossmatch.match(fetched(sky, kind), RA, DEC)
    sky.most, n_asked = 7, len(sky.asked)
    found = fetched(sky, kind, 2.5)
    np.testing.assert_array_equal(crossmatch.match(found, RA, DEC), expected)
    assert len(sky.asked) - n_asked > 3
    sky.most = 1
    with pytest.raises(ServiceError, match="cuts off its answer for a single position"):
        fetched(sky, kind, 1.9)


def test_tap_knows_units_and_tables(sky):
    expected = crossmatch.match(fetched(sky, "xmatch"), RA, DEC)
    sky.ra_unit = "h"
    np.testing.assert_array_equal(crossmatch.match(fetched(sky, "tap"), RA, DEC), expected)
    with pytest.raises(
        InputError, match=r"the service has no table allwise; name its AllWISE table as http://127.*#TABLE"
    ):
        crossmatch.load(f"tap:{sky.url}/tap#allwise").around(RA, DEC)


def test_unknown_positions_are_not_asked(sky):
    assert fetched(sky, "xmatch", ra=np.array([np.nan]), dec=np.array([1.0])).tree.n == 0
    assert not sky.asked


def test_services_are_told_from_files():
    assert parse("xmatch:https://a.b/sync") == ("xmatch", "https://a.b/sync", services.TABLE)
    assert parse("tap:http://a/tap#x.y") == ("tap", "http://a/tap", "x.y")
    for path in ("allwise.csv", "C:/x.csv", "taps:http://a", "/data/tap:1.csv"):
        assert parse(path) is None
    with pytest.raises(InputError, match=r"--allwise tap:irsa: expected tap:URL or tap:URL#TABLE"):
        parse("tap:irsa")


def test_a_cache_that_is_held_is_not_to_be_removed(sky, tmp_path, monkeypatch):
    fetched(sky, "xmatch", ra=RA[:1], dec=DEC[:1])
    monkeypatch.setattr(services, "BUSY_SECONDS", 0.0)
    (path,) = (tmp_path / "jtss" / "allwise").glob("*.sqlite")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match=r"2arcsec.sqlite: database is locked; another process holds this cache"):
            fetched(sky, "xmatch")
    fetched(sky, "xmatch")


def test_a_cache_that_is_none_is_named(sky, tmp_path):
    fetched(sky, "xmatch")
    (cache,) = (tmp_path / "jtss" / "allwise").glob("*.sqlite")
    cache.write_bytes(b"no data base" * 1000)
    with pytest.raises(InputError, match=r"2arcsec.sqlite: cannot be used as a cache .*; remove it"):
        fetched(sky, "xmatch")
