"""A registry that knows, does not know, or does not answer."""

import base64
import time

import pytest

from helpers.made_registry import UNKNOWN, found, made_registry
from jtss.errors import InputError
from jtss.serving import registry
from jtss.serving.registry import LOGIN, Registry, RegistryError

SCHEMA = {"type": "record", "name": "alert", "fields": []}


@pytest.fixture
def made():
    with made_registry() as one:
        yield one


def test_a_number_is_asked_for_once(made):
    made.answers[7] = found(SCHEMA, schemaType="AVRO")
    asked = Registry(f"{made.address}/")
    assert asked.schema(7) == asked.schema(7) == b'{"type": "record", "name": "alert", "fields": []}'
    assert made.asked == [7]
    assert made.logins == [None]


def test_an_unknown_number_is_asked_for_again_after_a_while(made, monkeypatch):
    asked = Registry(made.address)
    assert asked.schema(7) is None
    made.answers[7] = found(SCHEMA)
    assert asked.schema(7) is None
    assert made.asked == [7]
    monkeypatch.setattr(registry, "UNKNOWN_SECONDS", 0.0)
    assert asked.schema(7) is not None
    monkeypatch.setattr(registry, "MOST_UNKNOWN", 2)
    for number in range(100, 110):
        assert asked.schema(number) is None
        assert len(asked._unknown) <= 2


def test_a_number_that_no_schema_can_have_is_not_asked_for(made):
    asked = Registry(made.address)
    made.answers[2**31 - 1] = found(SCHEMA)
    assert asked.schema(2**31 - 1) is not None
    for number in (2**31, 2**32 - 1):
        assert asked.schema(number) is None
    assert made.asked == [2**31 - 1]


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_number_that_the_registry_refuses_is_unknown(made, status):
    made.answers[7] = (status, b'{"error_code": %d, "message": "no such number"}' % status)
    assert Registry(made.address).schema(7) is None


def slowly(handler):
    """Byte by byte, without an end."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.02)


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def header_by_header(handler):
    """Each in time by itself."""
    handler.send_response(200)
    for number in range(99):  # a client reads no more of them
        handler.send_header(f"X-{number}", "")
        handler.flush_headers()
        time.sleep(0.1)


def silent(handler):
    handler.rfile.read(1)


SLOW = (slowly, header_by_header, silent)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, b"{}"), "gave status 500 for number 7"),
        ((401, b'{"error_code": 401}'), "gave status 401"),
        ((404, b"<html>no such page</html>"), "gave status 404"),  # a proxy's; the registry itself has words
        ((400, b"<html>bad request</html>"), "gave status 400"),
        ((200, b"{"), "gave an answer without a schema for number 7"),
        ((200, b'"schema"'), "gave an answer without a schema"),
        ((200, b'{"schema": {}}'), "gave an answer without a schema"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "does not answer"),
        (lambda handler: handler.close_connection, "does not answer"),
        (endless, "does not answer: more than 4 MiB"),
        *((slow, "does not answer: timed out") for slow in SLOW),
    ],
)
def test_what_is_no_word_of_a_registry_is_asked_again(made, monkeypatch, answer, said):
    monkeypatch.setattr(registry, "TIMEOUT_SECONDS", 0.3 if answer in SLOW else 60)
    asked = Registry(made.address)
    made.answers[7] = answer
    with pytest.raises(RegistryError, match=rf"^the schema registry {made.address} .*{said}"):
        asked.schema(7)
    made.answers[7] = found(SCHEMA)
    monkeypatch.setattr(registry, "TIMEOUT_SECONDS", 60)
    assert asked.schema(7) is not None
    made.answers[8] = UNKNOWN
    assert asked.schema(8) is None


def test_one_that_is_away_is_named():
    with made_registry() as gone:
        asked = Registry(gone.address)
    with pytest.raises(RegistryError, match=r"does not answer: .*refused"):
        asked.schema(7)


def test_passwords_are_sent_and_never_said(made, monkeypatch):
    host = made.address.removeprefix("http://")
    monkeypatch.setenv(LOGIN, "other:word")
    for asked, login in (
        (Registry(f"http://us:secret%2F@{host}"), b"us:secret/"),
        (Registry(made.address), b"other:word"),
    ):
        made.answers[7] = (500, b"")
        with pytest.raises(RegistryError) as error:
            asked.schema(7)
        assert "secret" not in f"{error.value!r} {error.value.__cause__!r} {asked.name}"
        assert base64.b64decode(made.logins[-1].removeprefix("Basic ")) == login


def test_a_password_is_not_sent_to_where_it_redirects(made):
    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", f"{other.address}/schemas/ids/7")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with made_registry() as other:
        other.answers[7] = found(SCHEMA)
        made.answers[7] = elsewhere
        assert Registry(made.address.replace("//", "//us:secret@")).schema(7) is not None
        assert other.logins == [None]


@pytest.mark.parametrize(
    "address", ["http://", "ftp://host", "http://us:secret@", "http://host:port", "https://host?q"]
)
def test_what_is_no_address_is_named_without_its_password(address):
    with pytest.raises(InputError, match=r"--schema: expected the address of a registry as http://HOST:PORT") as error:
        Registry(address)
    assert "secret" not in str(error.value)


def test_addresses_are_named_whole():
    assert Registry("https://us:word@[::1]:8081/api/").name == "https://[::1]:8081/api"
