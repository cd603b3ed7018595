"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "0")  # tests compile by themselves and leave nothing in the home


@pytest.fixture(scope="session")
def ztf_dir() -> Path:
    """The folder of real alerts (alerts/, labels.csv) named by JTSS_ZTF_ALERTS; the test is skipped without it."""
    name = os.environ.get("JTSS_ZTF_ALERTS", "")
    if not name or not Path(name, "alerts").is_dir():
        pytest.skip("set JTSS_ZTF_ALERTS to the folder of real alerts")
    return Path(name)
