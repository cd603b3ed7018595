"""Fixtures that several test modules share."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from helpers.training_program import data_file  # noqa: F401 - a fixture
from jtss import invocation

os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "0")  # nothing of the home is read or left there

# How long an example takes is the machine's affair. The same examples each time, so that a change fails for what it is;
# --hypothesis-profile=search looks for others.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("seeded", settings.get_profile("search"), derandomize=True)
settings.load_profile("seeded")


def pytest_collection_finish() -> None:
    """A program that one test compiled is there for the next, as it is for a user; without JAX there is none."""
    if "jax" in sys.modules:
        from helpers.programs import keep_compiled

        keep_compiled()


@pytest.fixture(autouse=True)
def _called_by_nobody():
    """A door that a test calls says for this test alone how the program was called."""
    invocation.forget()


@pytest.fixture
def evaluate(folder, monkeypatch, capsys, tmp_path):
    """The script, run in an empty directory on a run in the module's `folder`; see `helpers.made_runs.caller`."""
    from helpers.made_runs import caller  # here, because it imports JAX, which most tests do without

    monkeypatch.chdir(tmp_path)
    return caller(folder, monkeypatch, capsys)


@pytest.fixture(scope="session")
def ztf_dir() -> Path:
    """The folder of real alerts (alerts/, labels.csv) named by JTSS_ZTF_ALERTS; the test is skipped without it."""
    name = os.environ.get("JTSS_ZTF_ALERTS", "")
    if not name or not Path(name, "alerts").is_dir():
        pytest.skip("set JTSS_ZTF_ALERTS to the folder of real alerts")
    return Path(name)
