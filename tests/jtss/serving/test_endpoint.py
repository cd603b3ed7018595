"""The page for monitors."""

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from jtss.serving.endpoint import endpoint
from jtss.serving.metrics import Metrics


def get(port, path):
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers():
    metrics = Metrics()
    with endpoint(metrics, 0) as port:
        assert get(port, "/metrics") == (200, metrics.text())
        assert get(port, "/healthz") == (200, "ok\n")
        assert get(port, "/readyz")[0] == 503
        metrics.joined()
        assert get(port, "/readyz") == (200, "ok\n")
        assert get(port, "/../etc/passwd")[0] == 404


def test_a_port_that_is_taken_or_none_is_named():
    with endpoint(Metrics(), 0) as taken:
        for port in (taken, -1, 70_000):
            with pytest.raises(OSError, match=rf"--metrics {port}: .*; choose another port"):
                endpoint(Metrics(), port).__enter__()
