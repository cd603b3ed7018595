"""Numbers of a service as Prometheus reads them."""

import json
import re

import pytest

from helpers.made_messages import ANSWER, answered, outcome, received
from jtss.serving import metrics
from jtss.serving.messages import Partition
from jtss.serving.metrics import Metrics

SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="(\\.|[^"\\])*",?)+\})? (\d+(\.\d+)?(e[+-]\d+)?|NaN)')


def counted():
    done = Metrics()
    done.delivered(
        [answered(0)._replace(message=received(0, seconds=1)), outcome(received(1, b"bad", seconds=2))], now=5.0
    )
    done.delivered([answered(2)._replace(message=received(2, seconds=4))], now=5.0)
    done.failed("registry")
    done.turned({Partition("alerts", 0): 7})
    return done


def test_what_was_done_is_counted():
    lines = counted().text().splitlines()
    for line in (
        'jtss_answers_total{class="SN"} 2',
        'jtss_dead_letters_total{reason="bad"} 1',
        'jtss_lag_messages{topic="alerts",partition="0"} 7',
        'jtss_latency_seconds{quantile="0.5"} 3.0',
        "jtss_latency_seconds_sum 8.0",
        "jtss_latency_seconds_count 3",
        "jtss_sink_failures_total 0",
        "jtss_registry_failures_total 1",
    ):
        assert line in lines
    assert counted().totals() == {"answers": 2, "dead_letters": 1}


def test_the_same_is_told_as_json():
    told = json.loads(json.dumps(counted().numbers()))
    assert told.pop("latency_seconds")["0.5"] == 3.0
    assert told == {
        "answers": {"SN": 2},
        "dead_letters": {"bad": 1},
        "lag_messages": {"alerts[0]": 7},
        "sum_seconds": 8.0,
        "failures": {"cluster": 0, "sink": 0, "registry": 1},
        "waits_for": ["registry"],
        "is_ready": False,
        "is_alive": True,
    }
    assert {*Metrics().numbers()["latency_seconds"].values()} == {None}


def test_the_latest_answers_are_shown_newest_first():
    done = Metrics()
    done.delivered([*(answered(i, objectId=f"Z{i}") for i in range(20)), outcome(received(20, b"bad"))], now=1.0)
    latest = done.latest()
    assert [one["objectId"] for one in latest] == [f"Z{i}" for i in range(19, 19 - metrics.N_LATEST, -1)]
    assert latest[0] == {name: (ANSWER | {"objectId": "Z19"})[name] for name in metrics.SHOWN}


def test_every_line_is_of_the_format():
    odd = Metrics()
    odd.delivered([outcome(received(0, b'a "reason"\n\\'), is_dead=True)], now=1.0)
    for numbers in (counted(), odd, Metrics()):
        assert numbers.text().endswith("\n")
        for line in numbers.text().splitlines():
            assert line.startswith("# ") or SAMPLE.fullmatch(line), line


def test_health(monkeypatch):
    new = Metrics()
    assert new.is_alive()
    assert not new.is_ready()
    new.joined()
    assert new.is_ready()
    for what in metrics.FAILURES:
        new.failed(what)
        assert not new.is_ready()
        new.works(what)
        assert new.is_ready()
    monkeypatch.setattr(metrics, "ALIVE_SECONDS", -1)
    assert not new.is_alive()
    new.turned({})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "ALIVE_SECONDS", 1000)
        assert new.is_alive()
