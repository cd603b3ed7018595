"""Where a server listens."""

import pytest

from jtss.serving.http.server import listening


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
