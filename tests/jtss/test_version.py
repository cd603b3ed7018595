"""One version, wherever it is asked for."""

import tomllib

import jtss
from helpers.places import ROOT
from jtss.version import __version__


def test_the_package_and_its_metadata_take_it_from_here():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "jtss.version.__version__"}
    assert jtss.__version__ == __version__
