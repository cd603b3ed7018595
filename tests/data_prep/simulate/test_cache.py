"""The name of the data set that is simulated by default."""

from data_prep.simulate import cached_path


def test_cache_names_what_it_holds(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths = {cached_path(10, 0), cached_path(10, 1), cached_path(11, 0), cached_path(10, 0)}
    assert len(paths) == 3
    assert all(path.parent == tmp_path / "jtss" for path in paths)
