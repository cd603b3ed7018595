"""A schema registry, asked by HTTP what its numbers mean: GET /schemas/ids/701, as Confluent's and its kin answer.

A number means one schema for ever. What the registry does not know now it may know soon; and while it does not answer,
nobody knows anything: the question is to be asked again, and no message is to blame.
"""

import base64
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from http.client import HTTPException
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from jtss.errors import InputError
from jtss.invocation import option

SCHEMES = ("http://", "https://")
LOGIN = "JTSS_SCHEMA_LOGIN"  # the environment variable that says NAME:PASSWORD
TIMEOUT_SECONDS = 5.0
MOST_BYTES = 4 << 20  # of an answer
UNKNOWN_SECONDS = 10.0  # until it is asked again for a number that it did not know
MOST_UNKNOWN = 1024  # numbers remembered
LARGEST = 2**31 - 1  # registries number by signed integers of 32 bits, and refuse a question for more
OF_NO_SCHEMA = (400, 404, 422)  # the status of a number that is malformed, unknown, or none that can be
ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


class RegistryError(Exception):
    """It does not say now what a number means; to be asked again."""


class Registry:
    """The schemas of a registry by their numbers.

    Attributes:
        name: its address, without a password.
    """

    def __init__(self, address: str) -> None:
        """Connects to nothing yet.

        Args:
            address: http(s)://HOST:PORT, with a path where it has one, and NAME:PASSWORD@ before the host where it
                wants them; else LOGIN may have them.

        Raises:
            InputError: it is no such address.
        """
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not address.startswith(SCHEMES) or not host or parts.query or parts.fragment:
            raise InputError(f"{option('schema')}: expected the address of a registry as http://HOST:PORT")
        shown = f"[{host}]" if ":" in host else host
        self.name = f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._login = os.environ.get(LOGIN, "") if parts.username is None else login
        self._known: dict[int, bytes] = {}
        self._unknown: dict[int, float] = {}

    def schema(self, number: int) -> bytes | None:
        """The schema of a number; None where the registry says that it has none.

        Raises:
            RegistryError: it does not say either.
        """
        if number > LARGEST:
            return None
        if number in self._known:
            return self._known[number]
        if time.monotonic() - self._unknown.get(number, float("-inf")) < UNKNOWN_SECONDS:
            return None
        schema = self._ask(number)
        if schema is not None:
            self._known[number] = schema
            return schema
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown[number] = time.monotonic()
        return None

    def _ask(self, number: int) -> bytes | None:
        status, body = self._get(f"{self.name}/schemas/ids/{number}")
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        if status in OF_NO_SCHEMA and isinstance(said, dict) and "error_code" in said:  # the registry's, not a proxy's
            return None
        if status == 200 and isinstance(said, dict) and isinstance(said.get("schema"), str):
            return said["schema"].encode()
        what = "an answer without a schema" if status == 200 else f"status {status}"
        raise RegistryError(f"the schema registry {self.name} gave {what} for number {number}")

    def _get(self, url: str) -> tuple[int, bytes]:
        """Status and body, within TIMEOUT_SECONDS, however slowly the name is found or the answer comes."""
        request = Request(url, headers={"Accept": ACCEPT})
        if self._login:  # not for whom it may redirect to
            word = base64.b64encode(self._login.encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {word}")
        try:
            return _begun(_fetch, request).result(TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise RegistryError(f"the schema registry {self.name} does not answer: timed out") from error
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise RegistryError(f"the schema registry {self.name} does not answer: {reason}") from error


def _begun(function: Callable, *arguments: object) -> Future:
    """What a function will return, from a thread that nobody has to wait for, not even the end of the process."""
    future = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def _fetch(request: Request) -> tuple[int, bytes]:
    """Status and body; gives up after TIMEOUT_SECONDS without a byte, or so many of a body that does not end."""
    end = time.monotonic() + TIMEOUT_SECONDS
    try:
        answer = urlopen(request, timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        answer = error
    with answer:
        body = b""
        while part := answer.read1(1 << 16):
            body += part
            if len(body) > MOST_BYTES:
                raise HTTPException(f"more than {MOST_BYTES >> 20} MiB")
            if time.monotonic() > end:
                raise TimeoutError
        return answer.status, body
