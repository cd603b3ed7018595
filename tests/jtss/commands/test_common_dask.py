"""`--dask` and `--workers`: what goes together, and what it says where it cannot be done."""

from importlib.util import find_spec

import pytest

from data_prep import cluster
from helpers.programs import jtss
from jtss.commands import common

SIMULATE = ("data", "simulate", "--objects", 3, "--out", "sky.h5")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(common, "find_spec", lambda name: None if name == "distributed" else find_spec(name))
    assert jtss(*SIMULATE, "--dask", "local") == 2
    assert capsys.readouterr().err.startswith(
        "jtss: error: --dask needs the package distributed, which is not installed: pip install 'jtss[dask]'"
    )


def test_how_many_work_is_not_said_of_a_cluster_that_runs(capsys):
    assert jtss(*SIMULATE, "--dask", "tcp://a:8786", "--workers", 2) == 2
    assert capsys.readouterr().err == (
        "jtss: error: --workers 2: only with --dask local; how many work for tcp://a:8786 is decided where they are"
        " started\n"
    )


def test_nobody_at_the_address_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.1)
    assert jtss(*SIMULATE, "--dask", "127.0.0.1:9") == 2
    err = capsys.readouterr().err
    assert err.startswith("jtss: error: --dask 127.0.0.1:9: no scheduler answered in 0.1 s (")
    assert err.count("\n") == 1
