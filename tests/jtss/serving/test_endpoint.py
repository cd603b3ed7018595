"""The page for monitors."""

import json
import re
import socket
import time
from contextlib import suppress
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

pytest.importorskip("confluent_kafka")

from helpers.mock_kafka import wait_until
from jtss.errors import InputError
from jtss.serving.endpoint import LOCAL, MOST_AT_ONCE, address, endpoint
from jtss.serving.metrics import Metrics


def get(port, path):
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers():
    metrics = Metrics()
    with endpoint(metrics, LOCAL, 0) as port:
        assert get(port, "/metrics") == (200, metrics.text())
        assert get(port, "/healthz") == (200, "ok\n")
        assert get(port, "/readyz")[0] == 503
        metrics.joined()
        assert get(port, "/readyz") == (200, "ok\n")
        assert get(port, "/../etc/passwd")[0] == 404
        assert json.loads(get(port, "/metrics.json")[1]) == metrics.numbers() | {"latest": []}


def test_the_page_needs_nothing_from_elsewhere():
    """It is one file that reads the numbers by their names, and asks the service alone."""
    metrics = Metrics()
    with endpoint(metrics, LOCAL, 0) as port, urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        page = answer.read().decode()
        assert answer.headers.get_content_type() == "text/html"
        rules = {*answer.headers["Content-Security-Policy"].split("; ")}
        assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= rules
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"https?:|\b(src|href)=|@import|url\(", page)
    assert {*re.findall(r"told\.(\w+)", page)} <= {*metrics.numbers(), "latest"}
    ids = {*re.findall(r'id="(\w+)"', page)}
    assert {*re.findall(r'(?:at|rows)\("(\w+)"', page)} == ids


def test_addresses():
    assert address("9100") == (LOCAL, 9100)
    assert address("0.0.0.0:0") == ("0.0.0.0", 0)
    assert address("[::]:9100") == ("::", 9100)
    for text in ("", "host", ":9100", "host:", "-1", "70000", "9100.0", "host:http"):
        with pytest.raises(InputError, match=rf"--metrics '?{re.escape(text)}'?: expected HOST:PORT or PORT"):
            address(text)


def test_others_do_not_see_it_unless_told():
    """127.0.0.2 is this machine, too, and not the interface asked for."""
    with endpoint(Metrics(), LOCAL, 0) as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=60)
    with endpoint(Metrics(), "0.0.0.0", 0) as port:
        socket.create_connection(("127.0.0.2", port), timeout=60).close()


def test_a_place_that_cannot_be_had_is_named():
    with endpoint(Metrics(), LOCAL, 0) as taken:
        for host, port in ((LOCAL, taken), ("192.0.2.1", 0), ("no host", 0)):
            with pytest.raises(OSError, match=rf"--metrics '?{host}:{port}'?: .*; choose another host or port"):
                endpoint(Metrics(), host, port).__enter__()


def test_requests_at_once_are_bounded(monkeypatch):
    """Those that wait with nothing to say do not make ever more threads; when they go, others are served."""
    monkeypatch.setattr("jtss.serving.endpoint.REQUEST_SECONDS", 600)
    with endpoint(Metrics(), LOCAL, 0) as port:
        silent = [socket.create_connection((LOCAL, port)) for _ in range(MOST_AT_ONCE)]
        for _ in range(3):
            with pytest.raises((URLError, ConnectionError)):
                get(port, "/healthz")
        for one in silent:
            one.close()
        wait_until(lambda: is_served(port), "served again")


def is_served(port):
    with suppress(URLError, ConnectionError, HTTPException):
        return get(port, "/healthz")[0] == 200


def test_those_that_send_byte_by_byte_do_not_keep_others_out(monkeypatch):
    """The time is that of a whole request: they are hung up on, although none is ever quiet for so long."""
    monkeypatch.setattr("jtss.serving.endpoint.REQUEST_SECONDS", 0.5)
    with endpoint(Metrics(), LOCAL, 0) as port:
        slow = {socket.create_connection((LOCAL, port)) for _ in range(MOST_AT_ONCE)}
        while slow:
            for one in {*slow}:
                try:
                    one.send(b"G")
                except ConnectionError:
                    slow.remove(one)
                    one.close()
            time.sleep(0.01)  # less than the time for a request
        monkeypatch.setattr("jtss.serving.endpoint.REQUEST_SECONDS", 600)
        wait_until(lambda: is_served(port), "served again")


def test_those_that_read_nothing_do_not_keep_others_out(monkeypatch):
    monkeypatch.setattr("jtss.serving.endpoint.REQUEST_SECONDS", 0.5)
    monkeypatch.setattr("jtss.serving.endpoint.PAGE", "x" * (16 << 20))  # more than the buffers between us hold
    with endpoint(Metrics(), LOCAL, 0) as port:
        deaf = [socket.create_connection((LOCAL, port)) for _ in range(MOST_AT_ONCE)]
        for one in deaf:
            one.send(b"GET / HTTP/1.0\r\n\r\n")
        wait_until(lambda: is_served(port), "served again")
        for one in deaf:
            one.close()
