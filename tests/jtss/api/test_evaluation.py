"""A report as plain numbers, and what it holds."""

import inspect
import re

import pytest

import jtss
from helpers.made_runs import untrained


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("trained"))


def test_a_report(trained):
    run = jtss.load_model(trained / "run")
    found = jtss.evaluate(run, trained / "made.h5")
    assert found["data"]["split"] == "test"
    assert not list(trained.glob("run/evaluation*"))
    jtss.evaluate(run, jtss.open_dataset(trained / "made.h5"), out=trained / "report")
    assert (trained / "report" / "report.json").is_file()


def test_what_a_report_holds_is_said_where_it_is_asked_for(trained):
    document = jtss.evaluate(trained / "run", trained / "made.h5")
    returns = inspect.getdoc(jtss.evaluate).partition("Returns:")[2].partition("Raises:")[0]
    described = re.findall(r"^    (\w[\w, ]*): ", returns, re.MULTILINE)
    names = [name for names in described for name in names.split(", ")]
    assert sorted(names) == sorted([*document, "over_time", "subclasses"])  # these two are of models of packets alone
    assert {name for name, value in document.items() if value is None} >= {"bogus_screening", "by_detections", "seeds"}
