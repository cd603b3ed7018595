"""Where a server listens, and when it ends."""

import json

import pytest

from helpers.made_service import made_run, made_service, said
from jtss.serving.http.server import listening, serve


def test_an_address_that_is_not_to_be_had_is_named():
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        for host, number in (("127.0.0.1", port), ("127.0.0.1", 70_000), ("127.0.0.1", -1), ("192.0.2.1", 0)):
            with pytest.raises(OSError, match=rf"--host {host} --port {number}: "):
                listening(host, number)


def test_ipv6_is_an_address_too():
    try:
        with listening("::1", 0) as found:
            assert found.getsockname()[1] > 0
    except OSError as error:
        pytest.skip(f"no IPv6: {error}")


def test_a_server_whose_models_cannot_be_made_ready_ends(tmp_path, monkeypatch):
    def fails(_model):
        raise MemoryError("too little")

    monkeypatch.setattr("jtss.serving.http.service.warm", fails)
    service = made_service(made_run(tmp_path))
    with (
        listening("127.0.0.1", 0) as at,
        pytest.raises(RuntimeError, match="cannot be made ready: MemoryError: too little"),
    ):
        serve(service, at)
    assert [json.loads(line)["event"] for line in said(service.log).splitlines()] == ["listening", "stopped"]
