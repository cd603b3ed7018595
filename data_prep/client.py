"""A client of public services: polite, patient and suspicious.

It asks one question at a time and no faster than agreed, waits as long as it is told to, asks again after what may
pass, and takes no answer for more than its status, type and size say. What does not come is a `Lost` with its reason.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

import httpx

from data_prep.lost import ABSENT, DAMAGED, FAILED, NOT_ASKED, Lost

Result = TypeVar("Result")

RATE_HZ = 5.0  # questions
ATTEMPTS = 5
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 2.0, 60.0  # the longest that is drawn; twice as long after each attempt
MOST_PATIENCE_SECONDS = 300.0  # a service that wants more is left alone: the same command goes on later
FAILURES_IN_A_ROW = 10  # questions with all their attempts; then the service is down, or has changed
CONNECT_SECONDS = 10.0
TIMEOUT = httpx.Timeout(30.0, connect=CONNECT_SECONDS)  # of silence
ANSWER_SECONDS = 120.0  # for an answer that comes in drops
MOST_BYTES = 64 << 20
MOST_REDIRECTS = 5
OK = 200
MISSING = (404, 410)
PASSING = (408, 425, 429, 500, 502, 503, 504)
TOLD = ("server", "etag", "last-modified")  # headers worth keeping, beside those that name a version


class Request(NamedTuple):
    """A question: `json` makes it a POST, and so does `form`, with `uploads` (file name, content, type) by field."""

    url: str
    params: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    uploads: Mapping[str, tuple[str, str | bytes, str]] | None = None

    @property
    def method(self) -> str:
        return "GET" if self.json is None and self.form is None else "POST"

    def at(self, url: str, status: int) -> "Request":
        """What to ask where a redirect leads: the same, also where others make it a GET and lose what it says."""
        return Request(url) if status == httpx.codes.SEE_OTHER else self._replace(url=url, params=None)


class Reply(NamedTuple):
    """An answer.

    Attributes:
        status: 200 unless others were asked for too.
        url: where it came from, after redirects. kind: its media type, in small letters and without parameters.
        told: headers that say which version of what it is. time: when it came [s since 1970].
    """

    url: str
    kind: str
    body: bytes
    told: dict[str, str]
    time: float
    status: int = 200

    @property
    def is_error(self) -> bool:
        return self.status >= 400


class Client:
    """Asks services.

    Attributes:
        refusal: why nothing more is asked, "" as long as it is.
    """

    def __init__(
        self,
        rate_hz: float = RATE_HZ,
        agent: str = "jtss",
        *,
        timeout: httpx.Timeout = TIMEOUT,
        pause: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Connects to nothing yet; `pause`, `clock`, `now` and `draw` are the world's, or a test's."""
        self._http = httpx.Client(headers={"User-Agent": agent}, timeout=timeout)
        self._interval, self._next = 1 / rate_hz, clock()
        self._pause, self.clock, self.now, self._draw = pause, clock, now, draw
        self._n_failures = 0
        self.refusal = ""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exception) -> None:
        self._http.close()

    def ask(
        self,
        request: Request,
        read: Callable[[Reply], Result],
        most_bytes: int = MOST_BYTES,
        is_good: Callable[[int], bool] = OK.__eq__,
    ) -> Result:
        """Ask until there is an answer that can be read.

        Args:
            read: takes the answer, or raises `Lost` with `again` where it is not what was asked for.
            most_bytes: of the answer, inflated.
            is_good: whether a status is not an error.

        Raises:
            Lost: what came of it.
        """

        def once() -> Result:
            with self.opened(request, is_good=is_good) as response:
                return read(self._reply(response, most_bytes))

        return self.until_it_comes(once)

    def until_it_comes(self, once: Callable[[], Result], has_advanced: Callable[[], bool] = lambda: False) -> Result:
        """Do what asks a service, some times over.

        Args:
            once: raises `Lost`.
            has_advanced: whether the last attempt brought so much that it does not count.
        """
        attempt = 0
        while True:
            if self.refusal:
                raise Lost(NOT_ASKED, "", self.refusal)
            try:
                result = once()
            except Lost as lost:
                attempt = 1 if has_advanced() else attempt + 1
                self._note(lost, is_last=attempt >= ATTEMPTS or not lost.again)
                if attempt >= ATTEMPTS or not lost.again or self.refusal:
                    raise
                self._pause(self._wait(attempt, lost))
            else:
                self._n_failures = 0
                return result

    def _note(self, lost: Lost, is_last: bool) -> None:
        """Take notice of a failure: a service that asks for a rest, or that fails again and again, is asked no more."""
        if lost.after is not None and lost.after > MOST_PATIENCE_SECONDS:
            self.refusal = f"the service asks not to be asked for {lost.after:.0f} s ({lost.detail})"
        elif lost.outcome == ABSENT:
            self._n_failures = 0
        elif is_last:
            self._n_failures += 1
            if self._n_failures >= FAILURES_IN_A_ROW:
                self.refusal = f"{self._n_failures} questions in a row came to nothing, the last: {lost}"

    def _wait(self, attempt: int, lost: Lost) -> float:
        """[s] drawn at random, so that clients that failed together do not come back together; or what was asked."""
        longest = min(FIRST_WAIT_SECONDS * 2 ** (attempt - 1), LONGEST_WAIT_SECONDS)
        return max(self._draw() * longest, lost.after or 0.0)

    @contextmanager
    def opened(
        self,
        request: Request,
        headers: Mapping[str, str] | None = None,
        is_good: Callable[[int], bool] = OK.__eq__,
    ) -> Iterator[httpx.Response]:
        """The response to a question, its body not read; what goes wrong meanwhile is a `Lost`.

        Args:
            is_good: as in `ask`.
        """
        self._keep_the_rate()
        try:
            with closing(self._sent(request, headers)) as response:
                if not is_good(response.status_code):
                    raise self._refused(response)
                yield response
        except httpx.TimeoutException as error:
            raise Lost(FAILED, "timeout", f"{request.url}: {type(error).__name__}", again=True) from None
        except httpx.TooManyRedirects:
            raise Lost(FAILED, "redirects", f"{request.url}: more than {MOST_REDIRECTS} redirects") from None
        except httpx.DecodingError as error:
            raise Lost(DAMAGED, "bad_encoding", f"{request.url}: {error}", again=True) from None
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise Lost(FAILED, "connection", f"{request.url}: {error}", again=True) from None

    def _sent(self, request: Request, headers: Mapping[str, str] | None) -> httpx.Response:
        """The response where redirects end, its body not read."""
        for _ in range(MOST_REDIRECTS + 1):
            method, url, params, json, form, uploads = request.method, *request
            sent = self._http.build_request(
                method, url, params=params, json=json, data=form, files=uploads, headers=headers
            )
            response = self._http.send(sent, stream=True)
            if not response.has_redirect_location:
                return response
            response.close()
            request = request.at(str(response.url.join(response.headers["location"])), response.status_code)
        raise httpx.TooManyRedirects(request.url)

    def _keep_the_rate(self) -> None:
        if (early := self._next - self.clock()) > 0:
            self._pause(early)
        self._next = max(self._next, self.clock()) + self._interval

    def _refused(self, response: httpx.Response) -> Lost:
        status = response.status_code
        detail = f"{response.url}: status {status}"
        if status in MISSING:
            return Lost(ABSENT, "not_found", detail)
        after = self._seconds(response.headers.get("retry-after"))
        return Lost(FAILED, f"status_{status}", detail, again=status in PASSING, after=after)

    def _seconds(self, text: str | None) -> float | None:
        """A Retry-After, in seconds or as a date, as seconds from now; None where it says nothing.

        RFC 9110, §10.2.3.
        """
        if not text:
            return None
        if text.strip().isdecimal():
            return float(text)
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(date.replace(tzinfo=date.tzinfo or UTC).timestamp() - self.now(), 0.0)

    def _reply(self, response: httpx.Response, most_bytes: int) -> Reply:
        until, parts, size = self.clock() + ANSWER_SECONDS, [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > most_bytes:
                raise Lost(DAMAGED, "too_large", f"{response.url}: more than {most_bytes} bytes")
            if self.clock() > until:
                raise Lost(FAILED, "too_slow", f"{response.url}: {size} bytes in {ANSWER_SECONDS:g} s", again=True)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Reply(str(response.url), kind, b"".join(parts), told(response), self.now(), response.status_code)


def told(response: httpx.Response) -> dict[str, str]:
    """What a response says of the service and its version."""
    return {name: value for name, value in response.headers.items() if name in TOLD or "version" in name}
